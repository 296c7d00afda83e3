package authority_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libdns/libdns"
	"github.com/libdns/rfc2136"
	"github.com/miekg/dns"

	"github.com/edgeftp/edgeftp/tests/authority"
)

// query asks the name server, and returns the code and the records of the answer.
func query(t *testing.T, at *authority.NameServer, over, name string, kind uint16) (string, []string) {
	t.Helper()
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	answer, _, err := (&dns.Client{Net: over, Timeout: 5 * time.Second}).ExchangeContext(t.Context(), q, at.Addr)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, rr := range answer.Answer {
		h := rr.Header()
		all = append(all, strings.TrimSuffix(h.Name, ".")+" "+strings.TrimPrefix(rr.String(), h.String()))
	}
	return dns.RcodeToString[answer.Rcode], all
}

func TestNames(t *testing.T) {
	t.Parallel()
	s := authority.Start(t, authority.Options{DNS: authority.NameOptions{
		Zones: []string{"sub.example.org"},
		Records: []string{
			"v6.example.org. 1 IN AAAA ::1",
			`txt.example.org. 1 IN TXT "two" "parts"`,
			"_acme-challenge.a.example.org. 1 IN CNAME a.other.test.",
			`a.other.test. 1 IN TXT "elsewhere"`,
			`example.org. 1 IN CAA 0 issue "authority.test"`,
		},
	}}).DNS
	s.Answer("broken.example.org", dns.RcodeServerFailure)
	for _, row := range []struct {
		name string
		kind uint16
		code string
		want string
	}{
		{"any.example.org", dns.TypeA, "NOERROR", "any.example.org 127.0.0.1"},
		{"ANY.example.org", dns.TypeAAAA, "NOERROR", ""},
		{"v6.example.org", dns.TypeA, "NOERROR", ""},
		{"v6.example.org", dns.TypeAAAA, "NOERROR", "v6.example.org ::1"},
		{"txt.example.org", dns.TypeTXT, "NOERROR", `txt.example.org "two" "parts"`},
		{"_acme-challenge.b.example.org", dns.TypeTXT, "NXDOMAIN", ""},
		{"_acme-challenge.a.example.org", dns.TypeTXT, "NOERROR", `_acme-challenge.a.example.org a.other.test.|a.other.test "elsewhere"`},
		{"example.org", dns.TypeCAA, "NOERROR", `example.org 0 issue "authority.test"`},
		{"example.org", dns.TypeNS, "NOERROR", "example.org ns.example.org."},
		{"example.org", dns.TypeSOA, "NOERROR", "example.org ns.example.org. hostmaster.example.org. 6 60 60 60 1"},
		{"sub.example.org", dns.TypeSOA, "NOERROR", "sub.example.org ns.sub.example.org. hostmaster.sub.example.org. 6 60 60 60 1"},
		{"www.sub.example.org", dns.TypeSOA, "NOERROR", ""},
		{"www.example.org", dns.TypeSOA, "NOERROR", ""},
		{"a.broken.example.org", dns.TypeA, "SERVFAIL", ""},
		{".", dns.TypeA, "NOERROR", ". 127.0.0.1"},
	} {
		for _, over := range []string{"udp", "tcp"} {
			code, got := query(t, s, over, row.name, row.kind)
			if all := strings.Join(got, "|"); code != row.code || strings.TrimPrefix(all, " ") != strings.TrimPrefix(row.want, ". ") {
				t.Errorf("%s %s over %s: %s %q, want %s %q", row.name, dns.TypeToString[row.kind], over, code, all, row.code, row.want)
			}
		}
	}
	first := s.Queries()[0]
	if want := (authority.Query{Name: "any.example.org", Type: "A", Over: "udp", Rcode: "NOERROR"}); first != want {
		t.Errorf("the first question was %+v", first)
	}
}

