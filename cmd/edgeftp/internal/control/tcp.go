package control

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/audit"
)

// Token is a secret that stands for its bearer.
type Token struct {
	Name string
	// Sum is the SHA-256 of the secret. It needs no slow hash: a token is made by a machine
	// and has 128 bits or more, which nobody tries out.
	Sum  [sha256.Size]byte
	Role Role
}

// TCP is the admin API over TLS. Whoever asks has a token or a certificate.
type TCP struct {
	Listener net.Listener // of TCP
	Config   *tls.Config  // with the server's certificate, and perhaps ClientCAs
	Tokens   []Token
	Hosts    []string // that the header Host may name, without the port
	Origins  []string // of pages that may ask

	attempts attempts
}

// server is the HTTP server behind TLS.
func (t *TCP) server(c Controller, a *Access, log *slog.Logger) *http.Server {
	h, _ := guarded(c, a, -1, func(w http.ResponseWriter, r *http.Request) (caller, bool) { return t.identify(w, r, a) })
	s := server(h, log)
	s.TLSConfig = t.Config
	return s
}

// serve answers until the server is closed. A failure is told and ends nothing else: the
// socket still answers.
func (t *TCP) serve(s *http.Server, log *slog.Logger) error {
	err := s.ServeTLS(t.Listener, "", "")
	if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		log.Error("the admin API over TCP has failed; the socket still answers", "error", err)
	}
	return nil
}

// identify says who makes a request, or answers why it does not matter.
func (t *TCP) identify(w http.ResponseWriter, r *http.Request, a *Access) (c caller, ok bool) {
	c.Actor = audit.Actor{Via: "tcp", Address: r.RemoteAddr}
	no := func(status int, code, message, help string) (caller, bool) {
		if a.Audit != nil {
			a.Audit.Refuse(audit.Record{Actor: c.Actor, Action: r.Method, Object: r.URL.Path, Code: code, Text: message})
		}
		refuse(w, status, &Refusal{Code: code, Message: message, Help: help})
		return c, false
	}
	if !t.known(r.Host) {
		return no(http.StatusMisdirectedRequest, CodeHost, "the header Host names another server", "admin.tcp.hosts lists the names of this one")
	}
	if !t.fromHere(r) {
		return no(http.StatusForbidden, CodeOrigin, "the request comes from a page of another site", "admin.tcp.origins lists the pages that may ask")
	}
	if t.preflight(w, r) {
		return c, false
	}
	if wait := t.attempts.blocked(r.RemoteAddr, time.Now()); wait {
		w.Header().Set("Retry-After", "10")
		// Not recorded, each: the failures that led here are.
		refuse(w, http.StatusTooManyRequests, &Refusal{Code: CodeAttempts, Message: "too many failed attempts from this address", Help: "wait ten seconds"})
		return c, false
	}
	if token, tried := t.bearer(r); tried {
		if token == nil {
			t.attempts.failed(r.RemoteAddr, time.Now())
			w.Header().Set("WWW-Authenticate", "Bearer")
			return no(http.StatusUnauthorized, CodeStranger, "the server does not know that token", "admin.tcp.tokens lists them")
		}
		c.Via, c.Name, c.role = "token", token.Name, token.Role
	} else if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		c.Via = "certificate"
		c.Name, c.role = a.certificate(r.TLS.VerifiedChains[0][0])
	} else {
		t.attempts.failed(r.RemoteAddr, time.Now())
		w.Header().Set("WWW-Authenticate", "Bearer")
		return no(http.StatusUnauthorized, CodeStranger, "who asks is not known", "send a token (Authorization: Bearer TOKEN) or use a client certificate")
	}
	c.Role = c.role.String()
	return c, true
}

// known reports whether the header Host names this server.
func (t *TCP) known(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	return slices.Contains(t.Hosts, strings.TrimSuffix(host, "."))
}

// fromHere reports whether no browser sends the request for a page of another site. A
// certificate is sent by browsers without a question, so a page could act in its name.
func (t *TCP) fromHere(r *http.Request) bool {
	if origins := r.Header.Values("Origin"); len(origins) > 0 {
		return len(origins) == 1 && slices.Contains(t.Origins, origins[0])
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "none" || site == "same-origin"
}

// preflight answers the question of a browser whether a page of Origins may ask, and tells
// it of each answer that it may be read.
func (t *TCP) preflight(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Add("Vary", "Origin")
	if r.Method != http.MethodOptions {
		return false
	}
	w.Header().Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match, "+reasonHeader)
	w.WriteHeader(http.StatusNoContent)
	return true
}

// bearer returns the token that a request bears. All are looked at, for the time that it
// takes says nothing.
func (t *TCP) bearer(r *http.Request) (token *Token, tried bool) {
	kind, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") {
		return nil, kind != ""
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(secret)))
	for i := range t.Tokens {
		if subtle.ConstantTimeCompare(sum[:], t.Tokens[i].Sum[:]) == 1 {
			token = &t.Tokens[i]
		}
	}
	return token, true
}

const (
	// mostFailures is how many attempts of an address may fail at once; each is forgotten
	// after forgetFailure.
	mostFailures  = 5
	forgetFailure = 10 * time.Second
	// mostAddresses bounds what is remembered of addresses.
	mostAddresses = 4096
)

// attempts bounds how fast secrets can be tried. The zero value remembers nobody.
type attempts struct {
	mu  sync.Mutex
	all map[netip.Addr]time.Time // by network: when all of its failures are forgotten
}

// network is what an address counts as: whoever has an IPv6 address has a whole /64.
func network(remote string) netip.Addr {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	a := at.Addr().Unmap()
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

func (a *attempts) blocked(remote string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all[network(remote)].Sub(now) > (mostFailures-1)*forgetFailure
}

func (a *attempts) failed(remote string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[netip.Addr]time.Time{}
	}
	if len(a.all) >= mostAddresses {
		a.forget(now)
	}
	n := network(remote)
	until := a.all[n]
	if until.Before(now) {
		until = now
	}
	a.all[n] = until.Add(forgetFailure)
}

// forget makes room: those whose time is over go, and if there are none the one that has
// the least left.
func (a *attempts) forget(now time.Time) {
	var least netip.Addr
	for n, until := range a.all {
		if until.Before(now) {
			delete(a.all, n)
		} else if !least.IsValid() || until.Before(a.all[least]) {
			least = n
		}
	}
	if len(a.all) >= mostAddresses {
		delete(a.all, least)
	}
}
