package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"github.com/sydradb/sydradb/internal/base"
)

// MaxKeyBytes is the greatest length of a canonical key.
const MaxKeyBytes = 1 << 20

// ErrInvalid matches the errors about names and tags that no series can have.
var ErrInvalid = errors.New("invalid series")

// atKey is reserved: queries name the version they read by it.
const atKey = "__at__"

// AppendKey appends the canonical key of a series to dst: name, '|', and the tags as
// compact JSON. Tags must be sorted by key. The key decides the series' id on disk:
// it is fixed for ever.
func AppendKey(dst []byte, name string, tags []base.Tag) []byte {
	dst = append(dst, name...)
	dst = append(dst, '|', '{')
	for i, tag := range tags {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = appendEscaped(dst, tag.Key)
		dst = append(dst, '"', ':', '"')
		dst = appendEscaped(dst, tag.Value)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

// KeyID returns the id of the series with this canonical key, unless another series
// has taken it.
func KeyID(key []byte) base.SeriesID { return base.SeriesID(xxhash.Sum64(key)) }

// escapes holds what stands in a key for each byte that is escaped. All others, those
// of multi-byte characters, '<' and DEL among them, stand for themselves.
var escapes = func() (table [256]string) {
	for c := range 0x20 {
		table[c] = fmt.Sprintf(`\u%04x`, c)
	}
	table['\b'], table['\f'], table['\n'], table['\r'], table['\t'] = `\b`, `\f`, `\n`, `\r`, `\t`
	table['"'], table['\\'] = `\"`, `\\`
	return table
}()

func appendEscaped(dst []byte, s string) []byte {
	start := 0
	for i := range len(s) {
		// Comparing is quicker than asking the table about each byte.
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' {
			dst = append(dst, s[start:i]...)
			dst = append(dst, escapes[c]...)
			start = i + 1
		}
	}
	return append(dst, s[start:]...)
}

func escapedLen(s string) int {
	n := len(s)
	for i := range len(s) {
		if e := escapes[s[i]]; e != "" {
			n += len(e) - 1
		}
	}
	return n
}

// ValidateSeries checks a name and tags and returns the tags in normal form: sorted
// by key, those with an empty value dropped before anything is checked. The result is
// tags itself if that is in normal form already, else a copy; tags is never changed.
// Errors match ErrInvalid.
func ValidateSeries(name string, tags []base.Tag) ([]base.Tag, error) {
	if name == "" {
		return nil, fmt.Errorf("%w: the name is empty", ErrInvalid)
	}
	if !utf8.ValidString(name) {
		return nil, fmt.Errorf("%w: the name %.100q is not UTF-8", ErrInvalid, name)
	}
	return validateTags(name, tags)
}

func validateTags(name string, tags []base.Tag) ([]base.Tag, error) {
	tags, ok := normalise(tags)
	if !ok {
		return nil, fmt.Errorf("%w: %.100q has two tags with one key", ErrInvalid, name)
	}
	for _, tag := range tags {
		switch {
		case tag.Key == "":
			return nil, fmt.Errorf("%w: %.100q has a tag without a key", ErrInvalid, name)
		case tag.Key == base.NameKey || tag.Key == atKey:
			return nil, fmt.Errorf("%w: %.100q has a tag with the reserved key %s", ErrInvalid, name, tag.Key)
		case !utf8.ValidString(tag.Key):
			return nil, fmt.Errorf("%w: the tag key %.100q of %.100q is not UTF-8", ErrInvalid, tag.Key, name)
		case !utf8.ValidString(tag.Value):
			return nil, fmt.Errorf("%w: the value %.100q of tag %.100q of %.100q is not UTF-8",
				ErrInvalid, tag.Value, tag.Key, name)
		}
	}
	if n := keyLen(name, tags); n > MaxKeyBytes {
		return nil, fmt.Errorf("%w: the key of %.100q has %d bytes, more than %d", ErrInvalid, name, n, MaxKeyBytes)
	}
	return tags, nil
}

// validKeys reports whether a series may have tags with these keys, if they are UTF-8. All
// parts of a canonical key are UTF-8 exactly if the whole is, for they are set apart by
// ASCII.
func validKeys(tags []base.Tag) bool {
	for i := range tags {
		if k := tags[i].Key; k == "" || k == base.NameKey || k == atKey {
			return false
		}
	}
	return true
}

// normalise sorts tags by key and drops those with an empty value, in a copy where
// there is something to do. It returns false if a key comes twice.
func normalise(tags []base.Tag) ([]base.Tag, bool) {
	normal := true
	for i := range tags {
		if tags[i].Value == "" || i > 0 && tags[i-1].Key >= tags[i].Key {
			normal = false
			break
		}
	}
	if normal {
		return tags, true
	}
	tags = slices.DeleteFunc(slices.Clone(tags), func(t base.Tag) bool { return t.Value == "" })
	slices.SortFunc(tags, func(a, b base.Tag) int { return strings.Compare(a.Key, b.Key) })
	for i := 1; i < len(tags); i++ {
		if tags[i-1].Key == tags[i].Key {
			return nil, false
		}
	}
	return tags, true
}

// keyLen returns the length of the canonical key; where escapes cannot matter to the
// limit, it does not count them.
func keyLen(name string, tags []base.Tag) int {
	n := len(name) + len("|{}")
	for _, tag := range tags {
		n += len(tag.Key) + len(tag.Value) + len(`"":"",`)
	}
	if n < MaxKeyBytes/12 { // an escaped byte takes at most six
		return n
	}
	n = len(name) + len("|{}") + max(0, len(tags)-1)
	for _, tag := range tags {
		n += escapedLen(tag.Key) + escapedLen(tag.Value) + len(`"":""`)
	}
	return n
}
