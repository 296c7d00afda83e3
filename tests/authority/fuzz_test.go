package authority

import (
	"net"
	"testing"

	"github.com/miekg/dns"
)

// An order that is nonsense is written down as one without names.
func FuzzOrder(f *testing.F) {
	f.Add([]byte(`{"payload":"eyJpZGVudGlmaWVycyI6W3sidHlwZSI6ImRucyIsInZhbHVlIjoiYS50ZXN0In1dfQ"}`))
	f.Add([]byte(`{"payload":"bm90aGluZw"}`))
	f.Add([]byte(`nothing`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r Request
		r.order(body)
		if len(r.Names) > len(body) {
			t.Errorf("%d names in %d bytes", len(r.Names), len(body))
		}
	})
}

// reply takes what the name server writes.
type reply struct {
	dns.ResponseWriter
	over  net.Addr
	wrote *dns.Msg
}

func (r *reply) LocalAddr() net.Addr            { return r.over }
func (r *reply) TsigStatus() error              { return nil }
func (r *reply) WriteMsg(answer *dns.Msg) error { r.wrote = answer; return nil }

// Every message that accept lets through is answered, in a form that can be sent.
func FuzzNames(f *testing.F) {
	seed := func(m *dns.Msg) {
		wire, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	seed(new(dns.Msg).SetQuestion("a.example.org.", dns.TypeTXT))
	seed(new(dns.Msg).SetQuestion(".", dns.TypeSOA))
	seed(new(dns.Msg).SetAxfr("example.org."))
	up := new(dns.Msg).SetUpdate("example.org.")
	up.Insert([]dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: "a.example.org.", Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{"x"}}})
	up.SetTsig("edge.key.", dns.HmacSHA256, 300, 1)
	seed(up)
	f.Fuzz(func(t *testing.T, wire []byte) {
		m := new(dns.Msg)
		if m.Unpack(wire) != nil || len(m.Question) != 1 || m.Opcode != dns.OpcodeQuery && m.Opcode != dns.OpcodeUpdate {
			return
		}
		s := &NameServer{t: t, key: "edge.key.", codes: map[string]int{}}
		s.Add(`example.org. 1 IN TXT "x"`, `b.example.org. 1 IN CNAME b.example.org.`)
		for _, over := range []net.Addr{&net.UDPAddr{}, &net.TCPAddr{}} {
			w := &reply{over: over}
			s.ServeDNS(w, m)
			if w.wrote == nil {
				t.Fatal("not answered")
			}
			if _, err := w.wrote.Pack(); err != nil {
				t.Errorf("the answer to %v: %v", m, err)
			}
		}
	})
}

func BenchmarkStart(b *testing.B) {
	if err := Prepare(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Start(b, Options{}).Close()
	}
}
