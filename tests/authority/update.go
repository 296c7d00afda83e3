package authority

import (
	"github.com/miekg/dns"
)

// update does a dynamic update (RFC 2136 §3), if it is signed with the key. One with
// prerequisites is refused.
func (s *NameServer) update(w dns.ResponseWriter, r, answer *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	zone := canonical(r.Question[0].Name)
	note := Update{Zone: plain(zone)}
	for _, rr := range r.Ns {
		note.Changes = append(note.Changes, rr.String())
	}
	if sign := r.IsTsig(); sign != nil {
		note.Key = plain(sign.Hdr.Name)
	}
	answer.Rcode = s.permit(w, r, zone)
	if answer.Rcode == dns.RcodeSuccess {
		for _, rr := range r.Ns {
			s.change(rr)
		}
	}
	note.Rcode = dns.RcodeToString[answer.Rcode]
	s.updates = append(s.updates, note)
}

// permit returns the code of the answer, which is an error where nothing may change
// (RFC 2136 §3.1, §3.4.1, RFC 8945 §5.2).
func (s *NameServer) permit(w dns.ResponseWriter, r *dns.Msg, zone string) int {
	switch {
	case r.IsTsig() == nil || s.key == "":
		return dns.RcodeRefused
	case !s.signed(w, r):
		return dns.RcodeNotAuth
	case s.code(zone) != dns.RcodeSuccess:
		return s.code(zone)
	case r.Question[0].Qtype != dns.TypeSOA:
		return dns.RcodeFormatError
	case s.zone(zone) != zone:
		return dns.RcodeNotAuth
	case len(r.Answer) > 0:
		return dns.RcodeNotImplemented
	}
	for _, rr := range r.Ns {
		if name := canonical(rr.Header().Name); !dns.IsSubDomain(zone, name) || s.zone(name) != zone {
			return dns.RcodeNotZone
		}
	}
	return dns.RcodeSuccess
}

// signed reports whether the signature is good and made in the one way that is allowed.
func (s *NameServer) signed(w dns.ResponseWriter, r *dns.Msg) bool {
	sign := r.IsTsig()
	return sign != nil && w.TsigStatus() == nil && s.key != "" &&
		canonical(sign.Hdr.Name) == s.key && canonical(sign.Algorithm) == dns.HmacSHA256
}

// change does one record of an update (RFC 2136 §2.5).
func (s *NameServer) change(rr dns.RR) {
	h := rr.Header()
	switch name := canonical(h.Name); {
	case h.Class == dns.ClassINET:
		s.insert(rr)
	case h.Class == dns.ClassANY:
		s.drop(name, func(have dns.RR) bool { return h.Rrtype == dns.TypeANY || have.Header().Rrtype == h.Rrtype })
	case h.Class == dns.ClassNONE:
		gone := dns.Copy(rr)
		gone.Header().Class = dns.ClassINET
		s.drop(name, func(have dns.RR) bool { return dns.IsDuplicate(have, gone) })
	}
}

// transfer answers with the records that were added to a zone (RFC 5936), in one
// message, to those who have the key.
func (s *NameServer) transfer(w dns.ResponseWriter, r, answer *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	zone := canonical(r.Question[0].Name)
	switch {
	case r.IsTsig() == nil:
		answer.Rcode = dns.RcodeRefused
		return
	case !s.signed(w, r) || s.zone(zone) != zone:
		answer.Rcode = dns.RcodeNotAuth
		return
	}
	answer.Answer = append(answer.Answer, s.soa(zone))
	for _, rr := range s.records {
		if s.zone(canonical(rr.Header().Name)) == zone {
			answer.Answer = append(answer.Answer, dns.Copy(rr))
		}
	}
	answer.Answer = append(answer.Answer, s.soa(zone))
}
