package ftpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// noise is text that no compression makes small.
func noise(n int) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b) // it does not fail
	return string(b)
}

// engine moves between a server and a directory, and does not wait between attempts.
func engine(conf Config, root *os.Root) *Engine {
	return &Engine{Dial: func(ctx context.Context) (*Session, error) { return Dial(ctx, conf) }, Root: root, Retries: 3, Times: true,
		Wait: func(ctx context.Context, _ int) error { return ctx.Err() }}
}

// Every data connection resumes the control connection's TLS session: the server asks
// for it.
func TestReuse(t *testing.T) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			root, conf := ours(t, version)
			write(t, filepath.Join(root, "a"), "text")
			s := dial(t, conf)
			for range 5 {
				var b strings.Builder
				if _, err := s.Retrieve("/a", 0, 4, &b); err != nil || b.String() != "text" || !s.Resumed {
					t.Fatalf("%q, %v, resumed %v", b.String(), err, s.Resumed)
				}
				entries, _, err := s.List("/")
				if err != nil || len(entries) != 1 || entries[0].Size != 4 {
					t.Fatalf("%+v, %v", entries, err)
				}
			}
			if _, err := s.Store("/b", false, strings.NewReader("more")); err != nil || read(t, filepath.Join(root, "b")) != "more" {
				t.Fatal(err)
			}
		})
	}
}

func TestDownload(t *testing.T) {
	top, conf := ours(t, 0)
	text := noise(3 << 20)
	write(t, filepath.Join(top, "big"), text)
	when := time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)
	check(t, os.Chtimes(filepath.Join(top, "big"), when, when))
	root, dir := here(t)
	e := engine(conf, root)
	e.Verify, e.Parallel = true, 2
	jobs := []Job{{Remote: "/big", Local: "x/y/big", Size: Unknown}, {Remote: "/none", Local: "none", Size: Unknown}}
	r := e.Run(t.Context(), nil, jobs)
	if r[0].Status != Done || r[0].Verified != "sha256" || r[0].Bytes != int64(len(text)) || read(t, filepath.Join(dir, "x/y/big")) != text {
		t.Errorf("%+v", r[0])
	}
	if info, err := os.Stat(filepath.Join(dir, "x/y/big")); err != nil || !info.ModTime().Equal(when) {
		t.Errorf("%v, %v", info.ModTime(), err)
	}
	var no *ReplyError
	if r[1].Status != Failed || !errors.As(r[1].Err, &no) || r[1].Attempts != 1 {
		t.Errorf("%+v", r[1])
	}
	if got := names(t, dir); got != "x x/y x/y/big" {
		t.Errorf("there is %s", got)
	}
}

// What an earlier run has left is continued, if it is of the same source.
func TestResumeDownload(t *testing.T) {
	top, conf := ours(t, 0)
	text := noise(3 << 20)
	file := filepath.Join(top, "big")
	write(t, file, text)
	root, dir := here(t)
	e := engine(conf, root)
	e.Resume, e.Retries = true, 0
	ctx, cancel := context.WithCancel(t.Context())
	e.Watch = &stopper{after: 1 << 20, stop: cancel}
	r := e.Run(ctx, nil, []Job{{Remote: "/big", Local: "big", Size: Unknown}})
	if r[0].Status != Failed || !IsPart(names(t, dir)) {
		t.Fatalf("%+v, there is %s", r[0], names(t, dir))
	}
	e.Watch = nil
	e.Verify = true
	r = e.Run(t.Context(), nil, []Job{{Remote: "/big", Local: "big", Size: Unknown}})
	if r[0].Status != Done || r[0].Resumed < 1<<20 || r[0].Bytes+r[0].Resumed != int64(len(text)) || read(t, filepath.Join(dir, "big")) != text || names(t, dir) != "big" {
		t.Fatalf("%+v, there is %s", r[0], names(t, dir))
	}
}

// stopper ends a run after so many bytes.
type stopper struct {
	after int
	stop  func()
}

