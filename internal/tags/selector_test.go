package tags

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fuzzing"
)

func TestParseSelector(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`room.temp`, `[__name__="room.temp"]`},
		{`room.temp{}`, `[__name__="room.temp"]`},
		{` room.temp { } `, `[__name__="room.temp"]`},
		{`{}`, `[]`},
		{`a:b-c/d_e`, `[__name__="a:b-c/d_e"]`},
		{`température{étage="2"}`, `[__name__="température" étage="2"]`},
		{`room.temp{floor="2",room=~"kitchen|hall",window!="open",x!~"y"}`,
			`[__name__="room.temp" floor="2" room=~"kitchen|hall" window!="open" x!~"y"]`},
		{"{ a = \"1\" ,\n\tb != '2' , c=~`\\d+` , }", `[a="1" b!="2" c=~"\\d+"]`},
		{`{a=""}`, `[a=""]`},
		{`{a="q\"\\\n\u00e9\xc3\xa9"}`, `[a="q\"\\\néé"]`},
		{"{a=\"x\ny\"}", `[a="x\ny"]`},
		{`{a='it\'s "so"'}`, `[a="it's \"so\""]`},
		{`"my {name}"{a="1"}`, `[__name__="my {name}" a="1"]`},
		{`{"room.temp","the key"="1"}`, `[__name__="room.temp" "the key"="1"]`},
		{`{a="1",a="2"}`, `[a="1" a="2"]`},
		{`x{__name__=~"y.*"}`, `[__name__="x" __name__=~"y.*"]`},
	} {
		ms, err := ParseSelector(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := fmt.Sprint(ms); got != c.want {
			t.Errorf("%s\n is %s\nwant %s", c.text, got, c.want)
		}
	}
}

func TestParseSelectorErrors(t *testing.T) {
	for _, c := range []struct {
		text string
		at   int
		want string
	}{
		{``, 1, "expected a series name or { instead of the end"},
		{`  `, 3, "instead of the end"},
		{`}`, 1, "instead of '}'"},
		{`a b`, 3, "unexpected 'b'"},
		{`a{`, 3, "expected a tag key instead of the end"},
		{`a{}}`, 4, "unexpected '}'"},
		{`a{b}`, 4, "expected = != =~ or !~ instead of '}'"},
		{`a{b=}`, 5, "expected a value in quotes instead of '}'"},
		{`a{b=c}`, 5, "expected a value in quotes instead of 'c'"},
		{`a{b=="c"}`, 5, "instead of '='"},
		{`a{b!"c"}`, 4, "instead of '!'"},
		{`a{b="c"`, 8, "expected , or } instead of the end"},
		{`a{b="c" d="e"}`, 9, "expected , or } instead of 'd'"},
		{`a{,}`, 3, "expected a tag key instead of ','"},
		{`a{b="c}`, 5, "not closed"},
		{"a{b=`c}", 5, "not closed"},
		{`a{b="\q"}`, 6, "escape"},
		{`a{b="\xff"}`, 5, "not UTF-8"},
		{"a{b=`\xff`}", 5, "not UTF-8"},
		{"a\xff", 2, "unexpected"},
		{`""`, 1, "empty quotes"},
		{`{""="x"}`, 2, "empty quotes"},
		{`é{b=~"("}`, 6, "missing closing )"},
		{`a{b=~"a)(b"}`, 6, "unexpected )"},
	} {
		_, err := ParseSelector(c.text)
		if err == nil {
			t.Errorf("%q: no error", c.text)
			continue
		}
		if want := fmt.Sprintf("character %d: ", c.at); !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s%s", c.text, err, want, c.want)
		}
	}
}

