package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Verdict is what a Guard says about a request.
type Verdict uint8

// The verdicts.
const (
	Allowed      Verdict = iota
	Unauthorized         // no token, or a wrong one: 401
	Forbidden            // the token is fine, but not for this: 403
	Throttled            // too many wrong tokens from this address: 429
)

// Guard checks requests against a set of tokens.
type Guard struct {
	tokens   []Token
	throttle throttle
}

// NewGuard returns a guard that lets in who has one of the tokens. Without tokens it
// lets in everybody. A nil now means time.Now.
func NewGuard(tokens []Token, now func() time.Time) *Guard {
	if now == nil {
		now = time.Now
	}
	return &Guard{tokens: tokens, throttle: throttle{now: now}}
}

// Needed reports whether requests need a token at all.
func (g *Guard) Needed() bool { return g != nil && len(g.tokens) > 0 }

// Check says whether r may do what needs the scope. query allows the token in the
// parameter p, as clients of InfluxDB 1 send it. What Check has seen of secrets is
// taken out of the request: handlers cannot leak what they never get. A nil guard
// allows everything.
func (g *Guard) Check(r *http.Request, need Scope, query bool) Verdict {
	secret, found := take(r, query)
	if !g.Needed() || need == Open {
		return Allowed
	}
	if !found {
		return Unauthorized
	}
	sum := sha256.Sum256([]byte(secret))
	if g.throttle.shut(r.RemoteAddr) {
		return Throttled
	}
	allowed, known := g.lookup(sum)
	switch {
	case !known && g.throttle.wrong(r.RemoteAddr, sum):
		return Throttled
	case !known:
		return Unauthorized
	case !allowed.allow(need):
		return Forbidden
	}
	return Allowed
}

// lookup returns the scopes of the token with this sum. It compares all of them, so
// that the time it takes says nothing.
func (g *Guard) lookup(sum [sha256.Size]byte) (allowed scopes, known bool) {
	for i := range g.tokens {
		match := subtle.ConstantTimeCompare(g.tokens[i].sum[:], sum[:])
		allowed |= scopes(subtle.ConstantTimeSelect(match, int(g.tokens[i].scopes), 0))
	}
	return allowed, allowed != 0
}

// take returns the token that a request carries, and removes it from the request.
func take(r *http.Request, query bool) (secret string, found bool) {
	header := r.Header.Get("Authorization")
	r.Header.Del("Authorization")
	if query {
		if password, ok := takeParameter(r); ok && header == "" {
			return password, true
		}
	}
	scheme, rest, _ := strings.Cut(header, " ")
	rest = strings.TrimSpace(rest)
	switch {
	case strings.EqualFold(scheme, "Bearer"), strings.EqualFold(scheme, "Token"):
		return rest, rest != ""
	case strings.EqualFold(scheme, "Basic"):
		basic := http.Request{Header: http.Header{"Authorization": {header}}}
		_, password, ok := basic.BasicAuth()
		return password, ok
	}
	// Another scheme, or none, is a wrong token, so that it is throttled as one.
	return "of no known scheme: " + header, header != ""
}

// takeParameter returns the password in the parameter p and removes it, and the user
// in u, from the request.
func takeParameter(r *http.Request) (password string, found bool) {
	if !strings.Contains(r.URL.RawQuery, "p=") {
		return "", false
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || !values.Has("p") {
		return "", false
	}
	password = values.Get("p")
	values.Del("p")
	values.Del("u")
	r.URL.RawQuery = values.Encode()
	r.RequestURI = r.URL.RequestURI()
	return password, password != ""
}