func (s *stopper) Began(Job)    {}
func (s *stopper) Ended(Result) {}
func (s *stopper) Moved(n int) {
	if s.after -= n; s.after < 0 {
		s.stop()
	}
}

// A part of another version is not joined to this one: neither if its time differs, nor,
// with sums, if a part was tampered with.
func TestResumeOther(t *testing.T) {
	top, conf := ours(t, 0)
	text := noise(1 << 20)
	write(t, filepath.Join(top, "f"), text)
	root, dir := here(t)
	e := engine(conf, root)
	e.Resume, e.Verify = true, true
	s := dial(t, conf)
	when, err := s.ModTime("/f")
	check(t, err)
	j := &Job{Remote: "/f", Local: "f", Size: int64(len(text)), ModTime: when}
	p, err := (&worker{e: e, session: s}).partFor(j)
	check(t, err)
	_, err = io.WriteString(p, strings.Repeat("x", 1000))
	check(t, err)
	check(t, p.Close())
	r := e.Run(t.Context(), nil, []Job{{Remote: "/f", Local: "f", Size: Unknown}})
	if r[0].Status != Done || r[0].Verified != "sha256" || read(t, filepath.Join(dir, "f")) != text {
		t.Fatalf("%+v", r[0])
	}
	j.ModTime = when.Add(time.Second)
	other, err := (&worker{e: e, session: s}).partFor(j)
	check(t, err)
	if other.name == p.name {
		t.Error("another version has the same part")
	}
	other.drop()
}

func TestUpload(t *testing.T) {
	top, conf := ours(t, 0)
	root, dir := here(t)
	text := noise(2 << 20)
	write(t, filepath.Join(dir, "f"), text)
	when := time.Date(2021, 2, 3, 4, 5, 6, 0, time.UTC)
	check(t, os.Chtimes(filepath.Join(dir, "f"), when, when))
	e := engine(conf, root)
	e.Verify = true
	job := []Job{{Upload: true, Remote: "/f", Local: "f"}}
	r := e.Run(t.Context(), nil, job)
	if r[0].Status != Done || r[0].Verified != "sha256" || read(t, filepath.Join(top, "f")) != text {
		t.Fatalf("%+v", r[0])
	}
	if info, err := os.Stat(filepath.Join(top, "f")); err != nil || !info.ModTime().Equal(when) {
		t.Errorf("%v, %v", info.ModTime(), err)
	}
	// Continued: what is there is the beginning.
	e.Resume, e.Verify = true, false
	check(t, os.Truncate(filepath.Join(top, "f"), 1<<20))
	r = e.Run(t.Context(), nil, job)
	if r[0].Status != Done || r[0].Resumed != 1<<20 || r[0].Bytes != 1<<20 || r[0].Verified != "sha256" || read(t, filepath.Join(top, "f")) != text {
		t.Errorf("continued: %+v", r[0])
	}
	// What is there is of something else.
	write(t, filepath.Join(top, "f"), strings.Repeat("x", 1<<20))
	r = e.Run(t.Context(), nil, job)
	if r[0].Status != Done || r[0].Resumed != 0 || read(t, filepath.Join(top, "f")) != text {
		t.Errorf("of something else: %+v", r[0])
	}
}

// Links that lead out of the directory are not followed, in neither direction.
func TestLocalLinks(t *testing.T) {
	top, conf := ours(t, 0)
	root, dir := here(t)
	outside := filepath.Join(filepath.Dir(dir), "outside")
	write(t, filepath.Join(outside, "secret"), "secret")
	check(t, os.Symlink(outside, filepath.Join(dir, "sub")))
	check(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "link")))
	write(t, filepath.Join(top, "f"), "text")
	e := engine(conf, root)
	r := e.Run(t.Context(), nil, []Job{{Remote: "/f", Local: "sub/f", Size: Unknown}, {Upload: true, Remote: "/stolen", Local: "link"},
		{Remote: "/f", Local: "link", Size: Unknown}})
	if r[0].Status != Failed || r[1].Status != Failed || r[2].Status != Done {
		t.Errorf("%+v", r)
	}
	if names(t, outside) != "secret" || read(t, filepath.Join(outside, "secret")) != "secret" || names(t, top) != "f" {
		t.Errorf("outside: %s, at the server: %s", names(t, outside), names(t, top))
	}
	if read(t, filepath.Join(dir, "link")) != "text" {
		t.Error("the link was not replaced")
	}
}

