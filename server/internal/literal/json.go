package literal

import "github.com/sydradb/sydradb"

const hexDigits = "0123456789abcdef"

// AppendJSONString appends s as a JSON string. Escaped is what JSON demands and
// nothing else, so that text in any script stays readable. s must be valid UTF-8, as
// names and tags of series are.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// AppendJSONTags appends tags as a JSON object.
func AppendJSONTags(dst []byte, tags []sydradb.Tag) []byte {
	dst = append(dst, '{')
	for i, t := range tags {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendJSONString(dst, t.Key)
		dst = append(dst, ':')
		dst = AppendJSONString(dst, t.Value)
	}
	return append(dst, '}')
}
