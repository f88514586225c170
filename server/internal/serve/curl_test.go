package serve

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// shell runs the command lines of the manual against a server, so that the test needs no
// shell and no curl: "curl" with the options that are used there, and before it, through
// pipes, "echo" and "base64 -d".
type shell struct {
	client *http.Client
	from   string // the address in the manual
	to     string // of the server
}

// run returns what a command line prints.
func (s *shell) run(line string) (string, error) {
	commands, err := split(line)
	if err != nil {
		return "", err
	}
	var out []byte
	for _, words := range commands {
		switch {
		case words[0] == "echo":
			out = []byte(strings.Join(words[1:], " ") + "\n")
		case slices.Equal(words, []string{"base64", "-d"}):
			out, err = base64.StdEncoding.DecodeString(strings.TrimSpace(string(out)))
		case words[0] == "curl":
			out, err = s.curl(words[1:], out)
		default:
			err = fmt.Errorf("unknown command %s", words[0])
		}
		if err != nil {
			return "", err
		}
	}
	return string(out), nil
}

// split makes words of a command line as a shell does, with quotes and backslashes but
// without variables, one list for each command of a pipe.
func split(line string) (commands [][]string, err error) {
	var words []string
	var word strings.Builder
	inWord := false
	end := func() {
		if inWord {
			words = append(words, word.String())
			word.Reset()
			inWord = false
		}
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case '\'', '"':
			closing := strings.IndexByte(line[i+1:], c)
			if closing < 0 {
				return nil, errors.New("a quote is not closed")
			}
			text := line[i+1 : i+1+closing]
			if c == '"' && strings.ContainsAny(text, "$`\\") {
				return nil, errors.New("the double quotes hold what a shell would expand")
			}
			word.WriteString(text)
			inWord = true
			i += 1 + closing
		case '\\':
			if i++; i < len(line) && line[i] != '\n' {
				word.WriteByte(line[i])
				inWord = true
			}
		case ' ', '\n', '\t':
			end()
		case '|':
			end()
			commands, words = append(commands, words), nil
		case '$', '`', ';', '<', '>', '*', '?', '&', '(', ')', '#', '~':
			return nil, fmt.Errorf("%q without quotes", c)
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	end()
	if commands = append(commands, words); slices.ContainsFunc(commands, func(c []string) bool { return len(c) == 0 }) {
		return nil, errors.New("a command is empty")
	}
	return commands, nil
}

// curl does what curl does with the arguments, and returns what it would print.
func (s *shell) curl(args []string, input []byte) ([]byte, error) {
	var (
		method, target, form string
		user, out, written   string
		header               = http.Header{}
		data                 []string
		include, get         bool
	)
	for i := 0; i < len(args); i++ {
		option := args[i]
		if option == "" || option[0] != '-' {
			target = option
			continue
		}
		switch option {
		case "-i":
			include = true
			continue
		case "-I":
			include, method = true, http.MethodHead
			continue
		case "-G":
			get = true
			continue
		case "-s", "-sS":
			continue
		}
		if i++; i == len(args) {
			return nil, fmt.Errorf("curl: %s needs a value", option)
		}
		value := args[i]
		switch option {
		case "-X":
			method = value
		case "-H":
			name, text, _ := strings.Cut(value, ":")
			header.Set(name, strings.TrimSpace(text))
		case "-u":
			user = value
		case "-o":
			out = value
		case "-w":
			written = value
		case "-d", "--data-binary":
			if value == "@-" {
				value = string(input)
			}
			data, form = append(data, value), "application/x-www-form-urlencoded"
		case "--data-urlencode":
			name, text, _ := strings.Cut(value, "=")
			data, form = append(data, name+"="+url.QueryEscape(text)), "application/x-www-form-urlencoded"
		default:
			return nil, fmt.Errorf("curl: unknown option %s", option)
		}
	}
	body := strings.Join(data, "&")
	switch {
	case get:
		target, body, form = target+"?"+body, "", ""
	case method == "" && data != nil:
		method = http.MethodPost
	}
	if !strings.Contains(target, s.from) {
		return nil, fmt.Errorf("curl: %s is not below %s", target, s.from)
	}
	r, err := http.NewRequest(method, strings.Replace(target, s.from, s.to, 1), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if form != "" {
		r.Header.Set("Content-Type", form)
	}
	for name := range header {
		r.Header.Set(name, header.Get(name))
	}
	if name, password, ok := strings.Cut(user, ":"); ok {
		r.SetBasicAuth(name, password)
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	var printed bytes.Buffer
	if include {
		fmt.Fprintf(&printed, "%s %s\n", answer.Proto, answer.Status)
		for _, name := range slices.Sorted(maps.Keys(answer.Header)) {
			fmt.Fprintf(&printed, "%s: %s\n", name, strings.Join(answer.Header[name], ", "))
		}
		fmt.Fprintln(&printed)
	}
	if out == "" {
		printed.Write(text)
	}
	fmt.Fprint(&printed, strings.NewReplacer("%{http_code}", fmt.Sprint(answer.StatusCode), "%{content_type}", answer.Header.Get("Content-Type"), `\n`, "\n").Replace(written))
	return printed.Bytes(), nil
}

// alike compares values of JSON. In want, "..." stands for any value, a string that holds
// it for any text there, a last element "..." of an array for any further ones, and a
// member "..." of an object for any others.
func alike(want, got any) bool {
	switch w := want.(type) {
	case string:
		if w == "..." {
			return true
		}
		text, ok := got.(string)
		return ok && matches(w, text)
	case []any:
		g, ok := got.([]any)
		if n := len(w) - 1; ok && n >= 0 && w[n] == "..." && len(g) >= n {
			w, g = w[:n], g[:n]
		}
		return ok && slices.EqualFunc(w, g, alike)
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return false
		}
		_, open := w["..."]
		for name, value := range w {
			if there, ok := g[name]; name != "..." && (!ok || !alike(value, there)) {
				return false
			}
		}
		return open || len(w) == len(g)
	}
	return reflect.DeepEqual(want, got)
}

// matches compares texts, where "..." stands for any number of characters.
func matches(want, got string) bool {
	parts := strings.Split(want, "...")
	if !strings.HasPrefix(got, parts[0]) {
		return false
	}
	got = got[len(parts[0]):]
	for i, part := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(got, part)
		}
		at := strings.Index(got, part)
		if at < 0 {
			return false
		}
		got = got[at+len(part):]
	}
	return got == ""
}

