package e2e

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/ports"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// An upload that is cut in the middle is nobody's to see, and is finished by the
// client's own way of resuming.
func TestResume(t *testing.T) {
	t.Parallel()
	for client, resume := range map[string]func(t *testing.T, s *server, file string) program{
		"curl": func(t *testing.T, s *server, file string) program {
			return s.curl(t, "-v", "-C", "-", "-T", file, s.url("/in/big"))
		},
		"lftp": func(t *testing.T, s *server, file string) program {
			return s.lftp(t, "cd in", "put -c "+file+" -o big")
		},
	} {
		t.Run(client+" tls", func(t *testing.T) { testResume(t, "required", cutTLS, resume) })
		t.Run(client+" plain", func(t *testing.T) { testResume(t, "off", cutPlain, resume) })
	}
}

func testResume(t *testing.T, mode string, cut func(*testing.T, *server, string, int64) int64, resume func(*testing.T, *server, string) program) {
	t.Parallel()
	need(t, "curl")
	need(t, "lftp")
	s := start(t, "--tls", mode, "--anonymous", "--passive-ports", strings.Join(ports.Some(t, 8), ","))
	ok(t, os.Mkdir(s.in("in"), 0o755))
	file := filepath.Join(t.TempDir(), "big")
	want := noiseFile(t, file, bulk())
	atLeast := cut(t, s, file, bulk()/2)

	s.expect(t, `"incomplete_file_received"`)
	size := s.unseen(t, "/in/big")
	if size < atLeast || size >= bulk() {
		t.Errorf("%d bytes are kept of %d that were sent for certain and %d in all", size, atLeast, bulk())
	}
	r := resume(t, s, file).must(t)
	sameSum(t, "resumed upload", s.in("in", "big"), want)
	s.holds(t, "in", filepath.Join("in", "big"))
	var end struct{ Bytes int64 }
	ok(t, json.Unmarshal([]byte(s.expect(t, `"file_received"`, `"/in/big"`)), &end))
	if end.Bytes != bulk()-size {
		t.Errorf("%d bytes were sent again, want %d\n%s", end.Bytes, bulk()-size, r.both())
	}
	s.stop(t)
}

// unseen asks that the interrupted upload is seen by its owner alone, and returns
// how long it is.
func (s *server) unseen(t *testing.T, path string) int64 {
	t.Helper()
	dir, name := filepath.Split(path)
	owner, other := s.login(t), s.loginAs(t, "anonymous", "e2e@example.net")
	if list := string(other.get(t, "MLSD "+dir)) + string(other.get(t, "LIST -a "+dir)); strings.Contains(list, name) || strings.Contains(list, ".edgeftp") {
		t.Errorf("somebody else sees %q", list)
	}
	other.want(t, "SIZE "+path, 550)
	other.want(t, "MLST "+path, 550)
	other.refused(t, "RETR "+path, 550)
	for _, e := range must(os.ReadDir(s.in(dir)))(t) {
		if !strings.HasPrefix(e.Name(), ".edgeftp.") {
			t.Errorf("%s is in view", e.Name())
		}
	}
	owner.refused(t, "RETR "+path, 450)
	return number(t, owner.want(t, "SIZE "+path, 213).Text())
}

// cutTLS makes curl store the file, and kills it when so many bytes are gone.
func cutTLS(t *testing.T, s *server, file string, after int64) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience())
	defer cancel()
	cmd := s.curl(t, "-T", "-", s.url("/in/big")).command(ctx, t)
	pipe := must(cmd.StdinPipe())(t)
	f := must(os.Open(file))(t)
	defer f.Close()
	ok(t, cmd.Start())
	_, err := io.CopyN(pipe, f, after)
	ok(t, err)
	cancel() // kill -9
	_ = cmd.Wait()
	return max(after-16*mib, 1) // the rest may have been in buffers
}

// cutPlain makes lftp store the file over a network that breaks.
func cutPlain(t *testing.T, s *server, file string, after int64) int64 {
	t.Helper()
	r := newRelay(t, "127.0.0.9", s.addr, s.passive, after)
	by := *s
	by.addr = r.addr
	by.lftp(t, "set net:max-retries 1", "set net:reconnect-interval-base 1", "set ftp:use-allo no", "set ftp:prefer-epsv yes", "cd in", "put "+file+" -o big").run(t)
	select {
	case <-r.broken:
	default:
		t.Fatal("the upload was not cut")
	}
	return 1 // a reset may throw away what was on its way
}

// What APPE adds to a published file is taken back when it is cut; what was there
// stays whole.
func TestAppendCut(t *testing.T) {
	t.Parallel()
	s := start(t)
	textFile(t, s.in("log"), "old lines\n")
	c := s.login(t)
	conn := c.begin(t, "APPE log")
	c.half(t, conn, noise("append", bulk()), bulk())
	ok(t, userpi.Reset(conn))
	if r, err := c.Expect("the cut", 426, 451); err != nil {
		t.Error(r, err)
	}
	s.content(t, "log", []byte("old lines\n"))
	c.put(t, "APPE log", strings.NewReader("new line\n"))
	s.content(t, "log", []byte("old lines\nnew line\n"))
	s.holds(t, "log")
	s.stop(t)
}
