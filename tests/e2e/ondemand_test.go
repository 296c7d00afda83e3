package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	authorities "github.com/edgeftp/edgeftp/tests/authority"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// onDemand is a configuration that issues certificates below customers.example.org as
// the module permits.
func (p place) onDemand(t *testing.T, ca *authorities.Authority, rate int, module string) string {
	t.Helper()
	return p.certified(t, ca, certListeners, "challenges: [http-01]", "http: { listen: [\""+ca.HTTPAddr()+"\"] }",
		fmt.Sprintf("on_demand: { enabled: true, allow: [\"*.customers.example.org\"], rate: %d }", rate)) +
		fmt.Sprintf("policies: { modules: [{ name: names, source: %q }] }\n", module) +
		"events: { file: events.json }\nlimits: { sessions: { per_ip: 0 } }\n"
}

// visitor is one handshake, which is to be for the name or refused.
type visitor struct {
	name    string
	refused bool
}

// storm is what came of many handshakes.
type storm struct {
	mu      sync.Mutex
	took    []time.Duration            // of those that were granted
	serials map[string]map[string]bool // by name
	wrong   []error
	cut     int // that came again
}

// patienceOfTLS is how long the server works on a handshake, one that is to be refused as
// well. An order that takes longer goes on without the client, who comes again.
const patienceOfTLS = 10 * time.Second

// blow makes all visitors shake hands, at most 200 of them at once, half of them in
// explicit sessions and half in implicit ones.
func blow(t *testing.T, s *server, ca *authorities.Authority, visitors []visitor) *storm {
	t.Helper()
	explicit, implicit, roots := s.addr, s.at(t, 1).addr, ca.Issued()
	st := &storm{serials: map[string]map[string]bool{}}
	queue := make(chan int)
	var jobs sync.WaitGroup
	for range 200 {
		jobs.Go(func() {
			for i := range queue {
				v, addr, shake := visitors[i], explicit, shakeWithin
				if i%2 == 0 {
					addr, shake = implicit, shakeAtOnceWithin
				}
				conf := &tls.Config{RootCAs: roots, ServerName: v.name, MinVersion: tls.VersionTLS12}
				began, last := time.Now(), time.Now()
				serial, err := shake(addr, conf)
				for err != nil && time.Since(last) >= patienceOfTLS && time.Since(began) < stormTimeout {
					st.again()
					last = time.Now()
					serial, err = shake(addr, conf)
				}
				st.note(v, serial, time.Since(began), err)
			}
		})
	}
	for i := range visitors {
		queue <- i
	}
	close(queue)
	jobs.Wait()
	slices.Sort(st.took)
	return st
}

// stormTimeout is for how long a client comes again, and waits.
const stormTimeout = 5 * time.Minute

// shakeWithin is shake that waits for an order behind many others, and returns the
// serial of the certificate.
func shakeWithin(addr string, conf *tls.Config) (string, error) {
	c, err := userpi.Dial(addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.Timeout = stormTimeout
	if _, err := c.Expect("the connection", 220); err != nil {
		return "", err
	}
	if _, err := c.Must("AUTH TLS", 234); err != nil {
		return "", err
	}
	if err := c.StartTLS(conf); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", c.Conn().(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber), nil
}

// shakeAtOnceWithin is the same at an implicit listener.
func shakeAtOnceWithin(addr string, conf *tls.Config) (string, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: stormTimeout}, "tcp", addr, conf)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return fmt.Sprintf("%x", conn.ConnectionState().PeerCertificates[0].SerialNumber), nil
}

// again counts a client that was cut.
func (st *storm) again() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.cut++
}

func (st *storm) note(v visitor, serial string, took time.Duration, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	alert := new(tls.AlertError)
	remote := new(net.OpError)
	switch {
	case v.refused && err == nil:
		st.wrong = append(st.wrong, fmt.Errorf("%s is let in with serial %s", v.name, serial))
	case v.refused && !errors.As(err, alert) && !(errors.As(err, &remote) && remote.Op == "remote error"):
		st.wrong = append(st.wrong, fmt.Errorf("%s is refused without an alert: %w", v.name, err))
	case v.refused:
	case err != nil:
		st.wrong = append(st.wrong, fmt.Errorf("%s: %w", v.name, err))
	default:
		st.took = append(st.took, took)
		if st.serials[v.name] == nil {
			st.serials[v.name] = map[string]bool{}
		}
		st.serials[v.name][serial] = true
	}
}

