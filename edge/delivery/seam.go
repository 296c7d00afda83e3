package delivery

import (
	"context"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// session is a session of the server's: an edge.Visit.
type session interface {
	Do(ctx context.Context, e pi.Errand) wire.Reply
	Closed() bool
	Close()
}

// New makes a Handler of conf for a server, whose sessions carry its requests out.
func New(srv *edge.Server, conf Config) (*Handler, error) {
	return newHandler(conf, func(ctx context.Context, r *http.Request) (session, error) {
		v, err := srv.Visit(ctx, conf.Listener, visitor(r))
		if err != nil {
			return nil, err
		}
		return v, nil
	})
}

// visitor is who a request comes from.
func visitor(r *http.Request) edge.Visitor {
	who := edge.Visitor{Peer: peer(r), TLS: r.TLS, Protocol: protocolOf(r)}
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		who.Local = addrPort(a.String())
	}
	return who
}

// protocolOf is how a request came, as ALPN calls it.
func protocolOf(r *http.Request) string {
	switch r.ProtoMajor {
	case 2:
		return "h2"
	case 3:
		return "h3"
	}
	return "http/1.1"
}

// peer is the address that a request came from.
func peer(r *http.Request) netip.AddrPort { return addrPort(r.RemoteAddr) }

func addrPort(s string) netip.AddrPort {
	a, _ := netip.ParseAddrPort(s)
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// file is an open file that may be sent.
type file struct {
	Size     int64
	ModTime  time.Time
	ID       string // of the file itself, whatever it is called; empty: unknown
	Filtered bool   // a policy may change the bytes
}

func offered(o pi.Offered) file {
	return file{Size: o.Size(), ModTime: o.ModTime(), ID: fileID(o.FileInfo), Filtered: o.Filtered}
}

// fileID is what tells a file from another one that has taken its name, with its size and
// its times. Empty: the host does not say.
func fileID(info fs.FileInfo) string { return hostID(info.Sys()) }

// port is the data connection of an errand. It is a dtp.Port.
type port struct {
	open func() (net.Conn, error) // called once

	mu   sync.Mutex
	used bool
}

// Open implements dtp.Port.
func (p *port) Open(ctx context.Context) (net.Conn, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	p.mu.Lock()
	used := p.used
	p.used = true
	p.mu.Unlock()
	if used {
		return nil, net.ErrClosed
	}
	return p.open()
}

// Close implements dtp.Port.
func (p *port) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used = true
	return nil
}
