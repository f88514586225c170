package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

var (
	reader = strings.Repeat("r", 32)
	writer = strings.Repeat("w", 32)
	both   = strings.Repeat("b", 32)
	admin  = strings.Repeat("a", 32)
)

// tokens is a file with all scopes, one of the tokens as its sum.
func tokens() string {
	sum := sha256.Sum256([]byte(admin))
	return "# tokens\n\nread " + reader + "\n  write\t" + writer + "\nread,write " + both + "\r\nadmin sha256:" + strings.ToUpper(hex.EncodeToString(sum[:])) + "\n"
}

// guard returns a guard of tokens with a clock.
func guard(t *testing.T, now *time.Time) *Guard {
	t.Helper()
	list, err := Parse([]byte(tokens()))
	if err != nil {
		t.Fatal(err)
	}
	return NewGuard(list, func() time.Time { return *now })
}

func request(authorization, address string) *http.Request {
	r := httptest.NewRequest("GET", "/x", nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	r.RemoteAddr = address
	return r
}

const here = "192.0.2.1:1234"

func TestScopes(t *testing.T) {
	now := time.Unix(0, 0)
	g := guard(t, &now)
	for _, tt := range []struct {
		token string
		want  [4]Verdict // Open, Read, Write, Admin
	}{
		{"", [4]Verdict{Allowed, Unauthorized, Unauthorized, Unauthorized}},
		{reader, [4]Verdict{Allowed, Allowed, Forbidden, Forbidden}},
		{writer, [4]Verdict{Allowed, Forbidden, Allowed, Forbidden}},
		{both, [4]Verdict{Allowed, Allowed, Allowed, Forbidden}},
		{admin, [4]Verdict{Allowed, Allowed, Allowed, Allowed}},
		{reader + "r", [4]Verdict{Allowed, Unauthorized, Unauthorized, Unauthorized}},
		{reader[1:], [4]Verdict{Allowed, Unauthorized, Unauthorized, Unauthorized}},
	} {
		for need, want := range tt.want {
			authorization := ""
			if tt.token != "" {
				authorization = "Bearer " + tt.token
			}
			if got := g.Check(request(authorization, here), Scope(need), false); got != want {
				t.Errorf("%.40q for %s: %d, want %d", tt.token, Scope(need), got, want)
			}
		}
	}
	for need := Open; need <= Admin; need++ {
		if NewGuard(nil, nil).Check(request("", here), need, false) != Allowed || (*Guard)(nil).Check(request("", here), need, false) != Allowed {
			t.Errorf("without tokens, %s is not allowed", need)
		}
	}
}

// Every way in which clients send tokens, and none of it is left for handlers.
func TestWaysToSendATokenAndHideIt(t *testing.T) {
	now := time.Unix(0, 0)
	g := guard(t, &now)
	basic := request("", here)
	basic.SetBasicAuth("anyone", reader)
	for _, tt := range []struct {
		authorization, query string
		influx               bool
		want                 Verdict
	}{
		{"Bearer " + reader, "", false, Allowed},
		{"bearer  " + reader, "", false, Allowed},
		{"Token " + reader, "", false, Allowed},
		{basic.Header.Get("Authorization"), "", false, Allowed},
		{"", "u=me&p=" + reader, true, Allowed},
		{"", "p=" + reader, true, Allowed},
		{"Bearer " + reader, "u=me&p=wrong", true, Allowed},
		{"", "u=me&p=" + reader, false, Unauthorized},
		{"", "u=me&p=wrong", true, Unauthorized},
		{"", "u=me&p=", true, Unauthorized},
		{"Bearer", "", false, Unauthorized},
		{"Basic !!!", "", false, Unauthorized},
		{"Digest " + reader, "", false, Unauthorized},
		{reader, "", false, Unauthorized},
	} {
		r := request(tt.authorization, fmt.Sprintf("[2001:db8:0:%x::1]:1", len(tt.authorization)+len(tt.query)))
		r.URL.RawQuery = tt.query + "&db=x"
		r.RequestURI = r.URL.RequestURI()
		if got := g.Check(r, Read, tt.influx); got != tt.want {
			t.Errorf("%q, %q: %d, want %d", tt.authorization, tt.query, got, tt.want)
		}
		if left := fmt.Sprint(r.Header, r.URL, r.RequestURI); tt.influx && strings.Contains(left, "p=") || strings.Contains(fmt.Sprint(r.Header), reader) {
			t.Errorf("%q, %q: left for handlers: %s", tt.authorization, tt.query, left)
		}
		if r.URL.Query().Get("db") != "x" {
			t.Errorf("%q: the rest of the query is gone: %s", tt.query, r.URL)
		}
	}
}

func TestManyWrongTokens(t *testing.T) {
	now := time.Unix(1000, 0)
	g := guard(t, &now)
	check := func(token, address string) Verdict { return g.Check(request("Bearer "+token, address), Read, false) }

	// An agent with an outdated token is told to slow down; its neighbours are not hurt.
	for i := range 30 {
		want := Unauthorized
		if i >= maxWrong {
			want = Throttled
		}
		if got := check("outdated", here); got != want {
			t.Errorf("wrong token %d: %d, want %d", i+1, got, want)
		}
	}
	if got := check(reader, here); got != Allowed {
		t.Errorf("a right one beside it: %d", got)
	}

	// Who guesses is shut out, and nobody else, until the minute is over.
	const guesser = "192.0.2.9:1"
	for i := range maxWrong {
		if got := check(fmt.Sprint("guess", i), guesser); got != Unauthorized {
			t.Errorf("guess %d: %d", i, got)
		}
	}
	now = now.Add(window - 1)
	if got := check(reader, "192.0.2.9:2"); got != Throttled {
		t.Errorf("the right token after many guesses: %d", got)
	}
	if got := check(reader, "192.0.2.10:1"); got != Allowed {
		t.Errorf("from elsewhere: %d", got)
	}
	if got := g.Check(request("", guesser), Open, false); got != Allowed {
		t.Errorf("what needs no token: %d", got)
	}
	now = now.Add(1)
	if got := check(reader, guesser); got != Allowed {
		t.Errorf("after the minute: %d", got)
	}

	// The addresses of one IPv6 network are one client's.
	for i := range maxWrong {
		check(fmt.Sprint("guess", i), fmt.Sprintf("[2001:db8::%x]:1", i))
	}
	if got := check(reader, "[2001:db8::ffff]:1"); got != Throttled {
		t.Errorf("from a network of guesses: %d", got)
	}

	// The memory for it is bounded.
	for i := range 2 * maxAddresses {
		check("wrong", fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255))
	}
	if n := len(g.throttle.callers); n > maxAddresses {
		t.Errorf("%d addresses are remembered", n)
	}
}

func TestTokensFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(tokens()), 0o600); err != nil {
		t.Fatal(err)
	}
	if list, err := ReadFile(path); err != nil || len(list) != 4 || strings.Contains(fmt.Sprintf("%v %+v", list, list[0]), "rrr") {
		t.Errorf("%v, %v", list, err)
	}
	if runtime.GOOS != "windows" {
		for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
				t.Errorf("mode %o: %v", mode, err)
			}
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "# nothing\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), "no token in it") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := os.Truncate(path, maxTokensFile+1); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{path, path + ".missing", filepath.Dir(path)} {
		if _, err := ReadFile(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestWrongTokens(t *testing.T) {
	const secret = "0123456789-canary-0123456789-0123456789"
	for text, want := range map[string]string{
		"read canary":                            "line 1: the token has 6 characters, want at least 32",
		"\nreads " + secret:                      `line 2: unknown scope "reads": use read, write, admin, or read,write`,
		"read":                                   "line 1: want a scope, a space and a token",
		secret:                                   "line 1: want a scope",
		secret + " read":                         "the scope comes first",
		"read " + secret + " " + secret:          "line 1: want a scope",
		"read sha256:canary":                     "want 64 hexadecimal digits",
		"read sha256:" + strings.Repeat("x", 64): "want 64 hexadecimal digits",
		"read sha256:" + strings.Repeat("a", 66): "want 64 hexadecimal digits",
		"read ü" + secret:                        "a character other than the visible ones",
		"read " + secret + "\nwrite " + secret:   "line 2: the token of line 1 again",
		"read, " + secret:                        `unknown scope ""`,
		strings.Repeat("x", 1<<17):               "a line is too long",
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%.60q: %v; want %s", text, err, want)
		}
	}
	for _, short := range []string{"", "canary", strings.Repeat("x", 31), secret + " ", secret + "\n"} {
		if _, err := NewToken(short); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", short, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(tokens()))
	f.Add([]byte("read sha256:00\nadmin,read " + admin))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := Parse(text)
		if err != nil {
			return
		}
		now := time.Unix(0, 0)
		g := NewGuard(list, func() time.Time { return now })
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "admin" && !strings.HasPrefix(fields[1], "sha256:") {
				if g.Check(request("Bearer "+fields[1], here), Admin, false) != Allowed {
					t.Errorf("%q does not let in", fields[1])
				}
			}
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add("Bearer "+reader, "p="+reader+"&u=%zz")
	f.Add("Basic Og==", "p=;p=1")
	f.Fuzz(func(t *testing.T, authorization, query string) {
		now := time.Unix(0, 0)
		g := guard(t, &now)
		r := request("", here)
		r.Header["Authorization"] = []string{authorization}
		r.URL.RawQuery = query
		if g.Check(r, Admin, true) == Allowed && !strings.Contains(authorization+query, admin) && !strings.HasPrefix(strings.ToLower(authorization), "basic") && !strings.Contains(query, "%") {
			t.Errorf("%q, %q lets in", authorization, query)
		}
		if r.Header.Get("Authorization") != "" {
			t.Error("the header is left")
		}
	})
}
