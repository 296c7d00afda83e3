package ftpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/peers"
)

// peersVar, when set, asks for TestPeers, as in tests/conformance.
const peersVar = "EDGEFTP_PEERS"

// The client moves files with the servers of Debian, of which vsftpd asks every data
// connection to resume the control connection's session.
func TestPeers(t *testing.T) {
	where := os.Getenv(peersVar)
	if where == "" {
		t.Skip(peersVar + " is not set: the other servers are visited by .ci/full")
	}
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Fatal("the other servers are Debian packages and want root")
	}
	if where == "1" {
		where = ""
	}
	g, err := peers.NewGround(where)
	check(t, err)
	t.Cleanup(func() { check(t, g.Close()) })
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	check(t, g.Fetch(ctx))
	cert, _ := g.Certificate()
	text, err := os.ReadFile(cert)
	check(t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	for name, make := range map[string]func(context.Context, peers.Site) (*peers.Server, error){
		"vsftpd": g.VSFTPD, "proftpd": g.ProFTPD, "pure-ftpd": g.PureFTPd, "pyftpdlib": g.Pyftpdlib,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := make(ctx, peers.Site{Name: name, RequireTLS: true})
			check(t, err)
			check(t, s.Start(ctx))
			defer s.Stop()
			visit(t, s, &tls.Config{RootCAs: pool})
			if t.Failed() {
				t.Logf("%s", s.Log())
			}
		})
	}
}

func visit(t *testing.T, s *peers.Server, conf *tls.Config) {
	c := login(s.Addr, conf)
	c.User, c.Password = s.User, s.Password
	c.Target.Security = Explicit
	c.Trace = func(sent bool, text string) { t.Log(map[bool]string{true: ">", false: "<"}[sent], text) }
	root, dir := here(t)
	for name, n := range map[string]int{"a": 0, "b c": 100, "sub/big": 1 << 20} {
		write(t, filepath.Join(dir, name), noise(n))
	}
	first := dial(t, c)
	top := first.Path("")
	up := &Mirror{Engine: engine(c, root), Upload: true, Remote: Join(top, "m")}
	up.Verify, up.Parallel = true, 2
	r, err := up.Run(t.Context(), first, nil)
	if err != nil || failures(r) > 0 {
		t.Fatalf("up: %v, %+v", err, r)
	}
	second := dial(t, c)
	if r, err := up.Run(t.Context(), second, nil); err != nil || failures(r) > 0 || len(r) != 3 {
		t.Errorf("again: %v, %+v", err, r)
	}
	if !second.Resumed && s.Name != "Pure-FTPd" { // which as Debian has it takes no session a second time
		t.Error("the data connection does not resume")
	}
	back, backDir := here(t)
	down := &Mirror{Engine: engine(c, back), Remote: Join(top, "m")}
	down.Verify = true
	if r, err := down.Run(t.Context(), dial(t, c), nil); err != nil || failures(r) > 0 {
		t.Fatalf("down: %v, %+v", err, r)
	}
	for _, name := range []string{"a", "b c", "sub/big"} {
		if read(t, filepath.Join(dir, name)) != read(t, filepath.Join(backDir, name)) {
			t.Errorf("%s differs", name)
		}
	}
	// A part is continued, and what should not be there goes.
	check(t, os.Remove(filepath.Join(dir, "b c")))
	up.Delete, up.MaxDelete = true, 10
	if r, err := up.Run(t.Context(), dial(t, c), nil); err != nil || failures(r) > 0 || r[len(r)-1].Status != Deleted {
		t.Errorf("less: %v, %+v", err, r)
	}
	one := dial(t, c)
	if n, err := one.Size(Join(top, "m/sub/big")); err != nil || n != 1<<20 {
		t.Errorf("%d, %v", n, err)
	}
	rest, err := os.Create(filepath.Join(backDir, "rest"))
	check(t, err)
	defer rest.Close()
	if n, err := one.Retrieve(Join(top, "m/sub/big"), 1<<19, 1<<20, rest); err != nil || n != 1<<19 || read(t, rest.Name()) != noise(1 << 20)[1<<19:] {
		t.Errorf("from the middle: %d, %v", n, err)
	}
}

func failures(r []Result) (n int) {
	for i := range r {
		if r[i].Status == Failed || r[i].Status == Skipped {
			n++
		}
	}
	return n
}
