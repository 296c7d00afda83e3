package fetch

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Bounds of a request and of its response.
const (
	MaxURL        = 2048     // bytes
	MaxHeaders    = 32       // fields of a request
	MaxHeader     = 4 << 10  // bytes of one of them, name and value
	MaxBody       = 64 << 10 // bytes of a request's body
	MaxFields     = 100      // fields of a response
	MaxFieldBytes = 32 << 10 // bytes of a response's fields
	MaxResponse   = 1 << 20  // bytes of a response's body
)

// Request is one request.
type Request struct {
	Method  string // GET, HEAD, POST, PUT, PATCH or DELETE
	URL     string // absolute, http or https, in ASCII
	Headers []Header
	Body    []byte
	// MaxBody bounds the body of the response, in bytes. Zero, and what is above it,
	// stand for MaxResponse; below zero there may be no body.
	MaxBody int
	// Timeout is less than the client's own, or 0.
	Timeout time.Duration
	// Permit, if there is one, has a say beside the client's list. host is in lower
	// case, an address without brackets.
	Permit func(scheme, host string, port uint16) bool
}

// Header is one field (RFC 9110 §5).
type Header struct{ Name, Value string }

// Response is the answer to a [Request]. A redirect is an answer like any other.
type Response struct {
	Status  int      // 200 to 599
	Headers []Header // sorted by name, as the server sent their values
	Body    []byte   // as the server sent it, also if it is packed
}

// Errors of a fetch. What else goes wrong between here and the server is ErrFailed.
var (
	ErrRequest = errors.New("the request is malformed")
	ErrDenied  = errors.New("the origin is not allowed")
	ErrBusy    = errors.New("too many fetches at once")
	ErrLarge   = errors.New("the response is too large")
	ErrTimeout = errors.New("the fetch took too long")
	ErrFailed  = errors.New("the fetch failed")
)

// target checks a request's URL and returns it with its host in lower case and its
// port.
func target(text string) (*url.URL, string, uint16, error) {
	bad := func(why string) (*url.URL, string, uint16, error) {
		return nil, "", 0, fmt.Errorf("%w: the URL %s", ErrRequest, why)
	}
	if len(text) > MaxURL {
		return bad(fmt.Sprintf("has %d bytes, at most %d are sent", len(text), MaxURL))
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }) {
		return bad("holds a space, a control character or one beyond ASCII")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Opaque != "" || u.Host == "":
		return bad("is not an absolute one")
	case u.Scheme != "https" && u.Scheme != "http":
		return bad("has another scheme than https and http")
	case u.User != nil:
		return bad("names a user")
	case u.Fragment != "":
		return bad("has a fragment")
	}
	port, err := portOf(u)
	if err != nil {
		return bad(err.Error())
	}
	host := strings.ToLower(u.Hostname())
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return bad("has an address with a zone")
		}
		return u, host, port, nil
	}
	if err := checkName(host); err != nil {
		return bad(err.Error())
	}
	return u, host, port, nil
}

// Origin returns the parts of a URL by which it is allowed or not: the host in lower
// case, an address without brackets. It fails with [ErrRequest].
func Origin(text string) (scheme, host string, port uint16, err error) {
	u, host, port, err := target(text)
	if err != nil {
		return "", "", 0, err
	}
	return u.Scheme, host, port, nil
}

// fields checks a request's fields and returns them as package http wants them.
func fields(headers []Header) (http.Header, error) {
	if len(headers) > MaxHeaders {
		return nil, fmt.Errorf("%w: %d fields, at most %d are sent", ErrRequest, len(headers), MaxHeaders)
	}
	h := http.Header{}
	for _, f := range headers {
		if len(f.Name)+len(f.Value) > MaxHeader {
			return nil, fmt.Errorf("%w: a field of more than %d bytes", ErrRequest, MaxHeader)
		}
		if !isToken(f.Name) {
			return nil, fmt.Errorf("%w: the name of a field is none", ErrRequest)
		}
		if strings.ContainsFunc(f.Value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, fmt.Errorf("%w: the field %s holds a control character", ErrRequest, f.Name)
		}
		if ours(strings.ToLower(f.Name)) {
			return nil, fmt.Errorf("%w: the field %s is the server's own", ErrRequest, f.Name)
		}
		h.Add(f.Name, f.Value)
	}
	if _, set := h["User-Agent"]; !set {
		h.Set("User-Agent", "edgeftp")
	}
	return h, nil
}

// ours reports the fields that say how a message is framed and where it goes. They
// belong to whoever makes the connection (RFC 9110 §7.6.1, RFC 9112 §6).
func ours(name string) bool {
	return strings.HasPrefix(name, "proxy-") || slices.Contains([]string{"host", "connection", "content-length",
		"transfer-encoding", "te", "trailer", "upgrade", "expect", "keep-alive", "http2-settings"}, name)
}

// isToken reports whether s is a token (RFC 9110 §5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

func methodAllowed(m string) bool {
	return slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, m)
}
