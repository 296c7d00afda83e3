package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/acme"
)

// noon is the time of these tests.
func noon() time.Time { return time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC) }

// certifier is a Controller that has certificates.
type certifier struct {
	fake
	list  []acme.Certificate
	asked chan string // told of each name that is to be renewed
	ended chan error  // told why a renewal of "slow" ended
}

func (f *certifier) Certificates() []acme.Certificate { return f.list }

func (f *certifier) Renew(ctx context.Context, name string) (acme.Certificate, error) {
	f.asked <- name
	if name == "slow" {
		<-ctx.Done()
		f.ended <- context.Cause(ctx)
		return acme.Certificate{}, ctx.Err()
	}
	for _, c := range f.list {
		if c.Name == name {
			return c, nil
		}
	}
	return acme.Certificate{}, &Refusal{Code: CodeNoCertificate, Message: "no certificate for " + name, Help: "did you mean another?"}
}

func (f *certifier) Authority() (Authority, error) {
	return Authority{}, &Refusal{Code: CodeNoAuthority, Message: "there is none"}
}

func valid(name string, days int) acme.Certificate {
	return acme.Certificate{Name: name, Names: []string{name}, Source: "acme", Serial: "ab12",
		NotBefore: noon().AddDate(0, 0, days-90), NotAfter: noon().AddDate(0, 0, days), Renew: noon().AddDate(0, 0, days-30)}
}

// Every name arrives as it was meant, also those that are half a path.
func TestCertificateNames(t *testing.T) {
	names := []string{"ftp.example.org", "*.files.example.org", "2001:db8::1", "203.0.113.5", "/etc/ssl/a b%2F.pem", `C:\x.pem`,
		"..", ".", "a/../b", "ä?x=1#y", "%", "%2A", "+", "a\n"}
	f := &certifier{asked: make(chan string, 1)}
	for _, name := range names {
		f.list = append(f.list, valid(name, 61))
	}
	_, c := serve(t, f)
	for i, name := range names {
		got, err := c.Renew(t.Context(), name)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if asked := <-f.asked; asked != name {
			t.Errorf("%q was renewed in the place of %q", asked, name)
		}
		if diff := cmp.Diff(f.list[i], got); diff != "" {
			t.Error(diff)
		}
	}
	list, err := c.Certificates(t.Context())
	if diff := cmp.Diff(f.list, list); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

func FuzzCertificatePath(f *testing.F) {
	for _, name := range []string{"*.example.org", "2001:db8::1", "..", "%2e", "/a/b", "é", "\x00\xff"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" || name == "/" {
			return // http.ServeMux matches no such segment; no certificate is called so
		}
		c := &certifier{asked: make(chan string, 1), list: []acme.Certificate{valid(name, 1)}}
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://edgeftp"+certificatePath(name, "renew"), nil)
		if err != nil {
			t.Fatal(err)
		}
		handler(c).ServeHTTP(httptest.NewRecorder(), req)
		select {
		case asked := <-c.asked:
			if asked != name {
				t.Errorf("%q arrived as %q", name, asked)
			}
		default:
			t.Errorf("%q did not arrive", name)
		}
	})
}

func TestCertificateAnswers(t *testing.T) {
	f := &certifier{asked: make(chan string, 9), list: []acme.Certificate{valid("ftp.example.org", 61)}}
	_, c := serve(t, f)
	var no *Refusal
	if _, err := c.Renew(t.Context(), "other"); !errors.As(err, &no) || *no != (Refusal{CodeNoCertificate, "no certificate for other", "did you mean another?"}) {
		t.Error(err)
	}
	if _, err := c.Authority(t.Context()); !errors.As(err, &no) || no.Code != CodeNoAuthority {
		t.Error(err)
	}
	st, err := c.Status(t.Context())
	if err != nil || st.Certificates == nil || st.Certificates.Count != 1 || st.Certificates.RenewName != "ftp.example.org" {
		t.Errorf("%+v, %v", st.Certificates, err)
	}
	for path, want := range map[string]int{"POST /v1/certificates/x/renew": 409, "GET /v1/certificates/x/renew": 404, "GET /v1/certificates": 200, "GET /v1/authority": 409} {
		method, path, _ := strings.Cut(path, " ")
		w := httptest.NewRecorder()
		handler(f).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
		if w.Code != want {
			t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
	// A server without certificates has neither the paths nor the line.
	w := httptest.NewRecorder()
	handler(&fake{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/v1/certificates", nil))
	if w.Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if text, err := json.Marshal((&fake{}).Status()); err != nil || strings.Contains(string(text), "certificates") {
		t.Errorf("%s, %v", text, err)
	}
}

// A renewal ends when its caller goes away.
func TestRenewalEndsWithItsCaller(t *testing.T) {
	f := &certifier{asked: make(chan string, 1), ended: make(chan error, 1)}
	_, c := serve(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		_, err := c.Renew(ctx, "slow")
		got <- err
	}()
	<-f.asked
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller got %v", err)
	}
	if err := <-f.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the renewal ended with %v", err)
	}
}

func TestCertStates(t *testing.T) {
	failing, none, early, files := valid("a", 61), acme.Certificate{Name: "a", Failures: 3}, valid("a", 61), valid("a", 13)
	failing.Failures = 1
	early.NotBefore = noon().Add(time.Minute)
	files.Renew = time.Time{}
	damaged := valid("a", 80)
	damaged.Failed = "the key does not fit"
	expired := valid("a", -1)
	expired.Failures = 7
	short := acme.Certificate{NotBefore: noon().Add(-5 * 24 * time.Hour), NotAfter: noon().Add(24 * time.Hour)} // files of 6 days
	week := short
	week.NotAfter = noon().Add(3 * 24 * time.Hour)
	for i, c := range []struct {
		cert acme.Certificate
		want CertState
	}{{valid("a", 61), CertOK}, {valid("a", 30), CertDue}, {failing, CertFailing}, {early, CertEarly}, {none, CertNone}, {expired, CertExpired},
		{files, CertDue}, {damaged, CertFailing}, {short, CertDue}, {week, CertOK}} {
		if got := StateOf(&c.cert, noon()); got != c.want {
			t.Errorf("%d: %q, not %q", i, got, c.want)
		}
	}
	if !slices.IsSortedFunc(CertStates(), func(a, b CertState) int { return a.rank() - b.rank() }) {
		t.Error("the states are not in order")
	}
}

func TestSummary(t *testing.T) {
	failing := valid("failing", 20)
	failing.Failures, failing.Next = 2, noon().Add(time.Hour)
	list := []acme.Certificate{valid("first", 61), failing, valid("late", -3), {Name: "files", NotBefore: noon().AddDate(-1, 0, 0), NotAfter: noon().AddDate(1, 0, 0)}}
	got := summarize(list, noon())
	want := &CertSummary{Count: 4, State: CertExpired, Name: "late", Worst: 1, Renew: noon().AddDate(0, 0, -33), RenewName: "late"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// A failed order is next made when the pause is over, not when it was due.
	got = summarize(list[:2], noon())
	want = &CertSummary{Count: 2, State: CertFailing, Name: "failing", Worst: 1, Renew: noon().Add(time.Hour), RenewName: "failing"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = summarize([]acme.Certificate{valid("a", 61), valid("b", 62)}, noon())
	if got.State != CertOK || got.Name != "a" || got.Worst != 2 || got.RenewName != "a" {
		t.Errorf("%+v", got)
	}
	if summarize(nil, noon()) != nil {
		t.Error("a summary of nothing")
	}
}
