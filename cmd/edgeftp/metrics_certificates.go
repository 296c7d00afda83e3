package main

import (
	"time"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/policies/metrics"
)

// maxNames is the greatest number of certificates that are told apart in figures.
const maxNames = 200

// tellCertificates tells how long certificates are valid and what orders came to. The
// first 200 have their names; what comes after is "other", with the earliest of the
// times and the sum of the failures.
func tellCertificates(tell func(metrics.Sample), list []acme.Certificate) {
	var other *acme.Certificate
	names := map[string]bool{}
	for _, c := range list {
		switch {
		case names[c.Name]: // of two sources; a name has one value
		case len(names) < maxNames && c.Name != "other":
			names[c.Name] = true
			tellCertificate(tell, c.Name, &c)
		case other == nil:
			other = &c
		default:
			other.NotBefore, other.NotAfter = earlier(other.NotBefore, c.NotBefore), earlier(other.NotAfter, c.NotAfter)
			other.Renew = earlier(other.Renew, c.Renew)
			other.Failures += c.Failures
		}
	}
	if other != nil {
		tellCertificate(tell, "other", other)
	}
}

// orderCounter counts the orders for certificates: an acme.Manager.
type orderCounter interface{ Orders() []acme.OrderCount }

// tellOrders tells what became of the orders of the sources that make some.
func tellOrders(tell func(metrics.Sample), sources map[string]certSource) {
	type result struct{ ca, result string }
	sums := map[result]uint64{}
	for _, s := range sources {
		if counter, ok := s.(orderCounter); ok {
			for _, o := range counter.Orders() {
				sums[result{o.CA, o.Result}] += o.Count
			}
		}
	}
	for r, n := range sums {
		tell(metrics.Sample{Name: "edgeftp_acme_orders_total", Help: "Orders for certificates by what came of them.", Kind: metrics.Counter, Value: float64(n),
			Labels: []metrics.Label{{Name: "ca", Value: r.ca}, {Name: "result", Value: r.result}}})
	}
}

func tellCertificate(tell func(metrics.Sample), name string, c *acme.Certificate) {
	label := []metrics.Label{{Name: "name", Value: name}}
	at := func(what, help string, t time.Time) {
		if !t.IsZero() {
			tell(metrics.Sample{Name: "edgeftp_certificate_" + what + "_timestamp_seconds", Help: help, Value: float64(t.Unix()), Labels: label})
		}
	}
	at("not_before", "From when on a certificate is valid.", c.NotBefore)
	at("not_after", "When a certificate ends.", c.NotAfter)
	at("renewal", "When a certificate is to be renewed.", c.Renew)
	tell(metrics.Sample{Name: "edgeftp_certificate_failures", Help: "How often in a row no new certificate could be had.", Value: float64(c.Failures), Labels: label})
}

// earlier is the earlier of two times, or the one that is set.
func earlier(a, b time.Time) time.Time {
	if b.IsZero() || !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}