func TestNamesChange(t *testing.T) {
	t.Parallel()
	s := authority.Start(t, authority.Options{}).DNS
	s.Answer(".", dns.RcodeServerFailure)
	if code, _ := query(t, s, "udp", "a.example.org", dns.TypeA); code != "SERVFAIL" {
		t.Errorf("all broken: %s", code)
	}
	s.Answer(".", dns.RcodeSuccess)
	s.Add(`a.example.org. 1 IN TXT "x"`, `a.example.org. 1 IN TXT "x"`, `a.example.org. 1 IN A 127.0.0.2`)
	s.Hide(1)
	if code, got := query(t, s, "udp", "a.example.org", dns.TypeTXT); code != "NOERROR" || len(got) != 0 {
		t.Errorf("hidden: %s %q", code, got)
	}
	if _, got := query(t, s, "udp", "a.example.org", dns.TypeTXT); len(got) != 1 {
		t.Errorf("shown: %q", got)
	}
	if got := s.Records("a.example.org"); len(got) != 2 {
		t.Errorf("records: %q", got)
	}
	s.Remove("a.example.org", "TXT")
	if _, got := query(t, s, "udp", "a.example.org", dns.TypeTXT); len(got) != 0 {
		t.Errorf("removed: %q", got)
	}
	s.Remove("a.example.org", "")
	if _, got := query(t, s, "udp", "a.example.org", dns.TypeA); len(got) != 1 || got[0] != "a.example.org 127.0.0.1" {
		t.Errorf("all removed: %q", got)
	}
}

// Many records do not fit into a datagram: the client has to come over TCP.
func TestNamesTruncated(t *testing.T) {
	t.Parallel()
	s := authority.Start(t, authority.Options{}).DNS
	for n := range 20 {
		s.Add(`a.example.org. 1 IN TXT "` + strings.Repeat(string(rune('a'+n)), 60) + `"`)
	}
	q := new(dns.Msg).SetQuestion("a.example.org.", dns.TypeTXT)
	answer, _, err := new(dns.Client).ExchangeContext(t.Context(), q, s.Addr)
	if err != nil || !answer.Truncated {
		t.Errorf("over UDP: %v, truncated %v", err, answer != nil && answer.Truncated)
	}
	if _, got := query(t, s, "tcp", "a.example.org", dns.TypeTXT); len(got) != 20 {
		t.Errorf("over TCP: %d records", len(got))
	}
}

func secret(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestUpdate(t *testing.T) {
	t.Parallel()
	s := authority.Start(t, authority.Options{DNS: authority.NameOptions{Key: "edge.key", Secret: secret("the secret")}}).DNS
	good := rfc2136.Provider{KeyName: "edge.key", KeyAlg: "hmac-sha256", Key: secret("the secret"), Server: s.Addr}
	one := libdns.RR{Type: "TXT", Name: "_acme-challenge.a", Data: "one", TTL: time.Minute}
	two := libdns.RR{Type: "TXT", Name: "_acme-challenge.a", Data: "two", TTL: time.Minute}
	if _, err := good.AppendRecords(t.Context(), "example.org.", []libdns.Record{one, two}); err != nil {
		t.Fatal(err)
	}
	if _, got := query(t, s, "udp", "_acme-challenge.a.example.org", dns.TypeTXT); len(got) != 2 {
		t.Errorf("after the addition: %q", got)
	}
	all, err := good.GetRecords(t.Context(), "example.org.")
	if err != nil || len(all) != 4 { // with two SOA
		t.Errorf("the transfer: %v %v", err, all)
	}
	if _, err := good.DeleteRecords(t.Context(), "example.org.", []libdns.Record{one}); err != nil {
		t.Fatal(err)
	}
	if _, got := query(t, s, "udp", "_acme-challenge.a.example.org", dns.TypeTXT); len(got) != 1 || !strings.Contains(got[0], "two") {
		t.Errorf("after the removal: %q", got)
	}
	if _, err := good.SetRecords(t.Context(), "example.org.", []libdns.Record{one}); err != nil {
		t.Fatal(err)
	}
	if _, got := query(t, s, "udp", "_acme-challenge.a.example.org", dns.TypeTXT); len(got) != 1 || !strings.Contains(got[0], "one") {
		t.Errorf("after the replacement: %q", got)
	}
	first := s.Updates()[0]
	if first.Zone != "example.org" || first.Key != "edge.key" || first.Rcode != "NOERROR" || len(first.Changes) != 2 {
		t.Errorf("noted: %+v", first)
	}
}

// Whoever has not the key changes nothing, and is not told of records.
func TestUpdateRefused(t *testing.T) {
	t.Parallel()
	s := authority.Start(t, authority.Options{DNS: authority.NameOptions{
		Zones: []string{"sub.example.org"}, Key: "edge.key", Secret: secret("the secret"),
	}}).DNS
	good := rfc2136.Provider{KeyName: "edge.key", KeyAlg: "hmac-sha256", Key: secret("the secret"), Server: s.Addr}
	for name, row := range map[string]struct {
		change func(*rfc2136.Provider)
		zone   string
		want   string
	}{
		"wrong secret":    {func(p *rfc2136.Provider) { p.Key = secret("another") }, "example.org.", "NOTAUTH"},
		"wrong name":      {func(p *rfc2136.Provider) { p.KeyName = "other.key" }, "example.org.", "NOTAUTH"},
		"wrong algorithm": {func(p *rfc2136.Provider) { p.KeyAlg = "hmac-sha1" }, "example.org.", "NOTAUTH"},
		"no zone":         {func(*rfc2136.Provider) {}, "a.example.org.", "NOTAUTH"},
	} {
		p := good
		row.change(&p)
		rr := libdns.RR{Type: "TXT", Name: "x", Data: "y", TTL: time.Minute}
		_, err := p.AppendRecords(t.Context(), row.zone, []libdns.Record{rr})
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", name, err)
		}
		if all, err := p.GetRecords(t.Context(), row.zone); err == nil {
			t.Errorf("%s: told of %v", name, all)
		}
	}
	if got := append(s.Records("x.example.org"), s.Records("x.a.example.org")...); slices.ContainsFunc(got, func(r string) bool { return strings.Contains(r, "TXT") }) {
		t.Errorf("added: %q", got)
	}
	if n := len(s.Updates()); n != 4 {
		t.Errorf("%d updates are noted", n)
	}
}

