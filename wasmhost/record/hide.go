package record

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Hider replaces names by others of the same length and form: users, paths but for
// their file extensions, addresses but for their networks (/16, /48), certificates,
// bytes of files, stored hashes, and these names wherever else they stand, as in the
// keys of a policy's values. One name always becomes the same other one, in one Hider.
// What a fetch sent and got is left out.
//
// What stays: operations, sizes, times, flags, session numbers, extensions, groups, listeners,
// virtual hosts, names of programs, protocols, commands, networks that the policy names, and what it
// keeps under other keys.
type Hider struct {
	key  []byte
	keep []string
}

// NewHider returns a Hider whose names nobody can tell without the key, which is random
// as a rule. The directories in keep, and those above them, keep their own names.
func NewHider(key []byte, keep ...string) *Hider { return &Hider{key: key, keep: keep} }

// Hide replaces the names in an exchange, whose parts it makes anew. It fails for a
// record that is none.
func (h *Hider) Hide(x *wasmhost.Exchange) error {
	Strip(x, true)
	s := &search{h: h, names: map[string]string{}}
	record, err := s.question(x.Record)
	if err != nil {
		return err
	}
	x.Record = record
	r := s.replacer()
	x.Reply = []byte(r.Replace(string(x.Reply)))
	x.Stderr = r.Replace(x.Stderr)
	if x.Err != nil {
		f := &Failure{Text: r.Replace(x.Err.Error()), Cause: causeOf(x.Err)}
		x.Err = f
	}
	calls := slices.Clone(x.Host)
	for i := range calls {
		c := &calls[i]
		switch c.Import {
		case abi.ImportFetch:
			c.In, c.Out = nil, nil
		case abi.ImportDigest:
			c.Out = h.bytes(c.Out)
		default:
			c.In, c.Out = replaced(c.In, r), replaced(c.Out, r)
		}
	}
	x.Host = calls
	return nil
}

// search collects the names of one exchange.
type search struct {
	h     *Hider
	names map[string]string
}

// leastName is the length of the shortest name that is looked for where it need not
// stand: what is shorter is found by chance.
const leastName = 3

func (s *search) note(name, other string) string {
	if len(name) >= leastName {
		s.names[name] = other
	}
	return other
}

