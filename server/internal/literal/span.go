package literal

import (
	"regexp"
	"strconv"
	"time"
)

var spanParts = regexp.MustCompile(`^([+-]?)((?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d|w))+)$`)

var daysAndWeeks = regexp.MustCompile(`(\d+(?:\.\d+)?)([dw])`)

// ParseSpan reads a duration as time.ParseDuration does, such as 1h30m, with d for days
// and w for weeks as well. A number needs its unit.
func ParseSpan(s string) (time.Duration, bool) {
	m := spanParts.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	hours := daysAndWeeks.ReplaceAllStringFunc(m[2], func(part string) string {
		n, _ := strconv.ParseFloat(part[:len(part)-1], 64)
		if part[len(part)-1] == 'w' {
			n *= 7
		}
		return strconv.FormatFloat(24*n, 'f', -1, 64) + "h"
	})
	d, err := time.ParseDuration(m[1] + hours)
	return d, err == nil
}