func TestShell(t *testing.T) {
	for line, want := range map[string][][]string{
		`curl -d 'a b' "c"d\e`:       {{"curl", "-d", "a b", "cde"}},
		"curl \\\n  x":               {{"curl", "x"}},
		`echo 'it''s' | base64 -d|x`: {{"echo", "its"}, {"base64", "-d"}, {"x"}},
		"curl -d 'two\nlines' ''":    {{"curl", "-d", "two\nlines", ""}},
		"curl 'a":                    nil,
		"curl a?b=c":                 nil,
		`curl "$x"`:                  nil,
		"curl |":                     nil,
	} {
		got, err := split(line)
		if (err != nil) != (want == nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %q, %v; want %q", line, got, err, want)
		}
	}
	object := func(pairs ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	}
	for _, c := range []struct {
		want, got any
		alike     bool
	}{
		{"...", 1.0, true},
		{1.0, 2.0, false},
		{"a...c", "abc", true},
		{"a...c", "abcd", false},
		{"a", "ab", false},
		{"...b...", "abc", true},
		{"a...b...c", "acb", false},
		{[]any{1.0, "..."}, []any{1.0, 2.0, 3.0}, true},
		{[]any{1.0}, []any{1.0, 2.0}, false},
		{object("a", 1.0), object("a", 1.0, "b", 2.0), false},
		{object("a", 1.0, "...", nil), object("a", 1.0, "b", 2.0), true},
		{object("a", 1.0, "...", nil), object("b", 2.0), false},
		{object("a", 1.0), object("a", nil), false},
	} {
		if alike(c.want, c.got) != c.alike {
			t.Errorf("alike(%v, %v) is %v", c.want, c.got, !c.alike)
		}
	}
}
