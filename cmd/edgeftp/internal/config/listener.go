package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge"
)

// Listener is one or more addresses with the same settings.
type Listener struct {
	Name      string
	Protocol  string   // one of ProtocolFTP and its kin
	Implicit  bool     // connections begin with TLS
	Addresses []string // host:port for net.Listen
	Hosts     []string // the names that HOST may give; empty is any
	Host      string   // the virtual host of who names none; empty is none
	// StrictHosts refuses TLS handshakes for names that no host has.
	StrictHosts bool
	TLS         TLS
	Passive     Passive
	Active      Active
	Proxy       Proxy
	Banner      string // one or more lines
	Encoding    edge.Encoding
	LocalTime   bool // times are told in the machine's zone, not in UTC
	// Unlisted are verbs that the listener does not know, Optional those that it
	// knows beside the standard ones. Both are as the command table has them.
	Unlisted, Optional []string
	HTTP3              bool      // HTTP over QUIC too, on the UDP ports of the addresses
	Delivery           *Delivery // nil but with ProtocolHTTP
	QUIC               *QUIC     // nil but with UDP
	Congestion         string    // congestion control of TCP; empty is the kernel's choice
}

// The protocols of listeners.
const (
	ProtocolFTP  = "ftp"      // over TCP, with Implicit or without
	ProtocolHTTP = "http"     // delivery
	ProtocolQUIC = "ftp+quic" // FTP over QUIC
)

// UDP reports whether the addresses of the listener are those of UDP ports, too, or alone.
func (l *Listener) UDP() bool {
	return l.Protocol == ProtocolQUIC || l.Protocol == ProtocolHTTP && l.HTTP3
}

// TCP reports whether they are those of TCP ports.
func (l *Listener) TCP() bool { return l.Protocol != ProtocolQUIC }

// Passive says how passive ports are opened.
type Passive struct {
	Ports     []PortSpan     // empty is the kernel's choice
	Advertise edge.Advertise // the zero value is the connection's own address
	SamePeer  bool
	Reuse     bool
	Timeout   time.Duration // 0 is no limit
	Backlog   int           // 0 is the system's choice
}

// PortSpan is the ports First to Last, both included.
type PortSpan struct{ First, Last uint16 }

// Active says which data ports of clients are connected to.
type Active struct {
	Enabled          bool
	PrivilegedPorts  bool
	ForeignAddresses bool
	ReplacePrivate   bool
	Timeout          time.Duration // 0 is no limit
}

type fileListener struct {
	Name         string       `json:"name"`
	Protocol     string       `json:"protocol"`
	Address      oneOrMore    `json:"address"`
	Hosts        []string     `json:"hosts,omitzero"`
	Host         string       `json:"host,omitempty"`
	UnknownHosts string       `json:"unknown_hosts,omitzero"`
	TLS          fileTLS      `json:"tls"`
	Passive      filePassive  `json:"passive,omitzero"`
	Active       fileActive   `json:"active,omitzero"`
	Proxy        fileProxy    `json:"proxy_protocol,omitzero"`
	Banner       string       `json:"banner,omitzero"`
	Encoding     fileEncoding `json:"encoding,omitzero"`
	Timestamps   string       `json:"timestamps,omitzero"`
	Unlisted     []string     `json:"unlisted_commands,omitzero"`
	Optional     []string     `json:"optional_commands,omitzero"`
	HTTP3        bool         `json:"http3,omitzero"`
	Delivery     fileDelivery `json:"delivery,omitzero"`
	QUIC         fileQUIC     `json:"quic,omitzero"`
	Congestion   string       `json:"congestion,omitempty"`
}

type fileEncoding struct {
	Name    string `json:"name"`
	OnError string `json:"on_error,omitempty"`
}

type filePassive struct {
	Ports          joined            `json:"ports,omitempty"`
	Advertise      string            `json:"advertise"`
	AdvertiseLocal map[string]string `json:"advertise_local"`
	AdvertiseFor   map[string]string `json:"advertise_for"`
	SamePeer       bool              `json:"same_peer"`
	Reuse          bool              `json:"reuse"`
	Timeout        textOrNumber      `json:"timeout"`
	Backlog        int               `json:"backlog"`
}

type fileActive struct {
	Enabled          bool         `json:"enabled"`
	PrivilegedPorts  bool         `json:"privileged_ports"`
	ForeignAddresses bool         `json:"foreign_addresses"`
	ReplacePrivate   bool         `json:"replace_private"`
	Timeout          textOrNumber `json:"timeout"`
}

// autoAdvertise stands for the connection's own address.
const autoAdvertise = "auto"

func (c *checker) listeners(f *file) []Listener {
	var list []Listener
	names, addresses := map[string]bool{}, map[string]bool{}
	for i, l := range f.Listeners {
		path := []string{"listeners", strconv.Itoa(i)}
		c.unique(names, sub(path, "name"), l.Name, "listener")
		for _, a := range l.Address {
			for _, on := range l.networks() {
				if addresses[on+a] && a != "" && !strings.HasSuffix(a, ":0") {
					c.at(sub(path, "address"), fmt.Sprintf("%q is listened on already", a), "give each listener addresses of its own")
				}
				addresses[on+a] = true
			}
		}
		c.unfit(&l, path)
		list = append(list, Listener{
			Name: l.Name, Protocol: l.protocol(), Implicit: l.Protocol == "ftps", Addresses: l.Address, Hosts: hosts(l.Hosts), TLS: c.tls(&l, path),
			Passive: c.passive(&l.Passive, sub(path, "passive")),
			Active: Active{Enabled: l.Active.Enabled, PrivilegedPorts: l.Active.PrivilegedPorts, ForeignAddresses: l.Active.ForeignAddresses,
				ReplacePrivate: l.Active.ReplacePrivate, Timeout: l.Active.Timeout.duration()},
			Proxy:  c.proxy(&l.Proxy, sub(path, "proxy_protocol")),
			Banner: lines(l.Banner), Encoding: c.encoding(edge.Encoding(l.Encoding), sub(path, "encoding")), LocalTime: l.Timestamps == "local",
			Unlisted: c.unlisted(&l, path), Optional: verbs(l.Optional),
			HTTP3: l.HTTP3, Delivery: c.delivery(&l, path), QUIC: l.quic(), Congestion: c.congestion(f, &l, path),
		})
	}
	c.sharing(list)
	return list
}

