package acme

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
)

// fakeCA is an authority without a protocol, which can be down.
type fakeCA struct {
	t    *testing.T
	is   *testCA
	life time.Duration
	hold chan struct{} // orders wait until it is closed, if not nil

	mu     sync.Mutex
	down   error
	orders map[string][]time.Time // also those that failed
	issued int
}

func newFakeCA(t *testing.T, life time.Duration) *fakeCA {
	return &fakeCA{t: t, is: newTestCA(t, newKey(t)), life: life, orders: map[string][]time.Time{}}
}

func (f *fakeCA) IssuerKey() string { return "fake.example" }

func (f *fakeCA) Issue(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	names := append([]string(nil), csr.DNSNames...)
	for _, ip := range csr.IPAddresses {
		names = append(names, ip.String())
	}
	f.orders[names[0]] = append(f.orders[names[0]], time.Now())
	if f.down != nil {
		return nil, f.down
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: newSerial(), NotBefore: now.Add(-time.Second), NotAfter: now.Add(f.life),
		DNSNames: csr.DNSNames, IPAddresses: csr.IPAddresses}
	der, err := x509.CreateCertificate(rand.Reader, template, f.is.cert, csr.PublicKey, f.is.key)
	if err != nil {
		return nil, err
	}
	f.issued++
	return &certmagic.IssuedCertificate{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Metadata: map[string]string{}}, nil
}

func (f *fakeCA) set(down error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

func (f *fakeCA) count(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.orders[name])
}

// events gathers what a manager tells.
type events struct {
	mu   sync.Mutex
	list []CertEvent
}

func (e *events) add(ev CertEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, ev)
}

func (e *events) count(f func(CertEvent) bool) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.list {
		if f(ev) {
			n++
		}
	}
	return n
}

// managed starts a manager of conf whose certificates the fake authority issues.
func managed(t *testing.T, ca *fakeCA, conf Config) *Manager {
	t.Helper()
	conf.issuers = []certmagic.Issuer{ca}
	if conf.Storage == nil {
		conf.Storage = MemoryStorage()
	}
	if conf.Log == nil {
		conf.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	m, err := NewManager(conf)
	must(t, err)
	t.Cleanup(m.Close)
	must(t, m.Start(t.Context()))
	return m
}

// An authority that is away for 40 days: the certificate is served to its end, it is
// asked seldom, and when it is back all is well without anybody's help.
func TestAuthorityAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, got := newFakeCA(t, 45*24*time.Hour), &events{}
		m := managed(t, ca, Config{Names: []string{"ftp.example"}, Event: got.add, Log: slog.New(slog.DiscardHandler)})
		synctest.Wait()
		first := m.leaf("ftp.example")
		if first == nil || ca.count("ftp.example") != 1 || got.count(func(e CertEvent) bool { return e.First && e.Err == nil }) != 1 {
			t.Fatalf("%d orders, %+v", ca.count("ftp.example"), got.list)
		}
		ca.set(errors.New("connection refused"))
		most := 0
		for range 44 {
			before := ca.count("ftp.example")
			<-time.After(24 * time.Hour)
			synctest.Wait()
			if m.leaf("ftp.example") != first {
				t.Fatal("the certificate is not served any more, long before its end")
			}
			most = max(most, ca.count("ftp.example")-before)
		}
		if most == 0 || most > 10 {
			t.Errorf("up to %d orders a day", most)
		}
		c := m.Certificates()[0]
		if c.Failures < 40 || c.Failed != "connection refused" && !strings.Contains(c.Failed, "connection refused") || !c.Next.After(time.Now()) {
			t.Errorf("%+v", c)
		}
		failed := got.count(func(e CertEvent) bool { return e.Err != nil && e.Leaf == first })
		if failed != c.Failures {
			t.Errorf("%d failures, %d events", c.Failures, failed)
		}
		wait(4 * 24 * time.Hour) // past its end
		var log bytes.Buffer
		(&Expiry{Log: slog.New(slog.NewTextHandler(&log, nil))}).Look(m.Certificates())
		cert, err := m.present(&tls.ClientHelloInfo{ServerName: "ftp.example"}, Choice{})
		if err != nil || cert.Leaf != first || time.Now().Before(first.NotAfter) || !strings.Contains(log.String(), "has expired") {
			t.Errorf("after its end: %v, %s", err, &log)
		}
		ca.set(nil)
		<-time.After(13 * time.Hour)
		synctest.Wait()
		if leaf := m.leaf("ftp.example"); leaf == first || leaf.NotAfter.Before(time.Now()) || m.Certificates()[0].Failures != 0 {
			t.Errorf("not renewed half a day after the authority is back: %+v", m.Certificates()[0])
		}
	})
}

// Certificates of a few days are renewed with half of their life left, others with a
// third.
func TestRenewalTimes(t *testing.T) {
	const day = 24 * time.Hour
	for life, want := range map[time.Duration]time.Duration{6 * day: 3 * day, 45 * day: 30 * day, 90 * day: 60 * day} {
		synctest.Test(t, func(t *testing.T) {
			ca := newFakeCA(t, life)
			m := managed(t, ca, Config{Names: []string{"ftp.example"}, Log: slog.New(slog.DiscardHandler)})
			synctest.Wait()
			start, planned := time.Now(), m.Certificates()[0].Renew
			for ca.count("ftp.example") < 2 {
				<-time.After(time.Hour)
				synctest.Wait()
			}
			if after := time.Since(start); after < want-time.Hour || after > want+time.Hour || planned.Sub(start)-want > time.Hour {
				t.Errorf("%v: renewed after %v, planned after %v", life, after, planned.Sub(start))
			}
		})
	}
}

