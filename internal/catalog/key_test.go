package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
)

// tagsOf makes tags of alternating keys and values.
func tagsOf(s ...string) []base.Tag {
	var tags []base.Tag
	for i := 0; i+1 < len(s); i += 2 {
		tags = append(tags, base.Tag{Key: s[i], Value: s[i+1]})
	}
	return tags
}

// TestKeysAndIDsAreFixed pins what data directories depend on. The ids were computed
// by an independent implementation of xxHash64.
func TestKeysAndIDsAreFixed(t *testing.T) {
	for _, c := range []struct {
		name string
		tags []base.Tag
		key  string
		id   base.SeriesID
	}{
		{"weather.room1", nil, `weather.room1|{}`, 0xe1b25c68a493d63d},
		{"room.temp", tagsOf("floor", "2", "room", "kitchen"),
			`room.temp|{"floor":"2","room":"kitchen"}`, 0xfe2dce6f981377f5},
		{"a", tagsOf("k\x01\n", "q\"b\\s/<é\x7f>"),
			`a|{"k\u0001\n":"q\"b\\s/<é` + "\x7f" + `>"}`, 0x32fda9c75391fe03},
		{"cpu_usage", tagsOf("host", "a=b,c", "région", "☃"),
			`cpu_usage|{"host":"a=b,c","région":"☃"}`, 0xba56d824b72d44aa},
	} {
		key := AppendKey(nil, c.name, c.tags)
		if string(key) != c.key {
			t.Errorf("key %s, want %s", key, c.key)
		}
		if id := KeyID(key); id != c.id {
			t.Errorf("id of %s is %#x, want %#x", key, uint64(id), uint64(c.id))
		}
	}
}

// TestEscapesAreJSON reads every byte back through a JSON decoder.
func TestEscapesAreJSON(t *testing.T) {
	for c := range 0x80 {
		s := "x" + string(rune(c)) + "y"
		key := AppendKey([]byte("before "), "n", []base.Tag{{Key: s, Value: s}})
		_, text, _ := strings.Cut(string(key), "|")
		var got map[string]string
		if err := json.Unmarshal([]byte(text), &got); err != nil || got[s] != s {
			t.Errorf("byte %#x: %s: %v", c, text, err)
		}
		// Only these: what JSON would let us escape besides stands for itself.
		if escaped := c < 0x20 || c == '"' || c == '\\'; escaped == strings.Contains(text, s) {
			t.Errorf("byte %#x: escaped is not %v in %s", c, escaped, text)
		}
		if want := len("n|") + len(text); keyLen("n", []base.Tag{{Key: s + strings.Repeat("k", MaxKeyBytes), Value: s}}) != want+MaxKeyBytes {
			t.Errorf("byte %#x: keyLen differs from the length of the key", c)
		}
	}
}

func TestValidateSeries(t *testing.T) {
	long := strings.Repeat("v", MaxKeyBytes)
	for _, c := range []struct {
		what, name string
		tags, want []base.Tag
		ok         bool
	}{
		{"no tags", "a", nil, nil, true},
		{"sorted", "a", tagsOf("b", "1", "c", "2"), tagsOf("b", "1", "c", "2"), true},
		{"unsorted", "a", tagsOf("c", "2", "b", "1"), tagsOf("b", "1", "c", "2"), true},
		{"bytewise order", "a", tagsOf("a", "1", "Z", "2", "é", "3"), tagsOf("Z", "2", "a", "1", "é", "3"), true},
		{"empty value", "a", tagsOf("b", "", "c", "2"), tagsOf("c", "2"), true},
		{"empty value beside one", "a", tagsOf("b", "", "b", "2"), tagsOf("b", "2"), true},
		{"bar and braces in the name", "a|{}", nil, nil, true},
		{"empty name", "", nil, nil, false},
		{"empty key", "a", tagsOf("", "1"), nil, false},
		{"key twice", "a", tagsOf("b", "1", "c", "2", "b", "1"), nil, false},
		{"reserved name", "a", tagsOf("__name__", "1"), nil, false},
		{"reserved version", "a", tagsOf("__at__", "1"), nil, false},
		{"reserved, but empty", "a", tagsOf("__at__", "", "__name__", ""), nil, true},
		{"name not UTF-8", "a\xff", nil, nil, false},
		{"key not UTF-8", "a", tagsOf("\xc3", "1"), nil, false},
		{"value not UTF-8", "a", tagsOf("b", "\xed\xa0\x80"), nil, false},
		{"longest key", long[:MaxKeyBytes-3], nil, nil, true},
		{"key too long", long[:MaxKeyBytes-2], nil, nil, false},
		{"too long by escapes", "a", tagsOf("b", strings.Repeat("\x01", MaxKeyBytes/6)), nil, false},
	} {
		before := slices.Clone(c.tags)
		got, err := ValidateSeries(c.name, c.tags)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: error %v", c.what, err)
		}
		if o, resolveErr := newCatalog().Resolve(c.name, c.tags); fmt.Sprint(resolveErr) != fmt.Sprint(err) || o != 0 {
			t.Errorf("%s: Resolve says %v, ValidateSeries %v", c.what, resolveErr, err)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
		if !slices.Equal(c.tags, before) {
			t.Errorf("%s: the caller's tags changed", c.what)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%s: an error of %d bytes", c.what, len(err.Error()))
		}
	}
}
