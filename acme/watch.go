package acme

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"
)

const (
	lookEvery  = time.Second
	watchEvery = 5 * time.Second
	// settleTime is how long a file must have been as it is before it is taken
	// over: until then it may still be written, and some file systems count time
	// in steps of 2 s.
	settleTime = 2 * time.Second
	// grace is how long trouble must last before it is told. The two files of a
	// pair are rarely replaced at the same moment.
	grace = 5 * time.Second
)

// glance is what the files of a pair are like, the certificate's and the key's.
// The zero value is like nothing.
type glance [2]fs.FileInfo

func (g glance) like(h glance) bool {
	for i, a := range g {
		b := h[i]
		if a == nil || b == nil || !os.SameFile(a, b) || !a.ModTime().Equal(b.ModTime()) || a.Size() != b.Size() || a.Mode() != b.Mode() {
			return false
		}
	}
	return true
}

// settled reports whether nobody has written to the files of late.
func (g glance) settled(now time.Time) bool {
	return now.Sub(g[0].ModTime()) >= settleTime && now.Sub(g[1].ModTime()) >= settleTime
}

// trouble is why the files as they are now cannot be used.
type trouble struct {
	text  string // empty: they can
	help  string // what can be done
	since time.Time
	told  bool
}

// Watch looks at the files every 5 seconds until ctx ends, so that trouble with
// them is told even if no client comes. It belongs in a goroutine of its own.
func (s *FileSet) Watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.look()
		case <-ctx.Done():
			return
		}
	}
}

// look looks at all files, unless that happened less than a second ago or is
// happening: a handshake never waits for the look of another.
func (s *FileSet) look() {
	if !s.looking.TryLock() {
		return
	}
	defer s.looking.Unlock()
	now := s.opt.Clock()
	if ago := now.Sub(s.looked); ago >= 0 && ago < lookEvery {
		return
	}
	s.looked = now
	for _, p := range s.pairs {
		if !p.Once {
			s.renew(p, now)
		}
	}
}

// renew takes over the files of p if they have changed and can be used.
func (s *FileSet) renew(p *filePair, now time.Time) {
	g, err := s.glance(p)
	if err != nil {
		s.fail(p, err, now)
		return
	}
	if g.like(p.held) {
		s.mend(p)
		return
	}
	if !g.like(p.next) {
		p.next, p.since = g, now
	}
	if !g.settled(now) && now.Sub(p.since) < settleTime {
		return
	}
	s.take(p, now)
}

// take reads the files of p, and uses them if they can be.
func (s *FileSet) take(p *filePair, now time.Time) {
	cert, g, err := p.load()
	if err == nil && untimely(p.cert.Leaf, now) == "" && untimely(cert.Leaf, now) != "" {
		err = &FileError{File: p.Cert, What: untimely(cert.Leaf, now), Help: "put a certificate in place whose time it is, or check the clock"}
	}
	if err != nil {
		s.fail(p, err, now)
		return
	}
	if p.next != (glance{}) && !g.like(p.next) {
		return // replaced once more since the glance
	}
	p.held = g
	s.mend(p)
	if slices.EqualFunc(cert.Certificate, p.cert.Certificate, bytes.Equal) {
		return // touched, or copied once more
	}
	p.cert = cert
	s.publish()
	s.tell(p)
	for _, line := range p.warn(g, now) {
		s.opt.Log.Warn(line)
	}
}

// tell says that p has another certificate.
func (s *FileSet) tell(p *filePair) {
	leaf := p.cert.Leaf
	s.opt.Log.Info("a changed certificate is in use", "file", p.Cert, "names", subject(leaf),
		"valid_until", leaf.NotAfter.UTC().Format(time.DateOnly), "sha256", Fingerprint(leaf))
	if s.opt.Event != nil {
		s.opt.Event(CertEvent{Name: p.Cert, Leaf: leaf})
	}
}

// glance looks at the files of p without opening them.
func (s *FileSet) glance(p *filePair) (g glance, err error) {
	if g[0], err = s.stat(p.Cert); err != nil {
		return g, unopened(p.Cert, "certificate", err)
	}
	if g[1] = g[0]; !p.one() {
		if g[1], err = s.stat(p.Key); err != nil {
			return g, unopened(p.Key, "key", err)
		}
	}
	for i, name := range []string{p.Cert, p.Key} {
		if mode := g[i].Mode(); !mode.IsRegular() && !mode.IsDir() {
			// To open a pipe would wait for its writer, and a client with it.
			return g, &FileError{File: name, What: "is not a regular file any more", Help: "put a PEM file in its place"}
		}
	}
	return g, nil
}

// fail keeps p as it is, and tells once why.
func (s *FileSet) fail(p *filePair, err error, now time.Time) {
	help := "put the files in order; they are looked at again without a restart"
	var fe *FileError
	if errors.As(err, &fe) && fe.Help != "" {
		help = fe.Help
	}
	if text := err.Error(); text != p.trouble.text {
		p.trouble = trouble{text: text, help: help, since: now}
	}
	if p.trouble.told || now.Sub(p.trouble.since) < grace {
		return
	}
	p.trouble.told = true
	s.opt.Log.Error("changed certificate files cannot be used; the certificate before stays in use", "error", err, "help", help,
		"file", p.Cert, "valid_until", p.cert.Leaf.NotAfter.UTC().Format(time.DateOnly))
	if s.opt.Event != nil {
		s.opt.Event(CertEvent{Name: p.Cert, Leaf: p.cert.Leaf, Err: err})
	}
}

// mend notes that the files of p are in order.
func (s *FileSet) mend(p *filePair) {
	if p.trouble.told {
		s.opt.Log.Info("the certificate files are in order again", "file", p.Cert)
	}
	p.trouble = trouble{}
}