// replacer replaces the names that were seen, the longest first.
func (s *search) replacer() *strings.Replacer {
	var names []string
	for name := range s.names {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	var pairs []string
	for _, name := range names {
		pairs = append(pairs, name, s.names[name])
	}
	return strings.NewReplacer(pairs...)
}

// word replaces letters and digits by others of their kind, and what is not ASCII by
// letters.
func (s *search) word(name string) string {
	return s.note(name, string(s.h.letters(name)))
}

func (h *Hider) letters(name string) []byte {
	out := []byte(name)
	stream := h.stream(name, len(out))
	for i, c := range out {
		switch r := stream[i]; {
		case c >= 'a' && c <= 'z', c >= 0x80:
			out[i] = 'a' + r%26
		case c >= 'A' && c <= 'Z':
			out[i] = 'A' + r%26
		case c >= '0' && c <= '9':
			out[i] = '0' + r%10
		}
	}
	return out
}

// bytes replaces bytes that are no text.
func (h *Hider) bytes(b []byte) []byte { return h.stream(string(b), len(b)) }

// stream gives n bytes that depend on the key and the name.
func (h *Hider) stream(name string, n int) (out []byte) {
	m := hmac.New(sha256.New, h.key)
	for i := uint32(0); len(out) < n; i++ {
		m.Reset()
		_ = binary.Write(m, binary.LittleEndian, i) // a hash takes everything
		m.Write([]byte(name))
		out = m.Sum(out)
	}
	return out[:n]
}

// path replaces the components of a path, which keep their extensions.
func (s *search) path(p string) string {
	parts := strings.Split(p, "/")
	at := ""
	for i, name := range parts {
		if name == "" {
			continue
		}
		at += "/" + name
		if !s.h.keeps(at) {
			parts[i] = s.file(name)
		}
	}
	return s.note(p, strings.Join(parts, "/"))
}

// maxExtension is the length of the longest extension that is none of a name.
const maxExtension = 6

func (s *search) file(name string) string {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 || len(name)-dot > maxExtension {
		return s.word(name)
	}
	return s.note(name, string(s.h.letters(name[:dot]))+name[dot:])
}

// keeps reports whether a directory keeps its own name.
func (h *Hider) keeps(dir string) bool {
	return slices.ContainsFunc(h.keep, func(k string) bool { return k == dir || strings.HasPrefix(k, dir+"/") })
}

// addr replaces what tells one host from others of its network.
func (s *search) addr(a netip.AddrPort) netip.AddrPort {
	if !a.IsValid() {
		return a
	}
	was := a.Addr().String()
	other := s.h.host(a.Addr())
	s.note(was, other.String())
	return netip.AddrPortFrom(other, a.Port())
}

// host replaces the last two octets of an IPv4 address, or the last five groups of an
// IPv6 address, by others with as many digits; a zero stays one.
func (h *Hider) host(a netip.Addr) netip.Addr {
	stream := h.stream(a.String(), 16)
	if a.Is4() || a.Is4In6() {
		b := a.As4()
		for i := 2; i < 4; i++ {
			low, high := 1, 9
			switch {
			case b[i] >= 100:
				low, high = 100, 255
			case b[i] >= 10:
				low, high = 10, 99
			case b[i] == 0:
				continue
			}
			b[i] = byte(low + int(stream[i])%(high-low+1))
		}
		if a.Is4In6() {
			return netip.AddrFrom16(netip.AddrFrom4(b).As16())
		}
		return netip.AddrFrom4(b)
	}
	b := a.As16()
	for i := 6; i < 16; i += 2 {
		was := uint32(b[i])<<8 | uint32(b[i+1])
		if was == 0 {
			continue
		}
		low := uint32(1)
		for low*16 <= was {
			low *= 16
		}
		now := low + (uint32(stream[i])<<8|uint32(stream[i+1]))%(low*15)
		b[i], b[i+1] = byte(now>>8), byte(now)
	}
	return netip.AddrFrom16(b).WithZone(a.Zone())
}

// line replaces all words, but for the first if that is a command. Addresses keep
// their form, and their networks.
func (s *search) line(text string, command bool) string {
	words := strings.Split(text, " ")
	for i, w := range words {
		if i == 0 && command {
			continue
		}
		if net, err := netip.ParsePrefix(w); err == nil {
			words[i] = netip.PrefixFrom(s.h.host(net.Addr()), net.Bits()).String()
		} else if peer, err := netip.ParseAddrPort(w); err == nil {
			words[i] = s.addr(peer).String()
		} else if addr, err := netip.ParseAddr(w); err == nil {
			words[i] = s.h.host(addr).String()
		} else {
			words[i] = s.path(w)
		}
	}
	return strings.Join(words, " ")
}

// session replaces the names of the session itself.
func (s *search) session(p *policy.Session) {
	p.User, p.Root = s.word(p.User), s.path(p.Root)
	p.Peer, p.Local = s.addr(p.Peer), s.addr(p.Local)
	p.TLS.ClientSubject = s.word(p.TLS.ClientSubject)
	if p.TLS.ClientSHA256 != "" {
		p.TLS.ClientSHA256 = s.note(p.TLS.ClientSHA256, fmt.Sprintf("%x", s.h.stream(p.TLS.ClientSHA256, len(p.TLS.ClientSHA256)/2)))
	}
}

// state replaces the names in the policy's own blob, once all are known.
func (s *search) state(p *policy.Session) {
	r := s.replacer()
	for slot, b := range p.State {
		p.State[slot] = []byte(r.Replace(string(b)))
	}
}
