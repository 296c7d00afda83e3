package listing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// glob returns the texts that a pattern stands for, in "/".
func glob(w *walker, text string) ([]string, error) {
	p, err := ParsePattern(text)
	if err != nil {
		return nil, err
	}
	from, err := vfs.Clean(vfs.Root, p.Prefix)
	if err != nil {
		return nil, err
	}
	found, err := p.Expand(context.Background(), w.Walk, from)
	var out []string
	for _, m := range found {
		out = append(out, m.Text)
		if clean, err := vfs.Clean(vfs.Root, m.Text); err != nil || clean != m.Path {
			return nil, fmt.Errorf("%q is not the path %q", m.Text, m.Path)
		}
	}
	return out, err
}

func TestGlob(t *testing.T) {
	m := tree(t, "/a.txt", "/b.txt", "/.c.txt", "/d/a.txt", "/d/e/a.txt", "/f/a.txt", "/f/.a.txt", "/l=d", "/m=a.txt",
		"/broken=nowhere", "/[x]", "/st*r", "/star", "/é", "/\xff", "/new\nline", "/-x", "/back\\slash")
	for pattern, want := range map[string]string{
		"*.txt":                         ".c.txt a.txt b.txt",
		"[ab].txt":                      "a.txt b.txt",
		"[!a].txt":                      "b.txt",
		"[^a].txt":                      "b.txt",
		"[!]a].txt":                     "!",
		"?.txt":                         "a.txt b.txt",
		"?":                             "d f l m é \xff",
		"*/a.txt":                       "d/a.txt f/a.txt l/a.txt",
		"/*/a.txt":                      "/d/a.txt /f/a.txt /l/a.txt",
		"./*/a.txt":                     "./d/a.txt ./f/a.txt ./l/a.txt",
		"d/../f/*.txt":                  "d/../f/.a.txt d/../f/a.txt",
		"*/*/a.txt":                     "d/e/a.txt l/e/a.txt",
		"*/e/*":                         "d/e/a.txt l/e/a.txt",
		"d//*":                          "d//a.txt d//e",
		"*//e":                          "d/e l/e",
		"*/./e/":                        "d/e l/e",
		"*/":                            "d f",
		"d/*/":                          "d/e",
		"*/../*":                        "!",
		"m/*":                           "",
		"broken*":                       "broken",
		"nothing*":                      "",
		"nowhere/*":                     "",
		`\[x]`:                          "[x]",
		"[[]x]":                         "[x]",
		`st\*r`:                         "st*r",
		"st*r":                          "st*r star",
		`back\\*`:                       `back\slash`,
		"new*":                          "",
		"-*":                            "-x",
		"[":                             "!",
		"a[":                            "!",
		`a\`:                            "!",
		"[]":                            "!",
		"[z-a]":                         "",
		`\.\./*`:                        "",
		`.\./a*`:                        "",
		"*/" + strings.Repeat("x", 256): "!",
	} {
		w := newWalker(m, 0)
		got, err := glob(w, pattern)
		if want == "!" {
			if !errors.Is(err, ErrBadPattern) {
				t.Errorf("%q: %q, %v", pattern, got, err)
			}
			continue
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v, want %q", pattern, got, err, want)
		}
		if w.clients != 0 {
			t.Errorf("%q: %d directories are open", pattern, w.clients)
		}
	}
}