// encoding asks whether the server has a charset and a mode.
func (c *checker) encoding(e edge.Encoding, path []string) edge.Encoding {
	if err := (edge.Encoding{Name: e.Name}).Check(); err != nil {
		c.at(sub(path, "name"), err.Error(), "write it as IANA's list of character sets has it, such as utf-8 or iso-8859-1")
	} else if err := e.Check(); err != nil {
		c.at(sub(path, "on_error"), err.Error(), "use strict, replace or ignore")
	}
	return e
}

// hosts are names as HOST compares them.
func hosts(names []string) []string {
	var out []string
	for _, n := range names {
		if n != "" { // what the schema refused
			out = append(out, strings.ToLower(strings.TrimSuffix(n, ".")))
		}
	}
	return out
}

// lines takes away the line ends behind a text, which YAML's block form adds.
func lines(text string) string { return strings.TrimRight(text, "\n") }

func (c *checker) passive(p *filePassive, path []string) Passive {
	made := Passive{SamePeer: p.SamePeer, Reuse: p.Reuse, Timeout: p.Timeout.duration(), Backlog: p.Backlog}
	if p.Ports != "" {
		made.Ports, _ = parsePorts(string(p.Ports))
	}
	if p.Advertise != autoAdvertise {
		made.Advertise.Address = p.Advertise
	}
	for _, key := range slices.Sorted(maps.Keys(p.AdvertiseLocal)) {
		ip, err := parseIP(key)
		if err != nil { // the schema has refused it
			continue
		}
		c.again(sub(path, "advertise_local", key), made.Advertise.ByLocal[ip] != "", key)
		if made.Advertise.ByLocal == nil {
			made.Advertise.ByLocal = map[netip.Addr]string{}
		}
		made.Advertise.ByLocal[ip] = p.AdvertiseLocal[key]
	}
	for _, key := range slices.Sorted(maps.Keys(p.AdvertiseFor)) {
		network, err := parseNetwork(key)
		if err != nil {
			continue
		}
		c.again(sub(path, "advertise_for", key), made.Advertise.ByClient[network] != "", key)
		if made.Advertise.ByClient == nil {
			made.Advertise.ByClient = map[netip.Prefix]string{}
		}
		made.Advertise.ByClient[network] = p.AdvertiseFor[key]
	}
	return made
}

// again reports an address that a map has twice, in two ways to write it.
func (c *checker) again(path []string, twice bool, key string) {
	if twice {
		c.key(path, fmt.Sprintf("%q is there already, written in another way", key), "remove one of them")
	}
}

// unlisted checks that what a listener does not know leaves clients a way to log
// in.
func (c *checker) unlisted(l *fileListener, listener []string) []string {
	list := verbs(l.Unlisted)
	for i, verb := range list {
		path := sub(listener, "unlisted_commands", strconv.Itoa(i))
		switch {
		case verb == "USER" || verb == "PASS" || verb == "QUIT":
			c.at(path, verb+" cannot be left out: nobody could log in or leave", "remove it from the list")
		case l.Protocol == "ftp" && l.TLS.Control == "required" && verb == "AUTH",
			l.TLS.dataRequired() && (verb == "PBSZ" || verb == "PROT"):
			c.at(path, verb+" cannot be left out where TLS is required", "remove it from the list")
		}
	}
	return list
}

func (l *Listener) file() fileListener {
	f := fileListener{
		Name: l.Name, Protocol: l.Protocol, Address: l.Addresses, Hosts: orEmpty(l.Hosts), Banner: l.Banner, TLS: l.TLS.file(), Congestion: l.Congestion,
		Passive: l.Passive.file(), Proxy: l.Proxy.file(),
		Active: fileActive{Enabled: l.Active.Enabled, PrivilegedPorts: l.Active.PrivilegedPorts, ForeignAddresses: l.Active.ForeignAddresses,
			ReplacePrivate: l.Active.ReplacePrivate, Timeout: written(l.Active.Timeout)},
		Encoding: fileEncoding(l.Encoding), Timestamps: "gmt", Unlisted: orEmpty(l.Unlisted), Optional: orEmpty(l.Optional),
	}
	f.Host, f.UnknownHosts = l.Host, "serve"
	if l.StrictHosts {
		f.UnknownHosts = "refuse"
	}
	if l.Implicit {
		f.Protocol = "ftps"
	}
	if l.LocalTime {
		f.Timestamps = "local"
	}
	l.fit(&f)
	return f
}

func (p *Passive) file() filePassive {
	f := filePassive{Ports: joined(formatPorts(p.Ports)), Advertise: orElse(p.Advertise.Address, autoAdvertise), SamePeer: p.SamePeer, Reuse: p.Reuse,
		Timeout: written(p.Timeout), Backlog: p.Backlog,
		AdvertiseLocal: map[string]string{}, AdvertiseFor: map[string]string{}}
	for ip, text := range p.Advertise.ByLocal {
		f.AdvertiseLocal[ip.String()] = text
	}
	for network, text := range p.Advertise.ByClient {
		f.AdvertiseFor[network.String()] = text
	}
	return f
}

// orEmpty is a list that is written as one even where it is empty.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
