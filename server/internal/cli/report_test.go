package cli

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")

// A state of the bar that is longer than a line would stay on the screen.
func TestProgressBarFits(t *testing.T) {
	const name = "some/directory/with/a/long/name/of/a/file.ndjson.zst"
	for _, width := range []int{23, 30, 40, 60, 80, 99, 100, 120, 200} {
		for _, size := range []int64{-1, 3 << 30} {
			l := newBarLayout(width)
			var b bytes.Buffer
			bar := l.newBar(&b, true)
			bar.ChangeMax64(size)
			for _, points := range []int64{0, 12345, 1234567890} {
				bar.Describe(l.describe(name, points))
				if err := bar.Set64(points); err != nil {
					t.Fatal(err)
				}
				if err := bar.RenderBlank(); err != nil {
					t.Fatal(err)
				}
			}
			longest := 0
			for _, state := range strings.Split(escapes.ReplaceAllString(b.String(), ""), "\r") {
				longest = max(longest, utf8.RuneCountInString(strings.TrimRight(state, " ")))
			}
			if longest > width || longest < 8 {
				t.Errorf("width %d, size %d: a state of %d characters: %q", width, size, longest, b.String())
			}
		}
	}
	if got := newBarLayout(80).describe("a.csv", 7); got != "a.csv  7 points" {
		t.Errorf("the text beside the bar is %q", got)
	}
}
