package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	authorities "github.com/edgeftp/edgeftp/tests/authority"
	"github.com/edgeftp/edgeftp/tests/ports"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// side does n things beside each other and returns what went wrong.
func side(n int, do func(i int) error) error {
	all := make([]error, n)
	var jobs sync.WaitGroup
	for i := range n {
		jobs.Go(func() {
			if err := do(i); err != nil {
				all[i] = fmt.Errorf("%d: %w", i, err)
			}
		})
	}
	jobs.Wait()
	return errors.Join(all...)
}

// crowd is what clients do while certificates are renewed: open sessions of which half
// speak TLS 1.2 and half began with TLS, and transfers that go on until they are let go.
type crowd struct {
	explicit, implicit string
	trust              *tls.Config
	sessions           []*guest
	transfers          []*carrier
}

// guest is an open session.
type guest struct {
	*userpi.Client
	what string
	cert *x509.Certificate
}

// variant is what the i-th client of a crowd is like.
func (w *crowd) variant(i int) (conf *tls.Config, implicit bool, what string) {
	conf = w.trust.Clone()
	conf.MaxVersion, what = tls.VersionTLS13, "TLS 1.3"
	if i%2 == 0 {
		conf.MaxVersion, what = tls.VersionTLS12, "TLS 1.2"
	}
	conf.MinVersion = conf.MaxVersion
	if i%4 < 2 {
		return conf, false, what + ", explicit"
	}
	return conf, true, what + ", implicit"
}

// enter opens a session of the i-th kind.
func (w *crowd) enter(i int, user string) (*guest, error) {
	conf, implicit, what := w.variant(i)
	addr := w.explicit
	if implicit {
		addr = w.implicit
	}
	c, err := userpi.Dial(addr)
	if err != nil {
		return nil, err
	}
	c.Timeout = 30 * time.Second // a hundred at once on a small machine
	g := &guest{Client: c, what: what}
	if err := g.begin(conf, implicit, user); err != nil {
		c.Close()
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return g, nil
}

func (g *guest) begin(conf *tls.Config, implicit bool, user string) (err error) {
	if implicit {
		if err = g.StartTLS(conf); err == nil {
			_, err = g.Expect("the connection", 220)
		}
		if err == nil {
			err = g.Private()
		}
	} else {
		if _, err = g.Expect("the connection", 220); err == nil {
			err = g.Protect(conf)
		}
	}
	if err != nil {
		return err
	}
	g.cert = g.Conn().(*tls.Conn).ConnectionState().PeerCertificates[0]
	if err := g.Identify(user, secret); err != nil {
		return err
	}
	_, err = g.Must("TYPE I", 200)
	return err
}

// resumed asks that a data connection is one of this session: by its TLS session, which
// has the certificate that the control connection was shown.
func (g *guest) resumed(conn io.Closer) error {
	state := conn.(*tls.Conn).ConnectionState()
	switch {
	case !state.DidResume:
		return errors.New("the data connection does not resume")
	case !state.PeerCertificates[0].Equal(g.cert):
		return errors.New("the data connection has another certificate than the control connection")
	}
	return nil
}

// works asks that a session is whole: it answers, lists, and takes an upload.
func (g *guest) works(name string) error {
	err := func() error {
		if _, err := g.Must("NOOP", 200); err != nil {
			return err
		}
		conn, err := g.Begin(userpi.EPSV, "LIST")
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := io.ReadAll(conn); err != nil {
			return err
		}
		if err := g.resumed(conn); err != nil {
			return fmt.Errorf("LIST: %w", err)
		}
		conn.Close()
		if _, err = g.Expect("LIST", 226); err != nil {
			return err
		}
		conn, err = g.Begin(userpi.EPSV, "STOR "+name)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, name); err != nil {
			return err
		}
		if err := g.resumed(conn); err != nil {
			return fmt.Errorf("STOR: %w", err)
		}
		if err := userpi.End(conn); err != nil {
			return err
		}
		_, err = g.Expect("STOR", 226)
		return err
	}()
	if err != nil {
		return fmt.Errorf("%s: %w", g.what, err)
	}
	return nil
}

// carrier is a transfer of one file.
type carrier struct {
	*guest
	name  string
	up    bool
	ended chan struct{}
	err   error
	sum   digest // of what came down
}

func (c *carrier) run(conn io.ReadWriteCloser, size int64) {
	defer close(c.ended)
	defer conn.Close()
	if c.up {
		if _, c.err = io.Copy(conn, noise(c.name, size)); c.err == nil {
			c.err = userpi.End(conn.(*tls.Conn))
		}
	} else {
		h := sha256.New()
		_, c.err = io.Copy(h, conn)
		c.sum = digest(h.Sum(nil))
		conn.Close()
	}
	if c.err == nil {
		c.Timeout = time.Minute
		_, c.err = c.Expect(c.name, 226)
	}
}

// running reports whether it is still going on.
func (c *carrier) running() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

const carried = 8 * mib // bytes of a transfer