func TestUpdateCodes(t *testing.T) {
	t.Parallel()
	s := authority.Start(t, authority.Options{DNS: authority.NameOptions{
		Zones: []string{"sub.example.org"}, Key: "edge.key", Secret: secret("the secret"),
	}}).DNS
	s.Answer("broken.test", dns.RcodeServerFailure)
	record := func(text string) []dns.RR {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		return []dns.RR{rr}
	}
	for name, row := range map[string]struct {
		msg  func(*dns.Msg)
		sign bool
		want int
	}{
		"not signed":     {func(m *dns.Msg) { m.SetUpdate("example.org."); m.Insert(record("a.example.org. 1 IN TXT x")) }, false, dns.RcodeRefused},
		"another zone":   {func(m *dns.Msg) { m.SetUpdate("example.org."); m.Insert(record("a.other.test. 1 IN TXT x")) }, true, dns.RcodeNotZone},
		"a zone below":   {func(m *dns.Msg) { m.SetUpdate("example.org."); m.Insert(record("a.sub.example.org. 1 IN TXT x")) }, true, dns.RcodeNotZone},
		"a prerequisite": {func(m *dns.Msg) { m.SetUpdate("example.org."); m.NameUsed(record("a.example.org. 1 IN TXT x")) }, true, dns.RcodeNotImplemented},
		"broken":         {func(m *dns.Msg) { m.SetUpdate("broken.test."); m.Insert(record("a.broken.test. 1 IN TXT x")) }, true, dns.RcodeServerFailure},
		"good":           {func(m *dns.Msg) { m.SetUpdate("example.org."); m.Insert(record("a.example.org. 1 IN TXT x")) }, true, dns.RcodeSuccess},
	} {
		m := new(dns.Msg)
		row.msg(m)
		c := &dns.Client{Net: "tcp", TsigSecret: map[string]string{"edge.key.": secret("the secret")}}
		if row.sign {
			m.SetTsig("edge.key.", dns.HmacSHA256, 300, time.Now().Unix())
		}
		answer, _, err := c.ExchangeContext(t.Context(), m, s.Addr)
		if err != nil || answer.Rcode != row.want {
			t.Errorf("%s: %v %v", name, err, answer)
		}
	}
}
