package base

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	maxRefParts     = 4
	maxRefPartBytes = 64
	idDigits        = 64 // of the id of an object, in hex
)

// Beginnings of parts that Windows takes for devices, whatever follows behind a dot.
var refDevices = []string{
	"aux", "con", "nul", "prn",
	"com0", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
	"lpt0", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
}

// CheckRefName returns nil if name may name a ref, else what is wrong with it: one to
// four parts between slashes, each
//
//	^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9_-])?$
//
// without "..", with no ending of temporary or lock files, no device of Windows, and not
// 64 hex digits, which would be an id. So a name is a path that means the same on every
// file system, and in every object store.
func CheckRefName(name string) error {
	parts := strings.SplitN(name, "/", maxRefParts+1)
	if len(parts) > maxRefParts {
		return fmt.Errorf("it has more than %d parts", maxRefParts)
	}
	for _, p := range parts {
		if err := checkRefPart(p); err != nil {
			return err
		}
	}
	return nil
}

func checkRefPart(part string) error {
	if part == "" {
		return errors.New("it has an empty part")
	}
	if len(part) > maxRefPartBytes {
		return fmt.Errorf("a part has %d bytes, more than %d", len(part), maxRefPartBytes)
	}
	for i := range len(part) {
		if c := part[i]; !isLetterOrDigit(c) && strings.IndexByte("._-", c) < 0 {
			return fmt.Errorf("%q is not a lower-case letter, a digit or one of . _ -", c)
		}
	}
	device, _, _ := strings.Cut(part, ".")
	switch {
	case !isLetterOrDigit(part[0]):
		return fmt.Errorf("the part %q does not begin with a letter or digit", part)
	case strings.HasSuffix(part, "."):
		return fmt.Errorf("the part %q ends with a dot", part)
	case strings.Contains(part, ".."):
		return fmt.Errorf("the part %q has two dots in a row", part)
	case strings.HasSuffix(part, TempSuffix), strings.HasSuffix(part, lockSuffix):
		return fmt.Errorf("the part %q ends like a temporary file", part)
	case slices.Contains(refDevices, device):
		return fmt.Errorf("the part %q is a device on Windows", part)
	case len(part) == idDigits && strings.Trim(part, "0123456789abcdef") == "":
		return fmt.Errorf("the part %q is an id, not a name", part)
	}
	return nil
}

func isLetterOrDigit(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }
