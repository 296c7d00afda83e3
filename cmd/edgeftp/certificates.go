package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// certSource is where certificates come from: an acme.Manager or an acme.FileSet.
type certSource interface {
	Config(choice acme.Choice) *tls.Config
	Certificates() []acme.Certificate
	Renew(ctx context.Context, name string) error
}

// certificates are the sources of a generation, and the base configurations that stand on
// them. A source that is made of the same as the generation before has it is that one.
type certificates struct {
	sources map[string]certSource // by listeners[].tls.certificate
	of      map[string]any        // what they are made of
	bases   map[baseKey]*tls.Config
	clones  []*tls.Config // of bases, that have the keys of tickets
	keys    *acme.TicketKeys
	ca      *acme.DevCA // nil where no listener has its certificate
}

// baseKey is what base configurations differ in.
type baseKey struct {
	kind   string // of listeners[].tls.certificate
	choice acme.Choice
}

func newCertificates(keys *acme.TicketKeys) *certificates {
	return &certificates{sources: map[string]certSource{}, of: map[string]any{}, bases: map[baseKey]*tls.Config{}, keys: keys}
}

// list describes all certificates.
func (c *certificates) list() []acme.Certificate {
	var list []acme.Certificate
	for _, kind := range slices.Sorted(maps.Keys(c.sources)) {
		list = append(list, c.sources[kind].Certificates()...)
	}
	return list
}

// leaf is the fingerprint of the first certificate, for the greeting.
func (c *certificates) leaf() string {
	for _, cert := range c.list() {
		if cert.SHA256 != "" {
			return cert.SHA256
		}
	}
	return ""
}

