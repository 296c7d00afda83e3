package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// certify makes a certificate for the server's address, which is its own authority.
func certify(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.ParseIP(farAddr), net.ParseIP(loopback)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	return os.WriteFile(filepath.Join(dir, "cert.pem"), text, 0o600)
}

// measure is the client: one session, the small files one by one, then the large one. It
// prints two columns of the table.
func measure(w io.Writer, way string, small, bulk int, cut time.Duration) error {
	host := farAddr
	if overQUIC(way) {
		host = loopback
	}
	c, err := enter(host, way)
	if err != nil {
		return err
	}
	defer c.Close()
	began := time.Now()
	for i := range small {
		if err := fetch(c, fmt.Sprintf("small%d", i), 32<<10); err != nil {
			return err
		}
	}
	each := time.Since(began) / time.Duration(max(1, small))
	c.Timeout = cut
	began = time.Now()
	took := "-"
	if bulk > 0 {
		switch err := fetch(c, "bulk", int64(bulk)<<20); {
		case err == nil:
			took = fmt.Sprintf("%.1f", time.Since(began).Seconds())
		case time.Since(began) >= cut:
			took = "> " + cut.String()
		default:
			return err
		}
	}
	_, err = fmt.Fprintf(w, "%d | %s\n", each.Milliseconds(), took)
	return err
}

// enter logs in. A server or a bridge that has just been started is waited for.
func enter(host, way string) (c *userpi.Client, err error) {
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if c, err = userpi.Dial(fmt.Sprintf("%s:%d", host, port(way))); err == nil {
			c.Timeout = 30 * time.Second
			if _, err = c.Expect("the greeting", 220); err == nil && !overQUIC(way) {
				// What is measured is not who the server is.
				err = c.Protect(&tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(0), ServerName: farAddr})
			}
			if err == nil {
				err = c.Identify("anonymous", "link@example.org")
			}
			if err == nil {
				_, err = c.Must("TYPE I", 200)
			}
			if err == nil {
				return c, nil
			}
			_ = c.Close()
		}
		if time.Now().After(until) {
			return nil, err
		}
	}
}

// fetch fetches a file and counts it.
func fetch(c *userpi.Client, name string, size int64) error {
	conn, err := c.Begin(userpi.EPSV, "RETR "+name)
	if err != nil {
		return err
	}
	defer conn.Close()
	n, err := io.Copy(io.Discard, conn)
	if err == nil && n != size {
		err = fmt.Errorf("%s has %d bytes, and not %d", name, n, size)
	}
	if err != nil {
		return err
	}
	_ = conn.Close()
	_, err = c.Expect("RETR "+name, 226)
	return err
}
