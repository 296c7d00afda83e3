package authority_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"github.com/edgeftp/edgeftp/tests/authority"
)

// ask gets the directory over a connection of its own.
func ask(ctx context.Context, t *testing.T, ca *authority.Authority) (*http.Response, string, error) {
	t.Helper()
	return askAt(ctx, t, ca, ca.Directory)
}

func askAt(ctx context.Context, t *testing.T, ca *authority.Authority, url string) (*http.Response, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Roots}, DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	return answer, string(body), err
}

// works fails the test unless the authority gives its directory.
func works(t *testing.T, ca *authority.Authority) {
	t.Helper()
	answer, body, err := ask(t.Context(), t, ca)
	if err != nil || answer.StatusCode != http.StatusOK || !json.Valid([]byte(body)) || !strings.Contains(body, "newOrder") {
		t.Errorf("the directory: %v, %q", err, body)
	}
}

func TestDown(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	works(t, ca)
	ca.Down()
	if answer, body, err := ask(t.Context(), t, ca); err == nil {
		t.Errorf("answered: %v %q", answer.Status, body)
	}
	if ca.Refused() == 0 || ca.Count(authority.Directory) != 1 {
		t.Errorf("%d connections were refused, %d requests came through", ca.Refused(), ca.Count(authority.Directory))
	}
	ca.Resume()
	works(t, ca)
}

// A connection that is kept alive is down too.
func TestDownEndsConnections(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	c := client(t, ca, dns01(ca))
	a := account(t, c)
	ca.Down()
	if _, err := c.NewOrder(t.Context(), a, acme.Order{Identifiers: []acme.Identifier{{Type: "dns", Value: "a.example.org"}}}); err == nil {
		t.Error("an order went through")
	}
	ca.Resume()
	order(t, c, a, "a.example.org")
	if ca.Tried() != 1 {
		t.Errorf("%d orders were tried", ca.Tried())
	}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	ca.Slow(time.Hour)
	short, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	asked := func(ctx context.Context) {
		_, _, err := ask(ctx, t, ca)
		done <- err
	}
	go asked(short)
	ca.Await(10*time.Second, "the first request", func() bool { return ca.Count(authority.Directory) == 1 })
	select {
	case err := <-done:
		t.Fatalf("the slow authority answers: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the slow authority: %v", err)
	}
	go asked(t.Context())
	ca.Await(10*time.Second, "the second request", func() bool { return ca.Count(authority.Directory) == 2 })
	ca.Resume()
	if err := <-done; err != nil {
		t.Errorf("after Resume: %v", err)
	}
	begin := time.Now()
	ca.Slow(30 * time.Millisecond)
	works(t, ca)
	if took := time.Since(begin); took < 30*time.Millisecond {
		t.Errorf("it took %v only", took)
	}
}

// Close does not wait for what is delayed.
func TestCloseWhileSlow(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	ca.Slow(time.Hour)
	done := make(chan error, 1)
	go func() {
		_, _, err := ask(t.Context(), t, ca)
		done <- err
	}()
	ca.Await(10*time.Second, "the request", func() bool { return ca.Count(authority.Directory) == 1 })
	begin := time.Now()
	ca.Close()
	if err := <-done; err == nil {
		t.Error("it was answered")
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("Close took %v", took)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		code  int
		after time.Duration
		kind  string
		retry string
	}{
		{http.StatusServiceUnavailable, 0, "serverInternal", ""},
		{http.StatusTooManyRequests, 90 * time.Minute, acme.ProblemTypeRateLimited, "5400"},
		{http.StatusForbidden, 0, acme.ProblemTypeUnauthorized, ""},
	} {
		ca := authority.Start(t, authority.Options{})
		ca.Status(row.code, row.after)
		answer, body, err := ask(t.Context(), t, ca)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != row.code || answer.Header.Get("Retry-After") != row.retry || !strings.Contains(body, row.kind) ||
			answer.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%v %v %q", answer.Status, answer.Header, body)
		}
		ca.Resume()
		works(t, ca)
	}
}

// A fault may be at one place only, and end by itself.
func TestFaultOfOrders(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	c := client(t, ca, dns01(ca))
	a := account(t, c)
	ca.Break(authority.Fault{
		At: []authority.Endpoint{authority.NewOrder}, Times: 1,
		Status: http.StatusForbidden, Type: "caa", Detail: "CAA forbids it",
	})
	_, err := c.ObtainCertificateForSANs(t.Context(), a, key(t), []string{"a.example.org"})
	var problem acme.Problem
	if !errors.As(err, &problem) || problem.Type != acme.ProblemTypeCAA || problem.Detail != "CAA forbids it" {
		t.Errorf("the first order: %v", err)
	}
	order(t, c, a, "a.example.org")
	if ca.Tried("a.example.org") != 2 || ca.Orders("a.example.org") != 1 {
		t.Errorf("%d orders were tried, %d accepted", ca.Tried("a.example.org"), ca.Orders("a.example.org"))
	}
}

func TestGarbage(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	for kind, want := range map[authority.Body]string{authority.HTML: "<!DOCTYPE html>", authority.Truncated: "{"} {
		ca.Garbage(kind)
		answer, body, err := ask(t.Context(), t, ca)
		if err != nil || answer.StatusCode != http.StatusOK || !strings.HasPrefix(body, want) || json.Valid([]byte(body)) {
			t.Errorf("kind %d: %v, %q", kind, err, body)
		}
		c := client(t, ca, nil)
		c.Directory += fmt.Sprintf("&kind=%d", kind) // the library knows directories by URL
		if _, err := c.GetDirectory(t.Context()); err == nil {
			t.Errorf("kind %d: the client takes it", kind)
		}
		ca.Resume()
		works(t, ca)
	}
}

func TestUnknownPath(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	answer, _, err := askAt(t.Context(), t, ca, ca.Base+"/nothing")
	if err != nil || answer.StatusCode != http.StatusNotFound || ca.Count(authority.Unknown) != 1 {
		t.Errorf("%v %v, counted %d", answer, err, ca.Count(authority.Unknown))
	}
}