// TestPatterns compares the short cuts of patterns with the regular expression.
func TestPatterns(t *testing.T) {
	values := []string{"", "a", "b", "ab", "abc", "abd", "A", "é", "a\n", "\n", "web1", "web2", "web10", "a.c", "x", "aa", "$", "\\"}
	for _, text := range []string{
		"", "a", "a|b", "a|b|", "ab?c?", "a(b|)(c|d)?", "web[12]", "web1|web2|web10", ".*", ".+", "a.*", "a.+", "a.", "a.?",
		"(?i)a", "(?i)ab.*", "(?i:a)b", "[ab]", "[^a]", "[a-z]+", "a\\.c", "a\\nb|a\\n", "^a$", "^a.*", "a$|b", "(a)(b)", "(?:a|b)c?",
		"a*", "a+", "a{2}", "a{1,2}", "\\Qa.c\\E", "(?-s).*", "(?-s)a.*", "(?m)^a$", "\\d+", "web\\d", "é|x", "\\x{e9}", "[\\x00-\\x{10ffff}]",
		"(a|b|c|d)(a|b|c|d)(a|b|c|d)(a|b|c|d)(a|b|c|d)", "[[:^ascii:]]", "a||b", "(|a)(|b)(|c)", "\\\\|\\$", "[^\\x00-\\x{10FFFF}]", "a.*?", "(?U)a.*",
	} {
		p, err := newPattern(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		want := regexp.MustCompile("^(?s:" + text + ")$")
		for _, v := range values {
			if got := p.matches(v); got != want.MatchString(v) {
				t.Errorf("%s matches %q: %v", text, v, got)
			}
		}
	}
	for text, want := range map[string][]string{
		"b|a|b": {"a", "b"}, "web[1-3]": {"web1", "web2", "web3"}, "a?": {"", "a"}, "": {""}, "x(y|z)": {"xy", "xz"},
	} {
		if p, _ := newPattern(text); !slices.Equal(p.values, want) {
			t.Errorf("%s unfolds to %q, want %q", text, p.values, want)
		}
	}
	if p, err := newPattern("\\Qa.c"); err != nil || !p.matches("a.c") || p.matches("abc") {
		t.Errorf("a quote may stay open: %v", err)
	}
	if p, _ := newPattern("web.*"); p.re != nil || p.prefix != "web" {
		t.Error("a plain prefix is left to the automaton")
	}
	if p, _ := newPattern(strings.Repeat("(a|b)", 30)); p.values != nil {
		t.Error("2^30 values are unfolded")
	}
}

func TestMatcher(t *testing.T) {
	var zero Matcher
	if !zero.Matches("") {
		t.Error("the zero Matcher refuses a series")
	}
	if _, err := NewMatcher(NotRegexp+1, "a", "b"); err == nil {
		t.Error("an unknown type is taken")
	}
	if _, err := NewMatcher(Regexp, "a", "("); err == nil || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("error %v does not name the tag", err)
	}
	m := mustMatch(t, NotRegexp, "a b", "x\"")
	if m.Key() != "a b" || m.Type() != NotRegexp || m.Value() != "x\"" || m.String() != `"a b"!~"x\""` {
		t.Errorf("%s", m)
	}
	if s := MatchType(9).String(); s != "MatchType(9)" {
		t.Error(s)
	}
}

// longSelector is how long a text may be that the bound on memory is asked of: five
// bytes of it can be a condition, which takes ten times as many.
const longSelector = 16 << 10

// FuzzParseSelector wants the conditions, printed and read again, to be the same. What a
// regular expression takes is up to package regexp, which has bounds of its own.
func FuzzParseSelector(f *testing.F) {
	for _, s := range []string{`a{b="c",d=~"e|f",}`, `{"x y",'z'!='\u00e9'}`, "a{b=`c`", `{}`, `"a"{b!~".+"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var ms []Matcher
		var err error
		parse := func() { ms, err = ParseSelector(text) }
		if strings.Contains(text, "~") || len(text) > longSelector {
			fuzzing.InTime(t, len(text), parse)
		} else {
			fuzzing.Bounded(t, len(text), parse)
		}
		if err != nil {
			return
		}
		var parts []string
		for _, m := range ms {
			parts = append(parts, m.String())
		}
		again, err := ParseSelector("{" + strings.Join(parts, ",") + "}")
		if err != nil {
			t.Fatalf("%q prints as %q: %v", text, parts, err)
		}
		if fmt.Sprint(again) != fmt.Sprint(ms) {
			t.Fatalf("%q reads as %v, then as %v", text, ms, again)
		}
	})
}

// TestFormatSelector verifies that a formatted series selects itself, however odd its
// name and tags are.
func TestFormatSelector(t *testing.T) {
	for _, name := range []string{"room.temp", "a b", `q"uo'te`, "{x}", "a=b", "π", "\x01", "series:ff"} {
		for _, tags := range [][]base.Tag{
			nil,
			{{Key: "k", Value: ""}},
			{{Key: "host", Value: `a"b\c`}, {Key: "odd, \n key", Value: "v\x00\u2028"}},
		} {
			text := FormatSelector(name, tags)
			ms, err := ParseSelector(text)
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			if len(ms) != 1+len(tags) || ms[0].Key() != base.NameKey || ms[0].Value() != name {
				t.Errorf("%s reads as %v", text, ms)
				continue
			}
			for i, tag := range tags {
				if ms[i+1].Key() != tag.Key || ms[i+1].Value() != tag.Value || ms[i+1].Type() != Equal {
					t.Errorf("%s: condition %v, want tag %v", text, ms[i+1], tag)
				}
			}
		}
	}
}
