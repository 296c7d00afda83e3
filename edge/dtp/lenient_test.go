package dtp

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"testing"
	"time"
)

// A configuration that is chosen for each client is bound like any other.
func TestBindingOfChosen(t *testing.T) {
	base, roots := authority(t)
	plain := base.Clone()
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return plain, nil }
	forVersions(t, func(t *testing.T, version uint16) {
		owner, other := client(roots, version), client(roots, version)
		p := login(t, base, owner, BindRequire)
		login(t, base, other, BindRequire)
		for range 2 {
			if got, _, serr := download(t, p, other); !errors.Is(serr, ErrNotBound) || len(got) > 0 {
				t.Errorf("a stranger: %q, %v", got, serr)
			}
		}
		if got, _, serr := download(t, p, owner); serr != nil || string(got) != "hello" {
			t.Errorf("the owner: %q, %v", got, serr)
		}
	})
}

// A client certificate on the control connection does not keep its session from
// being resumed.
func TestBindingWithCertificate(t *testing.T) {
	base, roots := authority(t)
	base.ClientAuth = tls.RequestClientCert
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	forVersions(t, func(t *testing.T, version uint16) {
		c := client(roots, version)
		c.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
		p := login(t, base, c, BindRequire)
		for range 2 {
			if got, _, serr := download(t, p, c); serr != nil || string(got) != "hello" {
				t.Errorf("%q, %v", got, serr)
			}
		}
	})
}

// A TLS 1.3 client that says it cannot resume is let off under auto, as one of
// TLS 1.2 is.
func TestTickets13(t *testing.T) {
	base, roots := authority(t)
	c := client(roots, tls.VersionTLS13)
	c.SessionTicketsDisabled = true
	p := login(t, base, c, BindAuto)
	if got, _, serr := download(t, p, c); p.Tickets || serr != nil || string(got) != "hello" {
		t.Errorf("tickets %v: %q, %v", p.Tickets, got, serr)
	}
}

// What is no range is refused: it would lead to a port outside the range.
func TestNoRange(t *testing.T) {
	for _, span := range []PortSpan{{0, 3}, {5, 4}, {9, 1}} {
		if p, err := Listen(within(t), PassiveConfig{Local: loopback, Ports: PortRange{span}}); err == nil {
			p.Close()
			t.Errorf("%v: no error", span)
		}
	}
}

// A client that reads in fits gets the file whole: pieces that the glance has
// ended go on where they stopped.
func TestSlowReader(t *testing.T) {
	want := pattern(24 << 20)
	c, done := begin(t, within(t), &Transfer{Send: file(t, want), Progress: new(Progress)})
	if err := c.SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(2 * glance)
	defer tick.Stop()
	var got bytes.Buffer
	for range 3 {
		<-tick.C
		if _, err := io.CopyN(&got, c, 4<<20); err != nil {
			t.Fatal(err)
		}
	}
	_, err := io.Copy(&got, c)
	if r := await(t, done); err != nil || r.Err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes, %v, %+v", got.Len(), err, r)
	}
}
