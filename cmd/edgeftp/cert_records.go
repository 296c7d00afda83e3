package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

func (c *certs) recordCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{Use: "dns-record --config FILE [NAME...]", Short: "Print the records that prove names by dns-persist-01 (experimental)",
		Long: "Prints the TXT records that prove the configuration's names, or those that are given, by dns-persist-01, in the form of a zone\n" +
			"file. They are added once, stay, and need neither a port nor a key of the DNS provider.\n\n" +
			"dns-persist-01 is experimental: its draft (draft-ietf-acme-dns-persist) may change, and few authorities know it.\n\n" +
			"The records name the account with the authority. If there is none yet it is made, and kept in the storage: run the command as\n" +
			"the server's user. Nothing is ordered."}
	configFlag(cmd, &file)
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		_, conf, err := c.configured(file)
		if err != nil {
			return err
		}
		if len(names) > 0 {
			conf.Names = nil
		}
		for _, name := range names {
			plain, err := acme.Subject(name)
			if err != nil {
				return exitWith(exitUsage, err)
			}
			conf.Names = append(conf.Names, plain)
		}
		if len(conf.Names) == 0 {
			return exitWith(exitConfig, fmt.Errorf("%s has no names to obtain certificates for, but those that clients ask for\n   = help: name one of them here, or put some into certificates.acme.domains", file))
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), adminTime)
		defer cancel()
		list, err := acme.PersistRecords(ctx, conf)
		if err != nil {
			return exitWith(exitFailed, fmt.Errorf("%s\n   = help: %s", oneLine(err.Error()), oneLine(acme.Advice(err))))
		}
		if len(list) == 0 {
			return exitWith(exitFailed, errors.New("no name can be proven by a record: addresses have none\n   = help: certificates.acme.challenges with http-01 or tls-alpn-01 proves them"))
		}
		list = enough(list)
		return c.show(cmd, list, func(w io.Writer) error { return printRecords(w, list, conf.Challenges.Persist != nil) })
	}
	return cmd
}

// enough leaves out records that another one makes needless: with policy=wildcard one is
// for the name itself too (draft-ietf-acme-dns-persist).
func enough(list []acme.Record) []acme.Record {
	return slices.DeleteFunc(slices.Clone(list), func(r acme.Record) bool {
		return slices.Contains(list, acme.Record{Name: r.Name, Value: r.Value + "; policy=wildcard", CA: r.CA})
	})
}

// printRecords prints records as a zone file has them. What is not a record is a
// comment there.
func printRecords(w io.Writer, list []acme.Record, used bool) error {
	var b strings.Builder
	b.WriteString("; dns-persist-01 is experimental: its draft may change, and few authorities know it.\n")
	if !used {
		b.WriteString("; certificates.acme.challenges does not name dns-persist-01: the records are of no use until it does.\n")
	}
	seen, ca := map[string]bool{}, ""
	var names []string
	for _, r := range list {
		line := zoneLine(r)
		if r.CA != ca {
			ca = r.CA
			fmt.Fprintf(&b, ";\n; for %s\n", oneLine(ca))
		}
		if !seen[line] {
			b.WriteString(line)
		}
		if !seen[r.Name] {
			names = append(names, r.Name)
		}
		seen[line], seen[r.Name] = true, true
	}
	b.WriteString(";\n; whether the world sees them:\n")
	for _, name := range names {
		fmt.Fprintf(&b, ";   dig +short TXT %s\n", oneLine(name))
	}
	b.WriteString("; edgeftp cert check looks for them too.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// zoneLine is a record as a zone file has it (RFC 1035 §5.1). A string of it has at most
// 255 bytes (§3.3.14); readers put the strings together again.
func zoneLine(r acme.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. 3600 IN TXT", strings.TrimSuffix(r.Name, "."))
	for part := range slices.Chunk([]byte(r.Value), 255) {
		b.WriteString(` "`)
		for _, ch := range part {
			switch {
			case ch == '"' || ch == '\\':
				b.WriteByte('\\')
				b.WriteByte(ch)
			case ch < ' ' || ch > '~':
				fmt.Fprintf(&b, `\%03d`, ch)
			default:
				b.WriteByte(ch)
			}
		}
		b.WriteByte('"')
	}
	return b.String() + "\n"
}

// configured reads a configuration, and what it says of authorities.
func (c *certs) configured(file string) (*config.Config, acme.Config, error) {
	if err := c.form(); err != nil {
		return nil, acme.Config{}, err
	}
	conf, err := config.Load(file)
	if err != nil {
		return nil, acme.Config{}, exitWith(exitConfig, err)
	}
	if conf.ACME == nil {
		return nil, acme.Config{}, exitWith(exitConfig, fmt.Errorf("%s names no authority to obtain certificates from\n"+
			"   = help: certificates.acme says which, and for which names; edgeftp config describe certificates.acme explains it", file))
	}
	made, err := acmeConfig(conf, slog.New(slog.DiscardHandler))
	return conf, made, exitWith(exitConfig, err)
}
