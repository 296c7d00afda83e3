package e2e

import (
	"bufio"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	authorities "github.com/edgeftp/edgeftp/tests/authority"
	"github.com/edgeftp/edgeftp/tests/ports"
)

// asked waits for the authority's request at the place where HTTP-01 is looked for, and
// hands it on when the test is done with it.
func asked(t *testing.T, addr, to string) (r *http.Request, release func()) {
	t.Helper()
	l := must(net.Listen("tcp", addr))(t)
	conns := make(chan net.Conn, 16)
	go func() {
		defer close(conns)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns <- conn
		}
	}()
	t.Cleanup(func() {
		l.Close()
		for conn := range conns {
			conn.Close()
		}
	})
	var first net.Conn
	select {
	case first = <-conns:
	case <-time.After(certWithin):
		t.Fatal("the authority has not come")
	}
	r = must(http.ReadRequest(bufio.NewReader(first)))(t)
	return r, func() {
		_, err := io.WriteString(first, outcry(t, to, "GET "+r.RequestURI+" HTTP/1.1\r\nHost: "+r.Host+"\r\nConnection: close\r\n\r\n"))
		ok(t, err)
		first.Close()
		go func() { // the others are of the same order
			for conn := range conns {
				pass(conn, to)
				conn.Close()
			}
		}()
	}
}

// outcry sends bytes to a challenge listener, and returns all that comes back.
func outcry(t *testing.T, addr, text string) string {
	t.Helper()
	conn := must(net.DialTimeout("tcp", addr, waitWithin))(t)
	defer conn.Close()
	ok(t, conn.SetDeadline(time.Now().Add(waitWithin)))
	_, _ = io.WriteString(conn, text) // who is refused early may not be read to the end
	said, _ := io.ReadAll(conn)       // a reset ends it too
	return string(said)
}

// idle opens connections that say nothing, until the test ends.
func idle(t *testing.T, addr string, n int) {
	t.Helper()
	for range n {
		conn := must(net.DialTimeout("tcp", addr, waitWithin))(t)
		t.Cleanup(func() { conn.Close() })
	}
}

// While an order is pending, strangers at the listener for HTTP-01 are told nothing, in
// whatever form they ask, and do not keep the authority from its answer.
func TestCertificateStrangersHTTP(t *testing.T) {
	t.Parallel()
	ca, p, http := authorities.Start(t, authorities.Options{}), newPlace(t), ports.Addr(t)
	s := p.serve(t, p.certified(t, ca, certListeners, "domains: ["+certName+", other.example.org]", "challenges: [http-01]", fmt.Sprintf("http: { listen: [%q] }", http)))
	r, release := asked(t, ca.HTTPAddr(), http)
	path := r.RequestURI
	dir, token := path[:strings.LastIndexByte(path, '/')+1], path[strings.LastIndexByte(path, '/')+1:]
	name, other := certName, "other.example.org"
	if strings.HasPrefix(r.Host, other) {
		name, other = other, name
	}
	host := "Host: " + name + "\r\n"
	get := func(target, host string) string {
		return "GET " + target + " HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n"
	}
	idle(t, http, 100)
	for what, request := range map[string]string{
		"nothing":                "\r\n\r\n",
		"the root":               get("/", host),
		"the directory":          get(dir, host),
		"the directory's name":   get(strings.TrimSuffix(dir, "/"), host),
		"a longer token":         get(path+"x", host),
		"a shorter token":        get(path[:len(path)-1], host),
		"another token":          get(dir+strings.Repeat("A", len(token)), host),
		"a token in a token":     get(path+"/"+token, host),
		"a query":                get(path+"?a=b", host),
		"a fragment":             get(path+"#a", host),
		"an encoded token":       get(dir+fmt.Sprintf("%%%02X", token[0])+token[1:], host),
		"an encoded path":        get(strings.Replace(path, ".well", "%2Ewell", 1), host),
		"two slashes":            get("/"+path, host),
		"a way around":           get("/x/.."+path, host),
		"the files of the host":  get(dir+"../../etc/passwd", host),
		"the other name of ours": get(path, "Host: "+other+"\r\n"),
		"another host":           get(path, "Host: 127.0.0.1\r\n"),
		"the stranger's host":    get(path, "Host: evil.example.net\r\n"),
		"no host":                get(path, ""),
		"an empty host":          get(path, "Host:\r\n"),
		"two hosts":              get(path, host+"Host: evil.example.net\r\n"),
		"HTTP/1.0 and no host":   "GET " + path + " HTTP/1.0\r\n\r\n",
		"HTTP/0.9":               "GET " + path + "\r\n\r\n",
		"HTTP/2":                 "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"HEAD":                   strings.Replace(get(path, host), "GET", "HEAD", 1),
		"POST":                   strings.Replace(get(path, host+"Content-Length: 2\r\n"), "GET", "POST", 1) + "ab",
		"OPTIONS":                strings.Replace(get(path, host), "GET", "OPTIONS", 1),
		"TRACE":                  strings.Replace(get(path, host), "GET", "TRACE", 1),
		"OPTIONS *":              "OPTIONS * HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n",
		"CONNECT":                "CONNECT " + name + ":80 HTTP/1.1\r\n" + host + "\r\n",
		"a proxy's request":      get("http://evil.example.net"+path, host),
		"a long header":          get(path, host+"X: "+strings.Repeat("x", 64<<10)+"\r\n"),
		"many headers":           get(path, host+strings.Repeat("X: y\r\n", 4000)),
		"a TLS hello":            string(clientHello(t)),
		"FTP":                    "USER dev\r\nPASS " + secret + "\r\nQUIT\r\n",
		"zeros":                  strings.Repeat("\x00", 4096),
		"a request in a request": get("/", host+"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n") + get(path, host),
	} {
		said := outcry(t, http, request)
		if strings.Contains(said, token+".") || strings.Contains(said, " 200 ") || strings.Contains(said, "root:") {
			t.Errorf("%s: a stranger is told %q", what, said)
		}
		for _, tells := range []string{"edgeftp", "Go", "goroutine", "Server:"} {
			if strings.Contains(said, tells) {
				t.Errorf("%s: the answer tells %q: %q", what, tells, said)
			}
		}
	}
	if said := outcry(t, http, get(path, host)); !strings.HasPrefix(said, "HTTP/1.1 200 ") || !strings.Contains(said, "\r\n\r\n"+token+".") {
		t.Errorf("the authority would be told %q", said)
	}
	if said := outcry(t, http, get(path, strings.ToUpper(host[:5])+" "+strings.ToUpper(name)+":80\r\n")); !strings.HasPrefix(said, "HTTP/1.1 200 ") {
		t.Errorf("names are the same in capitals, and the answer is %q", said)
	}
	release()
	s.expect(t, "a certificate was obtained")
	s.stop(t)
	shut(t, http)
}

