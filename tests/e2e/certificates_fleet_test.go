package e2e

import (
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authorities "github.com/edgeftp/edgeftp/tests/authority"
	"github.com/edgeftp/edgeftp/tests/ports"
)

// fleet are three servers that use one storage. The authority comes to all of them in
// turn.
type fleet struct {
	t      *testing.T
	ca     *authorities.Authority
	places []place
	confs  []string
	shared string
	doors  []string // their challenge listeners
	*authorities.Balancer
	nodes []*server
}

func newFleet(t *testing.T, o authorities.Options) *fleet {
	t.Helper()
	f := &fleet{t: t, ca: authorities.Start(t, o), doors: []string{ports.Addr(t), ports.Addr(t), ports.Addr(t)}}
	f.shared = newPlace(t).out("certificates")
	for _, door := range f.doors {
		p := newPlace(t)
		f.places = append(f.places, p)
		f.confs = append(f.confs, p.certified(t, f.ca, certListeners, "domains: ["+certName+"]", "challenges: [http-01]",
			fmt.Sprintf("http: { listen: [%q] }", door), "fleet: true", fmt.Sprintf("storage: %q", f.shared)))
	}
	f.Balancer = authorities.Balance(t, f.ca.HTTPPort, f.doors...)
	return f
}

// start starts all nodes. No order is taken before all of them answer challenges.
func (f *fleet) start() {
	f.t.Helper()
	f.ca.Slow(time.Minute, authorities.NewOrder)
	f.nodes = nil
	for i, p := range f.places {
		f.nodes = append(f.nodes, launch(f.t, p, "--config", p.file(f.t, f.confs[i])))
	}
	for i, s := range f.nodes {
		s.addr = s.at(f.t, 0).addr
		until(f.t, "the challenge listener is open", func() bool {
			conn, err := net.DialTimeout("tcp", f.doors[i], waitWithin)
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
	}
	f.ca.Resume()
}

// agreed waits until all nodes show one certificate that is not old, and returns it.
func (f *fleet) agreed(old *x509.Certificate) *x509.Certificate {
	f.t.Helper()
	all := make([]*x509.Certificate, len(f.nodes))
	until(f.t, "all nodes have the new certificate", func() bool {
		for i, s := range f.nodes {
			cert, err := shake(s.addr, trusting(f.ca, certName))
			if err != nil || old != nil && cert.Equal(old) {
				return false
			}
			all[i] = cert
		}
		return true
	})
	for i, cert := range all {
		if !cert.Equal(all[0]) {
			f.t.Errorf("node %d shows serial %x, node 0 serial %x", i, cert.SerialNumber, all[0].SerialNumber)
		}
	}
	return all[0]
}

// ordered says which nodes have ordered, and which have answered the authority.
func (f *fleet) ordered(words string, orders int) {
	f.t.Helper()
	var by, answered []string
	for i, s := range f.nodes {
		if strings.Contains(s.log.String(), words) {
			by = append(by, fmt.Sprint(i))
		}
		if n := f.Answered()[f.doors[i]]; n > 0 {
			answered = append(answered, fmt.Sprintf("node %d %d times", i, n))
		}
	}
	f.t.Logf("%s by node %s; answered: %s", words, strings.Join(by, ", "), strings.Join(answered, ", "))
	if len(by) != 1 {
		f.t.Errorf("nodes %v say so, want one", by)
	}
	if len(answered) < 2 {
		f.t.Errorf("%d nodes have answered the authority, want more than one", len(answered))
	}
	if n := f.ca.Orders(); n != orders {
		f.t.Errorf("%d orders, want %d", n, orders)
	}
	if failed := f.Failed(); len(failed) > 0 {
		f.t.Errorf("the authority was not let in: %v", failed)
	}
}

func (f *fleet) stop() {
	f.t.Helper()
	for _, s := range f.nodes {
		s.stop(f.t)
	}
}

// Three nodes order one certificate, answer for each other, and all of them serve it;
// when it is due they order one more.
func TestCertificateFleet(t *testing.T) {
	t.Parallel()
	f := newFleet(t, authorities.Options{})
	f.start()
	first := f.agreed(nil)
	f.ordered("a certificate was obtained", 1)
	if n := f.ca.Count(authorities.NewAccount); n != 1 {
		t.Errorf("%d accounts, want 1", n)
	}
	f.stop()
	age(t, f.shared)
	f.start()
	f.agreed(first)
	f.ordered("a certificate was renewed", 2)
	for _, door := range f.doors { // of a fleet they stay, and give nothing away
		conn, err := net.DialTimeout("tcp", door, waitWithin)
		ok(t, err)
		conn.Close()
	}
	f.stop()
	for _, door := range f.doors {
		shut(t, door)
	}
}

// When the node that orders is killed another one takes over, and the killed one has
// that certificate when it is back.
func TestCertificateFleetTakesOver(t *testing.T) {
	t.Parallel()
	f := newFleet(t, authorities.Options{})
	f.start()
	f.ca.Slow(time.Minute, authorities.Finalize)
	until(t, "the order is in the middle", func() bool { return f.ca.Count(authorities.Finalize) == 1 })
	lock := string(must(os.ReadFile(filepath.Join(f.shared, "locks", "issue_cert_"+certName+".lock")))(t))
	at := slices.IndexFunc(f.nodes, func(s *server) bool {
		return strings.Contains(lock, fmt.Sprintf("process %d ", s.cmd.Process.Pid))
	})
	if at < 0 {
		t.Fatalf("the lock is nobody's: %s", lock)
	}
	f.nodes[at].kill()
	began := time.Now()
	f.Balancer.Close() // what stands before the nodes has seen it
	f.Balancer = authorities.Balance(t, f.ca.HTTPPort, slices.Delete(slices.Clone(f.doors), at, at+1)...)
	f.ca.Resume()
	all := f.nodes
	f.nodes = slices.Delete(slices.Clone(all), at, at+1)
	cert := f.agreed(nil)
	t.Logf("node %d was killed in its order, the others had a certificate after %s", at, seconds(time.Since(began)))
	if n := f.ca.Orders(); n != 2 {
		t.Errorf("%d orders, want one of the killed node and one more", n)
	}
	back := startServer(t, f.places[at], "--config", f.places[at].file(t, f.confs[at]))
	got, err := shake(back.addr, trusting(f.ca, certName))
	ok(t, err)
	if !got.Equal(cert) || f.ca.Orders() != 2 {
		t.Errorf("the killed node is back with serial %x, the others have %x; %d orders", got.SerialNumber, cert.SerialNumber, f.ca.Orders())
	}
	f.nodes = append(f.nodes, back)
	f.stop()
	until(t, "no challenge is left in the storage", func() bool { return len(stored(t, f.shared, "challenge_tokens")) == 0 })
}
