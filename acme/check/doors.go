package check

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

// doors are the listeners at which one challenge would be answered: opened for this
// check, or held by the running server.
type doors struct {
	kind string // http01 or tlsALPN01
	port int    // where an authority comes to
	open []net.Listener
	held []string // addresses, as the configuration has them
	jobs sync.WaitGroup

	mu     sync.Mutex
	tokens map[string]string     // and what is answered
	cert   *tls.Certificate      // of this check
	conns  map[net.Conn]struct{} // handshakes
	server *http.Server          // of http01
}

// none reports that there is nothing to come to.
func (d *doors) none() bool { return len(d.open)+len(d.held) == 0 }

// openDoors binds the addresses, and tells which cannot be.
func (r *run) openDoors(ctx context.Context, kind string, port int, addresses []string) *doors {
	d := &doors{kind: kind, port: port, tokens: map[string]string{}, conns: map[net.Conn]struct{}{}}
	d.server = &http.Server{Handler: d, ReadHeaderTimeout: probeTime, ErrorLog: log.New(io.Discard, "", 0)}
	if kind == tlsALPN01 {
		if d.cert = certificate(); d.cert == nil {
			return d
		}
	}
	for _, address := range addresses {
		if r.opt.Running != nil && r.opt.Running(address) {
			d.held = append(d.held, address)
			r.add(areaPorts, address, OK, "is held by the running server itself, for "+kind, "")
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			text, help := refused(ctx, kind, address, err)
			r.add(areaPorts, address, Fail, text, help)
			continue
		}
		d.open = append(d.open, l)
		r.add(areaPorts, address, OK, "can be listened on, for "+kind, "")
	}
	for _, l := range d.open {
		d.jobs.Go(func() {
			if kind == http01 {
				_ = d.server.Serve(l) // until it is closed
			} else {
				d.serveTLS(l)
			}
		})
	}
	return d
}

// close ends all listeners.
func (d *doors) close() {
	for _, l := range d.open {
		_ = l.Close() // nothing is left in it
	}
	_ = d.server.Close()
	d.mu.Lock()
	for c := range d.conns {
		_ = c.Close() // its handshake fails
	}
	d.mu.Unlock()
	d.jobs.Wait()
}

// refused says why an address cannot be listened on.
func refused(ctx context.Context, kind, address string, err error) (text, help string) {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("a program listens there already, so %s cannot be answered: %s", kind, occupant(ctx, address)),
			"find it (ss -ltnp), and stop it or move it; or let it pass the challenge on to another port, which you name here; or use another challenge"
	case errors.Is(err, syscall.EACCES):
		return "this user may not listen there, so " + kind + " cannot be answered",
			"give the server the capability CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE), or run this check as the server's user"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this machine has no such address, so " + kind + " cannot be answered there", "leave the host out (:80, :443), or write an address of this machine"
	}
	return "it cannot be listened on: " + quoted(err.Error()), "write it as HOST:PORT or :PORT"
}

// inside is an address as this machine reaches it.
func inside(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}

// occupant says what answers at an address: by HTTP, by TLS, or with a greeting.
func occupant(ctx context.Context, address string) string {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", inside(address))
	if err != nil {
		return "it does not let this check in: " + reason(err)
	}
	defer func() { _ = c.Close() }() // nothing is sent any more
	_ = c.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(c, "GET / HTTP/1.0\r\n\r\n") // if it fails, nothing is read
	line, _ := bufio.NewReader(io.LimitReader(c, 4096)).ReadString('\n')
	switch {
	case strings.HasPrefix(line, "HTTP/"):
		return "it answers by HTTP" + banner(ctx, address)
	case len(line) > 0 && line[0] >= ' ':
		return "it says " + quoted(strings.TrimSpace(line))
	}
	t, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", inside(address))
	if err != nil {
		return "it says nothing of itself"
	}
	defer func() { _ = t.Close() }() // nothing was sent
	return "it speaks TLS, with a certificate for " + leafWords(t.(*tls.Conn).ConnectionState())
}

// banner is the Server field of a web server, if it has one.
func banner(ctx context.Context, address string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+inside(address)+"/", nil)
	if err != nil {
		return ""
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }() // is not read
	if name := resp.Header.Get("Server"); name != "" {
		return ", as " + quoted(name)
	}
	return ""
}

// leafWords names a certificate.
func leafWords(state tls.ConnectionState) string {
	if len(state.PeerCertificates) == 0 {
		return "nobody"
	}
	leaf := state.PeerCertificates[0]
	names := leaf.DNSNames
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		names = []string{leaf.Subject.CommonName}
	}
	return quoted(list(names))
}

const challengePath = "/.well-known/acme-challenge/" // RFC 8555 §8.3

// token makes one, and what is answered to it.
func (d *doors) token() (token, value string) {
	token, value = "check-"+rand.Text(), rand.Text()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tokens[token] = value
	return token, value
}

// ServeHTTP implements http.Handler: it answers the tokens of this check, and nothing
// else.
func (d *doors) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	token, _ := strings.CutPrefix(req.URL.Path, challengePath)
	d.mu.Lock()
	value, ok := d.tokens[token]
	d.mu.Unlock()
	if !ok {
		http.NotFound(w, req)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.WriteString(w, value) // the client may have gone
}

// serveTLS answers handshakes for acme-tls/1, and closes all others (RFC 8737 §4).
func (d *doors) serveTLS(l net.Listener) {
	conf := &tls.Config{Certificates: []tls.Certificate{*d.cert}, NextProtos: []string{acmeTLS}, MinVersion: tls.VersionTLS12}
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		d.mu.Lock()
		d.conns[c] = struct{}{}
		d.mu.Unlock()
		d.jobs.Go(func() {
			_ = c.SetDeadline(time.Now().Add(probeTime))
			_ = tls.Server(c, conf).Handshake() // its outcome is the client's to tell
			_ = c.Close()
			d.mu.Lock()
			delete(d.conns, c)
			d.mu.Unlock()
		})
	}
}

// certificate makes one that looks like that of a challenge, for nobody and without
// worth (RFC 8737 §3). Nil: there is no entropy.
func certificate() *tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil
	}
	sum := sha256.Sum256([]byte(rand.Text()))
	value, err := asn1.Marshal(sum[:])
	if err != nil {
		return nil
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "check of tls-alpn-01"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), DNSNames: []string{"check.invalid"},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}, Critical: true, Value: value}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
