package auth

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// MinTokenLength is the least number of characters of a token, so that guessing one is
// hopeless.
const MinTokenLength = 32

// maxTokensFile bounds what is read of a tokens file, in bytes.
const maxTokensFile = 1 << 20

// Token is a secret, as its SHA-256 sum, and what it allows. Printing one shows no secret.
type Token struct {
	sum    [sha256.Size]byte
	scopes scopes
}

// String says nothing about the token but that it is one.
func (Token) String() string { return "token(masked)" }

// NewToken returns the token for a secret, with all scopes. The error does not quote it.
func NewToken(secret string) (Token, error) {
	return newToken(secret, allScopes)
}

func newToken(secret string, s scopes) (Token, error) {
	if len(secret) < MinTokenLength {
		return Token{}, fmt.Errorf("the token has %d characters, want at least %d; make one with: openssl rand -hex 32", len(secret), MinTokenLength)
	}
	for _, c := range []byte(secret) {
		if c <= ' ' || c >= 0x7f {
			return Token{}, errors.New("the token has a character other than the visible ones of ASCII, which no client could send; make one with: openssl rand -hex 32")
		}
	}
	return Token{sum: sha256.Sum256([]byte(secret)), scopes: s}, nil
}

// ReadFile reads a tokens file: lines of a scope and a token, or its SHA-256 sum as
// sha256:<hex>. Empty lines and those that begin with # are skipped. Nobody but its
// owner may have access to the file. Errors name the file and the line, never a token.
func ReadFile(path string) ([]Token, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tokens file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("tokens file %s: not a file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("tokens file %s: others than its owner have access to it (mode %04o); run: chmod 600 %s", path, mode, path)
	}
	if info.Size() > maxTokensFile {
		return nil, fmt.Errorf("tokens file %s: %d bytes, want at most %d", path, info.Size(), maxTokensFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("tokens file: %w", err)
	}
	tokens, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("tokens file %s: %w", path, err)
	}
	if len(tokens) == 0 {
		return nil, fmt.Errorf("tokens file %s: no token in it; add a line such as: write TOKEN", path)
	}
	return tokens, nil
}

// Parse reads the lines of a tokens file, see [ReadFile]. Errors name the line.
func Parse(text []byte) ([]Token, error) {
	var tokens []Token
	seen := make(map[[sha256.Size]byte]int)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		token, err := parseLine(fields)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if first, twice := seen[token.sum]; twice {
			return nil, fmt.Errorf("line %d: the token of line %d again; give a token all its scopes in one line, such as read,write", n, first)
		}
		seen[token.sum] = n
		tokens = append(tokens, token)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("a line is too long: %w", err)
	}
	return tokens, nil
}

func parseLine(fields []string) (Token, error) {
	if len(fields) != 2 {
		return Token{}, errors.New("want a scope, a space and a token, such as: read TOKEN")
	}
	set, err := parseScopes(fields[0])
	if err != nil {
		if len(fields[0]) >= MinTokenLength { // it may be the secret
			err = errors.New("the scope comes first, then the token; scopes are read, write, admin, or read,write")
		}
		return Token{}, err
	}
	digits, hashed := strings.CutPrefix(fields[1], "sha256:")
	if !hashed {
		return newToken(fields[1], set)
	}
	token := Token{scopes: set}
	if n, err := hex.Decode(token.sum[:], []byte(digits[:min(len(digits), 2*sha256.Size)])); err != nil || n != sha256.Size || len(digits) != 2*sha256.Size {
		return Token{}, fmt.Errorf("want %d hexadecimal digits after sha256:, as in: printf %%s TOKEN | sha256sum", 2*sha256.Size)
	}
	return token, nil
}