// check asks that all went as it was to go, with one certificate for each name, the
// same as before if there is a storm before.
func (st *storm) check(t *testing.T, what string, names int, before *storm) {
	t.Helper()
	for i, err := range st.wrong {
		if i == 10 {
			t.Fatalf("%s: and %d more", what, len(st.wrong)-i)
		}
		t.Errorf("%s: %v", what, err)
	}
	if len(st.serials) != names {
		t.Errorf("%s: %d names were served, want %d", what, len(st.serials), names)
	}
	for name, serials := range st.serials {
		if len(serials) != 1 {
			t.Errorf("%s: %s has %d certificates", what, name, len(serials))
		}
		for serial := range serials {
			if before != nil && !before.serials[name][serial] {
				t.Errorf("%s: %s has another certificate than before", what, name)
			}
		}
	}
}

// figures are the median and the longest time.
func (st *storm) figures() string {
	text := fmt.Sprintf("median %s, max %s", milliseconds(st.took[len(st.took)/2]), milliseconds(st.took[len(st.took)-1]))
	if st.cut > 0 {
		text += fmt.Sprintf(", %d cut after %v and there again", st.cut, patienceOfTLS)
	}
	return text
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

// crowdOfNames are visitors of so many names each, in no order: of 50 that are granted,
// of 10 that the list does not have, and of 10 that the policy refuses.
func crowdOfNames(granted, refused int) (visitors []visitor) {
	for i := range 50 {
		for range granted {
			visitors = append(visitors, visitor{fmt.Sprintf("c%02d.customers.example.org", i), false})
		}
	}
	for i := range 10 {
		for range refused {
			visitors = append(visitors, visitor{fmt.Sprintf("c%02d.strangers.example.org", i), true},
				visitor{fmt.Sprintf("deny%02d.customers.example.org", i), true})
		}
	}
	rand.Shuffle(len(visitors), func(i, j int) { visitors[i], visitors[j] = visitors[j], visitors[i] })
	return visitors
}

// A thousand handshakes for 50 names make 50 orders, and the same again none; names that
// the list or the policy refuses get nothing and cost nothing, not even of the rate.
// After a restart the certificates are in the storage. A policy that grants nothing more
// leaves what there is.
func TestOnDemandStorm(t *testing.T) {
	t.Parallel()
	ca, p := authorities.Start(t, authorities.Options{}), newPlace(t)
	conf := p.onDemand(t, ca, 50, ownModule(t, "certs"))
	s := p.serve(t, conf)
	each := 20 // handshakes of a name
	if full() {
		each = 200
	}
	visitors := crowdOfNames(each, 5)
	began := time.Now()
	first := blow(t, s, ca, visitors)
	cold := time.Since(began)
	first.check(t, "the first storm", 50, nil)
	orders(t, "the first storm", ca, 50)
	p.refusals(t, s)

	began = time.Now()
	second := blow(t, s, ca, visitors)
	warm := time.Since(began)
	second.check(t, "the second storm", 50, first)
	orders(t, "the second storm", ca, 50)
	one := blow(t, s, ca, []visitor{{name: "c07.customers.example.org"}})
	one.check(t, "one client", 1, first)
	s.stop(t)

	s = p.serve(t, conf)
	began = time.Now()
	third := blow(t, s, ca, crowdOfNames(2, 1))
	stored := time.Since(began)
	third.check(t, "after a restart", 50, first)
	orders(t, "after a restart", ca, 50)

	s.swap(t, "", "names", ownModule(t, "certs-none"))
	last := blow(t, s, ca, append(crowdOfNames(1, 1), visitor{"new.customers.example.org", true}))
	last.check(t, "with a policy that refuses everything", 50, first)
	orders(t, "with a policy that refuses everything", ca, 50)
	s.expect(t, "new.customers.example.org", "we are closed", `"event":"denied"`)
	s.stop(t)

	s = p.serve(t, strings.Replace(conf, "certs.wasm", "certs-none.wasm", 1))
	closed := blow(t, s, ca, append(crowdOfNames(1, 1), visitor{"new.customers.example.org", true}))
	closed.check(t, "after a start with a policy that refuses everything", 50, first)
	orders(t, "after a start with a policy that refuses everything", ca, 50)
	if t.Failed() {
		t.FailNow()
	}
	t.Logf("first storm, %d handshakes for 50 names and 100 that are refused: 50 orders, %s (%s); second: 0 orders, %s (%s); after a restart, %d handshakes: 0 orders, %s (%s); one client alone: %s",
		len(first.took), first.figures(), seconds(cold), second.figures(), seconds(warm), len(third.took), third.figures(), seconds(stored), milliseconds(one.took[0]))
	s.stop(t)
}

func orders(t *testing.T, what string, ca *authorities.Authority, want int) {
	t.Helper()
	if n := ca.Orders(); n != want {
		t.Errorf("%s: %d orders so far, want %d", what, n, want)
	}
	if n := ca.Tried(); n != want {
		t.Errorf("%s: %d orders were tried, want %d", what, n, want)
	}
}

// refusals asks that who was refused is in the log and among the events, with the reason
// that the policy gave.
func (p place) refusals(t *testing.T, s *server) {
	t.Helper()
	const reason = "that is no customer name"
	lines, _ := s.log.read()
	says := func(words ...string) {
		t.Helper()
		n := 0
		for _, line := range lines {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				n++
			}
		}
		if n != 5 {
			t.Errorf("%d lines of the log have %q, want 5", n, words)
		}
	}
	for i := range 10 {
		says(fmt.Sprintf("deny%02d.customers.example.org", i), reason, `"policy":"names"`, `"listener":"`)
		says(fmt.Sprintf("c%02d.strangers.example.org", i), "not among the names that may be issued on demand")
	}
	until(t, "the events are written", func() bool {
		obtained, denied := 0, 0
		for _, e := range events(t, p.out("events.json")) {
			switch e["event"] {
			case "cert_obtained":
				obtained++
			case "denied":
				if e["policy"] != "names" || !strings.Contains(fmt.Sprint(e["text"]), reason) {
					t.Fatalf("denied: %v", e)
				}
				denied++
			}
		}
		return obtained == 50 && denied == 50
	})
}

