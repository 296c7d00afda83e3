package delivery

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// Handler answers requests of HTTP with what a server's files are. It is an http.Handler;
// New makes it.
type Handler struct {
	conf  Config
	visit func(ctx context.Context, r *http.Request) (session, error)
	pages *pages
	key   []byte // of digest

	mu    sync.Mutex
	pools map[net.Conn]*pool // of the connections of Server
}

// newHandler makes a Handler whose sessions visit begins.
func newHandler(conf Config, visit func(context.Context, *http.Request) (session, error)) (*Handler, error) {
	conf, err := conf.check()
	if err != nil {
		return nil, err
	}
	h := &Handler{conf: conf, visit: visit, pages: newPages(), key: make([]byte, sha256.Size), pools: map[net.Conn]*pool{}}
	_, _ = rand.Read(h.key) // it never fails
	return h, nil
}

// ServeHTTP implements http.Handler. An answer that cannot be completed is broken off
// (http.ErrAbortHandler).
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	x := &exchange{h: h, w: w, rc: http.NewResponseController(w), r: r}
	defer func() {
		h.conf.Log.Debug("a request was answered", "peer", r.RemoteAddr, "protocol", r.Proto, "command", r.Method,
			"path", string(x.canonical), "reply", x.status, "bytes", x.bytes, "seconds", time.Since(began).Seconds(), "error", x.fault)
		if h.conf.Answered != nil {
			h.conf.Answered(protocolOf(r), x.status)
		}
	}()
	x.answer()
}

// poolKey is where a connection's context has its pool.
type poolKey struct{}

// pool returns the sessions of a request's connection, or some of its own where nobody has
// said which connection it is; done has to be called.
func (h *Handler) pool(r *http.Request) (p *pool, done func()) {
	if p, ok := r.Context().Value(poolKey{}).(*pool); ok {
		return p, func() {}
	}
	p = newPool(1)
	return p, p.close
}

// Connection returns the context of a connection for which ctx stands, so that its requests
// share sessions: they end with ctx. It is for whoever serves a Handler by something else
// than Server, such as HTTP/3.
func (h *Handler) Connection(ctx context.Context) context.Context {
	p := newPool(h.conf.PerConnection)
	context.AfterFunc(ctx, p.close)
	return context.WithValue(ctx, poolKey{}, p)
}

// digest stands for credentials, which are not kept.
func (h *Handler) digest(c credentials) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, h.key)
	anonymous := ""
	if c.anonymous {
		anonymous = "a"
	}
	mac.Write([]byte(strings.Join([]string{c.host, c.user, c.password, anonymous}, "\x00")))
	mac.Sum(sum[:0])
	return sum
}

// open begins a session and logs in to it.
func (h *Handler) open(r *http.Request, c credentials) (session, *problem) {
	s, err := h.visit(r.Context(), r)
	if err != nil {
		return nil, h.turnedAway(err)
	}
	if no := h.login(r, s, c); no != nil {
		s.Close()
		return nil, no
	}
	return s, nil
}

// login logs in.
func (h *Handler) login(r *http.Request, s session, c credentials) *problem {
	ctx := r.Context()
	if c.host != "" {
		if a := s.Do(ctx, pi.Errand{Verb: "HOST", Argument: c.host}); !a.Positive() && r.TLS != nil && r.TLS.ServerName != "" && !strings.EqualFold(r.TLS.ServerName, c.host) {
			return say(http.StatusMisdirectedRequest, "The TLS handshake was for another host; connect anew for this one.")
		}
	}
	if agent := r.UserAgent(); agent != "" && !unsayable(agent) {
		s.Do(ctx, pi.Errand{Verb: "CLNT", Argument: agent})
	}
	a := s.Do(ctx, pi.Errand{Verb: "USER", Argument: c.user})
	if a.Code == wire.CodeNeedPassword {
		a = s.Do(ctx, pi.Errand{Verb: "PASS", Argument: c.password})
	}
	if a.Code == wire.CodeLoggedIn || a.Code == wire.CodeLoggedInSecure {
		s.Do(ctx, pi.Errand{Verb: "TYPE", Argument: "I"}) // the bytes of a file are to be its own
		return nil
	}
	no := ofReply(a)
	if no.status == http.StatusUnauthorized || no.status == http.StatusBadRequest || done(a) {
		no.challenge = h.challenges(r)
		if no.status = http.StatusUnauthorized; !no.challenge {
			no.status = http.StatusForbidden
		}
	}
	return no
}

// errIs reports whether a reply has a cause.
func errIs(r wire.Reply, target error) bool { return errors.Is(r.Cause, target) }
