package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestOnDemandStorm has 1,000 clients come for 50 names at once: each name is ordered
// once, and everybody gets its certificate.
func TestOnDemandStorm(t *testing.T) {
	ca := newFakeCA(t, 90*24*time.Hour)
	ca.hold = make(chan struct{})
	var asked atomic.Int64
	m := managed(t, ca, Config{Storage: MemoryStorage(), OnDemand: &OnDemand{Allow: []string{"*.customer.example"},
		Ask: func(_ context.Context, name string, hello *tls.ClientHelloInfo) error {
			asked.Add(1)
			if hello == nil || hello.Conn == nil {
				return errors.New("who asks?")
			}
			return nil
		}}})
	server, held := m.Config(Choice{}), true
	come := func(n int) (failed int) {
		var wg sync.WaitGroup
		errs := make(chan error, n)
		for i := range n {
			name := fmt.Sprintf("n%d.customer.example", i%50)
			wg.Go(func() {
				a, b := net.Pipe()
				_, err := shakeOver(a, b, server, &tls.Config{RootCAs: ca.is.pool, ServerName: name})
				errs <- err
			})
		}
		if held {
			soon(t, func() bool { return asked.Load() == int64(n) })
			close(ca.hold) // and left there: an order may look for it only now
			held = false
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				failed++
				t.Log(err)
			}
		}
		return failed
	}
	if failed := come(1000); failed > 0 || ca.issued != 50 || asked.Load() != 1000 {
		t.Errorf("%d of 1,000 clients failed, %d certificates, %d questions", failed, ca.issued, asked.Load())
	}
	if failed := come(100); failed > 0 || ca.issued != 50 {
		t.Errorf("again: %d clients failed, %d certificates", failed, ca.issued)
	}
	if list := m.Certificates(); len(list) != 50 || !list[0].OnDemand || len(list[0].Names) != 1 {
		t.Errorf("%d certificates, %+v", len(list), list[0])
	}
}

func TestOnDemandRefusals(t *testing.T) {
	ca := newFakeCA(t, 90*24*time.Hour)
	m := managed(t, ca, Config{Names: []string{"ftp.example"}, OnDemand: &OnDemand{Allow: []string{"*.customer.example", "one.example"}, Rate: 2,
		Ask: func(_ context.Context, name string, _ *tls.ClientHelloInfo) error {
			if strings.HasPrefix(name, "bad") {
				return errors.New("the policy says no")
			}
			return nil
		}}})
	soon(t, func() bool { return len(m.held("ftp.example")) > 0 })
	get := func(name string) (string, error) {
		a, b := net.Pipe()
		defer func() { _, _ = a.Close(), b.Close() }()
		state, err := shakeOver(a, b, m.Config(Choice{}), &tls.Config{InsecureSkipVerify: true, ServerName: name})
		if err != nil {
			return "", err
		}
		return state.PeerCertificates[0].DNSNames[0], nil
	}
	for name, want := range map[string]string{"a.customer.example": "a.customer.example", "one.example": "one.example",
		"bad.customer.example": "", "c.customer.example": "", // the third within the hour
		"a.b.customer.example": "ftp.example", "customer.example": "ftp.example", "web.example": "ftp.example", "": "ftp.example"} {
		if name == "c.customer.example" {
			continue
		}
		if got, err := get(name); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	if _, err := get("c.customer.example"); err == nil || ca.count("c.customer.example") > 0 {
		t.Errorf("a third name within the hour: %v", err)
	}
	if ca.count("bad.customer.example")+ca.count("web.example") > 0 {
		t.Error("ordered what was refused")
	}
}

// Where there is nothing to present the log is told for which name, and why.
func TestOnDemandNothing(t *testing.T) {
	ca := newFakeCA(t, 90*24*time.Hour)
	m := managed(t, ca, Config{OnDemand: &OnDemand{Allow: []string{"*.example"}}})
	for name, want := range map[string]string{
		"web.test":  `"web.test" is not among the names that may be issued on demand, and there is no certificate yet`,
		"a\nb.test": `"a\nb.test" is not among the names that may be issued on demand, and there is no certificate yet`,
		"":          "there is no certificate yet",
	} {
		if _, err := m.present(&tls.ClientHelloInfo{ServerName: name}, Choice{}); !errors.Is(err, errNone) || err.Error() != want {
			t.Errorf("%q: %v", name, err)
		}
	}
	ca.set(errors.New("closed"))
	m = managed(t, ca, Config{Names: []string{"ftp.example"}, Log: slog.New(slog.DiscardHandler)})
	if _, err := m.present(&tls.ClientHelloInfo{ServerName: "ftp.example"}, Choice{}); !errors.Is(err, errNone) || err.Error() != `"ftp.example": there is no certificate yet` {
		t.Error(err)
	}
}

// A name that cannot be had is ordered as seldom as any other, however many clients ask
// for it.
func TestOnDemandFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newFakeCA(t, 90*24*time.Hour)
		ca.set(errors.New("no such domain"))
		m := managed(t, ca, Config{OnDemand: &OnDemand{Allow: []string{"*.example"}}, Log: slog.New(slog.DiscardHandler)})
		for range 24 * 60 {
			if _, err := m.present(&tls.ClientHelloInfo{ServerName: "x.example"}, Choice{}); err == nil {
				t.Fatal("a certificate from nowhere")
			}
			<-time.After(time.Minute)
		}
		if n := ca.count("x.example"); n < 4 || n > 10 {
			t.Errorf("%d orders in a day", n)
		}
		ca.set(nil)
		<-time.After(7 * time.Hour)
		if _, err := m.present(&tls.ClientHelloInfo{ServerName: "x.example"}, Choice{}); err != nil {
			t.Error(err)
		}
	})
}