// gather opens the sessions of a crowd and begins its transfers, half of them up.
func gather(t *testing.T, s *server, trust *tls.Config, sessions, transfers int) *crowd {
	t.Helper()
	w := &crowd{explicit: s.addr, implicit: s.at(t, 1).addr, trust: trust, sessions: make([]*guest, sessions), transfers: make([]*carrier, transfers)}
	t.Cleanup(func() {
		for _, g := range w.sessions {
			if g != nil {
				g.Close()
			}
		}
	})
	ok(t, side(sessions, func(i int) error {
		g, err := w.enter(i, "dev")
		if err != nil {
			return err
		}
		w.sessions[i] = g
		return g.works(fmt.Sprintf("before-%d", i))
	}))
	s.slowDown(t)
	for i := range w.transfers {
		name := fmt.Sprintf("big-%d", i)
		c := &carrier{guest: must(w.enter(i/2, "slow"))(t), name: name, up: i%2 == 0, ended: make(chan struct{})}
		t.Cleanup(func() { c.Close() })
		line := "STOR " + name
		if !c.up {
			noiseFile(t, s.in(name), carried)
			line = "RETR " + name
		}
		conn := must(c.Begin(userpi.EPSV, line))(t)
		t.Cleanup(func() { conn.Close() })
		ok(t, c.resumed(conn))
		ok(t, conn.SetDeadline(time.Time{}))
		go c.run(conn.(io.ReadWriteCloser), carried)
		w.transfers[i] = c
	}
	return w
}

// newcomers asks that whoever comes now is shown another certificate than old, and can
// work with it; it returns that.
func (w *crowd) newcomers(t *testing.T, name string, old *x509.Certificate) *x509.Certificate {
	t.Helper()
	var fresh [4]*x509.Certificate
	ok(t, side(4, func(i int) error {
		g, err := w.enter(i, "dev")
		if err != nil {
			return err
		}
		defer g.Close()
		fresh[i] = g.cert
		return g.works(fmt.Sprintf("%s-%d", name, i))
	}))
	for i, cert := range fresh {
		_, _, what := w.variant(i)
		if cert.Equal(old) || !cert.Equal(fresh[0]) {
			t.Errorf("%s: %s is shown serial %x, the others %x, before it was %x", name, what, cert.SerialNumber, fresh[0].SerialNumber, old.SerialNumber)
		}
	}
	return fresh[0]
}

// underway asks that every transfer has begun and none has ended.
func (w *crowd) underway(t *testing.T, when string) {
	t.Helper()
	for _, c := range w.transfers {
		if !c.running() {
			t.Errorf("%s: the transfer of %s has ended already: %v", when, c.name, c.err)
		}
	}
}

// whole lets the transfers go and asks that all is well with everybody.
func (w *crowd) whole(t *testing.T, s *server) {
	t.Helper()
	if err := side(len(w.sessions), func(i int) error { return w.sessions[i].works(fmt.Sprintf("after-%d", i)) }); err != nil {
		t.Errorf("sessions that were open are broken: %v", err)
	}
	w.underway(t, "behind the renewals")
	if r := s.admin(t, "bandwidth", "clear", "slow"); r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.both())
	}
	late := time.After(time.Minute)
	for _, c := range w.transfers {
		select {
		case <-c.ended:
		case <-late:
			t.Fatalf("the transfer of %s does not end", c.name)
		}
		switch {
		case c.err != nil:
			t.Errorf("the transfer of %s (%s): %v", c.name, c.what, c.err)
		case c.up:
			sameSum(t, c.what, s.in(c.name), sum(t, noise(c.name, carried)))
		case c.sum != sumFile(t, s.in(c.name)):
			t.Errorf("the download of %s (%s) is damaged", c.name, c.what)
		}
	}
	if err := side(len(w.transfers), func(i int) error { return w.transfers[i].works(fmt.Sprintf("then-%d", i)) }); err != nil {
		t.Errorf("sessions of the transfers are broken: %v", err)
	}
}

// slowDown makes who carries slow, until he is let go.
func (s *server) slowDown(t *testing.T) {
	t.Helper()
	if r := s.admin(t, "bandwidth", "set", "user", "slow", "--down", "100KB", "--up", "100KB"); r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.both())
	}
}

// slowly are the settings of a crowd's server.
const slowly = `limits: { sessions: { per_ip: 0 } }
users:
  list:
    - { name: dev, password_hash: @HASH@, perm: elradfmwMT }
    - { name: slow, password_hash: @HASH@, perm: elradfmwMT }
`