// Renew serves the new certificate at once, and there is one at every moment.
func TestRenewNow(t *testing.T) {
	ca := newFakeCA(t, 90*24*time.Hour)
	m := managed(t, ca, Config{Names: []string{"ftp.example"}})
	soon(t, m.Ready)
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
				if _, err := m.present(&tls.ClientHelloInfo{ServerName: "ftp.example"}, Choice{}); err != nil {
					done <- err
					return
				}
			}
		}
	}()
	serials := map[string]bool{}
	for range 20 {
		serials[fmt.Sprint(m.leaf("ftp.example").SerialNumber)] = true
		must(t, m.Renew(t.Context(), "ftp.example"))
	}
	close(stop)
	if err := <-done; err != nil || len(serials) != 20 || len(m.held("ftp.example")) != 1 {
		t.Errorf("%v, %d serials, %d held", err, len(serials), len(m.held("ftp.example")))
	}
	if err := m.Renew(t.Context(), "other.example"); !errors.Is(err, ErrUnknownName) {
		t.Errorf("an unknown name: %v", err)
	}
	ca.set(errors.New("no"))
	if err := m.Renew(t.Context(), "ftp.example"); err == nil || err.Error() != "no" {
		t.Errorf("a failed renewal: %v", err)
	}
	ca.set(nil)
	must(t, m.Renew(t.Context(), "ftp.example")) // also directly after a failure
}

// A server that is started again and again orders no more often than one that runs; but
// somebody may have mended what was wrong, so it does not wait for hours.
func TestRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newFakeCA(t, 45*24*time.Hour), MemoryStorage()
		ca.set(errors.New("unauthorized"))
		conf := Config{Names: []string{"restart.example"}, Storage: storage, Log: slog.New(slog.DiscardHandler)}
		for range 24 * 59 { // a crash every 61 seconds, for a day
			m := managed(t, ca, conf)
			<-time.After(61 * time.Second)
			m.Close()
		}
		if n := ca.count("restart.example"); n < 92 || n > 102 {
			t.Errorf("%d orders in a day", n)
		}
		limit := &limitedError{errors.New("too many"), time.Now().Add(10 * time.Hour)}
		ca.set(limit)
		wait(time.Hour)
		m := managed(t, ca, conf)
		wait(time.Minute)
		m.Close()
		before := ca.count("restart.example")
		ca.set(nil)
		m = managed(t, ca, conf)
		wait(8 * time.Hour)
		if ca.count("restart.example") > before {
			t.Error("ordered before the authority allows it")
		}
		must(t, m.Renew(t.Context(), "restart.example")) // somebody says so
		if list, err := storage.List(t.Context(), "attempts", true); err == nil {
			t.Errorf("after a success there is still %v", list)
		}
		m.Close()
	})
}

func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// Many names that are due at the same moment hold few locks: each may be an open file.
func TestManyDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newFakeCA(t, 90*24*time.Hour), MemoryStorage()
		ca.hold = make(chan struct{})
		var names []string
		for i := range 200 {
			names = append(names, fmt.Sprintf("n%d.example", i))
		}
		m := managed(t, ca, Config{Names: names, Storage: storage, Log: slog.New(slog.DiscardHandler)})
		wait(time.Minute)
		if n := len(storage.(*memory).locks); n == 0 || n > 32 {
			t.Errorf("%d locks are held", n)
		}
		close(ca.hold)
		wait(time.Minute)
		if n := len(storage.(*memory).locks); n > 0 || ca.issued != len(names) {
			t.Errorf("%d locks are held, %d certificates issued", n, ca.issued)
		}
		m.Close()
	})
}

// A renewal that somebody wanted early and that failed is no trouble that lasts: the
// certificate is not due.
func TestEarlyRenewalFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newFakeCA(t, 90*24*time.Hour), MemoryStorage()
		m := managed(t, ca, Config{Names: []string{"early.example"}, Storage: storage, Log: slog.New(slog.DiscardHandler)})
		wait(time.Minute)
		ca.set(errors.New("away"))
		if err := m.Renew(t.Context(), "early.example"); err == nil || m.Certificates()[0].Failures != 1 {
			t.Fatalf("%v, %+v", err, m.Certificates()[0])
		}
		ca.set(nil)
		wait(2 * time.Minute)
		if c := m.Certificates()[0]; c.Failures != 0 || c.Failed != "" || ca.issued != 1 {
			t.Errorf("%d issued, %+v", ca.issued, c)
		}
		if list, err := storage.List(t.Context(), "attempts", true); err == nil {
			t.Errorf("there is still %v", list)
		}
	})
}

// Who names no server gets the default name's certificate, who names an unknown one the
// fallback name's.
func TestManagerChoice(t *testing.T) {
	names := []string{"first.example", "default.example", "fallback.example"}
	m := managed(t, newFakeCA(t, 90*24*time.Hour), Config{Names: names})
	soon(t, func() bool {
		return !slices.ContainsFunc(names, func(name string) bool { return len(m.held(name)) == 0 })
	})
	choice := Choice{Default: "default.example", Fallback: "fallback.example"}
	for _, c := range []struct {
		asked, want string
		choice      Choice
	}{
		{"", "default.example", choice}, {"192.0.2.1", "default.example", choice}, {"unknown.example", "fallback.example", choice},
		{"first.example", "first.example", choice}, {"FIRST.example", "first.example", choice},
		{"", "first.example", Choice{}}, {"unknown.example", "first.example", Choice{Default: "default.example"}},
	} {
		got, err := m.present(&tls.ClientHelloInfo{ServerName: c.asked}, c.choice)
		if err != nil || got.Leaf.DNSNames[0] != c.want {
			t.Errorf("%q: %v, want %s", c.asked, err, c.want)
		}
	}
}
