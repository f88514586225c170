package tags

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/sydradb/sydradb/internal/base"
)

// Posting is a tag with the series that have it.
type Posting struct {
	Tag base.Tag
	IDs []base.SeriesID
}

// ReadV0 reads the tags.json of a version 0 directory, where it is the only record of
// tags: one JSON object of "key=value":[id,...] members, split at their first '='.
// Members come out in the order of the file. Those without '=' are left out, as are
// tags without a value. Anything else is a base.CorruptionError.
func ReadV0(data []byte) ([]Posting, error) {
	r := v0Reader{data: data}
	// Counting first spares the growing of slices: every member has a bracket, and seven
	// bytes at least.
	postings := make([]Posting, 0, min(bytes.Count(data, []byte{'['}), len(data)/7))
	err := r.object(func(text string, ids []base.SeriesID) {
		key, value, found := strings.Cut(text, "=")
		if found && value != "" {
			postings = append(postings, Posting{base.Tag{Key: key, Value: value}, ids})
		}
	})
	if err != nil {
		return nil, &base.CorruptionError{File: base.TagsFile, Offset: int64(r.pos), Part: "tags", Err: err}
	}
	return postings, nil
}

// v0Reader reads the one form of JSON that tags.json has. After an error pos is where
// it was found.
type v0Reader struct {
	data []byte
	pos  int
}

func (r *v0Reader) object(member func(text string, ids []base.SeriesID)) error {
	if err := r.expect('{'); err != nil {
		return err
	}
	for first := true; !r.accept('}'); first = false {
		if !first {
			if err := r.expect(','); err != nil {
				return err
			}
		}
		text, err := r.string()
		if err != nil {
			return err
		}
		if err := r.expect(':'); err != nil {
			return err
		}
		ids, err := r.ids()
		if err != nil {
			return err
		}
		member(text, ids)
	}
	if r.skipSpace(); r.pos < len(r.data) {
		return errors.New("something follows the object")
	}
	return nil
}

func (r *v0Reader) string() (string, error) {
	if err := r.expect('"'); err != nil {
		return "", err
	}
	start := r.pos
	var unescaped []byte // of what has escapes
	for run := start; r.pos < len(r.data); {
		switch r.data[r.pos] {
		case '"':
			s := string(append(unescaped, r.data[run:r.pos]...))
			if !utf8.ValidString(s) {
				r.pos = start
				return "", errors.New("the text is not UTF-8")
			}
			r.pos++
			return s, nil
		case '\\':
			unescaped = append(unescaped, r.data[run:r.pos]...)
			c, err := r.escape()
			if err != nil {
				return "", err
			}
			unescaped = utf8.AppendRune(unescaped, c)
			run = r.pos
		default:
			r.pos++
		}
	}
	r.pos = start
	return "", errors.New("the quote is not closed")
}

// escape reads an escape sequence, two of them for a character beyond 16 bits.
func (r *v0Reader) escape() (rune, error) {
	rest := r.data[r.pos:]
	if len(rest) >= 2 {
		if i := strings.IndexByte(`"\/bfnrt`, rest[1]); i >= 0 {
			r.pos += 2
			return rune("\"\\/\b\f\n\r\t"[i]), nil
		}
	}
	c, ok := hexEscape(rest)
	if !ok {
		return 0, errors.New("no escape sequence")
	}
	r.pos += 6
	if utf16.IsSurrogate(c) {
		low, _ := hexEscape(rest[6:])
		if c = utf16.DecodeRune(c, low); c != utf8.RuneError {
			r.pos += 6
		}
	}
	return c, nil
}

// hexEscape reads \uXXXX.
func hexEscape(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	return rune(n), err == nil
}

func (r *v0Reader) ids() ([]base.SeriesID, error) {
	if err := r.expect('['); err != nil {
		return nil, err
	}
	end := bytes.IndexByte(r.data[r.pos:], ']')
	if end < 0 {
		return nil, errors.New("the list is not closed")
	}
	ids := make([]base.SeriesID, 0, bytes.Count(r.data[r.pos:r.pos+end], []byte{','})+1)
	for !r.accept(']') {
		if len(ids) > 0 {
			if err := r.expect(','); err != nil {
				return nil, err
			}
		}
		r.skipSpace()
		start := r.pos
		for r.pos < len(r.data) && r.data[r.pos] >= '0' && r.data[r.pos] <= '9' {
			r.pos++
		}
		id, err := strconv.ParseUint(string(r.data[start:r.pos]), 10, 64)
		if err != nil {
			r.pos = start
			return nil, errors.New("not a series id")
		}
		ids = append(ids, base.SeriesID(id))
	}
	return ids, nil
}

func (r *v0Reader) skipSpace() {
	for r.pos < len(r.data) && strings.IndexByte(" \t\r\n", r.data[r.pos]) >= 0 {
		r.pos++
	}
}

// accept skips white space and c, if c is next.
func (r *v0Reader) accept(c byte) bool {
	r.skipSpace()
	if r.pos < len(r.data) && r.data[r.pos] == c {
		r.pos++
		return true
	}
	return false
}

func (r *v0Reader) expect(c byte) error {
	if !r.accept(c) {
		return fmt.Errorf("expected %q", c)
	}
	return nil
}