// Certificates that are renewed break no session, cut no transfer, and are shown to
// everybody who comes after. What is due is renewed by itself every ten minutes, by the
// same way that cert renew goes at once.
func TestRenewalUnderLoad(t *testing.T) {
	t.Parallel()
	ca, p := authorities.Start(t, authorities.Options{}), newPlace(t)
	s := p.serve(t, p.byHTTP(t, ca)+slowly)
	certs := []*x509.Certificate{s.verified(t, ca, certName)}
	began := time.Now()
	w := gather(t, s, trusting(ca, certName), 100, 10)
	entered := time.Since(began)
	renewals := 3
	if full() {
		renewals = 20
	}
	began = time.Now()
	for i := range renewals {
		if r := s.admin(t, "cert", "renew", certName); r.code != 0 {
			t.Fatalf("exit code %d\n%s", r.code, r.both())
		}
		certs = append(certs, w.newcomers(t, fmt.Sprintf("renewal-%d", i+1), certs[i]))
	}
	took := time.Since(began)
	w.underway(t, "after the renewals")
	w.whole(t, s)
	if n := ca.Orders(); n != 1+renewals {
		t.Errorf("%d orders, want %d", n, 1+renewals)
	}
	var serials []string
	for _, cert := range certs {
		serials = append(serials, fmt.Sprintf("%x", cert.SerialNumber))
	}
	if !t.Failed() {
		t.Logf("%d sessions opened in %s; %d renewals in %s with 4 new sessions after each; 0 sessions broken, %d transfers of %d MiB whole; serials %s",
			len(w.sessions), seconds(entered), renewals, seconds(took), len(w.transfers), carried/mib, strings.Join(serials, " -> "))
	}
	s.stop(t)
}

// curl and lftp, which verify everything, go on over a renewal: the transfer that runs,
// and the next one in the same session.
func TestRenewalUnderClients(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	need(t, "lftp")
	ca, p := authorities.Start(t, authorities.Options{}), newPlace(t)
	figures := ports.Addr(t)
	// By its address: lftp cannot be told where a name is.
	s := p.serve(t, p.certified(t, ca, certListeners, "domains: [127.0.0.1]", "challenges: [http-01]", fmt.Sprintf("http: { listen: [%q] }", ca.HTTPAddr()))+slowly+fmt.Sprintf("telemetry: { metrics: { listen: %q } }\n", figures))
	before := s.verified(t, ca, "127.0.0.1")
	slow := *s.issued(ca)
	slow.user = "slow"
	wants := map[string]digest{}
	for _, name := range []string{"down-1", "down-2"} {
		wants[name] = noiseFile(t, s.in(name), carried)
	}
	for _, name := range []string{"up-1", "up-2"} {
		wants[name] = noiseFile(t, s.out(name), carried)
	}
	got := t.TempDir()
	s.slowDown(t)
	clients := map[string]program{
		"curl": slow.curl(t, "-v", "-o", got+"/down-1", slow.url("/down-1"), "-o", got+"/down-2", slow.url("/down-2")),
		"lftp": slow.lftp(t, "set ftp:use-allo no", "put "+s.out("up-1")+" -o up-1", "put "+s.out("up-2")+" -o up-2"),
	}
	results := map[string]*result{"curl": {}, "lftp": {}}
	var jobs sync.WaitGroup
	for name, client := range clients {
		jobs.Go(func() { *results[name] = client.run(t) })
	}
	running := func() float64 { return figure(read(t, "http://"+figures+"/metrics"), "edgeftp_transfers") }
	until(t, "both transfers run", func() bool { return running() == 2 })
	for range 3 {
		if r := s.admin(t, "cert", "renew", "127.0.0.1"); r.code != 0 {
			t.Fatalf("exit code %d\n%s", r.code, r.both())
		}
	}
	if after := must(shake(s.addr, trusting(ca, "127.0.0.1")))(t); after.Equal(before) {
		t.Error("the certificate is the old one")
	}
	if n := running(); n != 2 {
		t.Errorf("%g transfers run after the renewals, want 2", n)
	}
	if info, err := os.Stat(got + "/down-1"); err != nil || info.Size() == carried {
		t.Errorf("the download has ended before the renewals: %v", err)
	}
	if r := s.admin(t, "bandwidth", "clear", "slow"); r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.both())
	}
	jobs.Wait()
	for name, r := range results {
		if r.code != 0 {
			t.Errorf("%s: exit code %d\n%s", name, r.code, r.both())
		}
	}
	if n := strings.Count(results["curl"].stderr, "AUTH SSL") + strings.Count(results["curl"].stderr, "> AUTH TLS"); n != 1 {
		t.Errorf("curl has opened %d sessions, want 1\n%s", n, results["curl"].stderr)
	}
	for name, want := range wants {
		if strings.HasPrefix(name, "down") {
			sameSum(t, "curl", got+"/"+name, want)
		} else {
			sameSum(t, "lftp", s.in(name), want)
		}
	}
	s.stop(t)
}

// read returns a page of the server's.
func read(t *testing.T, url string) string {
	t.Helper()
	r := must(http.Get(url))(t)
	defer r.Body.Close()
	return string(must(io.ReadAll(r.Body))(t))
}

// figure is the value of one of a page's figures, of all its labels together, 0 if it has none.
func figure(page, name string) (sum float64) {
	for line := range strings.Lines(page) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if of, _, _ := strings.Cut(series, "{"); of == name || series == name {
			f, _ := strconv.ParseFloat(value, 64) // or 0, which nobody wants
			sum += f
		}
	}
	return sum
}
