package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// FilePair names the PEM files of one certificate.
type FilePair struct {
	Cert string // the chain, the server's own certificate first
	Key  string // the key, without passphrase; empty, or the same as Cert: it lies in Cert too
	Once bool   // read at the start alone, changes are not looked for
}

func (p FilePair) one() bool { return p.Key == "" || p.Key == p.Cert }

// FileOptions say how a [FileSet] looks after its files. The zero value works.
type FileOptions struct {
	Clock func() time.Time // nil: time.Now
	// Log is told of certificates that were taken over, of files that cannot be
	// used and what to do about them. Nil: nobody is.
	Log *slog.Logger
	// Event is called, in the goroutine of a handshake or of Watch, when a
	// certificate was replaced or its new files turned out not to be usable. It
	// must not block. Nil: it is not called.
	Event func(CertEvent)
}

// FileSet are certificates from files, chosen by the name that a client asks
// for. Changed files are taken over while the server runs: they are looked at
// when a client comes, at most once a second, and by Watch. A pair that cannot
// be used, or whose two files do not fit each other because only one has been
// replaced yet, leaves the one before in use.
//
// Make it with [OpenFiles]. It is safe for concurrent use.
type FileSet struct {
	opt  FileOptions
	stat func(string) (fs.FileInfo, error) // os.Stat; tests count
	now  atomic.Pointer[index]

	looking sync.Mutex // held by the one that looks; nobody waits for it
	looked  time.Time
	pairs   []*filePair
}

// OpenFiles reads the pairs, at least one. The order counts: the first serves
// clients that name no server, and unknown names.
//
// The warnings are whole lines for the operator about what works but should not
// be: a certificate that is expired or not valid yet, that holds no name, a key
// that everybody can read. The error holds a [*FileError] for each pair that
// cannot be used, with the reason: files missing or not PEM, an encrypted key, a
// key of another certificate, RSA below 2048 bits, a signature with SHA-1.
func OpenFiles(pairs []FilePair, opt FileOptions) (set *FileSet, warnings []string, err error) {
	if len(pairs) == 0 {
		return nil, nil, errors.New("there are no certificate files")
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	set = &FileSet{opt: opt, stat: os.Stat, looked: opt.Clock()}
	var errs []error
	for _, files := range pairs {
		p := &filePair{FilePair: files}
		lines, err := p.open(set.looked)
		warnings, errs = append(warnings, lines...), append(errs, err)
		set.pairs = append(set.pairs, p)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, warnings, err
	}
	set.publish()
	return set, warnings, nil
}

// Config returns a new configuration that presents the certificates. It is to be
// long-lived, with ticket keys of [TicketKeys]; sessions and tickets outlast a
// change of the files. NextProtos is left to the caller, and so is a higher
// MinVersion.
func (s *FileSet) Config(choice Choice) *tls.Config {
	c := base()
	c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		s.look()
		return s.now.Load().choose(hello, choice), nil
	}
	return c
}

// publish makes the pairs' certificates those of the next handshake.
func (s *FileSet) publish() {
	all := make([]*tls.Certificate, len(s.pairs))
	for i, p := range s.pairs {
		all[i] = p.cert
	}
	s.now.Store(newIndex(all))
}

// filePair is one certificate with what is known of its files.
type filePair struct {
	FilePair
	cert    *tls.Certificate
	held    glance // what the files were like when cert was read
	next    glance // what they are like now, and since when
	since   time.Time
	trouble trouble
}

// open reads the files for the first time.
func (p *filePair) open(now time.Time) (warnings []string, err error) {
	cert, g, err := p.load()
	if err != nil {
		return nil, err
	}
	p.cert, p.held = cert, g
	for _, info := range g {
		p.Once = p.Once || !info.Mode().IsRegular() // a pipe says its say once
	}
	if !g.settled(now) {
		p.held = glance{} // perhaps still being written: to be read again
	}
	return p.warn(g, now), nil
}

// load reads both files and makes a certificate of them.
func (p *filePair) load() (*tls.Certificate, glance, error) {
	what := "certificate"
	if p.one() {
		what = bothInOne
	}
	cert, err := readPEM(p.Cert, what)
	if err != nil {
		return nil, glance{}, err
	}
	key := cert
	if !p.one() {
		if key, err = readPEM(p.Key, "key"); err != nil {
			return nil, glance{}, err
		}
	}
	made, err := join(cert, key)
	return made, glance{cert.info, key.info}, err
}

// bothInOne is what a file of a pair is for that has only one.
const bothInOne = "certificate and key"

// warn says what works but should not be.
func (p *filePair) warn(g glance, now time.Time) (lines []string) {
	leaf, key := p.cert.Leaf, p.Key
	if p.one() {
		key = p.Cert
	}
	if why := untimely(leaf, now); why != "" {
		lines = append(lines, p.Cert+" "+why+": clients will refuse it")
	}
	if nameless(leaf) {
		lines = append(lines, p.Cert+" holds no name or address in a subjectAltName: most clients will refuse it")
	}
	if mode := g[1].Mode(); mode.IsRegular() && mode.Perm()&0o007 != 0 {
		lines = append(lines, fmt.Sprintf("%s can be read by everybody (mode %04o): run chmod 600 on it", key, mode.Perm()))
	}
	return lines
}

// untimely says that it is not the time of a certificate, or nothing.
func untimely(cert *x509.Certificate, now time.Time) string {
	if now.After(cert.NotAfter) {
		return "expired on " + cert.NotAfter.UTC().Format(time.DateOnly)
	}
	if now.Before(cert.NotBefore) {
		return "is valid only from " + cert.NotBefore.UTC().Format(time.DateOnly) + " on"
	}
	return ""
}

// Certificates describes the certificates in use, in the order of the files.
func (s *FileSet) Certificates() []Certificate {
	s.looking.Lock()
	defer s.looking.Unlock()
	list := make([]Certificate, len(s.pairs))
	for i, p := range s.pairs {
		list[i] = Certificate{Name: p.Cert, Source: "files"}
		list[i].describe(p.cert.Leaf)
		if p.trouble.text != "" {
			list[i].Failed, list[i].Help, list[i].FailedAt, list[i].Failures = p.trouble.text, p.trouble.help, p.trouble.since, 1
		}
	}
	return list
}

// Renew looks at the files of a certificate now. The error says why they cannot be used
// as they are.
func (s *FileSet) Renew(_ context.Context, name string) error {
	s.looking.Lock()
	defer s.looking.Unlock()
	for _, p := range s.pairs {
		if p.Cert != name {
			continue
		}
		now := s.opt.Clock()
		if g, err := s.glance(p); err != nil {
			s.fail(p, err, now)
		} else {
			p.next, p.since = g, now
			s.take(p, now)
		}
		if p.trouble.text != "" {
			return errors.New(p.trouble.text)
		}
		return nil
	}
	return fmt.Errorf("%q: %w", name, ErrUnknownName)
}
