package acme

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	rfc8555 "github.com/mholt/acmez/v3/acme"

	"github.com/edgeftp/edgeftp/tests/authority"
	"github.com/edgeftp/edgeftp/tests/ports"
)

func challenge(kind, name, token string) rfc8555.Challenge {
	id := rfc8555.Identifier{Type: "dns", Value: name}
	if net.ParseIP(name) != nil {
		id.Type = "ip"
	}
	return rfc8555.Challenge{Type: kind, Identifier: id, Token: token, KeyAuthorization: token + ".thumbprint"}
}

// answering are challenges with one pending order of each kind.
func answering(t *testing.T) (c *challenges, web, alpn string) {
	t.Helper()
	web, alpn = ports.Addr(t), ports.Addr(t)
	c = newChallenges(&Config{Challenges: Challenges{HTTP: []string{web}, TLSALPN: []string{alpn}}}, slog.New(slog.DiscardHandler))
	for _, door := range []*door{c.http, c.alpn} {
		must(t, door.enter(t.Context()))
		t.Cleanup(door.leave)
	}
	p := &presenter{c, "dir"}
	for _, ch := range []rfc8555.Challenge{
		challenge("http-01", "ftp.example.org", "TokenA-_1"), challenge("http-01", "192.0.2.5", "TokenB"), challenge("http-01", "2001:db8::5", "TokenC"),
		challenge("tls-alpn-01", "tls.example.org", "TokenD"), challenge("tls-alpn-01", "192.0.2.5", "TokenE"), challenge("tls-alpn-01", "2001:db8::5", "TokenF"),
	} {
		must(t, p.Present(t.Context(), ch))
	}
	return c, web, alpn
}

// say sends bytes and returns the status line's code and the body.
func say(t *testing.T, addr, request string) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	defer func() { _ = conn.Close() }()
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, _ = io.WriteString(conn, request) // it may be cut off
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return 0, ""
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// Only own tokens are answered, on their own host.
func TestHTTPStrangers(t *testing.T) {
	t.Parallel()
	_, addr, _ := answering(t)
	const base = "/.well-known/acme-challenge/"
	get := func(path, host string) string {
		return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host)
	}
	for _, tt := range []struct {
		what, request string
		want          int // 200: an own token
	}{
		{"own", get(base+"TokenA-_1", "ftp.example.org"), 200},
		{"own, with a port", get(base+"TokenA-_1", "ftp.example.org:80"), 200},
		{"own, other case", get(base+"TokenA-_1", "FTP.Example.ORG."), 200},
		{"own, HTTP/1.0 with a host", "GET " + base + "TokenA-_1 HTTP/1.0\r\nHost: ftp.example.org\r\n\r\n", 200},
		{"own address", get(base+"TokenB", "192.0.2.5"), 200},
		{"own address, with a port", get(base+"TokenB", "192.0.2.5:80"), 200},
		{"own address of IPv6", get(base+"TokenC", "[2001:db8::5]"), 200},
		{"own address of IPv6, with a port", get(base+"TokenC", "[2001:DB8:0::5]:80"), 200},
		{"other host", get(base+"TokenA-_1", "other.example.org"), 404},
		{"other address", get(base+"TokenB", "192.0.2.6"), 404},
		{"no host", "GET " + base + "TokenA-_1 HTTP/1.0\r\n\r\n", 404},
		{"two hosts", "GET " + base + "TokenA-_1 HTTP/1.1\r\nHost: ftp.example.org\r\nHost: x\r\n\r\n", 400},
		{"another order's token", get(base+"TokenB", "ftp.example.org"), 404},
		{"a token of tls-alpn-01", get(base+"TokenD", "tls.example.org"), 404},
		{"unknown token", get(base+"TokenX", "ftp.example.org"), 404},
		{"part of the token", get(base+"TokenA-_", "ftp.example.org"), 404},
		{"longer than the token", get(base+"TokenA-_11", "ftp.example.org"), 404},
		{"no token", get(base, "ftp.example.org"), 404},
		{"key authorization", get(base+"TokenA-_1.thumbprint", "ftp.example.org"), 404},
		{"with a question", get(base+"TokenA-_1?x=1", "ftp.example.org"), 404},
		{"a slash behind", get(base+"TokenA-_1/", "ftp.example.org"), 404},
		{"other case of the path", get("/.well-known/ACME-challenge/TokenA-_1", "ftp.example.org"), 404},
		{"two slashes", get("//.well-known/acme-challenge/TokenA-_1", "ftp.example.org"), 404},
		{"dots", get(base+"../acme-challenge/TokenA-_1", "ftp.example.org"), 404},
		{"dots away", get(base+"../../etc/passwd", "ftp.example.org"), 404},
		{"escaped dots", get(base+"%2e%2e/%2e%2e/etc/passwd", "ftp.example.org"), 404},
		{"escaped letter", get(base+"%54okenA-_1", "ftp.example.org"), 404},
		{"NUL", get(base+"TokenA-_1%00", "ftp.example.org"), 404},
		{"root", get("/", "ftp.example.org"), 404},
		{"index", get("/.well-known/acme-challenge", "ftp.example.org"), 404},
		{"absolute, other host", "GET http://other.example.org" + base + "TokenA-_1 HTTP/1.1\r\nHost: ftp.example.org\r\n\r\n", 404},
		{"HEAD", "HEAD " + base + "TokenA-_1 HTTP/1.1\r\nHost: ftp.example.org\r\n\r\n", 404},
		{"POST", "POST " + base + "TokenA-_1 HTTP/1.1\r\nHost: ftp.example.org\r\nContent-Length: 0\r\n\r\n", 404},
		{"PUT", "PUT " + base + "TokenA-_1 HTTP/1.1\r\nHost: ftp.example.org\r\nContent-Length: 4\r\n\r\nabcd", 404},
		{"CONNECT", "CONNECT ftp.example.org:80 HTTP/1.1\r\nHost: ftp.example.org:80\r\n\r\n", 404},
		{"OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: ftp.example.org\r\n\r\n", 404},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0},
		{"TLS", "\x16\x03\x01\x00\x05hello", 0},
		{"FTP", "USER anonymous\r\nPASS x\r\n", 0},
		{"a long header", "GET " + base + "TokenA-_1 HTTP/1.1\r\nHost: ftp.example.org\r\nX: " + strings.Repeat("a", 100<<10) + "\r\n\r\n", 0},
		{"a long path", get(base+strings.Repeat("a", 100<<10), "ftp.example.org"), 0},
	} {
		code, body := say(t, addr, tt.request)
		switch {
		case tt.want == 200 && (code != 200 || !strings.HasSuffix(body, ".thumbprint")):
			t.Errorf("%s: %d %q", tt.what, code, body)
		case tt.want >= 400 && code != tt.want, tt.want == 0 && code == 200:
			t.Errorf("%s: %d, want %d", tt.what, code, tt.want)
		case tt.want != 200 && strings.Contains(body, "thumbprint"):
			t.Errorf("%s: %q was given away", tt.what, body)
		}
	}
}

