package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// certSource is where certificates come from: an acme.Manager or an acme.FileSet.
type certSource interface {
	Config(choice acme.Choice) *tls.Config
	Certificates() []acme.Certificate
	Renew(ctx context.Context, name string) error
}

// certificates are the sources of an instance, and the base configurations that stand on
// them.
type certificates struct {
	sources map[string]certSource // by listeners[].tls.certificate
	bases   map[baseKey]*tls.Config
	keys    *acme.TicketKeys
	ca      *acme.DevCA                 // nil where no listener has its certificate
	files   *acme.FileSet               // nil where no listener has the operator's own certificates
	told    atomic.Pointer[edge.Server] // of what happens; nil until it is there
}

// baseKey is what base configurations differ in.
type baseKey struct {
	kind   string // of listeners[].tls.certificate
	choice acme.Choice
}

func newCertificates() *certificates {
	return &certificates{sources: map[string]certSource{}, bases: map[baseKey]*tls.Config{}, keys: acme.NewTicketKeys()}
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

// start lets the sources work beside the server, until ctx ends. Listeners that answer
// challenges are there.
func (c *certificates) start(ctx context.Context, expiry *acme.Expiry) error {
	go c.keys.Run(ctx)
	if c.files != nil {
		go c.files.Watch(ctx)
	}
	if len(c.sources) > 0 {
		go expiry.Watch(ctx, c.list)
	}
	for _, m := range c.managers() {
		if err := m.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *certificates) managers() (list []*acme.Manager) {
	for _, s := range c.sources {
		if m, ok := s.(*acme.Manager); ok {
			list = append(list, m)
		}
	}
	return list
}

func (c *certificates) close() {
	for _, m := range c.managers() {
		m.Close()
	}
}

// tls returns the configuration of a listener: that of its certificate, or a
// long-lived one like it with other demands and the same ticket keys.
func (in *instance) tls(ctx context.Context, l *config.Listener) (*tls.Config, error) {
	base, err := in.certificate(ctx, l.TLS.Certificate, acme.Choice{Default: l.TLS.DefaultName, Fallback: l.TLS.FallbackName})
	if err != nil {
		return nil, err
	}
	suites := l.TLS.Suites()
	if l.TLS.MinVersion != "1.3" && suites == nil && l.TLS.ClientCA == "" && !l.TLS.StrictSNI {
		return base, nil
	}
	c := base.Clone()
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
	return c, nil
}

// askClients makes a configuration ask clients for certificates.
func (in *instance) askClients(c *tls.Config, t *config.TLS) error {
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
func (in *instance) certificate(ctx context.Context, kind string, choice acme.Choice) (*tls.Config, error) {
	key := baseKey{kind, choice}
	if c := in.certs.bases[key]; c != nil {
		return c, nil
	}
	source, err := in.source(ctx, kind)
	if err != nil {
		return nil, err
	}
	base := source.Config(choice)
	in.certs.keys.Attach(base)
	in.certs.bases[key] = base
	return base, nil
}

// source opens what certificates of a kind come from, once.
func (in *instance) source(ctx context.Context, kind string) (source certSource, err error) {
	if s := in.certs.sources[kind]; s != nil {
		return s, nil
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
		in.certs.sources[kind] = source
	}
	return source, err
}

// devCertificates are those of the development authority. They live in memory: every
// start makes new ones.
func (in *instance) devCertificates(ctx context.Context) (certSource, error) {
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
func (in *instance) fileCertificates() (certSource, error) {
	var pairs []acme.FilePair
	for _, p := range in.conf.Certificates {
		pairs = append(pairs, acme.FilePair{Cert: p.Cert, Key: p.Key, Once: !p.Watch})
	}
	set, warnings, err := acme.OpenFiles(pairs, acme.FileOptions{Log: in.log, Event: in.certificateChanged})
	in.warn(warnings)
	if err != nil {
		return nil, helped(err, "name a certificate and the key that belongs to it, both PEM")
	}
	in.certs.files = set
	return set, nil
}

// certificateChanged tells observers of a certificate that was obtained or renewed, or
// could not be. What happens before the server is there is in the log alone.
func (in *instance) certificateChanged(e acme.CertEvent) {
	in.outside(e.Err)
	server := in.certs.told.Load()
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
func (in *instance) names() []string {
	names := []string{"localhost"}
	for _, l := range in.conf.Listeners {
		for _, a := range l.Addresses {
			if h, _, err := net.SplitHostPort(a); err == nil && !slices.Contains(names, h) {
				names = append(names, h)
			}
		}
	}
	return names
}
