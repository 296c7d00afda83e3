package vfs_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// FuzzClean holds what everybody relies on: a Path stays below the root, is
// clean, and is cleaned to itself.
func FuzzClean(f *testing.F) {
	for _, seed := range [][2]string{{"/", ""}, {"/a/b", "../../.."}, {"/a", "b//c/./d/"}, {"/", "/../../etc/passwd"},
		{"/a", "..\\..\\x"}, {"/a", "%2e%2e/x"}, {"/a", "\xc0\xae\xc0\xae/x"}, {"/a", "．．/x"}, {"/", "a\x00b"}, {"/", "a\r\nb"},
		{"/a", " "}, {"/a", "..."}, {"/a", strings.Repeat("x", 256)}, {"/", strings.Repeat("a/", 2100)}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, cwd, arg string) {
		dir, err := vfs.Clean(vfs.Root, cwd)
		if err != nil {
			t.Skip()
		}
		p, err := vfs.Clean(dir, arg)
		if err != nil {
			if p != "" || !errors.Is(err, vfs.ErrBadName) && !errors.Is(err, vfs.ErrNameTooLong) {
				t.Fatalf("Clean(%q, %q) = %q, %v", dir, arg, p, err)
			}
			return
		}
		s := string(p)
		if s == "" || s[0] != '/' || len(s) > vfs.MaxPath || strings.ContainsAny(s, "\x00\r\n") {
			t.Fatalf("Clean(%q, %q) = %q", dir, arg, p)
		}
		if p != vfs.Root {
			for name := range strings.SplitSeq(s[1:], "/") {
				if name == "" || name == "." || name == ".." || len(name) > vfs.MaxName {
					t.Fatalf("Clean(%q, %q) = %q has the component %q", dir, arg, p, name)
				}
			}
		}
		if rel := p.Rel(); !filepath.IsLocal(rel) {
			t.Fatalf("%q is not local", rel)
		}
		for _, from := range []vfs.Path{vfs.Root, dir, p} {
			if again, err := vfs.Clean(from, s); again != p || err != nil {
				t.Fatalf("Clean(%q, %q) = %q, %v", from, s, again, err)
			}
		}
		if p != vfs.Root && p.Dir().Join(p.Base()) != p || !p.Within(p.Dir()) || !p.Within(vfs.Root) {
			t.Fatalf("%q, %q and %q do not fit", p, p.Dir(), p.Base())
		}
		if strings.HasPrefix(arg, "/") {
			if other, err := vfs.Clean(vfs.Root, arg); err != nil || other != p {
				t.Fatalf("an absolute argument depends on the directory: %q and %q", other, p)
			}
		}
	})
}

// FuzzRecord holds that a journal that was torn or tampered with is read without
// harm, and that what is read is what was written.
func FuzzRecord(f *testing.F) {
	f.Add("40b531af s 1 \"/\" \".edgeftp.hcxjanemmz5pos7hkzwbrvw5zj\" \"\" 0 0 0 0")
	f.Add("00000000 p 18446744073709551615 \"/\\xff\\\"\" \"\" \"ann\" 1 2 3 4")
	f.Add("")
	f.Fuzz(func(t *testing.T, line string) {
		written, err := vfs.ParseRecord(line)
		if err != nil {
			return
		}
		again, err := vfs.ParseRecord(strings.TrimSuffix(written, "\n"))
		if err != nil || again != written {
			t.Fatalf("%q was read from %q, and read again as %q, %v", written, line, again, err)
		}
	})
}

// FuzzHidden holds that no name which a client can make is taken for one of the
// Disk's own, unless it has exactly their form.
func FuzzHidden(f *testing.F) {
	f.Add(vfs.HiddenName())
	f.Add(".edgeftp.")
	f.Add(".EDGEFTP.aaaaaaaaaaaaaaaaaaaaaaaaaa")
	f.Fuzz(func(t *testing.T, name string) {
		if vfs.IsHidden(name) && (len(name) != len(vfs.HiddenName()) || !strings.EqualFold(name[:9], ".edgeftp.")) {
			t.Fatalf("%q is hidden", name)
		}
		if !vfs.IsHidden(vfs.HiddenName()) {
			t.Fatal("a hidden name is not hidden")
		}
	})
}

// FuzzSymlink holds what makes a link worth having: one that was made does not lead
// out, whatever other links it leads through, and says what was asked for.
func FuzzSymlink(f *testing.F) {
	for _, seed := range [][4]string{{"../f", "b", "..", "/a/b/l"}, {"/a/x/../../f", "../..", "b/..", "/a/l"}, {"up/../../x", "a/b", "l1", "/l"},
		{"no/no/../../../..", "", "/etc", "/a/b/l"}, {"l1/l2/..", "../l2", "../../a", "/a/b/l"}, {"\xff/./ //x", "l2", "l1", "/l"}} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, target, one, two, at string) {
		p, err := vfs.Clean(vfs.Root, at)
		if err != nil {
			t.Skip()
		}
		m := vfs.NewMem()
		for _, err := range []error{m.WriteFile("/a/b/f", nil), m.WriteFile("/f", nil), m.WriteLink(one, "/a/l1"), m.WriteLink(two, "/a/b/l2"),
			m.WriteLink(one, "/l1")} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Symlink(target, p); err != nil {
			return
		}
		info, err := m.Lstat(p)
		if err != nil || strings.HasPrefix(info.Target, "/") || target[0] != '/' && info.Target != target {
			t.Fatalf("Symlink(%q, %q) made %+v, %v", target, p, info, err)
		}
		for _, q := range []vfs.Path{p, p.Join("x")} {
			if _, err := m.Stat(q); errors.Is(err, vfs.ErrEscapes) {
				t.Fatalf("Symlink(%q, %q) with links to %q and %q leads out", target, p, one, two)
			}
		}
		if target[0] != '/' {
			return
		}
		// What an absolute target is, is what the link leads to.
		want, err := vfs.Clean(vfs.Root, target)
		if err != nil {
			t.Fatal(err)
		}
		direct, err := m.Stat(want)
		through, err2 := m.Stat(p)
		if err == nil && (err2 != nil || direct.Inode != through.Inode) {
			t.Fatalf("Symlink(%q, %q) leads to %+v, %v instead of %+v", target, p, through, err2, direct)
		}
	})
}
