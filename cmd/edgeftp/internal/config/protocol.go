package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

// QUIC is what a client of QUIC may cost.
type QUIC struct {
	Handshakes       int // a second, without Retry; 0: each is asked
	ConnectionsPerIP int // 0 is no limit
	ControlSessions  int
	Streams          int
	Requests         int
	Idle, Unused     time.Duration
}

type fileQUIC struct {
	Handshakes       int          `json:"handshakes_before_retry"`
	ConnectionsPerIP int          `json:"connections_per_ip"`
	ControlSessions  int          `json:"control_sessions"`
	Streams          int          `json:"streams"`
	Requests         int          `json:"requests"`
	Idle             textOrNumber `json:"idle"`
	Unused           textOrNumber `json:"unused"`
}

func (l *fileListener) quic() *QUIC {
	if l.Protocol != ProtocolQUIC && (l.Protocol != ProtocolHTTP || !l.HTTP3) {
		return nil
	}
	q := &l.QUIC
	return &QUIC{Handshakes: q.Handshakes, ConnectionsPerIP: q.ConnectionsPerIP, ControlSessions: q.ControlSessions, Streams: q.Streams, Requests: q.Requests,
		Idle: q.Idle.duration(), Unused: q.Unused.duration()}
}

func (q *QUIC) file() fileQUIC {
	return fileQUIC{Handshakes: q.Handshakes, ConnectionsPerIP: q.ConnectionsPerIP, ControlSessions: q.ControlSessions, Streams: q.Streams, Requests: q.Requests,
		Idle: written(q.Idle), Unused: written(q.Unused)}
}

// protocol is Listener.Protocol.
func (l *fileListener) protocol() string {
	if l.Protocol == "ftps" {
		return ProtocolFTP
	}
	return l.Protocol
}

// networks are those that the addresses are of.
func (l *fileListener) networks() (out []string) {
	if l.Protocol != ProtocolQUIC {
		out = append(out, "tcp ")
	}
	if l.Protocol == ProtocolQUIC {
		out = append(out, "ftp udp ")
	}
	if l.HTTP3 {
		out = append(out, "http udp ")
	}
	return out
}

// ofTCP are keys that have no place where there is no control connection of FTP over TCP,
// ofFTP those that have none where there is no FTP.
func ofTCP() [][]string {
	return [][]string{{"passive"}, {"active"}, {"unknown_hosts"}, {"tls", "data"}, {"tls", "session_reuse"}}
}

func ofFTP() [][]string {
	return [][]string{{"hosts"}, {"banner"}, {"encoding"}, {"timestamps"}, {"unlisted_commands"}, {"optional_commands"}}
}

// unfit reports keys that mean nothing for the protocol of a listener.
func (c *checker) unfit(l *fileListener, listener []string) {
	var keys [][]string
	switch l.Protocol {
	case ProtocolHTTP:
		keys = append(slices.Concat(ofTCP(), ofFTP()), []string{"proxy_protocol", "data"})
		if !l.HTTP3 && !c.isFaulty(sub(listener, "http3")) {
			keys = append(keys, []string{"quic"})
		}
		c.clear(l, listener, "http3", l.HTTP3)
		if l.TLS.Control == "optional" {
			c.at(sub(listener, "tls", "control"), "a port of HTTP has TLS or has not", "let it be required, or off on a loopback address")
		}
	case ProtocolQUIC:
		keys = append(ofTCP(), []string{"proxy_protocol"}, []string{"delivery"}, []string{"http3"}, []string{"congestion"})
		c.clear(l, listener, "protocol", true)
	case "":
		return // the schema has refused it
	default:
		keys = [][]string{{"delivery"}, {"http3"}, {"quic"}}
	}
	for _, key := range keys {
		at, without := sub(listener, key...), ""
		if l.Protocol == ProtocolHTTP && key[0] == "quic" {
			without = " without http3"
		}
		if c.given != nil && c.given(at) {
			c.key(at, fmt.Sprintf("%s means nothing with protocol %s%s", strings.Join(key, "."), l.Protocol, without), "remove it, or choose another protocol")
		}
	}
}

// clear refuses QUIC without TLS.
func (c *checker) clear(l *fileListener, listener []string, key string, quic bool) {
	if quic && (l.TLS.Control == "off" || l.TLS.Control == "optional") {
		c.at(sub(listener, "tls", "control"), fmt.Sprintf("there is no QUIC without TLS, and %s asks for it", key), "let it be required, or change "+key)
	}
}

// sharing refuses listeners that share a UDP port and do not agree about it.
func (c *checker) sharing(list []Listener) {
	of := map[string]*Listener{}
	for i := range list {
		l := &list[i]
		for _, a := range l.Addresses {
			if !l.UDP() || strings.HasSuffix(a, ":0") {
				continue
			}
			if first := of[a]; first != nil && *first.QUIC != *l.QUIC {
				c.key([]string{"listeners", strconv.Itoa(i), "quic"}, fmt.Sprintf("the listener %q has other limits, and the UDP port of %q is one for both", first.Name, a), "write the same in both")
			}
			of[a] = l
		}
	}
}

// algorithm is the name of a congestion control.
func algorithm(s string) error {
	const most = 15 // of the kernel
	if s == "" || len(s) > most || strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-' }) {
		return fault{"is no name of a congestion control", "write it like bbr"}
	}
	return nil
}

// congestion asks the kernel whether a listener can have its congestion control.
func (c *checker) congestion(f *file, l *fileListener, listener []string) string {
	if l.Congestion == "" {
		return ""
	}
	at, all := sub(listener, "congestion"), c.outside.congestion()
	switch {
	case !slices.Contains(all.Known, l.Congestion):
		c.at(at, fmt.Sprintf("the kernel does not have the congestion control %q", l.Congestion), lacking(all))
	case !slices.Contains(all.Free, l.Congestion) && (f.Instance.User != "" || !c.isRoot()):
		c.at(at, fmt.Sprintf("the kernel lets root alone choose the congestion control %q", l.Congestion),
			"add it to net.ipv4.tcp_allowed_congestion_control, which has: "+strings.Join(all.Free, ", "))
	}
	return l.Congestion
}

func lacking(all dtp.Algorithms) string {
	if len(all.Known) == 0 {
		return "remove it: this system lets no program choose, or does not say what it has"
	}
	return "this kernel has: " + all.String()
}

// fit leaves out of the file what means nothing for the protocol.
func (l *Listener) fit(f *fileListener) {
	if l.QUIC != nil {
		f.QUIC = l.QUIC.file()
	}
	f.HTTP3 = l.HTTP3
	if l.Delivery != nil {
		f.Delivery = l.Delivery.file()
	}
	switch l.Protocol {
	case ProtocolHTTP:
		f.Hosts, f.Banner, f.Encoding, f.Timestamps, f.Unlisted, f.Optional = nil, "", fileEncoding{}, "", nil, nil
		f.Proxy.Data = nil
	case ProtocolQUIC:
		f.Proxy = fileProxy{}
	default:
		return
	}
	f.Passive, f.Active, f.UnknownHosts = filePassive{}, fileActive{}, ""
	f.TLS.Data, f.TLS.SessionReuse = "", ""
}
