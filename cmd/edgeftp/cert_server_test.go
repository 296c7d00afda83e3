package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

// foreignCA is the certificate of an authority that is not edgeftp's.
func foreignCA(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Somebody"}, NotBefore: noon(), NotAfter: noon().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// source is a certSource whose renewals end as they are told to.
type source struct {
	list []acme.Certificate
	err  error
	wait bool // for the end of the context
}

func (s *source) Config(acme.Choice) *tls.Config   { return nil }
func (s *source) Certificates() []acme.Certificate { return s.list }

func (s *source) Renew(ctx context.Context, name string) error {
	if s.wait {
		<-ctx.Done()
		return fmt.Errorf("given up: %w", ctx.Err())
	}
	for i := range s.list {
		if s.list[i].Name == name && s.err == nil {
			s.list[i].Serial = "f00d"
		}
	}
	return s.err
}

func TestControllerRenews(t *testing.T) {
	auto, files := &source{list: several()[:6]}, &source{list: several()[6:]}
	c := certified(&certificates{sources: map[string]certSource{"files": files, "auto": auto}})
	if list := c.Certificates(); len(list) != 7 || list[0].Name != "ftp.example.org" || list[6].Source != "files" {
		t.Errorf("%+v", list)
	}
	got, err := c.Renew(t.Context(), "FTP.example.org.")
	if err != nil || got.Name != "ftp.example.org" || got.Serial != "f00d" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := c.Renew(t.Context(), "old.example.org"); err != nil || got.Name != "/etc/ssl/old.pem" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, tc := range []struct {
		name string
		err  error
		want control.Refusal // Help: a part of it
	}{
		{"fpt.example.org", nil, control.Refusal{Code: "EF2201", Message: `this server has no certificate for "fpt.example.org", and is to have none`, Help: "did you mean ftp.example.org?"}},
		{"ftp.example.org", errors.New("ca.test: rateLimited:\n too many\x07"), control.Refusal{Code: "EF2202",
			Message: "ftp.example.org: ca.test: rateLimited: too many?\n   = the certificate in use stays, valid until 2027-01-05 12:00 UTC", Help: "edgeftp cert check"}},
		{"new.example.org", errors.New("ca.test: new.example.org: no"), control.Refusal{Code: "EF2202", Message: "ca.test: new.example.org: no", Help: "edgeftp cert check"}},
		{"/etc/ssl/old.pem", &acme.FileError{File: "/etc/ssl/old.key", What: "is not PEM", Help: "make it PEM"}, control.Refusal{Code: "EF2202",
			Message: "/etc/ssl/old.pem: /etc/ssl/old.key is not PEM\n   = the certificate in use stays, valid until 2026-11-02 12:00 UTC", Help: "make it PEM"}},
	} {
		auto.err, files.err = tc.err, tc.err
		_, err := c.Renew(t.Context(), tc.name)
		var no *control.Refusal
		if !errors.As(err, &no) || no.Code != tc.want.Code || no.Message != tc.want.Message || !strings.Contains(no.Help, tc.want.Help) {
			t.Errorf("%s: %#v", tc.name, err)
		}
	}
	auto.wait = true
	ctx, cancel := context.WithTimeoutCause(t.Context(), 1, context.DeadlineExceeded)
	defer cancel()
	_, err = c.Renew(ctx, "ftp.example.org")
	var no *control.Refusal
	if !errors.As(err, &no) || no.Code != "EF2203" || !strings.Contains(no.Message, "after 5m0s, and the order was given up\n   = the certificate in use stays") {
		t.Errorf("%#v", err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := c.Renew(gone, "ftp.example.org"); errors.As(err, &no) || !errors.Is(err, context.Canceled) {
		t.Errorf("%#v", err)
	}
}

func TestControllersAuthority(t *testing.T) {
	c := certified(newCertificates(nil))
	var no *control.Refusal
	if _, err := c.Authority(); !errors.As(err, &no) || no.Code != "EF2204" {
		t.Error(err)
	}
	ca, err := acme.NewDevCA(filepath.Join(t.TempDir(), "dev"), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.certs().ca = ca
	want, err := os.ReadFile(ca.CAFile())
	if got, err2 := c.Authority(); err != nil || err2 != nil || got.PEM != string(want) {
		t.Errorf("%+v, %v, %v", got, err, err2)
	}
	// What has got into the file beside is not told.
	if err := os.WriteFile(ca.CAFile(), []byte(string(want)+"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Authority(); err == nil {
		t.Errorf("%+v", got)
	}
}

func TestCertificatesLine(t *testing.T) {
	for want, s := range map[string]control.CertSummary{
		"3, all ok; next renewal in 31 days (ftp.example.org)": {Count: 3, State: "ok", Worst: 3, Name: "a", Renew: noon().AddDate(0, 0, 31), RenewName: "ftp.example.org"},
		"1, all ok": {Count: 1, State: "ok", Worst: 1},
		"4, 2 failing: x.example.org and 1 more; next renewal 3 hours ago (y?)": {Count: 4, State: "failing", Worst: 2, Name: "x.example.org", Renew: noon().Add(-3 * 60 * 60e9), RenewName: "y\x1b"},
		"2, 1 none yet: x.example.org":                                          {Count: 2, State: "none yet", Worst: 1, Name: "x.example.org"},
	} {
		if got := certificatesLine(&s, noon()); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	var out strings.Builder
	printOverview(&out, overview{Status: control.Status{Certificates: &control.CertSummary{Count: 1, State: "ok"}}})
	if !strings.Contains(out.String(), "\n  certs      1, all ok\n") {
		t.Error(out.String())
	}
	out.Reset()
	if printOverview(&out, overview{}); strings.Contains(out.String(), "certs") {
		t.Error(out.String())
	}
}

// certified steers a server that has these certificates.
func certified(c *certificates) controller {
	in := &instance{}
	in.now.Store(&generation{instance: in, certs: c})
	return controller{in: in}
}