// So many names an hour are ordered, and no more; those that there are go on being
// served.
func TestOnDemandRate(t *testing.T) {
	t.Parallel()
	ca, p := authorities.Start(t, authorities.Options{}), newPlace(t)
	s := p.serve(t, p.onDemand(t, ca, 5, ownModule(t, "certs")))
	name := func(i int) []visitor { return []visitor{{fmt.Sprintf("n%d.customers.example.org", i), i == 5}} }
	var cold, warm storm
	for _, all := range []*storm{&cold, &warm} {
		for i := range 6 { // one behind the other
			st := blow(t, s, ca, name(i))
			all.took, all.wrong = append(all.took, st.took...), append(all.wrong, st.wrong...)
		}
		all.check(t, "one behind the other", 0, nil)
		slices.Sort(all.took)
	}
	orders(t, "a rate of 5", ca, 5)
	s.expect(t, "n5.customers.example.org", "within the hour")
	if len(cold.took) == 5 && len(warm.took) == 5 {
		t.Logf("one client alone: first handshake for a name, with its order, %s; later %s", cold.figures(), warm.figures())
	}
	s.stop(t)
}

// An order that takes longer than a handshake may goes on without the client; the next
// one has the certificate.
func TestOnDemandSlow(t *testing.T) {
	t.Parallel()
	ca, p := authorities.Start(t, authorities.Options{}), newPlace(t)
	s := p.serve(t, p.onDemand(t, ca, 5, ownModule(t, "certs")))
	ca.Slow(patienceOfTLS+time.Second, authorities.NewOrder)
	const name = "slow.customers.example.org"
	conf := &tls.Config{RootCAs: ca.Issued(), ServerName: name, MinVersion: tls.VersionTLS12}
	began := time.Now()
	if serial, err := shakeWithin(s.addr, conf); err == nil || time.Since(began) < patienceOfTLS {
		t.Errorf("after %v: serial %q, %v", time.Since(began), serial, err)
	}
	s.expect(t, "a client's handshake has ended before its certificate was there", name)
	if _, err := shakeWithin(s.addr, conf); err != nil { // waits for the same order
		t.Error(err)
	}
	orders(t, "a slow authority", ca, 1)
	s.stop(t)
}
