package config

import (
	"net/netip"
	"strconv"
	"time"
)

// Proxy is what connections come through that bring a PROXY header.
type Proxy struct {
	Mode    string         // off, optional or required
	Trusted []netip.Prefix // whose headers are believed; not empty unless Mode is off
	Timeout time.Duration  // for the header
	Data    bool           // data connections bring one, too; of no meaning without FTP
}

// mostProxyTimeout is what edge takes at most.
const mostProxyTimeout = time.Minute

type fileProxy struct {
	Mode    string   `json:"mode"`
	Trusted []string `json:"trusted"`
	Timeout string   `json:"timeout"`
	Data    *bool    `json:"data,omitempty"` // nil once read: the schema has refused it
}

func (c *checker) proxy(f *fileProxy, path []string) Proxy {
	p := Proxy{Mode: f.Mode, Trusted: networks(f.Trusted), Timeout: duration(f.Timeout), Data: f.Data != nil && *f.Data}
	if (p.Mode == "optional" || p.Mode == "required") && len(f.Trusted) == 0 {
		c.at(sub(path, "mode"), "nobody is trusted to send PROXY headers", "add trusted: [NETWORK], with the addresses of the proxies alone")
	}
	for i, text := range f.Trusted {
		if n, err := parseNetwork(text); err == nil && n.Bits() == 0 {
			c.at(sub(path, "trusted", strconv.Itoa(i)), "it holds every address: each client could say that it is another", "name the proxies alone, such as 10.0.0.0/8")
		}
	}
	return p
}

// proxyTimeout is a duration that Proxy.Timeout may be.
func proxyTimeout(s string) error {
	d, err := parseDuration(s, time.Millisecond)
	if err == nil && d > mostProxyTimeout {
		err = fault{"is longer than a minute", "write 3s: a proxy sends the header with its first packet"}
	}
	return err
}

func (p *Proxy) file() fileProxy {
	return fileProxy{Mode: p.Mode, Trusted: networkWords(p.Trusted), Timeout: formatDuration(p.Timeout), Data: &p.Data}
}
