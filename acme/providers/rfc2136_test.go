package providers

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeftp/edgeftp/tests/ports"
)

const (
	tsigName   = "edgeftp."
	tsigSecret = "c2VjcmV0IG9mIHRoZSBlZGdlZnRwIHRlc3RzISEhISE="
	tsigOther  = "YW5vdGhlciBzZWNyZXQgb2YgdGhlIHRlc3RzISEhISE="
)

// primary is the name server of example.org. It takes updates with its key (RFC 2136
// §3, RFC 8945 §5), for TXT records of the challenge alone.
type primary struct {
	addr string

	mu  sync.Mutex
	rrs []*dns.TXT
}

func newPrimary(t *testing.T) *primary {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &primary{addr: l.Addr().String(), rrs: []*dns.TXT{challenge("other"), {
		Hdr: dns.RR_Header{Name: "example.org.", Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}, Txt: []string{"v=spf1 -all"}}}}
	began, done := make(chan struct{}), make(chan struct{})
	s := &dns.Server{Listener: l, Handler: p, TsigSecret: map[string]string{tsigName: tsigSecret},
		NotifyStartedFunc: func() { close(began) }, MsgAcceptFunc: func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept }}
	go func() {
		defer close(done)
		if err := s.ActivateAndServe(); err != nil {
			t.Error(err)
		}
	}()
	<-began
	t.Cleanup(func() { s.Shutdown(); <-done })
	return p
}

func challenge(text string) *dns.TXT {
	return &dns.TXT{Hdr: dns.RR_Header{Name: "_acme-challenge.ftp.example.org.", Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}, Txt: []string{text}}
}

func (p *primary) ServeDNS(w dns.ResponseWriter, m *dns.Msg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := new(dns.Msg)
	sig := m.IsTsig()
	switch {
	case sig == nil:
		r.SetRcode(m, dns.RcodeRefused)
	case w.TsigStatus() != nil:
		// RFC 8945 §5.2: the answer is not signed, and says what is wrong with the key.
		r.SetRcode(m, dns.RcodeNotAuth)
		code := dns.RcodeBadSig
		if sig.Hdr.Name != tsigName {
			code = dns.RcodeBadKey
		}
		r.Extra = append(r.Extra, &dns.TSIG{Hdr: dns.RR_Header{Name: sig.Hdr.Name, Rrtype: dns.TypeTSIG, Class: dns.ClassANY},
			Algorithm: sig.Algorithm, TimeSigned: sig.TimeSigned, Fudge: 300, OrigId: m.Id, Error: uint16(code)})
		pack(w, r)
		return
	default:
		r.SetRcode(m, p.update(m))
		r.SetTsig(tsigName, sig.Algorithm, 300, time.Now().Unix())
	}
	w.WriteMsg(r)
}

// pack writes an answer as it is, unsigned.
func pack(w dns.ResponseWriter, r *dns.Msg) {
	if b, err := r.Pack(); err == nil {
		w.Write(b)
	}
}

func (p *primary) update(m *dns.Msg) int {
	if m.Opcode != dns.OpcodeUpdate || len(m.Question) != 1 {
		return dns.RcodeNotImplemented
	}
	if m.Question[0].Name != zone {
		return dns.RcodeNotAuth
	}
	for _, rr := range m.Ns {
		txt, ok := rr.(*dns.TXT)
		if !ok || !strings.EqualFold(rr.Header().Name, fqdn) {
			return dns.RcodeRefused
		}
		kept := p.rrs[:0:0]
		for _, had := range p.rrs {
			if had.Hdr.Name != txt.Hdr.Name || strings.Join(had.Txt, "") != strings.Join(txt.Txt, "") {
				kept = append(kept, had)
			}
		}
		switch txt.Hdr.Class {
		case dns.ClassINET:
			kept = append(kept, txt)
		case dns.ClassNONE: // RFC 2136 §2.5.4: this very record
		default: // of the whole set or name
			return dns.RcodeRefused
		}
		p.rrs = kept
	}
	return dns.RcodeSuccess
}

func (p *primary) texts() (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, rr := range p.rrs {
		if rr.Hdr.Name == fqdn {
			list = append(list, strings.Join(rr.Txt, ""))
		}
	}
	return list
}

func (p *primary) settings() map[string]string {
	return map[string]string{"server": p.addr, "key_name": "edgeftp", "key": tsigSecret}
}

func TestRFC2136(t *testing.T) {
	for _, alg := range []string{"", "hmac-sha512", "HMAC-SHA384.", "hmac-sha224", "hmac-sha1"} {
		t.Run(alg, func(t *testing.T) {
			p := newPrimary(t)
			settings := p.settings()
			if alg != "" {
				settings["key_alg"] = alg
			}
			both(t, opened(t, "rfc2136", settings), p.texts)
		})
	}
}

// What goes wrong with a name server of one's own, told in words.
func TestRFC2136Refused(t *testing.T) {
	p := newPrimary(t)
	with := func(key, value string) map[string]string {
		s := p.settings()
		s[key] = value
		return s
	}
	for _, c := range []struct {
		settings   map[string]string
		zone, name string
		want       []string
	}{
		{with("key", tsigOther), zone, name, []string{"the server does not accept the key", "compare key_name, key_alg and key"}},
		{with("key_name", "somebody"), zone, name, []string{"the server does not accept the key", "compare key_name, key_alg and key"}},
		{p.settings(), "example.net.", name, []string{"or is not the zone's primary", "server with the zone's SOA record"}},
		{p.settings(), zone, "www", []string{"the key may not change the name", "update-policy"}},
		{with("server", ports.Addr(t)), zone, name, []string{"nobody listens there", "by TCP"}},
	} {
		record := text(one)[0].RR()
		record.Name = c.name
		_, err := opened(t, "rfc2136", c.settings).AppendRecords(t.Context(), c.zone, asRecords(record))
		says(t, err, c.want...)
		for _, secret := range []string{tsigSecret, tsigOther} {
			if strings.Contains(fmt.Sprintf("%+v", err), secret) {
				t.Errorf("the error tells the key: %v", err)
			}
		}
	}
	if got := p.texts(); len(got) != 1 {
		t.Errorf("the zone has %q", got)
	}
}