func TestMirrors(t *testing.T) {
	top, conf := ours(t, 0)
	root, dir := here(t)
	for _, n := range []string{"a", "sub/b", "sub/deep/c"} {
		write(t, filepath.Join(dir, n), "text of "+n)
	}
	check(t, os.Mkdir(filepath.Join(dir, "empty"), 0o755))
	m := &Mirror{Engine: engine(conf, root), Upload: true, Remote: "/m", Delete: true, MaxDelete: 10}
	run := func(m *Mirror) string {
		t.Helper()
		r, err := m.Run(t.Context(), dial(t, conf), nil)
		var all []string
		for i := range r {
			if r[i].Op != "mkdir" {
				all = append(all, r[i].Status+" "+r[i].Local)
			}
		}
		if err != nil {
			all = append(all, err.Error())
		}
		return strings.Join(all, ", ")
	}
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s\nwant %s", what, got, want)
		}
	}
	want("first", run(m), "done a, done sub/b, done sub/deep/c")
	want("again", run(m), "same a, same sub/b, same sub/deep/c")
	want("at the server", names(t, filepath.Join(top, "m")), names(t, dir))
	m.Times = false
	want("without times", run(m), "same a, same sub/b, same sub/deep/c")
	m.Times = true

	// Back, into another directory that holds more.
	back, backDir := here(t)
	write(t, filepath.Join(backDir, "more/x"), "x")
	write(t, filepath.Join(backDir, "a"), "other of a")
	down := &Mirror{Engine: engine(conf, back), Remote: "/m", Delete: true, MaxDelete: 1}
	want("too many", run(down), "2 names would be deleted, and --max-delete is 1; nothing was changed\n   = help: --dry-run tells which; is the source the right one?")
	down.MaxDelete, down.DryRun = 2, true
	want("planned", run(down), "planned a, planned sub/b, planned sub/deep/c, planned more/x, planned more")
	want("nothing was done", names(t, backDir), "a more more/x")
	down.DryRun = false
	want("down", run(down), "done a, done sub/b, done sub/deep/c, deleted more/x, deleted more")
	want("here", names(t, backDir), names(t, dir))

	// A file that has the size and the time of its copy, and another text.
	write(t, filepath.Join(backDir, "a"), "TEXT of a")
	info, err := os.Stat(filepath.Join(dir, "a"))
	check(t, err)
	check(t, os.Chtimes(filepath.Join(backDir, "a"), info.ModTime(), info.ModTime()))
	want("by time", run(down), "same a, same sub/b, same sub/deep/c")
	down.Checksum = true
	want("by sums", run(down), "same sub/b, same sub/deep/c, done a")

	// Up, with less.
	check(t, os.RemoveAll(filepath.Join(dir, "sub/deep")))
	want("up", run(m), "same a, same sub/b, deleted sub/deep/c, deleted sub/deep")
	want("at the server", names(t, filepath.Join(top, "m")), names(t, dir))
}

// The limit holds for all sessions together.
func TestLimit(t *testing.T) {
	top, conf := ours(t, 0)
	for _, n := range []string{"a", "b"} {
		write(t, filepath.Join(top, n), noise(100_000))
	}
	root, _ := here(t)
	e := engine(conf, root)
	e.Limit, e.Parallel = Limiter(400_000), 2
	began := time.Now()
	r := e.Run(t.Context(), nil, []Job{{Remote: "/a", Local: "a", Size: Unknown}, {Remote: "/b", Local: "b", Size: Unknown}})
	if took := time.Since(began); r[0].Status != Done || r[1].Status != Done || took < 350*time.Millisecond {
		t.Errorf("200,000 bytes at 400,000 a second took %v: %+v", took, r)
	}
}
