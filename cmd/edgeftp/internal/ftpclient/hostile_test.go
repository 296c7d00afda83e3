package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// refused asks for a Refusal that says something.
func refused(t *testing.T, err error, says string) {
	t.Helper()
	var no *Refusal
	if !errors.As(err, &no) || !strings.Contains(err.Error(), says) {
		t.Errorf("%v, want a refusal that says %q", err, says)
	}
}

// Names that lead elsewhere, or are none, become no files.
func TestHostileNames(t *testing.T) {
	for _, form := range []string{"type=file;size=4; %s\r\n", "-rw-r--r-- 1 a b 4 Nov 27 02:40 %s\r\n"} {
		f := newFake(t, map[string]string{})
		if strings.HasPrefix(form, "-") {
			f.answers["FEAT"] = "500 what?"
		}
		bad := []string{"../up", "/etc/passwd", "a/../../b", "a\x1b[2J", "a\rb", strings.Repeat("x", 300), "good"}
		for _, name := range append(bad, "good") {
			f.list += fmt.Sprintf(form, name)
		}
		f.files["/good"] = "text"
		root, dir := here(t)
		m := &Mirror{Engine: engine(f.conf(), root), Remote: "/", Delete: true, MaxDelete: 100}
		write(t, filepath.Join(dir, "mine"), "mine")
		results, err := m.Run(t.Context(), dial(t, f.conf()), nil)
		if err == nil || !strings.Contains(err.Error(), "nothing was deleted") {
			t.Errorf("it would delete by a list with such names: %v", err)
		}
		left := 0
		for i := range results {
			if results[i].Status == Skipped {
				left++
			}
			if strings.ContainsAny(results[i].Error, "\x1b\r") {
				t.Errorf("%q", results[i].Error)
			}
		}
		if left != len(bad) { // the second "good" is one of them
			t.Errorf("%d names were left away: %+v", left, results)
		}
		if got := names(t, filepath.Dir(dir)); got != "here here/good here/mine" {
			t.Errorf("there is %s", got)
		}
	}
}

// A NUL in a listing ends it.
func TestHostileNUL(t *testing.T) {
	f := newFake(t, map[string]string{})
	f.list = "type=file;size=1; a\x00b\r\n"
	_, _, err := dial(t, f.conf()).List("/")
	refused(t, err, "NUL")
}

// A directory that holds itself, and a listing that has no end, are left.
func TestHostileSizes(t *testing.T) {
	f := newFake(t, map[string]string{})
	f.list = "type=dir; again\r\n"
	_, err := dial(t, f.conf()).Walk("/")
	refused(t, err, "deep")
	conf := f.conf()
	conf.MaxEntries = 100
	f.list = ""
	for i := range 101 {
		f.list += fmt.Sprintf("type=file; %d\r\n", i)
	}
	f.publish()
	_, _, err = dial(t, conf).List("/")
	refused(t, err, "100 lines")
	conf.MaxEntries, conf.MaxListing = 1000, 1000
	_, _, err = dial(t, conf).List("/")
	refused(t, err, "1000 bytes")
	f.list = "type=dir; " + strings.Repeat("x", 200) + "\r\n"
	f.publish()
	_, err = dial(t, conf).Walk("/")
	refused(t, err, "the paths below")
	f.list = "type=file; " + strings.Repeat("x", maxListLine) + "\r\n"
	f.publish()
	_, _, err = dial(t, conf).List("/")
	refused(t, err, "bytes")
}

// Replies that have no end, or are none.
func TestHostileReplies(t *testing.T) {
	for says, greeting := range map[string]string{
		"no reply":  "SSH-2.0-x",
		"bytes":     "220 " + strings.Repeat("x", maxLine),
		"lines":     "220-" + strings.Repeat("\r\nx", maxReplyLines) + "\r\n220 end",
		"without":   strings.Repeat("120 soon\r\n", maxMarks+1),
		"holds a N": "220 \x00",
	} {
		f := newFake(t, map[string]string{"GREETING": greeting})
		_, err := Dial(t.Context(), f.conf())
		refused(t, err, says)
	}
	f := newFake(t, map[string]string{"GREETING": ""}) // it says nothing
	conf := f.conf()
	conf.Timeout = 50 * time.Millisecond
	if _, err := Dial(t.Context(), conf); err == nil || !strings.Contains(err.Error(), "says nothing") {
		t.Errorf("%v", err)
	}
	conf.Timeout = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, conf); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// The data connection goes to the server, and to nobody else.
