package conformance

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/peers"
)

// peersVar, when set, asks for TestPeers. A directory in it keeps the unpacked
// packages for the next time; "1" is a directory that is thrown away.
const peersVar = "EDGEFTP_PEERS"

// runTime bounds everything.
const runTime = 10 * time.Minute

// peer is one of the servers that the behaviours are tried on.
type peer struct {
	foreign
	*peers.Server
	results []verdict // in the order of the scripts
}

// allPeers prepares the program of this tree and the four others.
func allPeers(ctx context.Context, t *testing.T, where string) []*peer {
	t.Helper()
	if where == "1" {
		where = ""
	}
	g, err := peers.NewGround(where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	if err := g.Fetch(ctx); err != nil {
		t.Fatal(err)
	}
	if err := g.Build(ctx, filepath.Join("..", "..")); err != nil {
		t.Fatal(err)
	}
	var all []*peer
	add := func(s *peers.Server, err error) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &peer{Server: s, foreign: foreign{addr: s.Addr, user: peers.User, password: peers.Password, root: hostTree{root: s.Root, owner: s.Owner}}})
	}
	add(g.EdgeFTP(peers.Site{Name: "edgeftp"}))
	add(g.VSFTPD(ctx, peers.Site{Name: "vsftpd"}))
	add(g.ProFTPD(ctx, peers.Site{Name: "proftpd"}))
	add(g.PureFTPd(ctx, peers.Site{Name: "pure-ftpd"}))
	add(g.Pyftpdlib(ctx, peers.Site{Name: "pyftpdlib"}))
	return all
}

// TestPeers plays the behaviours with four other servers and with the edgeftp
// program, side by side, and writes docs/behaviours.md.
func TestPeers(t *testing.T) {
	where := os.Getenv(peersVar)
	if where == "" {
		t.Skip(peersVar + " is not set: the other servers are compared by .ci/full")
	}
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Fatal("the other servers are Debian packages and want root")
	}
	ctx, cancel := context.WithTimeout(t.Context(), runTime)
	defer cancel()
	peers := allPeers(ctx, t, where)
	s, all := newForeignSuite(t), behaviours(t)
	var wg sync.WaitGroup
	for _, p := range peers {
		if err := p.Start(ctx); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Stop)
		wg.Go(func() {
			for _, sc := range all {
				p.results = append(p.results, p.try(ctx, s, sc))
			}
		})
	}
	wg.Wait()
	for _, p := range peers {
		if !p.Alive() {
			t.Errorf("%s has ended; its log:\n%s", p.Name, tail(p.Log(), 4000))
		}
		p.Stop()
	}
	if err := ctx.Err(); err != nil {
		t.Fatalf("not all was tried within %v: %v", runTime, err)
	}
	report(t, all, peers)
	for i, v := range peers[0].results {
		if !v.passed {
			t.Errorf("%s: %v\nwhat was said:\n%s", all[i].name, v, v.said)
		}
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// score counts what a server passed, failed, and what it could not be asked.
func (p *peer) score() (passed, failed, absent int) {
	for _, v := range p.results {
		switch {
		case v.passed:
			passed++
		case v.absent != "":
			absent++
		default:
			failed++
		}
	}
	return passed, failed, absent
}
