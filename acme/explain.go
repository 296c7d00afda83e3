package acme

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"
	"unicode"

	rfc8555 "github.com/mholt/acmez/v3/acme"
)

// helpMark stands before what an error itself says about what to do.
const helpMark = "= help: "

// brief is an error in one line, of a length that a log bears, without help.
func brief(err error) string {
	text, _, _ := strings.Cut(err.Error(), helpMark)
	return line(text, mostBrief)
}

const (
	mostBrief = 600
	mostTold  = 2000 // of what an authority says
)

// line makes one line of what others may have written, of so many bytes at most and
// without anything that moves a terminal's cursor.
func line(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r == ' ' || !unicode.IsSpace(r) && unicode.IsPrint(r) {
			return r
		}
		return map[bool]rune{true: ' ', false: -1}[unicode.IsSpace(r)]
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// orderError says which authority has not issued a certificate for which name.
type orderError struct {
	ca, name string // name may be empty
	err      error
}

// Error implements error. Of an authority's problem it says what is meant for people.
func (e *orderError) Error() string {
	text := bare(e.err.Error())
	var problem rfc8555.Problem
	if errors.As(e.err, &problem) {
		text = problemText(problem)
	}
	text = line(text, mostTold)
	if e.name == "" {
		return e.ca + ": " + text
	}
	return e.ca + ": " + e.name + ": " + text
}

// Unwrap returns what has happened.
func (e *orderError) Unwrap() error { return e.err }

// bare takes away what the library of orders puts before an error: where in it that
// came about.
func bare(text string) string {
	whole := text
	for again := true; again; {
		again = false
		for _, step := range [...]string{"provisioning client: ", "creating new order: ", "solving challenges: ", "presenting for challenge: ", "performing request: "} {
			rest, ok := strings.CutPrefix(text, step)
			text, again = rest, again || ok
		}
		if strings.HasPrefix(text, "attempt ") { // attempt 1: URL: performing request: Post "URL": EOF
			_, rest, ok := strings.Cut(text, "performing request: ")
			if ok {
				text, again = rest, true
			}
		}
	}
	return cmp.Or(text, whole)
}

// plainError is an error in other words.
type plainError struct {
	text string
	error
}

// Error implements error.
func (e *plainError) Error() string { return e.text }

// Unwrap returns the error itself.
func (e *plainError) Unwrap() error { return e.error }

// plainly is an error of certmagic without what it puts before: the name in brackets,
// and a word for what it did.
func plainly(err error, name string) error {
	if err == nil {
		return nil
	}
	if rest, ok := strings.CutPrefix(err.Error(), "["+name+"] "); ok {
		if _, why, ok := strings.Cut(rest, ": "); ok {
			return &plainError{why, err}
		}
	}
	return err
}

func problemText(p rfc8555.Problem) string {
	kind := strings.TrimPrefix(p.Type, rfc8555.ProblemTypeNamespace)
	if c := failedChallenge(p); c != "" {
		kind = c + ", " + kind
	}
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, sub := range p.Subproblems {
		text += "; " + sub.Identifier.Value + ": " + sub.Detail
	}
	if p.Instance != "" {
		text += "; see " + p.Instance
	}
	return fmt.Sprintf("%s (%s)", text, kind)
}

// failedChallenge is the kind of the challenge that a problem is about, or empty.
func failedChallenge(p rfc8555.Problem) string {
	authz, ok := p.Resource.(rfc8555.Authorization)
	for _, c := range authz.Challenges {
		if ok && c.Error != nil {
			return c.Type
		}
	}
	return ""
}

// blames reports whether an error lies with the name or this server, so that another
// directory of the authority would say the same.
func blames(err error) bool {
	var problem rfc8555.Problem
	var door *doorError
	if errors.As(err, &door) {
		return true
	}
	if !errors.As(err, &problem) {
		return false
	}
	if problem.Resource != nil {
		return problem.Type != rfc8555.ProblemTypeServerInternal && problem.Type != rfc8555.ProblemTypeRateLimited
	}
	switch problem.Type {
	case rfc8555.ProblemTypeCAA, rfc8555.ProblemTypeDNS, rfc8555.ProblemTypeConnection, rfc8555.ProblemTypeRejectedIdentifier,
		rfc8555.ProblemTypeUnsupportedIdentifier, rfc8555.ProblemTypeBadCSR, rfc8555.ProblemTypeIncorrectResponse, rfc8555.ProblemTypeTLS:
		return true
	}
	return false
}

// Advice says in one line what an operator can do about an error of this package: of an
// order ([Manager.Renew]), of a storage, or of a challenge's address. It speaks of the
// configuration file of the program edgeftp.
func Advice(err error) string {
	var limited *limitedError
	var problem rfc8555.Problem
	var door *doorError
	var record *recordError
	var provider interface{ Advice() string } // one of package providers
	var stored *storageError
	switch {
	case errors.As(err, &stored):
		return stored.help()
	case errors.Is(err, errTooSoon):
		return "wait, or force an attempt with edgeftp cert renew NAME"
	case errors.As(err, &provider):
		return provider.Advice()
	case errors.As(err, &limited):
		return limitedAdvice(limited)
	case errors.Is(err, errBindingRefused):
		return "compare certificates.acme.account_binding with the key_id and mac that the authority shows; where a pair is good for one account alone, get a new one there"
	case errors.As(err, &problem):
		return problemAdvice(problem)
	case errors.As(err, &door):
		return door.advice()
	case errors.As(err, &record):
		return record.advice()
	case errors.Is(err, errBinding):
		return "get a key id and a MAC key for ACME from the authority and set certificates.acme.account_binding"
	case errors.Is(err, errNoPersist):
		return "use another challenge with this authority: dns-01, http-01 or tls-alpn-01"
	}
	if _, help, ok := strings.Cut(err.Error(), helpMark); ok && !errors.As(err, new(*orderError)) { // or it would be the authority's
		help, _, _ = strings.Cut(help, "\n")
		return help
	}
	if text := localAdvice(err); text != "" {
		return text
	}
	if text := wordsAdvice(err.Error()); text != "" {
		return text
	}
	return "edgeftp cert check tries everything but the order"
}

func limitedAdvice(e *limitedError) string {
	text := "the server comes again by itself"
	if !e.until.IsZero() {
		text += " after " + e.until.UTC().Format(time.RFC3339)
	}
	return text + "; try settings with the authority's staging directory, and set certificates.acme.fallback for a second authority"
}

func (e *doorError) advice() string {
	switch {
	case errors.Is(e.err, syscall.EADDRINUSE):
		other := "the challenge tls-alpn-01 or dns-01"
		if e.kind == rfc8555.ChallengeTypeTLSALPN01 {
			other = "the challenge http-01 or dns-01"
		}
		return fmt.Sprintf("find the program with ss -ltnp 'sport = :%s' and stop it, let it forward %s's requests to another address that you set here, or use %s",
			portOf(e.addr), e.kind, other)
	case errors.Is(e.err, syscall.EACCES):
		return "give the program CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE), or forward port " + e.port +
			" to a port above 1023 and set that"
	}
	return "set an address of this machine for " + e.kind + "; the authority comes to port " + e.port + " of the name"
}

func portOf(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return port
}

func (e *recordError) advice() string {
	if e.err != nil {
		return "check the DNS server certificates.acme.dns_persist.resolver, and the zone's servers"
	}
	return "add the record to the zone, edgeftp cert dns-record prints it for every name; if it is there, the DNS server that was asked does not see it: set certificates.acme.dns_persist.resolver"
}

// problemAdvice goes by what the authority says (RFC 8555 §6.7).
func problemAdvice(p rfc8555.Problem) string {
	kind := failedChallenge(p)
	port := "port 80, or with tls-alpn-01 port 443,"
	switch kind {
	case rfc8555.ChallengeTypeHTTP01:
		port = "port 80"
	case rfc8555.ChallengeTypeTLSALPN01:
		port = "port 443"
	}
	switch p.Type {
	case rfc8555.ProblemTypeConnection:
		if strings.Contains(p.Detail, "could not resolve") || strings.Contains(p.Detail, "no such host") {
			return dnsAdvice("no such host")
		}
		return "the authority cannot reach " + port + " of the name: check its address records (AAAA too), the firewall and port forwarding, or use dns-01"
	case rfc8555.ProblemTypeDNS:
		return dnsAdvice(p.Detail)
	case rfc8555.ProblemTypeCAA:
		return "the name's CAA records (RFC 8659) do not allow this authority: add it there, or choose one that they name"
	case rfc8555.ProblemTypeUnauthorized, rfc8555.ProblemTypeIncorrectResponse, rfc8555.ProblemTypeTLS:
		if kind == "" && p.Type == rfc8555.ProblemTypeUnauthorized {
			return "the authority refuses the account: look at it there; an account that is gone is made anew when users is deleted below acme in the storage"
		}
		if strings.HasPrefix(kind, "dns") {
			return "the authority found another record: check that the provider changes the zone that the world sees, and raise certificates.acme.dns.wait"
		}
		return "another machine or program answers at " + port + " of the name: check its address records and what the port leads to"
	case rfc8555.ProblemTypeRateLimited:
		return limitedAdvice(&limitedError{})
	case rfc8555.ProblemTypeExternalAccountRequired:
		return Advice(errBinding)
	case rfc8555.ProblemTypeRejectedIdentifier, rfc8555.ProblemTypeUnsupportedIdentifier:
		return "the authority does not issue for this name: it has to be a public one, and addresses want address_profile or another authority"
	case rfc8555.ProblemTypeInvalidContact, rfc8555.ProblemTypeUnsupportedContact:
		return "set certificates.acme.email to an address that exists, or to none"
	case rfc8555.ProblemTypeUserActionRequired:
		return "the authority's terms have changed: read and accept them at the address that it names"
	case rfc8555.ProblemTypeBadCSR, rfc8555.ProblemTypeBadPublicKey:
		return "the authority does not take such a key: set another certificates.acme.key"
	case rfc8555.ProblemTypeServerInternal:
		return "the fault is the authority's: it is tried again; set certificates.acme.fallback for a second one"
	}
	return "edgeftp cert check tries everything but the order"
}

func dnsAdvice(detail string) string {
	if low := strings.ToLower(detail); strings.Contains(low, "nxdomain") || strings.Contains(low, "no such host") || strings.Contains(low, "no valid") {
		return "the name has no address that the world sees: add an A or AAAA record, or correct the name"
	}
	return "the authority could not ask the name's DNS servers: check that all of them answer, and the zone's DNSSEC signatures"
}

// localAdvice goes by the kind of an error on this side.
func localAdvice(err error) string {
	var invalid x509.CertificateInvalidError
	var dns *net.DNSError
	var asked *url.Error
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make room where the certificates are stored"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return "let the server's user read and write the directory of certificates"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the authority's own certificate is not valid at this time: check the clock of this machine"
	case errors.As(err, new(x509.UnknownAuthorityError)), errors.As(err, new(x509.HostnameError)):
		return "set certificates.acme.trusted_roots if the authority is your own; otherwise somebody is between this machine and the authority"
	case errors.As(err, &dns):
		return "the authority's name could not be resolved: check it, the DNS servers of this machine, or set certificates.acme.resolver"
	case errors.As(err, &asked):
		return "the authority does not answer: check the firewall for outgoing https, and HTTPS_PROXY if there is a proxy"
	case errors.Is(err, context.DeadlineExceeded):
		return "the order took too long and is tried again; set certificates.acme.fallback for a second authority"
	}
	return ""
}

