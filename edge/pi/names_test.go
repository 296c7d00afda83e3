package pi

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// oddNames are names that somebody might read as something else.
func oddNames() []string {
	return []string{" lead", "trail ", "-la", "~", "*?[a]", `say "x"`, `a\b`, "tab\t", "%2e%2e", "..a", "...", "CON", "name.",
		"\x1b[2J", "a\x7fb", "\x9b31m", "\xc2\x9b31m", "\xe2\x80\xaetxt.exe", "\xe4", "\xc3\xa4", "a\xcc\x88", "\xff\xfe", "\xc0\xae\xc0\xae", "\xef\xbc\x8e", "a -> b", "size=1; x", strings.Repeat("n", 255)}
}

// seen are the paths that each part of the server was shown.
type seen struct {
	mu    sync.Mutex
	paths map[string]map[string]bool
}

func (s *seen) at(where string, paths ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paths[where] == nil {
		s.paths[where] = map[string]bool{}
	}
	for _, p := range paths {
		if p != "" {
			s.paths[where][p] = true
		}
	}
}

// Enabled and the others make it a slog.Handler that keeps paths.
func (s *seen) Enabled(context.Context, slog.Level) bool { return true }
func (s *seen) WithAttrs([]slog.Attr) slog.Handler       { return s }
func (s *seen) WithGroup(string) slog.Handler            { return s }
func (s *seen) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "path" || a.Key == "path2" {
			s.at("log", a.Value.String())
		}
		return true
	})
	return nil
}

// witness is a policy of every stage that is shown paths, which refuses /dir/no.
func (s *seen) witness() *warden {
	w := &warden{}
	w.fs = func(_ context.Context, a *policy.Action) (v policy.Answer, _ error) {
		if a.Op == policy.OpCommit {
			s.at("commit", a.Path)
		}
		s.at("question", a.Path, a.Path2)
		if a.Op == policy.OpChmod && a.A == 0o111 {
			v.Verdict = policy.Deny
		}
		return v, nil
	}
	w.throttle = func(q *policy.Transfer) (policy.Rate, error) {
		s.at("throttle", q.Path)
		return policy.Rate{}, nil
	}
	w.filter = func(_ context.Context, c *policy.Chunk) (policy.Piece, error) {
		s.at("filter", c.Path)
		return policy.Piece{}, nil
	}
	w.list = func(l *policy.Listing) (policy.View, error) {
		s.at("listing", l.Path)
		return policy.View{}, nil
	}
	return w
}

// TestOnePath: every part of the server is shown the same bytes for a path, whatever
// is in them: those that the client has sent, made canonical.
func TestOnePath(t *testing.T) {
	for _, name := range oddNames() {
		s, w := &seen{paths: map[string]map[string]bool{}}, (*warden)(nil)
		b := newBench(t, func(c *Config) {
			w = s.witness()
			wardens(t, w)(c)
			c.FS = recorded{c.FS.(*vfs.Mem), recorder{func(c call) { s.at("files", string(c.p), string(c.p2)) }}}
			c.Log, c.Table = slog.New(s), walkTable()
		})
		b.own().login()
		sent := strings.ReplaceAll(name, "\xff", "\xff\xff") // RFC 854
		for _, line := range []string{"MKD /dir/./x/..", "REDY", "STOR /./dir//../dir/" + sent, "REDY", "RETR dir/" + sent, "REDY", "APPE dir/./" + sent,
			"REDY", "LIST dir/" + sent, "REDY", "LIST dir", "MLST dir/" + sent, "SIZE dir/" + sent, "HASH dir/" + sent, "MFMT 20200101000000 dir/" + sent,
			"SITE CHMOD 600 dir/" + sent, "SITE CHMOD 111 dir/" + sent, "RNFR dir/" + sent, "RNTO /moved", "RNFR moved", "RNTO /dir/../dir/" + sent, "CWD dir", "DELE ./" + sent, "MKD ./" + sent, "CWD ./" + sent, "RMD ../" + sent} {
			b.must(b.client.Send(line))
			for {
				r, err := b.client.Reply()
				b.must(err)
				if r.Code >= 400 && !strings.Contains(line, "CHMOD 111") {
					t.Fatalf("%q: %v", line, r)
				}
				if r.Code >= 200 {
					break
				}
			}
		}
		b.close()
		for _, e := range w.events {
			s.at("events", e.Path, e.Path2)
		}
		known := []string{"/", "/dir", "/dir/" + name, "/moved"}
		for _, where := range []string{"question", "commit", "throttle", "filter", "listing", "files", "events", "log"} {
			if !s.paths[where]["/dir/"+name] && where != "listing" {
				t.Errorf("%s: not shown %q", where, name)
			}
			for p := range s.paths[where] {
				if !slices.Contains(known, p) {
					t.Errorf("%s: shown %q for %q", where, p, name)
				}
			}
		}
	}
}

