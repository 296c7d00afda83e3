package acme

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeftp/edgeftp/tests/authority"
)

func aged(t *testing.T, file string, age time.Duration) {
	t.Helper()
	at := time.Now().Add(-age)
	must(t, os.Chtimes(file, at, at))
}

// The operator is told the record, adds it once, and all orders succeed from then on.
func TestPersist(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	conf := onlyHTTP(t, ca, "ftp.example.org", "*.files.example.org")
	conf.Challenges, conf.Resolver = Challenges{Persist: &Persist{}}, ca.DNS.Addr
	records, err := PersistRecords(t.Context(), conf)
	must(t, err)
	if len(records) != 2 || records[0].Name != "_validation-persist.ftp.example.org" || records[1].Name != "_validation-persist.files.example.org" ||
		!strings.HasPrefix(records[0].Value, authority.Identity+"; accounturi="+ca.Base) ||
		!strings.HasSuffix(records[1].Value, "; policy=wildcard") || records[0].CA != ca.Directory {
		t.Fatalf("%q", records)
	}
	if ca.Tried() != 0 {
		t.Error("something was ordered")
	}
	n := start(t, ca, conf)
	for range conf.Names {
		e := n.event()
		var record *recordError
		if !errors.As(e.Err, &record) || !strings.Contains(e.Err.Error(), record.want.Name+". IN TXT \""+record.want.Value+`"`) {
			t.Errorf("%v", e.Err)
		}
		if !strings.Contains(Advice(e.Err), "edgeftp cert dns-record") {
			t.Errorf("help: %s", Advice(e.Err))
		}
	}
	if ca.Tried() != 0 {
		t.Error("an order was made that must fail")
	}
	for _, r := range records {
		ca.DNS.Add(r.Name + `. 1 IN TXT "v=spf1 -all"`)
		ca.DNS.Add(r.Name + `. 1 IN TXT "` + r.Value + `"`)
	}
	for _, name := range conf.Names {
		began := time.Now()
		must(t, n.Renew(t.Context(), name))
		t.Logf("%s: %v", name, time.Since(began).Round(time.Millisecond))
		n.served(strings.Replace(name, "*", "any", 1))
	}
	if accounts(ca) != 1 {
		t.Errorf("%d accounts were made", accounts(ca))
	}
	ca.DNS.Answer("_validation-persist.ftp.example.org", dns.RcodeServerFailure)
	if err := n.Renew(t.Context(), "ftp.example.org"); err == nil || !strings.Contains(err.Error(), "could not be looked for") || !strings.Contains(Advice(err), "dns_persist.resolver") {
		t.Errorf("a name server that is broken: %v", err)
	}
}

func TestPersistRecordsRefusals(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	if _, err := PersistRecords(t.Context(), Config{Names: []string{"a.example.org"}, Storage: MemoryStorage()}); err == nil {
		t.Error("without an authority")
	}
	conf := onlyHTTP(t, ca, "127.0.0.1", "a.example.org")
	if got, err := PersistRecords(t.Context(), conf); err != nil || len(got) != 1 {
		t.Errorf("%v, %v: an address has no record", got, err)
	}
	down := authority.Start(t, authority.Options{})
	down.Down()
	if _, err := PersistRecords(t.Context(), onlyHTTP(t, down, "a.example.org")); err == nil || !strings.Contains(Advice(err), "HTTPS_PROXY") {
		t.Errorf("an authority that is down: %v", err)
	}
	conf.Authorities[0].Directory = "http://ca.example.org/dir"
	if _, err := PersistRecords(t.Context(), conf); err == nil || !strings.Contains(err.Error(), "not encrypted") {
		t.Errorf("clear text: %v", err)
	}
}

func TestParsePersist(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	const account = "https://ca.example.org/acct/1"
	for text, want := range map[string]struct{ name, star bool }{
		"ca.example.org; accounturi=" + account:                                                              {true, false},
		"CA.Example.ORG. ;accounturi=" + account + ";":                                                       {true, false},
		"ca.example.org; accounturi=" + account + "; policy=wildcard":                                        {true, true},
		"ca.example.org; POLICY=WildCard ; AccountURI=" + account:                                            {true, true},
		"ca.example.org; accounturi=" + account + "; policy=other":                                           {true, false},
		"ca.example.org; accounturi=" + account + "; persistUntil=1800000001":                                {true, false},
		"ca.example.org; accounturi=" + account + "; persistUntil=1800000000":                                {false, false},
		"ca.example.org; accounturi=" + account + "; persistUntil=soon":                                      {false, false},
		"ca.example.org; accounturi=" + account + "; unknown=x":                                              {true, false},
		"ca.example.org; accounturi=" + account + "; accounturi=" + account:                                  {false, false},
		"ca.example.org; accounturi=" + account + "0":                                                        {false, false},
		"ca.example.org; accounturi=" + account + " x":                                                       {false, false},
		"ca.example.org; accounturi":                                                                         {false, false},
		"ca.example.org":                                                                                     {false, false},
		"other.example.org; accounturi=" + account:                                                           {false, false},
		"; accounturi=" + account:                                                                            {false, false},
		"":                                                                                                   {false, false},
		"ca.example.org, accounturi=" + account:                                                              {false, false},
		"ca.example.org; accounturi=HTTPS://ca.example.org/acct/1":                                           {false, false},
		"ca.example.org; accounturi=" + account + "; =x":                                                     {false, false},
		"ca.example.org; accounturi=" + account + "; persistUntil=-1":                                        {false, false},
		"ca.example.org; accounturi=" + account + "; persistUntil=99999999999999999999999999999999999999999": {false, false},
	} {
		p := parsePersist(text)
		if got := p.allows([]string{"x.example", "ca.example.org"}, account, false, now); got != want.name {
			t.Errorf("%q: a name %v", text, got)
		}
		if got := p.allows([]string{"x.example", "ca.example.org"}, account, true, now); got != want.star {
			t.Errorf("%q: a wildcard %v", text, got)
		}
	}
}

func FuzzParsePersist(f *testing.F) {
	f.Add("ca.example.org; accounturi=https://ca.example.org/acct/1; policy=wildcard; persistUntil=1800000001")
	f.Add(";;;=;")
	f.Fuzz(func(t *testing.T, text string) {
		p := parsePersist(text)
		if p.allows([]string{"ca.example.org"}, "https://ca/1", true, time.Unix(0, 0)) && (!strings.Contains(text, "https://ca/1") || !strings.Contains(strings.ToLower(text), "wildcard")) {
			t.Errorf("%q allows what it does not say", text)
		}
	})
}
