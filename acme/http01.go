package acme

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	rfc8555 "github.com/mholt/acmez/v3/acme"
)

const (
	challengePath = "/.well-known/acme-challenge/" // RFC 8555 §8.3
	guestTime     = 5 * time.Second                // for all of a connection
	leaveTime     = time.Second                    // for those that are there at the end
	mostHeader    = 4 << 10                        // bytes
	mostToken     = 256
)

// serveHTTP answers HTTP-01 on a listener until stop is called.
func (c *challenges) serveHTTP(l net.Listener) (stop func()) {
	srv := &http.Server{
		Handler:           http.HandlerFunc(c.answerHTTP),
		ReadHeaderTimeout: guestTime,
		ReadTimeout:       guestTime,
		WriteTimeout:      guestTime,
		MaxHeaderBytes:    mostHeader,
		ErrorLog:          log.New(io.Discard, "", 0),

		DisableGeneralOptionsHandler: true, // it says 200 to OPTIONS *
	}
	srv.SetKeepAlivesEnabled(false)
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(l) }) // ends with stop
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close()
		}
		serving.Wait()
	}
}

// answerHTTP gives the key authorization of a pending order to whoever asks for exactly
// its path on exactly its host. All else is not found.
func (c *challenges) answerHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Connection", "close")
	token, ok := strings.CutPrefix(r.RequestURI, challengePath)
	if !ok || r.Method != http.MethodGet || !isToken(token) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	got, ok := c.find(r.Context(), rfc8555.ChallengeTypeHTTP01, hostOnly(r.Host), token)
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(w, got.KeyAuthorization) // a client that is gone has had its answer
}

// isToken reports whether s is of the base64url alphabet (RFC 8555 §8.3).
func isToken(s string) bool {
	return s != "" && len(s) <= mostToken && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// hostOnly is the name or address of a Host field, without the port.
func hostOnly(host string) string {
	if ap, err := netip.ParseAddrPort(host); err == nil {
		return ap.Addr().Unmap().String()
	}
	if ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")); err == nil {
		return ip.Unmap().String()
	}
	if name, port, err := net.SplitHostPort(host); err == nil && port != "" {
		host = name
	}
	return plainName(host)
}