// Who says nothing does not keep authorities out for long.
func TestHTTPCrowd(t *testing.T) {
	_, addr, _ := answering(t)
	var silent []net.Conn
	for range mostGuests + 20 {
		conn, err := net.Dial("tcp", addr)
		must(t, err)
		silent = append(silent, conn)
	}
	began := time.Now()
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	must(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = io.WriteString(conn, "GET /.well-known/acme-challenge/TokenA-_1 HTTP/1.1\r\nHost: ftp.example.org\r\n\r\n")
	must(t, err)
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Errorf("%q, %v", line, err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("%d silent connections were before it: answered after %v", len(silent), took)
	}
	for i, c := range silent[:15] { // they had to go
		must(t, c.SetReadDeadline(time.Now().Add(guestTime/25)))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the silent connection %d is still there, of %d: %v", i, len(silent), err)
		}
	}
	for _, c := range append(silent, conn) {
		_ = c.Close()
	}
}

// Only hellos for own orders are answered.
func TestTLSStrangers(t *testing.T) {
	c, _, addr := answering(t)
	server := &tls.Config{GetConfigForClient: c.handshake, NextProtos: []string{"ftp"},
		Certificates: []tls.Certificate{*newTestCA(t, newKey(t)).issue(newKey(t), "tls.example.org")}}
	for _, tt := range []struct {
		what, name string
		protos     []string
		listener   bool // the challenge listener answers
		own        bool // and so does the server's own, for the challenge
		plain      bool // the server's own takes it for a client
	}{
		{"own", "tls.example.org", []string{"acme-tls/1"}, true, true, false},
		{"own address", "5.2.0.192.in-addr.arpa", []string{"acme-tls/1"}, true, true, false},
		{"own address of IPv6", "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", []string{"acme-tls/1"}, true, true, false},
		{"an order of http-01", "ftp.example.org", []string{"acme-tls/1"}, false, false, false},
		{"another name", "other.example.org", []string{"acme-tls/1"}, false, false, false},
		{"below", "a.tls.example.org", []string{"acme-tls/1"}, false, false, false},
		{"no name", "", []string{"acme-tls/1"}, false, false, false},
		{"another address", "6.2.0.192.in-addr.arpa", []string{"acme-tls/1"}, false, false, false},
		{"with another protocol", "tls.example.org", []string{"acme-tls/1", "ftp"}, false, false, false},
		{"behind another protocol", "tls.example.org", []string{"ftp", "acme-tls/1"}, false, false, false},
		{"another protocol", "tls.example.org", []string{"ftp"}, false, false, true},
		{"no protocol", "tls.example.org", nil, false, false, true},
	} {
		client := &tls.Config{ServerName: tt.name, NextProtos: tt.protos, InsecureSkipVerify: true}
		conn, err := tls.Dial("tcp", addr, client)
		if (err == nil) != tt.listener {
			t.Errorf("%s: the listener: %v", tt.what, err)
		}
		if err == nil {
			checkALPN(t, tt.what, conn.ConnectionState())
			must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s: the connection stays open: %v", tt.what, err)
			}
			_ = conn.Close()
		}
		state, err := shake(t, server, client)
		switch {
		case (err == nil) != (tt.own || tt.plain):
			t.Errorf("%s: the server: %v", tt.what, err)
		case tt.own:
			checkALPN(t, tt.what, state)
		case tt.plain && state.NegotiatedProtocol == "acme-tls/1":
			t.Errorf("%s: acme-tls/1 was negotiated", tt.what)
		}
	}
}

