package authority

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// NameOptions configures the name server of an authority.
type NameOptions struct {
	// Zones are those that it has. A name in none of them is in the zone of its last two
	// labels.
	Zones []string
	// Key and Secret (base64) sign updates (RFC 8945, HMAC-SHA256). Empty: updates are
	// refused.
	Key, Secret string
	// Records are there from the start, see [NameServer.Add].
	Records []string
}

// NameServer answers over UDP and TCP for every name: its address is 127.0.0.1 unless
// records say otherwise. Names that start with an underscore have no address. Its
// methods may be called from any goroutine.
type NameServer struct {
	Addr string // HOST:PORT of 127.0.0.1

	t       testing.TB
	key     string
	zones   []string
	servers []*dns.Server
	running sync.WaitGroup

	mu      sync.Mutex
	records []dns.RR
	codes   map[string]int // of names that are answered with an error
	hidden  int            // questions for TXT that are answered as if there were none
	queries []Query
	updates []Update
	serial  uint32
}

// Query is one question.
type Query struct {
	Name  string // without the dot at the end
	Type  string // such as TXT
	Over  string // udp or tcp
	Rcode string // of the answer, such as NOERROR
}

// Update is one dynamic update (RFC 2136), done or refused.
type Update struct {
	Zone    string   // without the dot at the end
	Key     string   // the name of the key that it claims, without the dot; empty: not signed
	Rcode   string   // of the answer, such as NOERROR or NOTAUTH
	Changes []string // the records of its update section, in the form of a zone file
}

// serveNames starts a name server, which ends with the test at the latest.
func serveNames(t testing.TB, o NameOptions) *NameServer {
	t.Helper()
	s := &NameServer{t: t, codes: map[string]int{}, serial: 1}
	for _, zone := range o.Zones {
		s.zones = append(s.zones, canonical(zone))
	}
	secrets := map[string]string{}
	if o.Key != "" {
		s.key = canonical(o.Key)
		secrets[s.key] = o.Secret
	}
	s.Add(o.Records...)
	tcp, udp := listenBoth(t)
	s.Addr = tcp.Addr().String()
	s.servers = []*dns.Server{{Listener: tcp, Net: "tcp"}, {PacketConn: udp, Net: "udp"}}
	var up sync.WaitGroup
	for _, server := range s.servers {
		server.Handler, server.TsigSecret, server.MsgAcceptFunc = s, secrets, accept
		up.Add(1)
		server.NotifyStartedFunc = up.Done
		s.running.Go(func() {
			if err := server.ActivateAndServe(); err != nil {
				t.Errorf("the name server: %v", err)
			}
		})
	}
	up.Wait()
	t.Cleanup(s.close)
	return s
}

// listenBoth opens the same free port twice.
func listenBoth(t testing.TB) (net.Listener, net.PacketConn) {
	t.Helper()
	var last error
	for range 20 {
		tcp, err := net.Listen("tcp", local(0))
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return tcp, udp
		}
		_, last = tcp.Close(), err
	}
	t.Fatalf("no port is free for both UDP and TCP: %v", last)
	return nil, nil
}

// accept lets updates through, which have many records.
func accept(h dns.Header) dns.MsgAcceptAction {
	switch opcode := int(h.Bits>>11) & 0xF; {
	case h.Bits&(1<<15) != 0: // an answer
		return dns.MsgIgnore
	case opcode != dns.OpcodeQuery && opcode != dns.OpcodeUpdate:
		return dns.MsgRejectNotImplemented
	case h.Qdcount != 1:
		return dns.MsgReject
	}
	return dns.MsgAccept
}

func (s *NameServer) close() {
	for _, server := range s.servers {
		_ = server.Shutdown() // its error is that it was not started
	}
	s.running.Wait()
}

// Add adds records in the form of a zone file, such as
//
//	ftp.example.org. 60 IN TXT "words"
func (s *NameServer) Add(records ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil || rr == nil {
			s.t.Errorf("the record %q: %v", text, err)
			continue
		}
		s.insert(rr)
	}
}

// Remove removes the records of the type (such as TXT; empty: all) that a name has.
func (s *NameServer) Remove(name, kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(canonical(name), func(rr dns.RR) bool {
		return kind == "" || dns.TypeToString[rr.Header().Rrtype] == kind
	})
}

// Answer makes questions about a name, and about those below it, fail with a code such
// as dns.RcodeServerFailure, or dns.RcodeNameError for a name that is not there.
// dns.RcodeSuccess ends that. The name "." stands for all.
func (s *NameServer) Answer(name string, rcode int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.codes, canonical(name)); rcode != dns.RcodeSuccess {
		s.codes[canonical(name)] = rcode
	}
}

// Hide answers the next n questions for TXT as if there were no record: what a server
// does that a change has not reached yet.
func (s *NameServer) Hide(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hidden = n
}

// Records returns the records that a name has, as Add takes them.
func (s *NameServer) Records(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, rr := range s.of(canonical(name), dns.TypeANY) {
		all = append(all, rr.String())
	}
	return all
}

// Queries returns what was asked, in that order.
func (s *NameServer) Queries() []Query {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.queries)
}

// Updates returns the updates that came, in that order.
func (s *NameServer) Updates() []Update {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.updates)
}

