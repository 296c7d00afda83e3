package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// quoted is a text from a stranger: without control characters, and not too long.
func quoted(text string) string { return quotedUpTo(text, 120) }

func quotedUpTo(text string, most int) string {
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return strconv.Quote(text)
}

// reason says in words why a connection has failed.
func reason(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		alert   tls.AlertError
		dns     *net.DNSError
		code    codeError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection is refused"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return fmt.Sprintf("there is no answer within %s", probeTime)
	case noRoute(err):
		return "this machine has no route to it"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection is closed at once"
	case errors.As(err, &unknown):
		return "its certificate is signed by nobody who is trusted"
	case errors.As(err, &host):
		return "its certificate is for other names (" + quoted(strings.Join(host.Certificate.DNSNames, " ")) + ")"
	case errors.As(err, &invalid):
		return "its certificate does not hold: " + quoted(invalid.Error())
	case errors.As(err, &alert):
		return "it refuses the TLS handshake: " + quoted(alert.Error())
	case errors.As(err, &record):
		return "it does not speak TLS"
	case errors.Is(err, errNoZone), errors.Is(err, errNoName), errors.As(err, &code):
		return err.Error()
	case errors.As(err, &dns):
		return "its address cannot be found: " + quoted(dns.Err)
	}
	return "it fails: " + quoted(err.Error())
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

func noRoute(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) ||
		errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

// list joins words for a sentence.
func list(words []string) string { return strings.Join(words, ", ") }
