package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// tls returns the configuration of a listener: that of its certificate, or a
// long-lived one like it with other demands and the same ticket keys.
func (in *instance) tls(l *config.Listener) (*tls.Config, error) {
	base, err := in.certificate(l.TLS.Certificate)
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
	in.keys.Attach(c)
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

// certificate returns the base configuration of a kind of certificate, "files" or
// "dev". It is made once.
func (in *instance) certificate(kind string) (base *tls.Config, err error) {
	if c := in.bases[kind]; c != nil {
		return c, nil
	}
	if kind == "files" {
		base, err = in.fileCertificates()
	} else if in.ca, err = acme.NewDevCA(in.conf.Instance.StateDir, nil); err == nil {
		base, err = in.ca.Config(in.names())
	}
	if err != nil {
		return nil, err
	}
	in.keys.Attach(base)
	if leaf, err := acme.Leaf(base); err == nil && in.leaf == "" {
		in.leaf = acme.Fingerprint(leaf)
	}
	in.bases[kind] = base
	return base, nil
}

// fileCertificates reads the operator's own certificates.
func (in *instance) fileCertificates() (*tls.Config, error) {
	var pairs []acme.FilePair
	for _, p := range in.conf.Certificates {
		pairs = append(pairs, acme.FilePair{Cert: p.Cert, Key: p.Key, Once: !p.Watch})
	}
	set, warnings, err := acme.OpenFiles(pairs, acme.FileOptions{Log: in.log, Event: in.certificateChanged})
	in.warn(warnings)
	if err != nil {
		return nil, helped(err, "name a certificate and the key that belongs to it, both PEM")
	}
	in.files = set
	return set.Config(acme.Choice{}), nil
}

// certificateChanged tells observers of a certificate that was replaced, or could
// not be. Nobody shakes hands before the server is there.
func (in *instance) certificateChanged(e acme.CertEvent) {
	kind := policy.EventCertRenewed
	if e.Err != nil {
		kind = policy.EventCertFailed
	}
	in.server.Tell(policy.Event{Kind: kind, Text: e.String()})
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
