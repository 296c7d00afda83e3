package pi

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/edge/wire"
)

// maxClient is how long a client's own name may be, in bytes.
const maxClient = 128

// host is HOST (RFC 7151 §3): which of the server's names the client means. It must
// come before the login. In the clear it chooses the certificate of a handshake that
// names no server itself; under TLS it has to agree with what the handshake was for,
// because the connection can be made one to another host no longer (RFC 7151 §3.2).
func host(s *Session, a Args) Outcome {
	if s.rank.in {
		return Say(wire.CodeBadSequence, "HOST must come before the login.")
	}
	name := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(a.Text), "."))
	if !hostName(name) {
		return Say(wire.CodeBadArgument, "That is neither a host name nor an address in brackets.")
	}
	known := len(s.conf.Hosts) == 0 || slices.ContainsFunc(s.conf.Hosts, func(h string) bool { return strings.EqualFold(h, name) })
	switch {
	case !known:
		return Say(wire.CodeBadParameter, "There is no such host here.")
	case s.who.TLS.Enabled() && !s.link.tls.Agrees(name):
		return Say(wire.CodeBadParameter, "The TLS handshake was for another host; connect anew for this one.")
	}
	s.who.Host = name
	s.publish()
	s.link.lang = s.conf.Languages.Default() // RFC 7151 §3.2: as if just connected
	return Say(wire.CodeReady, "Welcome to %s.", name)
}

// hostName reports whether a word is a name, an IPv4 address or an IPv6 address
// in brackets (RFC 7151 §3.1).
func hostName(name string) bool {
	if inner, ok := strings.CutPrefix(name, "["); ok {
		addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && addr.Is6() && addr.Zone() == "" && strings.HasSuffix(name, "]")
	}
	ok, _ := regexp.MatchString(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*$`, name)
	return ok && len(name) <= 253
}

// clientName is CLNT: the client program tells its name, for policies and logs.
func clientName(s *Session, a Args) Outcome {
	s.setClient(a.Text)
	return Say(wire.CodeOK, "Noted.")
}

// clientID is CSID (draft-peterson-streamlined-ftp-command-extensions-10 §2.1):
// both sides say what they are. The server's version is nobody's business.
func clientID(s *Session, a Args) Outcome {
	facts := map[string]string{}
	for fact := range strings.SplitSeq(a.Text, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(fact), "=")
		if ok {
			facts[strings.ToLower(name)] = value
		}
	}
	if facts["name"] == "" {
		return Say(wire.CodeBadArgument, "CSID needs Name=...;Version=...;")
	}
	s.setClient(strings.TrimSpace(facts["name"] + " " + facts["version"]))
	return Say(wire.CodeOK, "Name=edgeftp; CaseSensitive=1; DirSep=/;")
}

func (s *Session) setClient(name string) {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(strings.TrimSpace(name), "?"))
	s.who.Client = strings.ToValidUTF8(name[:min(len(name), maxClient)], "")
	s.publish()
}
