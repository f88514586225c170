// Package auth decides who may do what: tokens, their scopes, and a throttle for guesses.
//
// It knows nothing of routes and answers nothing; package web asks a [Guard] about each
// request and writes the answer. It keeps no token in the clear: what it compares are
// SHA-256 sums, all of them each time, in constant time. A Guard is safe for concurrent
// use.
package auth

import (
	"fmt"
	"strings"
)

// Scope is what a request needs and what a token allows.
type Scope uint8

// The scopes. Admin includes Read and Write, which do not include each other. Open is
// for routes that need no token.
const (
	Open Scope = iota
	Read
	Write
	Admin
)

// String returns the name of the scope as the tokens file has it.
func (s Scope) String() string {
	switch s {
	case Open:
		return "open"
	case Read:
		return "read"
	case Write:
		return "write"
	case Admin:
		return "admin"
	}
	return fmt.Sprintf("Scope(%d)", uint8(s))
}

// scopes is a set of scopes.
type scopes uint8

func (s scopes) allow(need Scope) bool { return need == Open || s&(1<<need) != 0 }

const allScopes = scopes(1<<Read | 1<<Write | 1<<Admin)

// parseScopes reads the scopes of a token: one, or several separated by commas.
func parseScopes(text string) (scopes, error) {
	var set scopes
	for name := range strings.SplitSeq(text, ",") {
		switch name {
		case "read":
			set |= 1 << Read
		case "write":
			set |= 1 << Write
		case "admin":
			set |= allScopes
		default:
			return 0, fmt.Errorf("unknown scope %q: use read, write, admin, or read,write", name)
		}
	}
	return set, nil
}