func TestGlobDotsAndOrder(t *testing.T) {
	m := tree(t, "/a", "/.b", "/c", "/.d/x", "/e/x", "/e/.y")
	for pattern, want := range map[string]string{
		"*": "a c e", ".*": ".b .d", `\.b`: ".b", "[.]b": "", "?b": "", "*/*": "e/x", "*/.*": "e/.y", ".*/x": ".d/x",
	} {
		w := newWalker(m, 0)
		w.Dots = false
		if got, err := glob(w, pattern); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v", pattern, got, err)
		}
	}
	if got, _ := glob(newWalker(m, Reverse), "*"); strings.Join(got, " ") != "e c a .d .b" {
		t.Errorf("%q", got)
	}
	for i, name := range []vfs.Path{"/c", "/a", "/e", "/.b", "/.d"} {
		if err := m.Chtimes(name, time.Time{}, noon.Add(-time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := glob(newWalker(m, ByTime), "*"); strings.Join(got, " ") != "c a e .b .d" {
		t.Errorf("%q", got)
	}
}

// A directory that may not be listed holds nothing for a pattern, also where its
// last component is no pattern.
func TestGlobLeavesOut(t *testing.T) {
	m := tree(t, "/a/x", "/b/x", "/c/x")
	w := newWalker(m, 0)
	w.forbid["/a"], w.forbid["/b/x"] = fs.ErrPermission, fs.ErrNotExist
	for pattern, want := range map[string]string{"*/*": "b/x c/x", "*/x": "a/x c/x", "[a]/*": ""} {
		if got, err := glob(w, pattern); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v", pattern, got, err)
		}
	}
	broken := errors.New("broken")
	w.forbid["/c"], w.forbid["/c/x"] = broken, broken
	for _, pattern := range []string{"*/*", "*/x"} {
		if got, err := glob(w, pattern); !errors.Is(err, broken) {
			t.Errorf("%q: %q, %v", pattern, got, err)
		}
	}
}

func TestGlobLimits(t *testing.T) {
	var all []string
	for i := range 20 {
		all = append(all, fmt.Sprintf("/d%02d/x", i))
	}
	m := tree(t, all...)
	for what, c := range map[string]struct {
		set     func(*Limits)
		pattern string
		err     error
	}{
		"none":                 {func(*Limits) {}, "*/*", nil},
		"just enough entries":  {func(l *Limits) { l.Entries = 40 }, "*/*", nil},
		"entries":              {func(l *Limits) { l.Entries = 39 }, "*/*", ErrEntries},
		"entries of the first": {func(l *Limits) { l.Entries = 10 }, "*/*", ErrEntries},
		"entries, no pattern":  {func(l *Limits) { l.Entries = 39 }, "*/x", ErrEntries},
		"directories":          {func(l *Limits) { l.Directories = 20 }, "*/*", ErrDirectories},
		"just directories":     {func(l *Limits) { l.Directories = 21 }, "*/*", nil},
		"depth":                {func(l *Limits) { l.Depth = 1 }, "*/*", ErrDepth},
		"depth of literals":    {func(l *Limits) { l.Depth = 2 }, "*/x/y", ErrDepth},
		"time":                 {func(l *Limits) { l.Time = -1 }, "*", ErrTime},
		"time, no match":       {func(l *Limits) { l.Time = -1 }, "*/z", ErrTime},
	} {
		w := newWalker(m, 0)
		c.set(&w.Limits)
		if got, err := glob(w, c.pattern); !errors.Is(err, c.err) || err != nil && got != nil {
			t.Errorf("%s: %q, %v", what, got, err)
		}
		if w.clients != 0 {
			t.Errorf("%s: %d directories are open", what, w.clients)
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("stop")
	cancel(stop)
	p, err := ParsePattern("*")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Expand(ctx, newWalker(m, 0).Walk, vfs.Root); !errors.Is(err, stop) {
		t.Errorf("after the end of the context: %v", err)
	}
}

// Long targets and paths use the limit up as well.
func TestGlobHoldsLittle(t *testing.T) {
	var infos []vfs.Info
	for i := range 90 {
		infos = append(infos, vfs.Info{Name: entry(i), Mode: fs.ModeSymlink, Target: strings.Repeat("x", 4000)})
	}
	w := newWalker(vfs.NewMem(), 0)
	w.Open = func(p vfs.Path) (vfs.Dir, vfs.Path, error) { return Fixed(infos...), p, nil }
	if _, err := glob(w, "*"); !errors.Is(err, ErrEntries) {
		t.Errorf("%v", err)
	}
}

// No pattern takes time out of proportion: CVE-2011-0762 and its like.
func TestGlobBomb(t *testing.T) {
	var infos []vfs.Info
	for i := range 1000 {
		infos = append(infos, vfs.Info{Name: strings.Repeat("a", 240) + fmt.Sprint(i)})
	}
	w := newWalker(vfs.NewMem(), 0)
	w.Open = func(p vfs.Path) (vfs.Dir, vfs.Path, error) { return Fixed(infos...), p, nil }
	for _, pattern := range []string{
		strings.Repeat("*a", 127), strings.Repeat("*", 254) + "b", strings.Repeat("*a*", 85), strings.Repeat("?*", 120) + "b",
		strings.Repeat("[a-z]*", 42) + "-", strings.Repeat("{*,", 80), strings.Repeat(`\a*`, 84) + "b", "*" + strings.Repeat("a", 253) + "b",
	} {
		w.entries, w.directories = 0, 0
		w.Limits.Entries = 2000
		began := time.Now()
		if _, err := glob(w, pattern); err != nil {
			t.Errorf("%q: %v", pattern, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%q takes %v", pattern, took)
		}
	}
}

// FuzzPattern: whatever is read as a pattern stands for names that it matches,
// all of them, below its prefix; and a name with its special characters escaped
// stands for itself.
func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"*", "a*/b?", "[!a-z]", `\*`, "d/*/", "../*", "~/*", "[", "*/../x", "{a,b}*", "//*//", "[[]!x]"} {
		f.Add(seed, "a.txt")
	}
	f.Add("*", "new\nline")
	f.Fuzz(func(t *testing.T, text, name string) {
		if len(name) > vfs.MaxName || strings.ContainsAny(name, "/\x00\r\n") || name == "" || name == "." || name == ".." {
			name = "x"
		}
		m := tree(t, "/d/a.txt", "/d/b/c", "/a", "/l=d")
		if err := m.WriteFile(vfs.Root.Join(name), nil); err != nil && !errors.Is(err, vfs.ErrIsDirectory) {
			t.Fatal(err)
		}
		var escaped strings.Builder
		for _, c := range []byte(name) {
			if strings.IndexByte(`*?[\`, c) >= 0 {
				escaped.WriteByte('\\')
			}
			escaped.WriteByte(c)
		}
		if e := escaped.String(); e != name && len(e) <= vfs.MaxName {
			if got, err := glob(newWalker(m, 0), e); err != nil || len(got) != 1 || got[0] != name {
				t.Fatalf("%q stands for %q, %v", e, got, err)
			}
		}
		p, err := ParsePattern(text)
		if err != nil {
			return
		}
		if strings.ContainsAny(p.Prefix, `*?[\`) || !strings.HasPrefix(text, p.Prefix) {
			t.Fatalf("%q has the prefix %q", text, p.Prefix)
		}
		from, err := vfs.Clean(vfs.Root, p.Prefix)
		if err != nil {
			return
		}
		w := newWalker(m, 0)
		found, err := p.Expand(context.Background(), w.Walk, from)
		if err != nil && !errors.Is(err, ErrDepth) {
			t.Fatalf("%q: %v", text, err)
		}
		for _, match := range found {
			if !match.Path.Within(from) || match.Path == from {
				t.Fatalf("%q in %s stands for %s", text, from, match.Path)
			}
			ok, err := path.Match(strings.Join(p.parts, "/"), strings.TrimPrefix(match.Text, p.Prefix))
			if err != nil || !ok {
				t.Fatalf("%q stands for %q: %v", text, match.Text, err)
			}
		}
	})
}