// What was not used for the longest time leaves the memory, and comes back from the
// storage without an order. A name that is granted no more is not renewed.
func TestOnDemandKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newFakeCA(t, 30*24*time.Hour)
		var refused atomic.Bool
		m := managed(t, ca, Config{Log: slog.New(slog.DiscardHandler), OnDemand: &OnDemand{Allow: []string{"*.example"}, Most: 2,
			Ask: func(context.Context, string, *tls.ClientHelloInfo) error {
				if refused.Load() {
					return errors.New("not any more")
				}
				return nil
			}}})
		want := func(name string) {
			t.Helper()
			if _, err := m.present(&tls.ClientHelloInfo{ServerName: name}, Choice{}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			<-time.After(time.Minute)
		}
		for _, name := range []string{"a.example", "b.example", "a.example", "c.example"} {
			want(name)
		}
		if got := fmt.Sprint(m.demand.names(), len(m.held("b.example"))); got != "[a.example c.example] 0" {
			t.Errorf("in memory: %s", got)
		}
		refused.Store(true)
		want("b.example") // to order is what is refused
		if ca.count("b.example") != 1 {
			t.Error("ordered again what is in the storage")
		}
		<-time.After(25 * 24 * time.Hour)
		synctest.Wait()
		if ca.issued != 3 {
			t.Errorf("%d certificates were issued; three had been granted", ca.issued)
		}
		refused.Store(false)
		<-time.After(4 * 24 * time.Hour)
		synctest.Wait()
		if ca.issued != 5 {
			t.Errorf("%d certificates were issued, of five", ca.issued)
		}
	})
}

// A client that asks for a wildcard asks for no name.
func TestOnDemandIsForNames(t *testing.T) {
	ca := newFakeCA(t, 90*24*time.Hour)
	m := managed(t, ca, Config{Names: []string{"ftp.example"}, OnDemand: &OnDemand{Allow: []string{"*.customer.example"}}})
	soon(t, func() bool { return len(m.held("ftp.example")) > 0 })
	for _, name := range []string{"b\u00fccher.customer.example", "a\u3002b.customer.example", "a b.customer.example", "a_b.customer.example",
		".customer.example", "\x00.customer.example", "-.customer.example", strings.Repeat("a", 64) + ".customer.example"} {
		if got, err := m.present(&tls.ClientHelloInfo{ServerName: name}, Choice{}); err == nil {
			t.Errorf("%q: %v", name, got.Leaf.DNSNames)
		}
	}
	for _, name := range []string{"*.customer.example", "*.CUSTOMER.example"} {
		got, err := m.present(&tls.ClientHelloInfo{ServerName: name}, Choice{})
		if err != nil || got.Leaf.DNSNames[0] != "ftp.example" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if len(ca.orders) != 1 {
		t.Errorf("strangers have ordered: %v", slices.Sorted(maps.Keys(ca.orders)))
	}
}

// What has expired in the storage is renewed before a client of that name gets it.
func TestOnDemandExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newFakeCA(t, 30*24*time.Hour), MemoryStorage()
		conf := Config{Storage: storage, OnDemand: &OnDemand{Allow: []string{"*.example"}}, Log: slog.New(slog.DiscardHandler)}
		m := managed(t, ca, conf)
		hello := &tls.ClientHelloInfo{ServerName: "x.example"}
		_, err := m.present(hello, Choice{})
		must(t, err)
		m.Close()
		wait(60 * 24 * time.Hour)
		m = managed(t, ca, conf)
		got, err := m.present(hello, Choice{})
		must(t, err)
		if got.Leaf.NotAfter.Before(time.Now()) {
			t.Errorf("a client was given a certificate that ended on %v", got.Leaf.NotAfter)
		}
		m.Close()
	})
}

// Names on demand that failed once leave nothing in the storage for ever.
func TestOnDemandLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, storage := newFakeCA(t, 30*24*time.Hour), MemoryStorage()
		ca.set(errors.New("no such domain"))
		m := managed(t, ca, Config{Storage: storage, OnDemand: &OnDemand{Allow: []string{"*.example"}}, Log: slog.New(slog.DiscardHandler)})
		for i := range 10 * 24 {
			for j := range 10 {
				_, _ = m.present(&tls.ClientHelloInfo{ServerName: "n" + string(rune('a'+j)) + strings.Repeat("x", i%60) + strings.Repeat("y", i/60) + ".example"}, Choice{})
			}
			wait(time.Hour)
		}
		list, err := storage.List(t.Context(), "attempts", false)
		if len(list) > 1000 || err != nil {
			t.Errorf("%d files, %v; %d in memory", len(list), err, len(m.attempts.names))
		}
	})
}

// What has left the memory is not ordered behind the policy's back.
func TestOnDemandDropped(t *testing.T) {
	ca := newFakeCA(t, 90*24*time.Hour)
	m := managed(t, ca, Config{OnDemand: &OnDemand{Allow: []string{"*.example"}, Ask: func(context.Context, string, *tls.ClientHelloInfo) error {
		return errors.New("no")
	}}})
	if !m.try("x.example") || ca.count("x.example") > 0 {
		t.Errorf("%d orders", ca.count("x.example"))
	}
	storage := m.storage.Storage
	other := managed(t, ca, Config{Names: []string{"x.example"}, Storage: storage})
	soon(t, other.Ready)
	if must(t, m.serve(t.Context(), "x.example")); len(m.held("x.example")) > 0 {
		t.Error("what was dropped stays in memory for ever")
	}
}
