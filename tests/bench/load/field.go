//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/tests/bench/load/account"
	"github.com/edgeftp/edgeftp/tests/bench/load/client"
	"github.com/edgeftp/edgeftp/tests/peers"
)

// field is where servers are measured: a tree that all of them serve, and what the
// clients need.
type field struct {
	ground   *peers.Ground
	root     string // real path of the tree
	diskAt   string // where disk/ of the tree lies on a disk; empty if it does not
	program  string // edgeftp
	kit      *client.Kit
	src      *os.File // pub/big
	entrants []*entrant
	hashes   []string // of the variant hashing

	undo []func() error // of what was made outside of the ground

	mu   sync.Mutex
	mine map[int]bool // processes that were started here
}

// server is a variant of an entrant that runs.
type server struct {
	*peers.Server
	account client.Account
	tree    account.Tree
	prefix  string // virtual path of the tree
	tls     bool
	rate    int64
	most    int // sessions that it is good for
}

// entrant is somebody who is measured.
type entrant struct {
	name string
	peer bool // not a build of edgeftp
	tls  bool
	most int      // idle sessions that a process for each lets this machine bear
	skip []string // scenarios, as -only has them
	// set sets a variant up: nil where there is no such one.
	set func(context.Context, variant) (*peers.Server, error)

	prefix string
	ready  map[variant]*server // those that were set up
}

// close ends all servers.
func (f *field) close() error {
	for _, e := range f.entrants {
		for _, s := range e.ready {
			s.Stop()
		}
	}
	var errs []error
	if f.src != nil {
		errs = append(errs, f.src.Close())
	}
	for _, undo := range slices.Backward(f.undo) {
		errs = append(errs, undo())
	}
	return errors.Join(append(errs, f.ground.Close())...)
}

// own notes a process of this one's.
func (f *field) own(pid int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mine[pid] = true
}

func (f *field) owns(pid int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mine[pid]
}

// serves is the variant of an entrant, started; nil if it has none.
func (f *field) serves(ctx context.Context, e *entrant, v variant, fresh bool) (*server, error) {
	s := e.ready[v]
	if s == nil {
		made, err := e.set(ctx, v)
		if made == nil || err != nil {
			return nil, err
		}
		at, err := net.ResolveTCPAddr("tcp", made.Addr)
		if err != nil {
			return nil, err
		}
		s = &server{Server: made, prefix: e.prefix, tls: e.tls, most: e.most,
			account: client.Account{Addr: at, User: made.User, Password: made.Password}}
		if v == throttled {
			s.rate = throttledTo
		}
		e.ready[v] = s
	}
	if fresh {
		s.Stop()
	}
	if s.Alive() {
		return s, nil
	}
	if err := f.begin(ctx, s); err != nil {
		return nil, err
	}
	return s, f.answers(s)
}

// begin starts a server.
func (f *field) begin(ctx context.Context, s *server) error {
	if err := s.Start(ctx); err != nil {
		return err
	}
	f.own(s.PID())
	s.tree = account.Tree{PID: s.PID(), Others: f.owns}
	return nil
}

// answers waits until a client can log in.
func (f *field) answers(s *server) error {
	var err error
	for range 100 {
		var c *client.Conn
		if c, err = f.kit.Login(s.account, nil, 1024); err == nil {
			c.Quit()
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("%s lets nobody in: %w\n%s", s.Name, err, s.Log())
}

// settle waits until the sessions of the last measurement have gone, so that what
// their processes still do is not counted for the next one.
func (s *server) settle() {
	last := -1
	for range 50 {
		time.Sleep(100 * time.Millisecond)
		n := s.tree.Processes()
		if n == last || n <= 3 {
			return
		}
		last = n
	}
}

// ours is a build of edgeftp.
func (f *field) ours(name, program, more string) *entrant {
	return &entrant{name: name, tls: true, ready: map[variant]*server{}, set: func(ctx context.Context, v variant) (*peers.Server, error) {
		m, err := f.measured(fmt.Sprintf("%s-%d", name, v), program, more, v)
		if err != nil {
			return nil, err
		}
		return f.ground.MeasuredEdgeFTP(m)
	}}
}

// measured is how edgeftp is set up as a variant.
func (f *field) measured(name, program, more string, v variant) (peers.Measured, error) {
	m := peers.Measured{Name: name, Root: f.root, Program: program, More: more}
	var err error
	switch v {
	case throttled:
		m.Rate = throttledTo
	case durable:
		m.Durability = "full"
	case hashing:
		if f.hashes == nil {
			f.hashes, err = stormHashes()
		}
		m.Hashes, m.Memory = f.hashes, stormMemory
	case modules:
		if more == "" { // that with the chain has its own
			m.More, err = f.ten()
		}
	}
	return m, err
}

// debian is a peer of Debian.
func (f *field) debian(name string) (*entrant, error) {
	e := &entrant{name: name, peer: true, tls: true, ready: map[variant]*server{}}
	var set func(context.Context, peers.Measured) (*peers.Server, error)
	switch name {
	case "vsftpd":
		set, e.skip = f.ground.MeasuredVSFTPD, []string{"mlsd"}
		e.most = 5000
	case "pureftpd":
		set, e.most = f.ground.MeasuredPureFTPd, 5000
	case "proftpd":
		set, e.most = f.ground.MeasuredProFTPD, 1000
		e.skip = []string{"list100k", "mlsd100k"} // many seconds each
	case "pyftpdlib":
		set = f.ground.MeasuredPyftpdlib
	default:
		return nil, fmt.Errorf("there is no peer %q\n   = help: -peers takes vsftpd, pureftpd, proftpd and pyftpdlib; -server takes a file for any other", name)
	}
	e.set = func(ctx context.Context, v variant) (*peers.Server, error) {
		m := peers.Measured{Name: fmt.Sprintf("%s-%d", name, v), Root: f.root}
		switch v {
		case plain:
		case throttled:
			m.Rate = throttledTo
		default:
			return nil, nil
		}
		return set(ctx, m)
	}
	return e, nil
}

// takes reports whether an entrant has a scenario.
func (e *entrant) takes(sc scenario) bool {
	return (!sc.tls || e.tls) && !slices.ContainsFunc(e.skip, func(p string) bool { return p != "" && chosen(sc.name, p) })
}