const wrongAnswer = "something else than an authority has answered, a proxy or a login page on the way perhaps: open the address that certificates.acme.ca stands for, it is to give a JSON document"

const brokenAnswer = "the authority is out of order or has too much to do: it is tried again; set certificates.acme.fallback for a second one"

// wordsAdvice goes by the text, where libraries have no kinds of errors.
func wordsAdvice(text string) string {
	for _, w := range [...]struct{ words, help string }{
		{"no space left on device", "make room where the certificates are stored"},
		{"unknown profile name", "set certificates.acme.profile or address_profile to one that the authority has, or to none"},
		{"does not advertise support for profiles", "the authority has no profiles: set certificates.acme.profile and address_profile to none"},
		{"no solvers available", "the authority offers none of the configured challenges for this name: add another to certificates.acme.challenges"},
		{"could not determine zone", "the zone of the name was not found: check the name, and certificates.acme.dns.resolvers"},
		{"adding temporary record", "the DNS provider does not add the record: check its settings, and that its key may change the zone"},
		{"to fully propagate", "not all servers of the zone have the record yet: raise certificates.acme.dns.wait, or set dns.resolvers"},
		{"checking DNS propagation", "the record could not be looked for: set certificates.acme.dns.resolvers, or dns.wait to 0 to not look"},
		{"the account binding cannot be used", "certificates.acme.account_binding.mac is base64url as the authority shows it"},
		{"server: HTTP 429: ", limitedAdvice(&limitedError{})},
		{"server: HTTP 500: ", brokenAnswer},
		{"server: HTTP 502: ", brokenAnswer},
		{"server: HTTP 503: ", brokenAnswer},
		{"server: HTTP 504: ", brokenAnswer},
		{"Content-Type is", wrongAnswer},
		{"JSON-decoding", wrongAnswer},
		{"required directory fields are missing", wrongAnswer},
		{"certificate is not whole", wrongAnswer},
		{"storage check", "let the server's user read and write the directory of certificates"},
	} {
		if strings.Contains(text, w.words) {
			return w.help
		}
	}
	return ""
}
