package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

// certSource has certificates: a manager of authorities, that of the development
// authority, or files.
type certSource interface {
	Certificates() []acme.Certificate
	Renew(ctx context.Context, name string) error
}

// controller is what the admin socket steers.
type controller struct {
	*modules
	certificates
}

// certificates implements control.Certifier.
type certificates struct {
	sources []certSource
	ca      string // the file of the development authority's certificate; empty: there is none
}

// Certificates lists those of all sources.
func (c certificates) Certificates() (list []acme.Certificate) {
	for _, s := range c.sources {
		list = append(list, s.Certificates()...)
	}
	return list
}

// Renew orders a new certificate from the source that has the name.
func (c certificates) Renew(ctx context.Context, name string) (acme.Certificate, error) {
	source, before, err := c.find(name)
	if err != nil {
		return acme.Certificate{}, err
	}
	if err := source.Renew(ctx, before.Name); err != nil {
		_, after, findErr := c.find(before.Name)
		if findErr != nil {
			after = before
		}
		return acme.Certificate{}, notRenewed(ctx, after, err)
	}
	_, after, err := c.find(before.Name)
	return after, err
}

func (c certificates) find(name string) (certSource, acme.Certificate, error) {
	for _, s := range c.sources {
		list := s.Certificates()
		if i := findCertificate(list, name); i >= 0 {
			return s, list[i], nil
		}
	}
	return nil, acme.Certificate{}, unknownCertificate(name, c.Certificates())
}

// Authority reads the development authority's certificate.
func (c certificates) Authority() (control.Authority, error) {
	if c.ca == "" {
		return control.Authority{}, &control.Refusal{Code: "EF2204", Message: "this server has no development authority: its certificates are of other authorities",
			Help: "clients need nothing to trust a public authority; of another one take its own certificate"}
	}
	text, err := os.ReadFile(c.ca)
	if err != nil {
		return control.Authority{}, fmt.Errorf("the development authority's certificate cannot be read: %w", err)
	}
	a, err := parseAuthority(text, c.ca)
	if err != nil {
		return control.Authority{}, err
	}
	return control.Authority{PEM: a.pem()}, nil
}

// findCertificate returns the place of a name, also in another of its forms, or -1.
func findCertificate(list []acme.Certificate, name string) int {
	for i := range list {
		if list[i].Name == name {
			return i
		}
	}
	plain, err := acme.Subject(name)
	for i := range list {
		if err == nil && list[i].Name == plain {
			return i
		}
	}
	return -1
}

// unknownCertificate says that there is none for a name.
func unknownCertificate(name string, list []acme.Certificate) *control.Refusal {
	r := &control.Refusal{Code: "EF2201", Message: fmt.Sprintf("this server has no certificate for %.200q, and is to have none", name)}
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
		r.Help = "edgeftp cert list tells those that there are; certificates.acme.domains in the configuration has the names to order"
	}
	return r
}

// notRenewed says why a certificate was not renewed, and that nothing has changed.
func notRenewed(ctx context.Context, now acme.Certificate, err error) error {
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return err // the caller has gone
	}
	r := &control.Refusal{Code: "EF2202", Message: now.Name + ": " + oneLine(err.Error()), Help: oneLine(acme.Advice(err))}
	if ctx.Err() != nil {
		r.Code, r.Message = "EF2203", fmt.Sprintf("%s: the authority had not issued a certificate after %v, and the order was given up", now.Name, control.MaxRenewal)
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