func TestHostilePASV(t *testing.T) {
	f := newFake(t, map[string]string{"EPSV": "500 what?"})
	f.list, f.foreign = "type=file; a\r\n", true
	_, _, err := dial(t, f.conf()).List("/")
	refused(t, err, "another host")
	f.foreign = false
	entries, _, err := dial(t, f.conf()).List("/")
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

// Nothing is sent in the clear when TLS is not to be had, or somebody speaks before it.
func TestHostileTLS(t *testing.T) {
	server, client, err := userpi.ThrowAway()
	check(t, err)
	plain := newFake(t, map[string]string{})
	conf := plain.conf()
	conf.TLS, conf.Target.Security = client, Explicit
	_, err = Dial(t.Context(), conf)
	refused(t, err, "no password was sent")
	injected := newFake(t, map[string]string{})
	injected.tls, injected.early = server, "\r\n230 you are in"
	conf = injected.conf()
	conf.TLS, conf.Target.Security = client, Explicit
	_, err = Dial(t.Context(), conf)
	refused(t, err, "before the TLS handshake")
	stranger := newFake(t, map[string]string{})
	stranger.tls = server
	conf = stranger.conf()
	conf.TLS, conf.Target.Security = nil, Explicit
	if _, err = Dial(t.Context(), conf); err == nil {
		t.Error("a certificate that nobody vouches for is taken")
	}
	for _, f := range []*fake{plain, injected, stranger} {
		if f.said("USER") || f.said("PASS") {
			t.Error("it tells who logs in")
		}
	}
}

// A protected connection that is cut is not taken for the end of a listing, nor of a file
// whose length nobody has told.
func TestHostileCut(t *testing.T) {
	server, client, err := userpi.ThrowAway()
	check(t, err)
	f := newFake(t, map[string]string{})
	f.tls, f.cut = server, true
	f.list, f.files["/f"] = "type=file; a\r\n", "text"
	conf := f.conf()
	conf.TLS, conf.Target.Security = client, Explicit
	if _, _, err := dial(t, conf).List("/"); !errors.Is(err, errCut) {
		t.Errorf("%v", err)
	}
	if _, err := dial(t, conf).Retrieve("/f", 0, Unknown, io.Discard); !errors.Is(err, errCut) {
		t.Errorf("%v", err)
	}
	if n, err := dial(t, conf).Retrieve("/f", 0, 4, io.Discard); n != 4 || err != nil {
		t.Errorf("nothing is missing: %d, %v", n, err)
	}
	if _, err := dial(t, conf).Retrieve("/f", 0, 5, io.Discard); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("one byte is missing: %v", err)
	}
	f.cut = false
	f.publish()
	if entries, _, err := dial(t, conf).List("/"); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

// Wrong sizes: more than was told, or less, leaves nothing behind.
func TestHostileLengths(t *testing.T) {
	for name, c := range map[string]struct{ size, says string }{
		"more": {"213 3", "more of /f"}, "less": {"213 5", "only 4 of 5"}, "none": {"213 -1", "SIZE"}, "words": {"213 many", "SIZE"},
	} {
		f := newFake(t, map[string]string{"SIZE": c.size})
		f.files["/f"] = "text"
		root, dir := here(t)
		write(t, filepath.Join(dir, "f"), "old")
		e := engine(f.conf(), root)
		e.Retries = 0
		r := e.Run(t.Context(), nil, []Job{{Remote: "/f", Local: "f", Size: Unknown}})
		if r[0].Status != Failed || !strings.Contains(r[0].Error, c.says) || names(t, dir) != "f" || read(t, filepath.Join(dir, "f")) != "old" {
			t.Errorf("%s: %+v, there is %s", name, r[0], names(t, dir))
		}
	}
}

// A connection that ends in the middle is taken up again, in one command.
func TestRetry(t *testing.T) {
	f := newFake(t, map[string]string{})
	text := noise(300_000)
	f.files["/f"] = text
	root, dir := here(t)
	e := engine(f.conf(), root)
	f.short = 100_000
	s := dial(t, f.conf())
	r := e.Run(t.Context(), s, []Job{{Remote: "/f", Local: "f", Size: Unknown}})
	if r[0].Status != Done || r[0].Attempts < 2 || r[0].Bytes != int64(len(text)) || read(t, filepath.Join(dir, "f")) != text || !f.said("REST ") {
		t.Errorf("%+v", r[0])
	}
}

// A server that cannot begin in the middle sends the whole file.
func TestNoREST(t *testing.T) {
	f := newFake(t, map[string]string{"REST": "502 no", "FEAT": "211-x\r\n MDTM\r\n211 end", "MDTM": "213 20260101000000"})
	f.files["/f"] = "some text"
	root, dir := here(t)
	e := engine(f.conf(), root)
	e.Resume = true
	s := dial(t, f.conf())
	when, err := s.ModTime("/f")
	check(t, err)
	p, err := (&worker{e: e, session: s}).partFor(&Job{Remote: "/f", Local: "f", Size: 9, ModTime: when})
	check(t, err)
	_, err = io.WriteString(p, "some")
	check(t, err)
	check(t, p.Close())
	r := e.Run(t.Context(), s, []Job{{Remote: "/f", Local: "f", Size: Unknown}})
	if r[0].Status != Done || !f.said("REST 4") || read(t, filepath.Join(dir, "f")) != "some text" || names(t, dir) != "f" {
		t.Errorf("%+v, there is %s", r[0], names(t, dir))
	}
}

// What a server refuses for good is not asked for again, and a login that is refused ends
// all.
func TestNoRetry(t *testing.T) {
	f := newFake(t, map[string]string{"PASS": "530 no"})
	root, dir := here(t)
	jobs := make([]Job, 20)
	for i := range jobs {
		jobs[i] = Job{Remote: fmt.Sprint("/", i), Local: fmt.Sprint(i), Size: Unknown}
	}
	r := engine(f.conf(), root).Run(t.Context(), nil, jobs)
	var no *LoginError
	for i := range r {
		if r[i].Status != Failed || !errors.As(r[i].Err, &no) {
			t.Errorf("%+v", r[i])
		}
	}
	f.mu.Lock()
	tries := strings.Count(strings.Join(f.commands, "\n"), "PASS")
	f.mu.Unlock()
	if tries > 2 || names(t, dir) != "" {
		t.Errorf("%d logins, there is %s", tries, names(t, dir))
	}
	if _, err := Dial(t.Context(), login("127.0.0.1:1", nil)); !NoServer(err) {
		t.Errorf("%v", err)
	}
}

// A server that takes fewer sessions than were asked for loses no file by that.
func TestFull(t *testing.T) {
	f := newFake(t, map[string]string{})
	f.most = 2
	jobs := make([]Job, 12)
	for i := range jobs {
		name := fmt.Sprint("/", i)
		f.files[name] = name
		jobs[i] = Job{Remote: name, Local: name[1:], Size: Unknown}
	}
	root, dir := here(t)
	e := engine(f.conf(), root)
	e.Parallel, e.Retries = 6, 0
	for _, r := range e.Run(t.Context(), dial(t, f.conf()), jobs) {
		if r.Status != Done {
			t.Errorf("%+v", r)
		}
	}
	if n := len(strings.Fields(names(t, dir))); n != len(jobs) {
		t.Errorf("there are %d files", n)
	}
}

// What lies behind a link of the server's is not known, and so nothing is deleted there.
func TestLinkSpares(t *testing.T) {
	f := newFake(t, map[string]string{})
	f.list = "type=OS.unix=slink:/etc; keep\r\n"
	root, dir := here(t)
	write(t, filepath.Join(dir, "keep/x"), "x")
	write(t, filepath.Join(dir, "gone"), "x")
	m := &Mirror{Engine: engine(f.conf(), root), Remote: "/", Delete: true, MaxDelete: 100}
	if _, err := m.Run(t.Context(), dial(t, f.conf()), nil); err != nil || names(t, dir) != "keep keep/x" {
		t.Errorf("%v, there is %s", err, names(t, dir))
	}
}

// No command has two lines, whatever a name holds.
func TestInjection(t *testing.T) {
	f := newFake(t, map[string]string{})
	s := dial(t, f.conf())
	refused(t, s.Remove("a\r\nDELE b"), "cannot be sent")
	refused(t, s.MakeDir("a\x00"), "cannot be sent")
	_, err := s.Store("a\nb", false, strings.NewReader(""))
	refused(t, err, "cannot be sent")
	conf := f.conf()
	conf.Password = "a\r\nDELE b"
	_, err = Dial(t.Context(), conf)
	refused(t, err, "password")
	if strings.Contains(err.Error(), "DELE") {
		t.Error("the password is shown")
	}
	if f.said("DELE") {
		t.Error("it was sent")
	}
	var trace strings.Builder
	conf = f.conf()
	conf.Trace = func(_ bool, text string) { trace.WriteString(text + "\n") }
	dial(t, conf).Close()
	if strings.Contains(trace.String(), "secret") || !strings.Contains(trace.String(), "PASS ****") {
		t.Errorf("%s", &trace)
	}
}

// What is no file is not sent: a FIFO would wait for ever.
func TestSpecialFiles(t *testing.T) {
	f := newFake(t, map[string]string{})
	root, dir := here(t)
	check(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	r := engine(f.conf(), root).Run(t.Context(), nil, []Job{{Upload: true, Remote: "/d", Local: "d"}})
	if r[0].Status != Failed || f.said("STOR") {
		t.Errorf("%+v", r[0])
	}
}
