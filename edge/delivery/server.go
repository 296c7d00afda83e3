package delivery

import (
	"context"
	"net"
	"net/http"
	"time"
)

// The limits of Server.
const (
	headerWithin  = 10 * time.Second // for a request's header
	idleWithin    = 2 * time.Minute  // between two requests
	maxHeader     = 32 << 10         // bytes of a request's header
	maxStreams    = 64               // requests of one connection at once, most of which wait
	pingAfter     = 30 * time.Second // of silence on HTTP/2
	pingWithin    = 15 * time.Second
	byteWithin    = time.Minute // without a byte taken by a client of HTTP/2
	receiveWindow = 64 << 10    // bytes: nobody uploads anything
)

// Server returns a server of HTTP/1.1, and of HTTP/2 where TLS agrees on it, with limits for
// everything that a client may make it wait for. The caller may set its TLSConfig, Addr,
// ErrorLog and BaseContext, and serves it. To its ConnContext and ConnState others may be
// added, as long as these are called.
func (h *Handler) Server() *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Server{Handler: h, ReadHeaderTimeout: headerWithin, IdleTimeout: idleWithin, MaxHeaderBytes: maxHeader,
		DisableGeneralOptionsHandler: true, Protocols: &protocols,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: pingAfter, PingTimeout: pingWithin,
			WriteByteTimeout: byteWithin, MaxReceiveBufferPerConnection: receiveWindow, MaxReceiveBufferPerStream: receiveWindow},
		ConnContext: h.enter, ConnState: h.follow}
}

// enter is http.Server.ConnContext: a connection has come.
func (h *Handler) enter(ctx context.Context, c net.Conn) context.Context {
	p := newPool(h.conf.PerConnection)
	h.mu.Lock()
	h.pools[c] = p
	h.mu.Unlock()
	return context.WithValue(ctx, poolKey{}, p)
}

// follow is http.Server.ConnState.
func (h *Handler) follow(c net.Conn, to http.ConnState) {
	if to != http.StateClosed && to != http.StateHijacked {
		return
	}
	h.mu.Lock()
	p := h.pools[c]
	delete(h.pools, c)
	h.mu.Unlock()
	if p != nil {
		p.close()
	}
}