// start lets those sources work beside the server that before does not have, nil for none.
// Listeners that answer challenges are there. The files are looked at until ctx ends.
func (c *certificates) start(ctx context.Context, before *certificates) error {
	for _, kind := range slices.Sorted(maps.Keys(c.sources)) {
		if before != nil && before.sources[kind] == c.sources[kind] {
			continue
		}
		switch s := c.sources[kind].(type) {
		case *watchedFiles:
			s.watch(ctx)
		case *acme.Manager:
			if err := s.Start(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// leave ends the work of those sources that after does not have, nil for none. They go on
// to serve the sessions that have them.
func (c *certificates) leave(after *certificates) {
	for kind, source := range c.sources {
		if after != nil && after.sources[kind] == source {
			continue
		}
		switch s := source.(type) {
		case *watchedFiles:
			s.stop()
		case *acme.Manager:
			s.Close()
		}
	}
}

// detach gives those configurations no new keys for tickets that after does not have.
func (c *certificates) detach(after *certificates) {
	for _, t := range c.clones {
		c.keys.Detach(t)
	}
	for key, t := range c.bases {
		if after == nil || after.bases[key] != t {
			c.keys.Detach(t)
		}
	}
}

// watchedFiles are the operator's own certificates, which are looked at until stop.
type watchedFiles struct {
	*acme.FileSet

	mu     sync.Mutex
	cancel context.CancelFunc // nil before watch
}

func (f *watchedFiles) watch(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ctx, f.cancel = context.WithCancel(ctx)
	go f.Watch(ctx)
}

func (f *watchedFiles) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cancel != nil {
		f.cancel()
	}
}

// tls returns the configuration of a listener: that of its certificate, or a
// long-lived one like it with other demands and the same ticket keys.
func (in *generation) tls(ctx context.Context, l *config.Listener) (*tls.Config, error) {
	base, err := in.certificate(ctx, l.TLS.Certificate, acme.Choice{Default: l.TLS.DefaultName, Fallback: l.TLS.FallbackName})
	if err != nil {
		return nil, err
	}
	suites := l.TLS.Suites()
	own, err := in.hostCertificates(l)
	if err != nil {
		return nil, err
	}
	if l.TLS.MinVersion != "1.3" && suites == nil && l.TLS.ClientCA == "" && !l.TLS.StrictSNI && own == nil {
		return base, nil
	}
	c := base.Clone()
	if own != nil {
		own.before(c)
	}
	if l.TLS.MinVersion == "1.3" {
		c.MinVersion = tls.VersionTLS13
	}
	if suites != nil {
		c.CipherSuites = suites
	}
	if l.TLS.StrictSNI {
		acme.StrictSNI(c, func(name string) {
			in.log.Info("a client asked for a server name that has no certificate here", "listener", l.Name, "name", name)
		})
	}
	if l.TLS.ClientCA != "" {
		if err := in.askClients(c, &l.TLS); err != nil {
			return nil, err
		}
	}
	in.certs.keys.Attach(c)
	in.certs.clones = append(in.certs.clones, c)
	return c, nil
}

// askClients makes a configuration ask clients for certificates.
func (in *generation) askClients(c *tls.Config, t *config.TLS) error {
	pool, warnings, err := acme.ClientCAs(t.ClientCA)
	in.warn(warnings)
	if err != nil {
		return helped(err, "name a PEM file with the authorities of client certificates")
	}
	ask := acme.ClientCertsOptional
	if t.ClientCerts == "required" {
		ask = acme.ClientCertsRequired
	}
	return ask.Apply(c, pool)
}

func (in *instance) warn(lines []string) {
	for _, line := range lines {
		if text, help, ok := strings.Cut(line, "\n   = help: "); ok {
			in.log.Warn(text, "help", help)
			continue
		}
		in.log.Warn(line)
	}
}

// helped adds what to do about an error of package acme, in its own words where
// it has some.
func helped(err error, otherwise string) error {
	var file *acme.FileError
	if errors.As(err, &file) && file.Help != "" {
		otherwise = file.Help
	}
	return fmt.Errorf("%w\n   = help: %s", err, otherwise)
}

// certificate returns the base configuration of a kind of certificate, "auto", "files"
// or "dev". It is made once for each choice.
func (in *generation) certificate(ctx context.Context, kind string, choice acme.Choice) (*tls.Config, error) {
	key := baseKey{kind, choice}
	if c := in.certs.bases[key]; c != nil {
		return c, nil
	}
	source, err := in.source(ctx, kind)
	if err != nil {
		return nil, err
	}
	if b := in.before; b != nil && b.certs.sources[kind] == source && b.certs.bases[key] != nil {
		in.certs.bases[key] = b.certs.bases[key]
		return in.certs.bases[key], nil
	}
	base := source.Config(choice)
	in.certs.keys.Attach(base)
	in.certs.bases[key] = base
	return base, nil
}

// source opens what certificates of a kind come from, once.
func (in *generation) source(ctx context.Context, kind string) (source certSource, err error) {
	if s := in.certs.sources[kind]; s != nil {
		return s, nil
	}
	var of any
	switch kind {
	case "auto":
		of = *in.conf.ACME
	case "files":
		of = in.conf.Certificates
	default:
		of = in.names()
	}
	if b := in.before; b != nil && b.certs.sources[kind] != nil && reflect.DeepEqual(b.certs.of[kind], of) {
		in.certs.sources[kind], in.certs.of[kind] = b.certs.sources[kind], of
		if kind == "dev" {
			in.certs.ca = b.certs.ca
		}
		return in.certs.sources[kind], nil
	}
	switch kind {
	case "auto":
		source, err = in.autoCertificates(ctx)
	case "files":
		source, err = in.fileCertificates()
	default:
		source, err = in.devCertificates(ctx)
	}
	if err == nil {
		in.certs.sources[kind], in.certs.of[kind] = source, of
	}
	return source, err
}

// devCertificates are those of the development authority. They live in memory: every
// start makes new ones.
func (in *generation) devCertificates(ctx context.Context) (certSource, error) {
	ca, err := acme.NewDevCA(in.conf.Instance.StateDir, nil)
	if err != nil {
		return nil, err
	}
	names, err := ca.Hold(in.names())
	if err != nil {
		return nil, err
	}
	m, err := acme.NewManager(acme.Config{Names: names, Local: ca, Storage: acme.MemoryStorage(), Log: in.log, Event: in.certificateChanged})
	if err != nil {
		return nil, err
	}
	in.certs.ca = ca
	if err := m.Load(ctx); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// fileCertificates reads the operator's own certificates.
func (in *generation) fileCertificates() (certSource, error) {
	return in.openFiles(in.conf.Certificates)
}

// openFiles reads certificates from files.
func (in *generation) openFiles(files []config.CertFile) (certSource, error) {
	var pairs []acme.FilePair
	for _, p := range files {
		pairs = append(pairs, acme.FilePair{Cert: p.Cert, Key: p.Key, Once: !p.Watch})
	}
	set, warnings, err := acme.OpenFiles(pairs, acme.FileOptions{Log: in.log, Event: in.certificateChanged})
	in.warn(warnings)
	if err != nil {
		return nil, helped(err, "name a certificate and the key that belongs to it, both PEM")
	}
	return &watchedFiles{FileSet: set}, nil
}

// certificateChanged tells observers of a certificate that was obtained or renewed, or
// could not be. What happens before the server is there is in the log alone.
func (in *instance) certificateChanged(e acme.CertEvent) {
	in.outside(e.Err)
	server := in.told.Load()
	if server == nil {
		return
	}
	kind := policy.EventCertRenewed
	switch {
	case e.Err != nil:
		kind = policy.EventCertFailed
	case e.First:
		kind = policy.EventCertObtained
	}
	server.Tell(policy.Event{Kind: kind, Text: e.String()})
}

// names are the hosts that clients may know the server by.
func (in *generation) names() []string {
	names := []string{"localhost"}
	for _, l := range in.conf.Listeners {
		for _, a := range l.Addresses {
			if h, _, err := net.SplitHostPort(a); err == nil && !slices.Contains(names, h) {
				names = append(names, h)
			}
		}
	}
	for _, h := range in.conf.Hosts {
		for _, name := range h.Names {
			if !strings.HasPrefix(name, "*.") && !slices.Contains(names, name) { // which the development authority does not issue
				names = append(names, name)
			}
		}
	}
	return names
}