// ServeDNS implements dns.Handler.
func (s *NameServer) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	answer := new(dns.Msg)
	answer.SetReply(r)
	over := w.LocalAddr().Network()
	switch {
	case r.Opcode == dns.OpcodeUpdate:
		s.update(w, r, answer)
	case r.Question[0].Qtype == dns.TypeAXFR:
		s.transfer(w, r, answer)
	default:
		answer.Authoritative = true
		s.query(r.Question[0], answer)
	}
	if r.Opcode == dns.OpcodeQuery {
		s.note(r.Question[0], over, answer.Rcode)
	}
	size := dns.MaxMsgSize
	if over == "udp" {
		size = dns.MinMsgSize
		if opt := r.IsEdns0(); opt != nil {
			answer.SetEdns0(1232, false)
			size = max(size, int(opt.UDPSize()))
		}
	}
	answer.Truncate(size)
	if t := r.IsTsig(); t != nil && w.TsigStatus() == nil && answer.Rcode != dns.RcodeNotAuth {
		answer.SetTsig(t.Hdr.Name, dns.HmacSHA256, 300, int64(t.TimeSigned))
	}
	_ = w.WriteMsg(answer) // the client may have gone
}

func (s *NameServer) note(q dns.Question, over string, rcode int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries = append(s.queries, Query{
		Name: plain(q.Name), Type: dns.TypeToString[q.Qtype], Over: over, Rcode: dns.RcodeToString[rcode],
	})
}

// query fills the answer to a question.
func (s *NameServer) query(q dns.Question, answer *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := canonical(q.Name)
	if code := s.code(name); code != dns.RcodeSuccess {
		answer.Rcode = code
		return
	}
	if q.Qtype == dns.TypeTXT && s.hidden > 0 {
		s.hidden--
	} else {
		answer.Answer = s.follow(name, q.Qtype)
	}
	if len(answer.Answer) > 0 {
		return
	}
	answer.Ns = []dns.RR{s.soa(s.zone(name))}
	if !s.exists(name) {
		answer.Rcode = dns.RcodeNameError
	}
}

// code is the error that a name, or one above it, is answered with.
func (s *NameServer) code(name string) int {
	for _, at := range dns.Split(name) {
		if code, ok := s.codes[name[at:]]; ok {
			return code
		}
	}
	return s.codes["."] // dns.RcodeSuccess is 0
}

// follow returns the records of a name, and of those that it stands for (RFC 1034
// §3.6.2).
func (s *NameServer) follow(name string, kind uint16) []dns.RR {
	var all []dns.RR
	for range 8 {
		found := s.of(name, kind)
		if len(found) > 0 || kind == dns.TypeCNAME {
			return append(all, found...)
		}
		alias := s.of(name, dns.TypeCNAME)
		if len(alias) == 0 {
			return all
		}
		all = append(all, alias[0])
		name = canonical(alias[0].(*dns.CNAME).Target)
	}
	return all
}

// of returns the records of a name: those that were added, and those that everyone has.
func (s *NameServer) of(name string, kind uint16) []dns.RR {
	var found []dns.RR
	own := map[uint16]bool{}
	for _, rr := range s.records {
		if h := rr.Header(); canonical(h.Name) == name {
			own[h.Rrtype] = true
			if h.Rrtype == kind || kind == dns.TypeANY {
				found = append(found, dns.Copy(rr))
			}
		}
	}
	header := dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: 1}
	switch addressed := !own[dns.TypeA] && !own[dns.TypeAAAA] && !own[dns.TypeCNAME] && !strings.HasPrefix(name, "_"); {
	case kind == dns.TypeA && addressed:
		return append(found, &dns.A{Hdr: header, A: net.IPv4(127, 0, 0, 1)})
	case kind == dns.TypeSOA && s.zone(name) == name:
		return append(found, s.soa(name))
	case kind == dns.TypeNS && s.zone(name) == name && !own[dns.TypeNS]:
		return append(found, &dns.NS{Hdr: header, Ns: below("ns", name)})
	}
	return found
}

// exists is true for names that have an address, a record, or something below them.
func (s *NameServer) exists(name string) bool {
	return !strings.HasPrefix(name, "_") || slices.ContainsFunc(s.records, func(rr dns.RR) bool {
		return dns.IsSubDomain(name, canonical(rr.Header().Name))
	})
}

// zone is the longest one that holds the name.
func (s *NameServer) zone(name string) string {
	for _, at := range dns.Split(name) {
		if slices.Contains(s.zones, name[at:]) {
			return name[at:]
		}
	}
	labels := dns.Split(name)
	if len(labels) == 0 {
		return name
	}
	return name[labels[max(0, len(labels)-2)]:]
}

func (s *NameServer) soa(zone string) dns.RR {
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 1},
		Ns:  below("ns", zone), Mbox: below("hostmaster", zone), Serial: s.serial, Refresh: 60, Retry: 60, Expire: 60, Minttl: 1,
	}
}

// insert adds a record unless it is there (RFC 2136 §3.4.2.2).
func (s *NameServer) insert(rr dns.RR) {
	if !slices.ContainsFunc(s.records, func(have dns.RR) bool { return dns.IsDuplicate(have, rr) }) {
		s.records = append(s.records, rr)
		s.serial++
	}
}

// drop removes the records of a name for which which is true.
func (s *NameServer) drop(name string, which func(dns.RR) bool) {
	s.records = slices.DeleteFunc(s.records, func(rr dns.RR) bool {
		return canonical(rr.Header().Name) == name && which(rr)
	})
	s.serial++
}

// below is the name of a label in a zone, which may be the root.
func below(label, zone string) string { return label + "." + strings.TrimPrefix(zone, ".") }

func canonical(name string) string { return dns.CanonicalName(name) }

func plain(name string) string { return strings.TrimSuffix(canonical(name), ".") }
