package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

// devCert is a development authority's certificate.
type devCert struct {
	cert *x509.Certificate
	file string // where it lies, absolute; empty: nowhere that is known
}

// devNames is how the names of all development authorities begin.
const devNames = "edgeftp dev "

// parseAuthority reads a development authority's certificate; from is where the text is
// from, for errors.
func parseAuthority(text []byte, from string) (*devCert, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%s is not one certificate in PEM\n   = help: edgeftp cert ca-export writes that of the development authority", from)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s holds no certificate: %w\n   = help: edgeftp cert ca-export writes that of the development authority", from, err)
	}
	if !cert.IsCA || !strings.HasPrefix(cert.Subject.CommonName, devNames) {
		return nil, fmt.Errorf("%s is the certificate of %q, and no development authority of edgeftp\n   = help: name the file that edgeftp cert ca-export writes",
			from, oneLine(cert.Subject.String()))
	}
	return &devCert{cert: cert}, nil
}

// pem is the certificate as a file has it.
func (a *devCert) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

func (a *devCert) name() string { return oneLine(a.cert.Subject.CommonName) }

// short are the first digits of the fingerprint, for the names of files.
func (a *devCert) short() string {
	digits := strings.ReplaceAll(acme.Fingerprint(a.cert), ":", "")
	return strings.ToLower(digits[:min(len(digits), hex.EncodedLen(4))])
}

// life says until when it is valid.
func (a *devCert) life(now time.Time) string {
	if now.After(a.cert.NotAfter) {
		return "expired on " + day(a.cert.NotAfter)
	}
	return "valid until " + day(a.cert.NotAfter) + " (" + left(a.cert.NotAfter, now) + ")"
}

// readAuthority reads a file that was exported.
func readAuthority(file string) (*devCert, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the development authority's certificate cannot be read: %w", err)
	}
	a, err := parseAuthority(text, file)
	if err == nil {
		a.file, err = filepath.Abs(file)
	}
	return a, err
}

// authority asks the running server for its development authority. If none runs it is
// that of the state directory.
func (c *certs) authority(ctx context.Context) (*devCert, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTime)
	defer cancel()
	kept, keptErr := readAuthority(filepath.Join(c.stateDir, "ca.pem"))
	got, err := c.client().Authority(ctx)
	switch {
	case errors.Is(err, control.ErrUnreachable) && c.socket == "" && keptErr == nil:
		return kept, nil
	case errors.Is(err, control.ErrUnreachable) && c.socket == "" && !errors.Is(keptErr, fs.ErrNotExist):
		return nil, exitWith(exitFailed, keptErr)
	case errors.Is(err, control.ErrUnreachable) && c.socket == "":
		return nil, exitWith(exitUnreachable, fmt.Errorf("there is no development authority in %s, and no server answers there\n"+
			"   = help: edgeftp serve --root DIR makes one; --state-dir or --socket says where it is", c.stateDir))
	case err != nil:
		return nil, told(err)
	}
	a, err := parseAuthority([]byte(got.PEM), "what the server gave")
	if err != nil {
		return nil, exitWith(exitFailed, err)
	}
	if keptErr == nil && kept.cert.Equal(a.cert) {
		a.file = kept.file
	}
	return a, nil
}

func (c *certs) exportCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{Use: "ca-export [FILE]", Short: "Write the development authority's certificate, for clients", Args: cobra.MaximumNArgs(1),
		Long: "Writes the certificate of the development authority, PEM, to FILE or to the standard output: that of the running server, or if\n" +
			"none runs that of the state directory. It is no secret. Clients are given it, such as curl with --cacert FILE; cert trust tells\n" +
			"how a whole system comes to trust it. The authority lives for 30 days."}
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE if it is there")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := c.form(); err != nil {
			return err
		}
		a, err := c.authority(cmd.Context())
		if err != nil {
			return err
		}
		if c.now().After(a.cert.NotAfter) {
			fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s %s; the server makes another when it starts\n", a.name(), a.life(c.now()))
		}
		if len(args) == 0 || args[0] == "-" {
			return c.show(cmd, control.Authority{PEM: a.pem()}, func(w io.Writer) error { _, err := io.WriteString(w, a.pem()); return err })
		}
		if err := a.write(args[0], force); err != nil {
			return exitWith(exitFailed, err)
		}
		return c.show(cmd, map[string]string{"file": args[0], "name": a.name(), "sha256": acme.Fingerprint(a.cert)}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s holds the certificate of %s, %s\nSHA-256 %s\n", args[0], a.name(), a.life(c.now()), acme.Fingerprint(a.cert))
			return err
		})
	}
	return cmd
}

// write writes the certificate to a file, in the place of one only with force.
func (a *devCert) write(file string, force bool) error {
	if force {
		if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("%s is there, and is no file; nothing was written", file)
		}
		return replace(file, []byte(a.pem()))
	}
	err := create(file, []byte(a.pem()), 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already; nothing was written\n   = help: name another file, or replace it with --force", file)
	}
	return err
}
