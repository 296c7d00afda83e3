package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/sandbox"
)

// controller is what the admin socket steers. It implements control.Certifier.
type controller struct {
	*modules
	warden
	usher
	in *instance
}

// Readiness looks at what clients need.
func (c controller) Readiness() control.Readiness { return c.in.now.Load().readiness() }

// Answered counts a request.
func (c controller) Answered(route string, code int) { c.in.requests.count(route, code) }

// LogFiles tells of the logs.
func (c controller) LogFiles() []control.LogFile { return c.in.logs.status(false) }

// ReopenLogs opens them again.
func (c controller) ReopenLogs() []control.LogFile { return c.in.reopenLogs() }

// certs are those of the configuration that is in force.
func (c controller) certs() *certificates { return c.in.now.Load().certs }

// Confinement tells what the process is shut off by.
func (c controller) Confinement() sandbox.State { return *c.in.sandbox }

// Panicked tells the server of a handler's mistake.
func (c controller) Panicked(p any) { c.modules.server.Panicked(p) }

// Certificates lists those of all sources.
func (c controller) Certificates() []acme.Certificate { return c.certs().list() }

// Renew orders a new certificate from the source that has the name.
func (c controller) Renew(ctx context.Context, name string) (acme.Certificate, error) {
	source, before, err := c.certs().find(name)
	if err != nil {
		return acme.Certificate{}, err
	}
	if err := source.Renew(ctx, before.Name); err != nil {
		_, after, findErr := c.certs().find(before.Name)
		if findErr != nil {
			after = before
		}
		return acme.Certificate{}, notRenewed(ctx, after, err)
	}
	_, after, err := c.certs().find(before.Name)
	return after, err
}

// find returns the certificate of a name, and where it comes from.
func (c *certificates) find(name string) (certSource, acme.Certificate, error) {
	for _, kind := range slices.Sorted(maps.Keys(c.sources)) {
		list := c.sources[kind].Certificates()
		if i := findCertificate(list, name); i >= 0 {
			return c.sources[kind], list[i], nil
		}
	}
	return nil, acme.Certificate{}, unknownCertificate(name, c.list())
}

// Authority reads the development authority's certificate.
func (c controller) Authority() (control.Authority, error) {
	if c.certs().ca == nil {
		return control.Authority{}, &control.Refusal{Code: control.CodeNoAuthority, Message: "this server has no development authority: its certificates are of other authorities",
			Help: "clients need nothing to trust a public authority; of another one take its own certificate"}
	}
	file := c.certs().ca.CAFile()
	text, err := os.ReadFile(file)
	if err != nil {
		return control.Authority{}, fmt.Errorf("the development authority's certificate cannot be read: %w", err)
	}
	a, err := parseAuthority(text, file)
	if err != nil {
		return control.Authority{}, err
	}
	return control.Authority{PEM: a.pem()}, nil
}

// findCertificate returns the place of a certificate: the one of that name, also in
// another form of the name, else the first that holds it. It is -1 if there is none.
func findCertificate(list []acme.Certificate, name string) int {
	i := slices.IndexFunc(list, func(c acme.Certificate) bool { return c.Name == name })
	plain, err := acme.Subject(name)
	if i >= 0 || err != nil {
		return i
	}
	if i = slices.IndexFunc(list, func(c acme.Certificate) bool { return c.Name == plain }); i >= 0 {
		return i
	}
	return slices.IndexFunc(list, func(c acme.Certificate) bool { return slices.Contains(c.Names, plain) })
}

// unknownCertificate says that there is none for a name.
func unknownCertificate(name string, list []acme.Certificate) *control.Refusal {
	r := &control.Refusal{Code: control.CodeNoCertificate, Message: fmt.Sprintf("this server has no certificate for %.200q, and is to have none", name)}
	var names []string
	for i := range list {
		names = append(names, list[i].Name)
	}
	switch near := config.Nearest(name, names); {
	case near != "":
		r.Help = fmt.Sprintf("did you mean %s? edgeftp cert list tells all", near)
	case len(names) == 0:
		r.Help = "it has no certificates at all; certificates in the configuration, and a listener with TLS, give it some"
	default:
		r.Help = "edgeftp cert list tells those that there are; certificates.acme.domains in the configuration has the names to order; one on demand is there once a client has asked for it"
	}
	return r
}

// notRenewed says why a certificate was not renewed, and that nothing has changed.
func notRenewed(ctx context.Context, now acme.Certificate, err error) error {
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return err // the caller has gone
	}
	what, _, _ := strings.Cut(err.Error(), "= help: ") // which is told apart
	r := &control.Refusal{Code: control.CodeNotRenewed, Message: oneLine(what), Help: oneLine(acme.Advice(err))}
	if !strings.Contains(r.Message, now.Name) {
		r.Message = now.Name + ": " + r.Message
	}
	if ctx.Err() != nil {
		r.Code, r.Message = control.CodeNotInTime, fmt.Sprintf("%s: the authority had not issued a certificate after %v, and the order was given up", now.Name, control.MaxRenewal)
	}
	if now.Source == "files" {
		r.Help = "put the renewed certificate and its key in place: they are taken over by themselves"
	}
	var file *acme.FileError
	if errors.As(err, &file) && file.Help != "" {
		r.Help = file.Help
	}
	if !now.NotAfter.IsZero() {
		r.Message += "\n   = the certificate in use stays, valid until " + stamp(now.NotAfter)
	}
	return r
}

// oneLine makes a line of what others have written, with nothing in it that moves the
// cursor.
func oneLine(text string) string {
	return strings.Map(visible, strings.Join(strings.Fields(text), " "))
}
