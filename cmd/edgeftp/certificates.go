package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"slices"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

// tls returns the configuration of a listener: that of its certificate, or a
// long-lived one like it with other demands and the same ticket keys.
func (in *instance) tls(l *config.Listener) (*tls.Config, error) {
	base, err := in.certificate(l.TLS.Certificate)
	if err != nil {
		return nil, err
	}
	suites := l.TLS.Suites()
	if l.TLS.MinVersion != "1.3" && suites == nil && l.TLS.ClientCA == "" {
		return base, nil
	}
	c := base.Clone()
	if l.TLS.MinVersion == "1.3" {
		c.MinVersion = tls.VersionTLS13
	}
	if suites != nil {
		c.CipherSuites = suites
	}
	if l.TLS.ClientCA != "" {
		if c.ClientCAs, err = authorities(l.TLS.ClientCA); err != nil {
			return nil, err
		}
		c.ClientAuth = tls.VerifyClientCertIfGiven
		if l.TLS.ClientCerts == "required" {
			c.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	in.keys.Attach(c)
	return c, nil
}

// authorities reads the certificates of those who may vouch for clients.
func authorities(file string) (*x509.CertPool, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s holds no certificate\n   = help: name a PEM file with the authorities of client certificates", file)
	}
	return pool, nil
}

// certificate returns the base configuration of a kind of certificate, "files" or
// "dev". It is made once.
func (in *instance) certificate(kind string) (*tls.Config, error) {
	if c := in.bases[kind]; c != nil {
		return c, nil
	}
	var base *tls.Config
	if kind == "files" {
		c, warnings, err := acme.Files(in.conf.Certificates[0].Cert, in.conf.Certificates[0].Key)
		for _, w := range warnings {
			in.log.Warn(w)
		}
		if err != nil {
			return nil, fmt.Errorf("%w\n   = help: name a certificate and the key that belongs to it, both PEM", err)
		}
		base = c
	} else {
		ca, err := acme.NewDevCA(in.conf.Instance.StateDir, nil)
		if err != nil {
			return nil, err
		}
		if base, err = ca.Config(in.names()); err != nil {
			return nil, err
		}
		in.ca = ca
	}
	in.keys.Attach(base)
	if leaf, err := acme.Leaf(base); err == nil && in.leaf == "" {
		in.leaf = acme.Fingerprint(leaf)
	}
	in.bases[kind] = base
	return base, nil
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
