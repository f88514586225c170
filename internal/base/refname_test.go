package base

import (
	"regexp"
	"strings"
	"testing"
)

func TestCheckRefName(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, name := range []string{
		"a", "0", "main", "heads/main", "tags/v1.0", "remotes/origin/feature/x", "a-b_c.d", "a-", "a_",
		"a/b/c/d", strings.Repeat("g", 64), "g" + strings.Repeat("0", 63), strings.Repeat("0", 63), "tmp", "a.tmpx", "lock",
		"console", "com10", "com", "nul-", "x.con", long[:63] + "z",
	} {
		if err := CheckRefName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", "/", "/a", "a/", "a//b", "a/b/c/d/e", "-a", ".a", "_a", "a.", "a..b", "A", "heads/Main", "a b", "a\x00",
		"ä", "a\\b", "a:b", "a~1", "a^", "a@{1}", "../a", "a/..", "./a", "a.tmp", "a.lock", "a.tmp/b", "a/b.lock", ".tmp",
		"con", "heads/nul", "aux.x", "com1", "lpt9.txt", "prn/a", strings.Repeat("g", 65), strings.Repeat("0", 64), "heads/" + long,
		"a\n",
	} {
		if CheckRefName(name) == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}

var refPart = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9_-])?$`)

// FuzzRefName compares with the rule as it is written, and finds accepted names again in
// the paths made of them.
func FuzzRefName(f *testing.F) {
	for _, name := range []string{"heads/main", "a/b/c/d", "a..b", "con.x", "x.lock", strings.Repeat("0", 64), "a-", "-"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		want := !strings.Contains(name, "..")
		parts := strings.Split(name, "/")
		for _, p := range parts {
			device, _, _ := strings.Cut(p, ".")
			want = want && refPart.MatchString(p) && !strings.HasSuffix(p, ".tmp") && !strings.HasSuffix(p, ".lock") &&
				!regexp.MustCompile(`^(con|prn|aux|nul|(com|lpt)[0-9])$`).MatchString(device) &&
				!regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(p)
		}
		err := CheckRefName(name)
		if (err == nil) != (want && len(parts) <= 4) {
			t.Fatalf("%q: %v", name, err)
		}
		got, ok := ParseRefFile(RefFile(name))
		if ok != (err == nil) || ok && got != name || IsTemp(RefFile(name)+TempSuffix) != ok || IsTemp(RefFile(name)) && ok {
			t.Fatalf("%q as a path: %q, %v", name, got, ok)
		}
	})
}

func TestObjectFiles(t *testing.T) {
	id := [32]byte{0x0a, 0xff, 31: 0x10}
	path := "objects/0a/0aff" + strings.Repeat("0", 58) + "10"
	if got := ObjectFile(id); got != path {
		t.Errorf("ObjectFile = %q, want %q", got, path)
	}
	if got, ok := ParseObjectFile(path); !ok || got != id {
		t.Errorf("ParseObjectFile(%q) = %x, %v", path, got, ok)
	}
	if !IsTemp(path+TempSuffix) || IsTemp(path) {
		t.Errorf("IsTemp does not tell %s from what was still being written", path)
	}
	for _, other := range []string{
		"", "objects", "objects/0a", "objects/0a/", path[1:], path + "0", path[:len(path)-1], "objects/0b" + path[10:],
		strings.Replace(path, "ff", "FF", 1), "objects/" + path[11:], "x" + path, strings.Replace(path, "1", "g", 1),
	} {
		if id, ok := ParseObjectFile(other); ok || id != [32]byte{} || IsTemp(other+TempSuffix) {
			t.Errorf("%q passed for an object", other)
		}
	}
	for dir, want := range map[string]bool{
		"objects/0a": true, "objects/ff": true, "objects": false, "objects/": false, "objects/A0": false, "objects/0": false,
		"objects/0a0b": false, "refs/0a": false, "0a": false, "objects/0g": false,
	} {
		if IsObjectDir(dir) != want {
			t.Errorf("IsObjectDir(%q) = %v", dir, !want)
		}
	}
}
