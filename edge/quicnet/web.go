package quicnet

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// webHeaders is the largest head of a request, in bytes.
const webHeaders = 32 << 10

// linkKey is where a request's context has its connection.
type linkKey struct{}

// newWeb makes the server of HTTP/3. Its requests have RemoteAddr, TLS and
// http.LocalAddrContextKey as those of net/http. Idle connections are ended by link.
func (l *Listener) newWeb() *http3.Server {
	return &http3.Server{
		Handler:        http.HandlerFunc(l.answer),
		MaxHeaderBytes: webHeaders,
		Logger:         slog.New(slog.DiscardHandler), // it would have words of its own, about clients
		ConnContext: func(ctx context.Context, conn *quic.Conn) context.Context {
			if of := l.conf.HTTPContext; of != nil {
				ctx = of(ctx)
			}
			return context.WithValue(ctx, linkKey{}, l.linkOf(conn))
		},
	}
}

// linkOf finds a connection that is open; nil if it is not.
func (l *Listener) linkOf(conn *quic.Conn) *link {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.links[conn]
}

// answer counts a request while it runs.
func (l *Listener) answer(w http.ResponseWriter, r *http.Request) {
	k, _ := r.Context().Value(linkKey{}).(*link)
	if k == nil || !k.begin(l.conf.Limits.Requests) {
		l.counts.refuse(RefusedSessions)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests) // RFC 6585 §4: of its own
		return
	}
	defer k.finish()
	defer func() {
		p := recover()
		if p != nil && p != http.ErrAbortHandler {
			l.tell(r.RemoteAddr, p)
		}
		if p != nil {
			panic(http.ErrAbortHandler) // which resets the stream, without a word in a log
		}
	}()
	l.conf.HTTP.ServeHTTP(w, r)
}
