package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

// adminCommand is about the admin API itself.
func adminCommand() *cobra.Command {
	a := &admin{output: "human"}
	cmd := &cobra.Command{Use: "admin", Short: "The admin API: its description, and tokens for it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	openapi := &cobra.Command{Use: "openapi", Short: "Print the description of the admin API (OpenAPI 3.1)", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(control.OpenAPI())
			return exitWith(exitFailed, err)
		}}
	token := &cobra.Command{Use: "token", Short: "Make a token for the admin API over TCP", Args: cobra.NoArgs,
		Long: "Makes a token of 256 bits, which is printed and kept nowhere. The hash goes into the configuration (admin.tcp.tokens[].hash);\n" +
			"who bears the token sends it as Authorization: Bearer TOKEN.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.form(); err != nil {
				return err
			}
			made := newToken()
			return a.show(cmd, made, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "token  %s\nhash   %s\n", made.Token, made.Hash)
				return err
			})
		}}
	token.Flags().StringVarP(&a.output, "output", "o", "human", "human or json")
	cmd.AddCommand(openapi, token)
	return cmd
}

// tokenPair is a token and what the configuration has of it.
type tokenPair struct {
	Token string `json:"token"`
	Hash  string `json:"hash"`
}

func newToken() tokenPair {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it does not fail
	t := tokenPair{Token: "edgeftp_" + base64.RawURLEncoding.EncodeToString(secret)}
	sum := sha256.Sum256([]byte(t.Token))
	t.Hash = "sha256:" + hex.EncodeToString(sum[:])
	return t
}

// parseFor reads a duration of a flag. An empty one is none.
func parseFor(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := config.ParseDuration(s)
	if err == nil && d <= 0 {
		err = errors.New("it is not longer than nothing")
	}
	if err != nil {
		return 0, fmt.Errorf("%q is no time: %w\n   = help: write it like 10m, 2h or 30d", s, err)
	}
	return d, nil
}
