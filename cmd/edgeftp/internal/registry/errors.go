package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"unicode"

	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// Error says what did not work, in words for the person at the command.
type Error struct {
	What  string // one line
	Found string // may be empty
	Needs string // may be empty
	Help  string // what to do about it; may be empty
	Err   error  // the cause, if it was another error
}

// Error returns what did not work, and below it a line each for what was found,
// what is needed and what helps, where there is something to say.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.What)
	for _, l := range [...]struct{ word, text string }{
		{"found:", e.Found}, {"needs:", e.Needs}, {"help:", e.Help},
	} {
		if l.text != "" {
			fmt.Fprintf(&b, "\n   = %-7s %s", l.word, l.text)
		}
	}
	return b.String()
}

// Unwrap returns the cause, nil if there is none.
func (e *Error) Unwrap() error { return e.Err }

var (
	errPage  = errors.New("a web page where a registry's answer was to be")
	errClear = errors.New("a password that would cross the network readable by all")
)

// explain turns an error on the way to or from a registry into words. What is an
// [*Error] already stays.
func (c *Client) explain(err error, ref Ref) error {
	var told *Error
	if errors.As(err, &told) {
		return told
	}
	e := &Error{Err: err}
	if !c.unreached(e, ref) && !c.answered(e, ref) && !damaged(e, ref) {
		e.What = fmt.Sprintf("%s did not answer as a registry does", ref.Host())
		e.Found = clean(err.Error())
		e.Help = "check the address; the registry's own log may say more"
	}
	return e
}

// unreached tells of what went wrong before there was an answer.
func (c *Client) unreached(e *Error, ref Ref) bool {
	var dns *net.DNSError
	var dial *net.OpError
	var authority x509.UnknownAuthorityError
	var verify *tls.CertificateVerificationError
	err := e.Err
	switch {
	case errors.Is(err, context.Canceled):
		e.What = "interrupted"
	case errors.Is(err, errClear):
		e.What = fmt.Sprintf("%s wants a password and is reached without TLS", ref.Host())
		e.Help = "reach it by TLS, or through a tunnel that ends on this machine"
	case errors.As(err, &dns):
		e.What = fmt.Sprintf("%s is not known", ref.Host())
		e.Found, e.Help = clean(dns.Error()), "check the host's name, and that this machine can resolve it"
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &dial) && dial.Timeout():
		e.What = fmt.Sprintf("%s was not done in time", ref.Host())
		e.Needs = c.timeout().String() + " at most"
		e.Help = "try again, or allow more with --timeout"
	case errors.As(err, &dial) && dial.Op == "dial":
		e.What = fmt.Sprintf("%s cannot be reached", ref.Host())
		e.Found, e.Help = clean(dial.Err.Error()), "check host and port, and that the registry runs"
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		e.What = fmt.Sprintf("%s does not answer with TLS", ref.Host())
		e.Help = "give the port that does, or --plain-http if nobody between can read or change what is sent"
	case errors.As(err, &authority) || errors.As(err, &verify):
		e.What = fmt.Sprintf("the certificate of %s is not trusted", ref.Host())
		e.Found, e.Help = clean(last(err)), "have its authority in the system's list, or in a file that SSL_CERT_FILE names"
	default:
		return false
	}
	return true
}

// answered tells of answers that say no.
func (c *Client) answered(e *Error, ref Ref) bool {
	var no *errcode.ErrorResponse
	switch {
	case errors.Is(e.Err, errPage):
		e.What = fmt.Sprintf("%s is a web site and not a registry", ref.Host())
		e.Found, e.Help = "a page of HTML", "check host and port; a registry's name is often not that of its pages"
		return true
	case errors.Is(e.Err, errdef.ErrNotFound):
		e.What = fmt.Sprintf("%s is not there", ref)
		e.Help = "check repository and tag; some registries say so to those who may not read it: --username, or docker login"
		return true
	case errors.Is(e.Err, auth.ErrBasicCredentialNotFound):
		no = &errcode.ErrorResponse{StatusCode: http.StatusUnauthorized}
	case !errors.As(e.Err, &no):
		return false
	}
	e.Found = clean(fmt.Sprintf("status %d %s", no.StatusCode, http.StatusText(no.StatusCode)))
	if len(no.Errors) > 0 {
		e.Found += ": " + clean(no.Errors.Error())
	}
	switch no.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		e.What = fmt.Sprintf("%s does not let us at %s", ref.Host(), ref.parsed.Repository)
		e.Help = "log in: --username NAME --password-file FILE, or docker login " + ref.Host()
		if c.Username != "" {
			e.Help = "check name and password, and what that user may do there"
		}
	case http.StatusTooManyRequests:
		e.What, e.Help = fmt.Sprintf("%s asks for fewer requests", ref.Host()), "try again later"
	default:
		e.What, e.Help = fmt.Sprintf("%s refuses", ref.Host()), "its words say why; a status from 500 on is the registry's fault"
	}
	return true
}

// damaged tells of content that is not what it was to be.
func damaged(e *Error, ref Ref) bool {
	switch err := e.Err; {
	case errors.Is(err, content.ErrMismatchedDigest) || errors.Is(err, content.ErrTrailingData) ||
		errors.Is(err, content.ErrInvalidDescriptorSize) || strings.Contains(err.Error(), "mismatch"):
		e.What = fmt.Sprintf("what %s sent is not what its digest names", ref.Host())
		e.Found = clean(err.Error())
		e.Help = "the registry, or something between, changed it"
	case errors.Is(err, errdef.ErrSizeExceedsLimit):
		e.What = fmt.Sprintf("the manifest of %s is too long", ref)
		e.Needs = fmt.Sprintf("%d bytes at most", MaxManifest)
		e.Help = "it is not one that edgeftp policy push made"
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET):
		e.What = fmt.Sprintf("the connection to %s ended too soon", ref.Host())
		e.Found, e.Help = clean(last(err)), "try again"
	default:
		return false
	}
	return true
}

// last returns the words of the innermost error.
func last(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// clean makes a stranger's words one line that is fit for a terminal.
func clean(s string) string {
	const most = 300
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "..."
	}
	return s
}
