package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// watched is a set of one pair whose files a test replaces.
type watched struct {
	t      *testing.T
	is     *testCA
	files  FilePair
	set    *FileSet
	config *tls.Config
	clock  *clock
	log    bytes.Buffer
	events []CertEvent
}

// newWatched starts a minute from now, so that the files are not fresh.
func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{t: t, is: newTestCA(t, newKey(t)), clock: &clock{time.Now().Add(time.Minute)}}
	w.files = w.is.files(t.TempDir(), "x", w.is.issue(newKey(t), "first.example"))
	var err error
	w.set, _, err = OpenFiles([]FilePair{w.files}, FileOptions{Clock: w.clock.now, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		Event: func(e CertEvent) { w.events = append(w.events, e) }})
	must(t, err)
	w.config = w.set.Config(Choice{})
	return w
}

// serves does a handshake after a while and returns the name in the certificate.
func (w *watched) serves(after time.Duration) string {
	w.t.Helper()
	w.clock.at = w.clock.at.Add(after)
	state, err := shake(w.t, w.config, &tls.Config{InsecureSkipVerify: true})
	must(w.t, err)
	return strings.TrimSuffix(state.PeerCertificates[0].DNSNames[0], ".example")
}

// put puts a certificate in place as renewal programs do: by renaming.
func (w *watched) put(cert *tls.Certificate, parts ...string) {
	w.t.Helper()
	made := w.is.files(w.t.TempDir(), "new", cert)
	for _, part := range parts {
		if part == "cert" {
			must(w.t, os.Rename(made.Cert, w.files.Cert))
		} else {
			must(w.t, os.Rename(made.Key, w.files.Key))
		}
	}
}

func (w *watched) want(what, served, want string) {
	w.t.Helper()
	if served != want {
		w.t.Errorf("%s: %s is served, not %s\n%s", what, served, want, &w.log)
	}
}

func TestReload(t *testing.T) {
	w := newWatched(t)
	w.put(w.is.issue(newKey(t), "second.example"), "cert", "key")
	w.want("less than a second after the last look", w.serves(999*time.Millisecond), "first")
	w.want("a second after it", w.serves(time.Millisecond), "second")
	if len(w.events) != 1 || w.events[0].Err != nil || !strings.Contains(w.events[0].String(), "second.example, valid until ") {
		t.Errorf("%v", w.events)
	}
	if n := strings.Count(w.log.String(), "\n"); n != 1 || !strings.Contains(w.log.String(), "a changed certificate is in use") {
		t.Errorf("%s", &w.log)
	}
}

// The files are looked at once a second, however many clients come.
func TestLooksAreRare(t *testing.T) {
	w := newWatched(t)
	stats := 0
	w.set.stat = func(name string) (fs.FileInfo, error) {
		stats++
		return os.Stat(name)
	}
	for range 30 {
		w.serves(100 * time.Millisecond)
	}
	if stats != 2*3 {
		t.Errorf("%d looks at two files in 3 s", stats)
	}
	w.clock.at = w.clock.at.Add(-time.Hour) // set back: not an hour without looks
	if w.serves(0); stats != 2*4 {
		t.Errorf("%d looks after the clock was set back", stats)
	}
}

// The certificate comes first and the key a while later, or the other way round.
func TestHalfReplaced(t *testing.T) {
	for i, order := range [][2]string{{"cert", "key"}, {"key", "cert"}} {
		w := newWatched(t)
		next := w.is.issue(newKey(t), "second.example")
		w.put(next, order[0])
		for range 3 {
			w.want(order[0]+" alone", w.serves(time.Second), "first")
		}
		w.put(next, order[1])
		w.want("both", w.serves(time.Second), "second")
		if len(w.events) != 1 || strings.Contains(w.log.String(), "ERROR") {
			t.Errorf("order %d: trouble was told that was none: %v\n%s", i, w.events, &w.log)
		}
	}
}

