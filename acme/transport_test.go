package acme

import (
	"context"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// asking is a way to a server that is no authority.
func asking(t *testing.T, h http.HandlerFunc) (*web, *httptest.Server) {
	t.Helper()
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	w := newWeb(&Config{}, roots, srv.URL+"/dir")
	t.Cleanup(w.close)
	return w, srv
}

func ask(ctx context.Context, w *web, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := w.client().Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// Nothing that the directory says leads into clear text.
func TestWebStaysEncrypted(t *testing.T) {
	w, srv := asking(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://ca.example.org"+r.URL.Path, http.StatusFound)
	})
	for _, url := range []string{srv.URL + "/dir", "http://ca.example.org/nonce"} {
		if _, err := ask(t.Context(), w, url); err == nil || !strings.Contains(err.Error(), "not encrypted") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestWebReadsNoEndlessAnswer(t *testing.T) {
	w, srv := asking(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 3 << 10 {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
	})
	if text, err := ask(t.Context(), w, srv.URL+"/dir"); err == nil || len(text) > mostAnswer {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

// Of an authority that is down not every name waits for an answer, and who asks now is
// not kept from it.
func TestWebRemembersWhoIsDown(t *testing.T) {
	var asked atomic.Int64
	var up atomic.Bool
	w, srv := asking(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1); !up.Load() {
			panic(http.ErrAbortHandler)
		}
	})
	for range 10 {
		if _, err := ask(t.Context(), w, srv.URL+"/dir"); err == nil {
			t.Fatal("it is not down")
		}
	}
	before := asked.Load()
	if before > 2*downAfter { // a request on a connection that was kept is sent again
		t.Errorf("it was asked %d times", before)
	}
	up.Store(true)
	if _, err := ask(t.Context(), w, srv.URL+"/order"); err != nil {
		t.Errorf("the rest of it: %v", err)
	}
	if _, err := ask(t.Context(), w, srv.URL+"/dir"); err == nil || !strings.Contains(err.Error(), "did not answer just now") {
		t.Errorf("%v", err)
	}
	if _, err := ask(context.WithValue(t.Context(), nowKey{}, true), w, srv.URL+"/dir"); err != nil {
		t.Errorf("who asks now: %v", err)
	}
	if _, err := ask(t.Context(), w, srv.URL+"/dir"); err != nil {
		t.Errorf("everybody after that: %v", err)
	}
}

// A directory that does not answer is not waited for as long as the rest.
func TestWebIsShortWithDirectory(t *testing.T) {
	stop := make(chan struct{})
	w, srv := asking(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	defer close(stop)
	w.patience = 50 * time.Millisecond
	began := time.Now()
	_, err := ask(t.Context(), w, srv.URL+"/dir")
	if took := time.Since(began); err == nil || took > 5*time.Second || !strings.Contains(Advice(err), "HTTPS_PROXY") {
		t.Errorf("%v after %v; help: %s", err, took, Advice(err))
	}
}

// The library's log is there for those who look for it, and for nobody else.
func TestQuiet(t *testing.T) {
	var w words
	log := slog.New(quiet{slog.NewTextHandler(&w, nil)})
	log.With("a", 1).WithGroup("b").Error("x")
	if w.String() != "" {
		t.Errorf("%q", w.String())
	}
	log = slog.New(quiet{slog.NewTextHandler(&w, &slog.HandlerOptions{Level: slog.LevelDebug})})
	log.Debug("nobody wants this")
	log.With("a", 1).WithGroup("b").Error("x", "c", 2)
	if got := w.String(); !strings.Contains(got, `level=DEBUG msg="acme: x" a=1 b.c=2`) || strings.Contains(got, "nobody") {
		t.Errorf("%q", got)
	}
}

// An authority cannot make the client ask without a pause, or never again.
func TestWebPauses(t *testing.T) {
	var say string
	w, srv := asking(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", say) })
	for value, want := range map[string]string{"0": "1", "-5": "", "9223372036854775807": "604800", "3153600000": "604800", "abc": "",
		"Mon, 01 Jan 2001 00:00:00 GMT": "1", "Fri, 31 Dec 9999 23:59:59 GMT": "604800", "30": "30"} {
		say = value
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/order", nil)
		must(t, err)
		resp, err := w.client().Do(r)
		must(t, err)
		_ = resp.Body.Close()
		if got := resp.Header.Get("Retry-After"); got != want {
			t.Errorf("%q is passed on as %q, want %q", value, got, want)
		}
	}
}

// An authority that is asked in secrecy leads to no program of this machine in the clear.
func TestWebStaysOffTheMachine(t *testing.T) {
	var hit bool
	local := newLocal(t, func(http.ResponseWriter, *http.Request) { hit = true })
	w, srv := asking(t, func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, local+"/latest", http.StatusTemporaryRedirect)
	})
	w.directory = "https://ca.example.org/dir"
	for _, url := range []string{srv.URL + "/order", local + "/order"} {
		if _, err := ask(t.Context(), w, url); err == nil || hit {
			t.Errorf("%s: %v, hit %v", url, err, hit)
		}
	}
}

func newLocal(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}
