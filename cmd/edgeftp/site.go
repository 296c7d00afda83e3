package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge/delivery"
)

// site is what a listener of HTTP hands out. Connections that have begun with it stay with
// it, also when the configuration has another one in its place.
type site struct {
	conf    delivery.Config
	handler *delivery.Handler
	server  *http.Server
	feed    *feed
}

// openSite makes the site of a listener, which is known at some UDP ports as well.
func (in *generation) openSite(l *config.Listener, ports []string) (*site, error) {
	d := l.Delivery
	conf := delivery.Config{Listener: l.Name, Anonymous: d.Anonymous, Basic: d.Basic, BasicInClear: d.BasicInClear, Attachments: d.Attachments, HSTS: d.HSTS,
		Cache: d.Cache, AltSvc: altSvc(ports)}
	if b := in.before; b != nil && b.fronts.sites[l.Name] != nil && reflect.DeepEqual(b.fronts.sites[l.Name].conf, conf) {
		return b.fronts.sites[l.Name], nil
	}
	s := &site{conf: conf, feed: newFeed()}
	conf.Log, conf.Answered = in.log, in.answered.count
	var err error
	if s.handler, err = delivery.New(in.server, conf); err != nil {
		return nil, err
	}
	s.server = s.handler.Server()
	s.server.Handler = in.recovering(s.handler)
	s.server.ErrorLog = slog.NewLogLogger(in.log.Handler(), slog.LevelDebug)
	go func() { _ = s.server.Serve(s.feed) }() // until close
	return s, nil
}

// handOn returns what gives a connection of a listener to its site: to that of this
// generation, or, where that takes no more by now, to that of the one in force.
func (in *generation) handOn(listener string) func(net.Conn) {
	return func(conn net.Conn) {
		if c := in.fronts.tls[listener]; c != nil {
			conn = tls.Server(conn, handshakes(c))
		}
		for of := in; ; {
			if s := of.fronts.sites[listener]; s != nil && s.feed.give(conn) {
				return
			}
			now := in.now.Load()
			if now == of {
				_ = conn.Close() // there is no word of HTTP's before a request
				return
			}
			of = now
		}
	}
}

// altSvc tells of HTTP/3 (RFC 7838).
func altSvc(ports []string) string {
	var out []string
	for _, p := range ports {
		out = append(out, `h3=":`+p+`"; ma=86400`)
	}
	return strings.Join(slices.Compact(out), ", ")
}

// recovering counts and tells of the mistakes of a handler, at the cost of the request.
func (in *instance) recovering(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				if p != http.ErrAbortHandler {
					in.server.Panicked(p)
				}
				panic(http.ErrAbortHandler)
			}
		}()
		h.ServeHTTP(w, r)
	})
}

// close takes no more connections, and lets answers end until ctx does.
func (s *site) close(ctx context.Context) {
	_ = s.feed.Close()
	if s.server.Shutdown(ctx) != nil {
		_ = s.server.Close()
	}
}

// handshakes is what TLS of HTTP/1.1 and HTTP/2 is done with, by the configuration of the
// listener. Those of challenges (RFC 8737) are answered as it says.
func handshakes(c *tls.Config) *tls.Config {
	return &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		return chosen(c, hello, "h2", "http/1.1")
	}}
}

// chosen is the configuration of one handshake, with protocols of ours.
func chosen(c *tls.Config, hello *tls.ClientHelloInfo, protocols ...string) (*tls.Config, error) {
	if c.GetConfigForClient != nil {
		own, err := c.GetConfigForClient(hello)
		if err != nil || own != nil && len(own.NextProtos) > 0 {
			return own, err
		}
		if own != nil {
			c = own
		}
	}
	c = c.Clone()
	c.NextProtos, c.GetConfigForClient = protocols, nil
	return c, nil
}

// feed is a net.Listener of connections that others have accepted.
type feed struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newFeed() *feed { return &feed{conns: make(chan net.Conn), closed: make(chan struct{})} }

// give hands a connection over, and reports whether anybody takes it.
func (f *feed) give(c net.Conn) bool {
	select {
	case f.conns <- c:
		return true
	case <-f.closed:
		return false
	}
}

// Accept implements net.Listener.
func (f *feed) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (f *feed) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}

// Addr implements net.Listener.
func (f *feed) Addr() net.Addr { return new(net.TCPAddr) }