// checkALPN wants the certificate of a challenge (RFC 8737 §3).
func checkALPN(t *testing.T, what string, state tls.ConnectionState) {
	t.Helper()
	leaf := state.PeerCertificates[0]
	found := false
	for _, e := range leaf.Extensions {
		found = found || e.Critical && e.Id.String() == "1.3.6.1.5.5.7.1.31"
	}
	if !found || state.NegotiatedProtocol != "acme-tls/1" || len(leaf.DNSNames)+len(leaf.IPAddresses) != 1 {
		t.Errorf("%s: %s, names %v, addresses %v, extension %v", what, state.NegotiatedProtocol, leaf.DNSNames, leaf.IPAddresses, found)
	}
}

func TestALPNIdentifier(t *testing.T) {
	for name, want := range map[string]string{
		"ftp.example.org": "ftp.example.org", "FTP.Example.org.": "ftp.example.org", "": "",
		"1.0.0.127.in-addr.arpa": "127.0.0.1", "1.0.0.127.in-addr.arpa.": "127.0.0.1",
		"256.0.0.127.in-addr.arpa": "", "0.0.127.in-addr.arpa": "", "01.0.0.127.in-addr.arpa": "", "x.0.0.127.in-addr.arpa": "",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa":  "::1",
		"10.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa": "", "1.ip6.arpa": "",
		"g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa": "",
	} {
		if got := alpnIdentifier(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// The port of somebody else is not taken for ours.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	other, err := net.Listen("tcp", ca.HTTPAddr())
	must(t, err)
	defer func() { _ = other.Close() }()
	n := start(t, ca, onlyHTTP(t, ca, "ftp.example.org"))
	e := n.event()
	if e.Err == nil || !strings.Contains(e.Err.Error(), "http-01 cannot be answered on "+ca.HTTPAddr()+": another program listens there") {
		t.Errorf("%v", e.Err)
	}
	if !strings.Contains(Advice(e.Err), "ss -ltnp 'sport = :"+fmt.Sprint(ca.HTTPPort)+"'") {
		t.Errorf("help: %s", Advice(e.Err))
	}
	if ca.Tried() != 0 {
		t.Error("an order was made that must fail")
	}
	must(t, other.Close())
	must(t, n.Renew(t.Context(), "ftp.example.org"))
}

// With one port taken the other challenge is used, and somebody is told.
func TestPortTakenOfTwo(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	other, err := net.Listen("tcp", ca.HTTPAddr())
	must(t, err)
	defer func() { _ = other.Close() }()
	conf := onlyHTTP(t, ca, "ftp.example.org")
	conf.Challenges.TLSALPN = []string{ca.TLSAddr()}
	n := start(t, ca, conf)
	n.obtained()
	if !strings.Contains(n.log.String(), "not every challenge can be used") {
		t.Error("nobody was told")
	}
}

// The listener is open while some order needs it, and not a moment longer.
func TestDoorIsShared(t *testing.T) {
	c, addr, _ := answering(t)
	must(t, c.http.enter(t.Context()))
	c.http.leave()
	if !listens(addr) {
		t.Fatal("it was closed for the one who needs it")
	}
	c.http.leave()
	if listens(addr) {
		t.Fatal("it is still open")
	}
	must(t, c.http.enter(t.Context())) // again, for the cleanup
	if !listens(addr) {
		t.Fatal("it cannot be opened again")
	}
}

// Any node of a fleet answers for any other's order.
func TestFleetAnswers(t *testing.T) {
	for _, kind := range []string{"http-01", "tls-alpn-01"} {
		t.Run(kind, func(t *testing.T) {
			ca := authority.Start(t, authority.Options{})
			conf := onlyHTTP(t, ca, "ftp.example.org")
			conf.Fleet = true
			far := conf
			conf.Challenges, far.Challenges = Challenges{HTTP: []string{ca.HTTPAddr()}}, Challenges{HTTP: []string{ports.Addr(t)}}
			if kind == "tls-alpn-01" {
				conf.Challenges, far.Challenges = Challenges{TLSALPN: []string{ca.TLSAddr()}}, Challenges{TLSALPN: []string{ports.Addr(t)}}
			}
			near, err := NewManager(conf)
			must(t, err)
			defer near.Close()
			near.solving.begin(near.ctx, &near.jobs) // it answers, and orders nothing
			soon(t, func() bool { return listens(ca.HTTPAddr()) || listens(ca.TLSAddr()) })
			n := start(t, ca, far)
			n.obtained()
			if left, err := conf.Storage.List(t.Context(), n.issuers[0].(*issuer).real.path("challenge_tokens"), true); err == nil && len(left) > 0 {
				t.Errorf("challenges are left: %q", left)
			}
			near.Close()
			if listens(ca.HTTPAddr()) || listens(ca.TLSAddr()) {
				t.Error("the listener outlives the manager")
			}
		})
	}
}

// Strangers cannot make the shared storage be read.
func TestFleetReadsForOwnNames(t *testing.T) {
	s := &counting{Storage: MemoryStorage()}
	conf := Config{Names: []string{"ftp.example.org"}, OnDemand: &OnDemand{Allow: []string{"*.example.net"}}, Storage: s, Fleet: true}
	c := newChallenges(&conf, slog.New(slog.DiscardHandler))
	c.know(newDirectory(&conf, Authority{}, "https://ca.example.org/dir", c.log))
	for name, want := range map[string]int{"ftp.example.org": 1, "a.example.net": 1, "other.example.org": 0, "a.b.example.net": 0, "": 0, "../../x": 0} {
		s.loads = 0
		if _, ok := c.find(t.Context(), "http-01", name, "Token"); ok || s.loads != want {
			t.Errorf("%q: found %v, %d reads", name, ok, s.loads)
		}
	}
}

type counting struct {
	Storage
	loads int
}

// What the storage holds is answered only if it is a key authorization of its token (RFC
// 8555 §8.1).
func TestFleetAnswersTokensAlone(t *testing.T) {
	conf := Config{Names: []string{"ftp.example.org"}, Storage: MemoryStorage(), Fleet: true}
	c := newChallenges(&conf, slog.New(slog.DiscardHandler))
	d := newDirectory(&conf, Authority{}, "https://ca.example.org/dir", c.log)
	c.know(d)
	for authorization, want := range map[string]bool{"Token.key": true, "Token": false, "other.key": false, "<script>": false, "": false} {
		p := pending{d.key, challenge("http-01", "ftp.example.org", "Token")}
		p.Challenge.KeyAuthorization = authorization
		text, err := json.Marshal(p)
		must(t, err)
		must(t, conf.Storage.Store(t.Context(), p.path(), text))
		if _, ok := c.find(t.Context(), "http-01", "ftp.example.org", "Token"); ok != want {
			t.Errorf("%q is answered: %v", authorization, ok)
		}
	}
}

func TestIsToken(t *testing.T) {
	for token, want := range map[string]bool{"aZ09-_": true, strings.Repeat("a", 256): true, strings.Repeat("a", 257): false, "": false, "a.b": false, "a=": false, "\u00e4": false} {
		if isToken(token) != want {
			t.Errorf("%.20q: %v", token, !want)
		}
	}
}

func (c *counting) Load(ctx context.Context, key string) ([]byte, error) {
	c.loads++
	return c.Storage.Load(ctx, key)
}

// What a process that died has left is removed, what is in use is not.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenStorage(dir)
	must(t, err)
	conf := Config{Names: []string{"ftp.example.org"}, Storage: s, Fleet: true}
	c := newChallenges(&conf, slog.New(slog.DiscardHandler))
	d := newDirectory(&conf, Authority{}, "https://ca.example.org/dir", c.log)
	c.know(d)
	old, fresh := tokenPath(d.key, "old.example.org"), tokenPath(d.key, "ftp.example.org")
	for _, key := range []string{old, fresh} {
		must(t, s.Store(t.Context(), key, []byte("{}")))
	}
	aged(t, dir+"/"+old, 2*time.Hour)
	var jobs sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	c.begin(ctx, &jobs)
	soon(t, func() bool { return !s.Exists(t.Context(), old) })
	if !s.Exists(t.Context(), fresh) {
		t.Error("a challenge of now was removed")
	}
	cancel()
	jobs.Wait()
}

// Stopping in the middle of an order ends it, and closes the listener.
func TestCloseWhileOrdering(t *testing.T) {
	ca := authority.Start(t, authority.Options{})
	ca.Slow(time.Minute, authority.Challenge)
	conf := onlyHTTP(t, ca, "ftp.example.org")
	n := start(t, ca, conf)
	soon(t, func() bool { return ca.Count(authority.Challenge) > 0 && listens(ca.HTTPAddr()) })
	began := time.Now()
	n.Close()
	if took := time.Since(began); took > 5*time.Second || listens(ca.HTTPAddr()) {
		t.Errorf("it took %v; open: %v", took, listens(ca.HTTPAddr()))
	}
	if got := n.Orders()[0].Count; got != 0 {
		t.Errorf("%d orders are counted as failed", got)
	}
	ca.Resume()
	start(t, ca, conf).obtained()
	if accounts(ca) != 1 {
		t.Errorf("%d accounts were made", accounts(ca))
	}
}

func FuzzAnswerHTTP(f *testing.F) {
	conf := &Config{}
	c := newChallenges(conf, slog.New(slog.DiscardHandler))
	for _, ch := range []rfc8555.Challenge{challenge("http-01", "ftp.example.org", "TokenA"), challenge("http-01", "192.0.2.5", "TokenB")} {
		if err := (&presenter{c, "dir"}).Present(context.Background(), ch); err != nil {
			f.Fatal(err)
		}
	}
	f.Add("GET /.well-known/acme-challenge/TokenA HTTP/1.1\r\nHost: ftp.example.org\r\n\r\n")
	f.Add("GET /.well-known/acme-challenge/TokenB HTTP/1.0\r\nHost: 192.0.2.5:80\r\n\r\n")
	f.Add("GET /.well-known/acme-challenge/../TokenA HTTP/1.1\r\nHost: [::1]:x\r\n\r\n")
	f.Add("POST http://ftp.example.org/.well-known/acme-challenge/TokenA HTTP/1.1\r\nHost: ftp.example.org\r\nContent-Length: 1\r\n\r\na")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		c.answerHTTP(w, r)
		host := strings.ToLower(r.Host)
		own := r.Method == "GET" && (r.RequestURI == challengePath+"TokenA" && strings.HasPrefix(host, "ftp.example.org") ||
			r.RequestURI == challengePath+"TokenB" && strings.Contains(host, "192.0.2.5"))
		switch {
		case w.Code != 200 && (w.Code != 404 || w.Body.Len() > 0):
			t.Errorf("%q: %d %q", text, w.Code, w.Body)
		case w.Code == 200 && !own:
			t.Errorf("%q: %q was given away", text, w.Body)
		}
	})
}

func FuzzALPNIdentifier(f *testing.F) {
	f.Add("ftp.example.org")
	f.Add("1.0.0.127.in-addr.arpa")
	f.Add("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.")
	f.Fuzz(func(t *testing.T, name string) {
		got := alpnIdentifier(name)
		if low := plainName(name); strings.HasSuffix(low, ".arpa") && got != low && got != "" && net.ParseIP(got) == nil {
			t.Errorf("%q: %q", name, got)
		}
	})
}

// The addresses of challenges are tried, and none is kept.
func TestClosedDoors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	taken := l.Addr().String()
	c := &Challenges{HTTP: []string{"127.0.0.1:0", taken}, TLSALPN: []string{"127.0.0.1:0"}}
	errs := c.Closed(t.Context())
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "http-01 cannot be answered on "+taken+": another program listens there") ||
		!strings.Contains(Advice(errs[0]), "stop it") {
		t.Errorf("%v", errs)
	}
	must(t, l.Close())
	for range 2 { // the first has let it go
		if errs := c.Closed(t.Context()); len(errs) != 0 {
			t.Errorf("%v", errs)
		}
	}
}