// acmeIdentifier marks the certificate that proves a name (RFC 8737 §3).
func acmeIdentifier() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}
}

// The same at a listener for TLS-ALPN-01, and at an implicit FTPS listener of ours that
// answers it. No way leads from there into a session.
func TestCertificateStrangersALPN(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{false, true} {
		t.Run(map[bool]string{false: "a listener for challenges", true: "an implicit FTPS listener"}[own], func(t *testing.T) {
			t.Parallel()
			ca, p, addr := authorities.Start(t, authorities.Options{}), newPlace(t), ports.Addr(t)
			listeners, listen := certListeners, fmt.Sprintf("%q", addr)
			if own {
				listeners, listen = strings.Replace(certListeners, `ftps, address: "127.0.0.1:0"`, fmt.Sprintf("ftps, address: %q", addr), 1), ""
			}
			g := newGate(t, ca.TLSAddr(), addr)
			s := p.serve(t, p.certified(t, ca, listeners, "domains: ["+certName+"]", "challenges: [tls-alpn-01]", "tls_alpn: { listen: ["+listen+"] }"))
			<-g.came
			idle(t, addr, map[bool]int{false: 100, true: 10}[own]) // one address may have so many sessions
			strangersALPN(t, addr)
			g.open()
			s.verified(t, ca, certName)
			if !own {
				until(t, "the listener is closed", func() bool { _, err := net.DialTimeout("tcp", addr, waitWithin); return err != nil })
			} else if _, err := shakeAtOnce(addr, &tls.Config{ServerName: certName, NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true}); err == nil {
				t.Error("a proof is given, and no order is pending")
			}
			s.stop(t)
		})
	}
}

func strangersALPN(t *testing.T, addr string) {
	t.Helper()
	for what, conf := range map[string]*tls.Config{
		"no protocol":                  {ServerName: certName},
		"HTTP":                         {ServerName: certName, NextProtos: []string{"h2", "http/1.1"}},
		"FTP":                          {ServerName: certName, NextProtos: []string{"ftp"}},
		"one protocol more":            {ServerName: certName, NextProtos: []string{"acme-tls/1", "ftp"}},
		"another name":                 {ServerName: "other.example.org", NextProtos: []string{"acme-tls/1"}},
		"a name below":                 {ServerName: "a." + certName, NextProtos: []string{"acme-tls/1"}},
		"no name":                      {NextProtos: []string{"acme-tls/1"}},
		"the address, as RFC 8738 has": {ServerName: "1.0.0.127.in-addr.arpa", NextProtos: []string{"acme-tls/1"}},
		"TLS 1.0":                      {ServerName: certName, NextProtos: []string{"acme-tls/1"}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
	} {
		conf.InsecureSkipVerify = true
		if cert, err := shakeAtOnce(addr, conf); err == nil {
			t.Errorf("%s: a stranger is shown a certificate for %s", what, cert.DNSNames)
		}
	}
	for _, text := range []string{"GET / HTTP/1.1\r\nHost: " + certName + "\r\n\r\n", "USER dev\r\n", strings.Repeat("\x16\x03\x01\xff", 100)} {
		if said := outcry(t, addr, text); strings.Contains(said, "220") || strings.Contains(said, "HTTP") {
			t.Errorf("%.20q is answered %q", text, said)
		}
	}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: waitWithin}, "tcp", addr, &tls.Config{ServerName: strings.ToUpper(certName), NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true})
	ok(t, err)
	defer conn.Close()
	leaf := conn.ConnectionState().PeerCertificates[0]
	proof := slices.ContainsFunc(leaf.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(acmeIdentifier()) && e.Critical })
	if !proof || !slices.Equal(leaf.DNSNames, []string{certName}) {
		t.Errorf("the authority would be shown a certificate for %s, with the proof: %v", leaf.DNSNames, proof)
	}
	ok(t, conn.SetDeadline(time.Now().Add(waitWithin)))
	_, _ = io.WriteString(conn, "USER dev\r\nPASS "+secret+"\r\nLIST\r\n")
	if said, _ := io.ReadAll(conn); len(said) > 0 {
		t.Errorf("behind the proof the server says %q", said)
	}
}