// hostileDir is a directory with names, and links to nowhere, that would forge a line
// where lines are made of them.
func hostileDir(t *testing.T) (fsys vfs.FS, names []string) {
	t.Helper()
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(dir, "h"), 0o755))
	names = slices.Clone(oddNames())
	for _, name := range names {
		must(os.WriteFile(filepath.Join(dir, "h", name), nil, 0o644))
	}
	for _, name := range []string{"a\r\nb", "a\nb", "a\rb", "\r\n226 Done.\r\n", "type=dir; x\r\n evil"} { // no line can hold these
		must(os.WriteFile(filepath.Join(dir, "h", name), nil, 0o644))
	}
	for name, target := range map[string]string{"l1": "gone evil", "l2": "gone;type=dir;size=1; evil", "l3": "gone\x1b[2J", "l4": "../../out of here", "l5": "gone\tx"} {
		must(os.Symlink(target, filepath.Join(dir, "h", name)))
		names = append(names, name)
	}
	must(os.Symlink("gone\r\nforged", filepath.Join(dir, "h", "l6")))
	disk, err := vfs.OpenDisk(vfs.DiskConfig{Root: dir})
	must(err)
	t.Cleanup(func() { _ = disk.Close() })
	return disk, names
}

// TestListingsAreNotForged: a listing has one line for each name, byte for byte, on the
// data connection, and none for a name that would be two.
func TestListingsAreNotForged(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("these names need a filesystem that takes any byte")
		return
	}
	fsys, names := hostileDir(t)
	b := newBench(t, func(c *Config) { c.FS = fsys }).own().login()
	defer b.close()
	names = slices.Sorted(slices.Values(names))
	for line, cut := range map[string]func(string) string{
		"NLST h":     func(l string) string { return strings.TrimPrefix(l, "h/") },
		"NLST -R h":  func(l string) string { return strings.TrimPrefix(l, "h/") },
		"NLST h/*":   func(l string) string { return strings.TrimPrefix(l, "h/") },
		"MLSD h":     factName,
		"LIST -1 h":  func(l string) string { return l },
		"LIST h":     longName,
		"LIST -la h": longName,
		"LIST h/*":   func(l string) string { return strings.TrimPrefix(longName(l), "h/") },
	} {
		p := b.begin(line)
		text, err := io.ReadAll(p.connect())
		b.must(err)
		b.expect(line, 226)
		var got []string
		for l := range bytes.SplitSeq(bytes.TrimSuffix(text, []byte("\r\n")), []byte("\r\n")) {
			if bytes.ContainsAny(l, "\r\n\x00") {
				t.Errorf("%s: the line %q", line, l)
			}
			got = append(got, cut(string(l)))
		}
		slices.Sort(got)
		want := names
		if line == "NLST h" { // which tells nothing of where links lead
			want = slices.Sorted(slices.Values(append(slices.Clone(names), "l6")))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s gives\n%q, not\n%q", line, got, want)
		}
	}
}

// factName is the name in a line of MLSD: what stands behind the first space (RFC 3659
// §7.2).
func factName(line string) string {
	_, name, _ := strings.Cut(line, " ")
	return name
}

// longName is the name in a line of LIST: what stands behind eight columns, without
// the target of a link.
func longName(line string) string {
	for range 8 {
		_, line, _ = strings.Cut(strings.TrimLeft(line, " "), " ")
	}
	if name, _, ok := strings.Cut(line, " -> "); ok && strings.HasPrefix(name, "l") {
		return name
	}
	return line
}

// TestRepliesAreNotForged: what is listed on the control connection is a reply, each
// line of it in its place, and steers no terminal.
func TestRepliesAreNotForged(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("these names need a filesystem that takes any byte")
		return
	}
	fsys, names := hostileDir(t)
	b := newBench(t, func(c *Config) { c.FS = fsys }).own().login()
	defer b.close()
	r := b.do("STAT h", 212)
	if n := len(r.Lines) - 2; n != len(names) {
		t.Errorf("STAT gives %d lines for %d names", n, len(names))
	}
	for _, name := range names {
		sent := strings.ReplaceAll(name, "\xff", "\xff\xff")
		m := b.do("MLST h/"+sent, 250)
		if len(m.Lines) != 3 {
			t.Errorf("MLST %q: %v", name, m)
			continue
		}
		shown := strings.NewReplacer("\x1b", "?", "\x7f", "?", "\u009b", "?", "\u202e", "?", "\xff", "\xff\xff").Replace(name)
		if got := factName(strings.TrimPrefix(m.Lines[1], " ")); got != "/h/"+shown {
			t.Errorf("MLST %q names %q", name, got)
		}
		r.Lines = append(r.Lines, m.Lines...)
		if name != "l4" { // which leads out of the tree
			r.Lines = append(r.Lines, b.do("STAT h/"+sent, 213).Lines...)
		}
	}
	for _, l := range r.Lines {
		if strings.ContainsAny(l, "\x00\r\n\x1b\x7f\u009b") {
			t.Errorf("the line %q", l)
		}
	}
}
