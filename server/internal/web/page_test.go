package web

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The page has a row for the status of each code, which names it; and says that it makes
// sense to send again what is answered with Retry-After, but for what needs a person.
func TestPageOfErrors(t *testing.T) {
	page, err := os.ReadFile("../../../docs/HTTP.md")
	if err != nil {
		t.Fatal(err)
	}
	again := make(map[string]string) // by status and code
	for _, row := range regexp.MustCompile(`(?m)^\| (\d{3}) \| (.*) \| ([a-z ]+) \|$`).FindAllStringSubmatch(string(page), -1) {
		for _, code := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[2], -1) {
			again[row[1]+" "+code[1]] = row[3]
		}
	}
	own := []*Error{tooLarge("x", 1), {Status: 503, Code: CodeStarting}, {Status: 429, Code: CodeTooManyQueries}, {Status: 500, Code: CodeIO}, {Status: 500, Code: CodeInternal}}
	for _, m := range mappings {
		if m.code != "canceled" { // nobody gets it
			own = append(own, asError(fmt.Errorf("while testing: %w", m.err)))
		}
	}
	for _, e := range own {
		want := "no"
		switch {
		case e.Code == CodeStorageFailed || e.Code == CodeReadOnly:
			want = "not for now"
		case e.Status == 503 || e.Status == 429:
			want = "yes"
		case e.Code == CodeTooLarge:
			want = "in parts"
		}
		if got := again[fmt.Sprint(e.Status, " ", e.Code)]; got != want {
			t.Errorf("the page says %q of %d %s, want %q", got, e.Status, e.Code, want)
		}
	}
	if !strings.Contains(string(page), "429 and 503 have `Retry-After`") {
		t.Error("the page does not speak of Retry-After")
	}
}