// What cannot be used is told once, with what to do, and changes nothing.
func TestBrokenReload(t *testing.T) {
	cases := []struct {
		name  string
		spoil func(w *watched)
		want  string // in the log
	}{
		{"gone", func(w *watched) { must(w.t, os.Remove(w.files.Key)) }, "does not exist"},
		{"junk", func(w *watched) { must(w.t, os.WriteFile(w.files.Cert, []byte("junk"), 0o600)) }, "is not PEM"},
		{"empty", func(w *watched) { must(w.t, os.Truncate(w.files.Cert, 0)) }, "is not PEM"},
		{"cut off", func(w *watched) { must(w.t, os.Truncate(w.files.Cert, 200)) }, "only 0 are whole"},
		{"other key", func(w *watched) { w.put(w.is.issue(newKey(w.t), "x.example"), "key") }, "does not match the certificate"},
		{"weak", func(w *watched) { w.put(w.is.issue(newRSA(w.t, 1024), "x.example"), "cert", "key") }, "is too weak"},
		{"a pipe", func(w *watched) {
			must(w.t, os.Remove(w.files.Key))
			must(w.t, makeFIFO(w.files.Key))
		}, "is not a regular file any more"},
		{"a directory", func(w *watched) {
			must(w.t, os.Remove(w.files.Cert))
			must(w.t, os.Mkdir(w.files.Cert, 0o700))
		}, "is a directory"},
		{"expired", func(w *watched) {
			w.is.change = func(c *x509.Certificate) { c.NotAfter = time.Now().Add(time.Second) }
			w.put(w.is.issue(newKey(w.t), "x.example"), "cert", "key")
		}, "expired on"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWatched(t)
			c.spoil(w)
			for range 8 {
				w.want("broken", w.serves(time.Second), "first")
			}
			text := w.log.String()
			if strings.Count(text, "level=ERROR") != 1 || !strings.Contains(text, c.want) || !strings.Contains(text, "help=") || !strings.Contains(text, w.files.Cert) {
				t.Errorf("not told once and with what to do:\n%s", text)
			}
			if len(w.events) != 1 || w.events[0].Err == nil || !strings.Contains(w.events[0].String(), "the certificate in use stays") {
				t.Errorf("%v", w.events)
			}
			w.is.change = nil
			must(t, os.RemoveAll(w.files.Cert))
			w.put(w.is.issue(newKey(t), "third.example"), "cert", "key")
			w.want("put in order", w.serves(time.Second), "third")
			if !strings.Contains(w.log.String(), "in order again") {
				t.Errorf("%s", &w.log)
			}
		})
	}
}

// A file that is written in place is taken when nobody writes any more.
func TestWrittenInPlace(t *testing.T) {
	w := newWatched(t)
	next := w.is.files(t.TempDir(), "new", w.is.issue(newKey(t), "second.example"))
	w.clock.at = time.Now().Add(-time.Second)
	w.serves(0) // the clock was set back: this is a look
	for _, f := range [][2]string{{next.Cert, w.files.Cert}, {next.Key, w.files.Key}} {
		data, err := os.ReadFile(f[0])
		must(t, err)
		must(t, os.WriteFile(f[1], data, 0o600))
		must(t, os.Chtimes(f[1], time.Time{}, w.clock.at.Add(500*time.Millisecond)))
	}
	w.want("just written", w.serves(time.Second), "first")
	w.want("written 1.5 s ago", w.serves(time.Second), "first")
	w.want("written 2.5 s ago", w.serves(time.Second), "second")
	// A date in the future does not keep a file out for ever.
	w.put(w.is.issue(newKey(t), "third.example"), "cert", "key")
	must(t, os.Chtimes(w.files.Key, time.Time{}, w.clock.at.Add(24*time.Hour)))
	w.want("seen once", w.serves(time.Second), "second")
	w.want("seen 1 s ago", w.serves(time.Second), "second")
	w.want("seen 2 s ago", w.serves(time.Second), "third")
}

// Files that were fresh at the start are read again, and a touched file is not
// news.
func TestTouched(t *testing.T) {
	w := newWatched(t)
	must(t, os.Chtimes(w.files.Cert, time.Time{}, w.clock.at.Add(-time.Hour)))
	w.want("touched", w.serves(time.Second), "first")
	must(t, os.Chmod(w.files.Key, 0o400))
	w.want("changed mode", w.serves(time.Second), "first")
	if w.log.Len() > 0 || len(w.events) > 0 {
		t.Errorf("%v\n%s", w.events, &w.log)
	}
	for _, name := range []string{w.files.Cert, w.files.Key} {
		must(t, os.Chtimes(name, time.Time{}, time.Now().Add(-time.Hour)))
	}
	fresh, _, err := OpenFiles([]FilePair{w.files}, FileOptions{})
	must(t, err)
	if fresh.pairs[0].held[0] == nil {
		t.Error("a file from an hour ago counts as fresh")
	}
	w.put(w.is.issue(newKey(t), "second.example"), "cert", "key")
	fresh, _, err = OpenFiles([]FilePair{w.files}, FileOptions{})
	must(t, err)
	if fresh.pairs[0].held[0] != nil {
		t.Error("a file from now is not to be read again")
	}
}

// Links are followed, as certbot and Kubernetes lay them.
func TestReloadBehindLinks(t *testing.T) {
	w := newWatched(t)
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "1"), 0o700))
	must(t, os.Mkdir(filepath.Join(dir, "2"), 0o700))
	first := w.is.files(filepath.Join(dir, "1"), "x", w.is.issue(newKey(t), "first.example"))
	w.is.files(filepath.Join(dir, "2"), "x", w.is.issue(newKey(t), "second.example"))
	now := filepath.Join(dir, "now")
	must(t, os.Symlink("1", now))
	linked := FilePair{Cert: filepath.Join(now, filepath.Base(first.Cert)), Key: filepath.Join(now, filepath.Base(first.Key))}
	var err error
	w.set, _, err = OpenFiles([]FilePair{linked}, FileOptions{Clock: w.clock.now})
	must(t, err)
	w.config = w.set.Config(Choice{})
	w.want("before", w.serves(time.Second), "first")
	must(t, os.Symlink("2", filepath.Join(dir, "new")))
	must(t, os.Rename(filepath.Join(dir, "new"), now))
	w.want("after", w.serves(time.Second), "second")
}

