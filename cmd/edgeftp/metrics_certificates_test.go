package main

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/policies/metrics"
)

// scraped is what figures look like to who asks for them.
func scraped(t *testing.T, list []acme.Certificate) string {
	t.Helper()
	return figures(t, func(tell func(metrics.Sample)) { tellCertificates(tell, list) })
}

func TestCertificateFigures(t *testing.T) {
	list := append(several(), several()[0]) // of two sources
	text := scraped(t, list)
	for _, want := range []string{
		`edgeftp_certificate_not_before_timestamp_seconds{name="ftp.example.org"} 1.7913744e+09`,
		`edgeftp_certificate_not_after_timestamp_seconds{name="ftp.example.org"} 1.7991504e+09`,
		`edgeftp_certificate_renewal_timestamp_seconds{name="ftp.example.org"} 1.7965584e+09`,
		`edgeftp_certificate_failures{name="ftp.example.org"} 0`,
		`edgeftp_certificate_failures{name="*.files.example.org"} 3`,
		`edgeftp_certificate_failures{name="stuck.example.org"} 1`,
		`edgeftp_certificate_not_after_timestamp_seconds{name="/etc/ssl/old.pem"} 1.7936208e+09`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
	for _, never := range []string{`not_after_timestamp_seconds{name="new.example.org"}`, `renewal_timestamp_seconds{name="/etc/ssl/old.pem"}`, "NXDOMAIN"} {
		if strings.Contains(text, never) {
			t.Errorf("there is %s", never)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	if t.Failed() {
		t.Log(text)
	}
}

// However many names clients ask for on demand, what is shown stays bounded.
func TestCertificateFiguresAreBounded(t *testing.T) {
	list := several()
	for i := range 1000 {
		c := several()[5]
		c.Name, c.Failures = fmt.Sprintf("%d.customers.example.org", i), 2
		if i == 900 {
			c.NotAfter, c.Renew = noon(), noon().AddDate(0, 0, -1)
		}
		list = append(list, c)
	}
	other := several()[0]
	other.Name = "other"
	list = append(list, other)
	text := scraped(t, list)
	if n := strings.Count(text, "\nedgeftp_certificate_failures{"); n != maxNames+1 {
		t.Errorf("%d names", n)
	}
	for _, want := range []string{fmt.Sprintf(`edgeftp_certificate_failures{name="other"} %d`, 2*(1000+len(several())-maxNames)),
		`edgeftp_certificate_not_after_timestamp_seconds{name="other"} 1.79388e+09`, `edgeftp_certificate_renewal_timestamp_seconds{name="other"} 1.7937936e+09`} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
}

// counting is a source that counts its orders.
type counting struct {
	source
	counts []acme.OrderCount
}

func (c *counting) Orders() []acme.OrderCount { return c.counts }

func TestOrderFigures(t *testing.T) {
	p, err := metrics.New(metrics.Config{})
	if err == nil {
		err = p.Add(metrics.SourceFunc(func(tell func(metrics.Sample)) {
			tellOrders(tell, map[string]certSource{"files": &source{}, "auto": &counting{counts: []acme.OrderCount{
				{CA: "https://ca.test/dir", Result: "issued", Count: 3}, {CA: "https://ca.test/dir", Result: "failed", Count: 1},
				{CA: "https://ca.test/dir", Result: "issued", Count: 4}}}})
		}))
	}
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	for _, want := range []string{`edgeftp_acme_orders_total{ca="https://ca.test/dir",result="issued"} 7`, `edgeftp_acme_orders_total{ca="https://ca.test/dir",result="failed"} 1`} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("there is no %s\n%s", want, w.Body)
		}
	}
	if problems, err := promlint.New(w.Body).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
