package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// trusting says which servers a client takes for the right one.
type trusting struct {
	insecure bool
	caFile   string
}

func (r *trusting) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&r.insecure, "insecure", false, "take whatever certificate the server shows: whoever is on the way may be the server")
	f.StringVar(&r.caFile, "ca-file", "", "trust the certificates of this file (PEM), and not the system's")
	_ = cmd.MarkFlagFilename("ca-file", "pem", "crt") // it is there
}

// config is what certificates are judged by.
func (r *trusting) config(cmd *cobra.Command) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if r.insecure {
		if r.caFile != "" {
			return nil, exitWith(exitUsage, errors.New("--insecure does not look at certificates, and --ca-file says which are good\n   = help: give one of them"))
		}
		conf.InsecureSkipVerify = true
		fmt.Fprintln(cmd.ErrOrStderr(), "warning: the server's certificate is not checked: whoever answers gets the password, and can read and change all files (--insecure)")
		return conf, nil
	}
	if r.caFile == "" {
		return conf, nil
	}
	text, err := os.ReadFile(r.caFile)
	if err != nil {
		return nil, exitWith(exitFailed, fmt.Errorf("--ca-file: %w", err))
	}
	conf.RootCAs = x509.NewCertPool()
	if !conf.RootCAs.AppendCertsFromPEM(text) {
		return nil, exitWith(exitFailed, fmt.Errorf("--ca-file: %s holds no certificate\n   = help: it is a text with BEGIN CERTIFICATE; edgeftp cert ca-export writes that of a development server", r.caFile))
	}
	return conf, nil
}