func TestOnce(t *testing.T) {
	w := newWatched(t)
	w.files.Once = true
	var err error
	w.set, _, err = OpenFiles([]FilePair{w.files}, FileOptions{Clock: w.clock.now})
	must(t, err)
	w.config = w.set.Config(Choice{})
	w.put(w.is.issue(newKey(t), "second.example"), "cert", "key")
	w.want("not watched", w.serves(time.Hour/4), "first")
}

// safeBuffer is a log that one goroutine reads while another writes.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Watch tells without any client, of trouble and of expiry, each once.
func TestWatch(t *testing.T) {
	is := newTestCA(t, newKey(t))
	synctest.Test(t, func(t *testing.T) {
		is.change = func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		}
		files := is.files(t.TempDir(), "x", is.issue(newKey(t), "a.example"))
		var log safeBuffer
		set, _, err := OpenFiles([]FilePair{files}, FileOptions{Log: slog.New(slog.NewTextHandler(&log, nil))})
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go set.Watch(ctx)
		<-time.After(30 * time.Second)
		if synctest.Wait(); log.String() != "" {
			t.Errorf("told without trouble:\n%s", log.String())
		}
		must(t, os.Remove(files.Key))
		<-time.After(30 * time.Second)
		if synctest.Wait(); strings.Count(log.String(), "does not exist") != 1 {
			t.Errorf("a missing key is not told once:\n%s", log.String())
		}
	})
}

// Tickets and running sessions outlast a change of the certificate.
func TestSessionsOutlastReload(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		w := newWatched(t)
		keys := NewTicketKeys()
		keys.Attach(w.config)
		base := w.config
		// As the server does: each handshake has a configuration of its own.
		perHandshake := func() *tls.Config {
			c := base.Clone()
			c.WrapSession = base.EncryptTicket
			c.UnwrapSession = base.DecryptTicket
			return c
		}
		client := &tls.Config{InsecureSkipVerify: true, MaxVersion: version, ServerName: "first.example",
			ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		running, peer := started(t, perHandshake(), &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
		if state, err := shake(t, perHandshake(), client); err != nil || state.DidResume {
			t.Fatal(err)
		}
		w.put(w.is.issue(newKey(t), "second.example"), "cert", "key")
		w.want("new clients", w.serves(time.Second), "second")
		if state, err := shake(t, perHandshake(), client); err != nil || !state.DidResume {
			t.Errorf("version %x: not resumed after the change, %v", version, err)
		}
		go func() { _, _ = running.Write([]byte("still here")) }()
		got := make([]byte, 10)
		if n, err := peer.Read(got); err != nil || string(got[:n]) != "still here" {
			t.Errorf("version %x: the running session says %q, %v", version, got[:n], err)
		}
	}
}

// Two hundred handshakes while the files change, certificate and key at
// different moments: each is whole, and the last pair is served in the end.
func TestReloadUnderHandshakes(t *testing.T) {
	is := newTestCA(t, newKey(t))
	files := is.files(t.TempDir(), "x", is.issue(newKey(t), "a.example"))
	var at atomic.Int64
	at.Store(time.Now().Add(time.Minute).UnixNano())
	set, _, err := OpenFiles([]FilePair{files}, FileOptions{Clock: func() time.Time { return time.Unix(0, at.Load()) }})
	must(t, err)
	config := set.Config(Choice{})
	NewTicketKeys().Attach(config)
	var served sync.Map
	var group sync.WaitGroup
	const clients, each = 8, 25
	failed := make(chan error, clients*each)
	turn := make(chan bool)
	for range clients {
		group.Go(func() {
			for range each {
				state, err := shake(t, config, &tls.Config{RootCAs: is.pool, ServerName: "a.example"})
				if err != nil {
					failed <- err
				} else {
					served.Store(state.PeerCertificates[0].SerialNumber.String(), true)
				}
				turn <- true
			}
		})
	}
	dir := t.TempDir()
	var last *x509.Certificate
	for n := range clients * each { // after each handshake one of the files is replaced
		<-turn
		next := FilePair{Cert: filepath.Join(dir, "next.pem"), Key: filepath.Join(dir, "next.key")}
		if n%2 == 0 {
			cert := is.issue(newKey(t), "a.example")
			is.files(dir, "next", cert)
			last = cert.Leaf
			must(t, os.Rename(next.Cert, files.Cert))
		} else {
			must(t, os.Rename(next.Key, files.Key))
		}
		at.Add(int64(time.Second))
	}
	group.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	at.Add(int64(time.Second))
	state, err := shake(t, config, &tls.Config{RootCAs: is.pool, ServerName: "a.example"})
	if err != nil || !state.PeerCertificates[0].Equal(last) {
		t.Errorf("the last pair is not served: %v", err)
	}
	n := 0
	served.Range(func(any, any) bool { n++; return true })
	t.Logf("%d handshakes were served by %d certificates", clients*each, n)
	if n < 10 {
		t.Errorf("only %d certificates were ever served", n)
	}
}
