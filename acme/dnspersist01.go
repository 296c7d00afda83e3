package acme

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	rfc8555 "github.com/mholt/acmez/v3/acme"
)

// Record is a DNS record of kind TXT that an operator adds once, for dns-persist-01
// (draft-ietf-acme-dns-persist).
type Record struct {
	Name  string `json:"name"`  // _validation-persist.ftp.example.org
	Value string `json:"value"` // letsencrypt.org; accounturi=https://...
	CA    string `json:"ca"`    // the authority that asks for it, the URL of its directory
}

// PersistRecords returns the records for all names of conf that can be proven by
// dns-persist-01, for every authority. An account with the authority is made if there
// is none; nothing is ordered, and conf.Challenges is not looked at.
//
// The error says that an authority could not be reached or does not know the challenge,
// or that the storage cannot be used.
func PersistRecords(ctx context.Context, conf Config) ([]Record, error) {
	if conf.Storage == nil || len(conf.Authorities) == 0 {
		return nil, errors.New("records are for the accounts with authorities, which are in a storage; one of both is missing")
	}
	log := conf.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := checkAuthorities(conf.Authorities); err != nil {
		return nil, err
	}
	var list []Record
	for _, a := range conf.Authorities {
		d := newDirectory(&conf, a, a.Directory, log)
		defer d.web.close()
		account, err := d.account(ctx)
		if err != nil {
			return nil, &orderError{ca: d.host(), err: err}
		}
		for _, name := range conf.Names {
			if _, err := netip.ParseAddr(name); err == nil {
				continue // an address has no such record
			}
			r, err := d.record(ctx, account, name)
			if err != nil {
				return nil, &orderError{ca: d.host(), name: name, err: err}
			}
			list = append(list, r)
		}
	}
	return list, nil
}

// errNoPersist says that an authority does not tell what dns-persist-01 needs.
var errNoPersist = errors.New("the authority does not say by which domain name it is known (caaIdentities, RFC 8555 §9.7.6), so that there can be no record for dns-persist-01")

// identities are the names by which records name the authority.
func (d *directory) identities(ctx context.Context) ([]string, error) {
	about, err := d.client.GetDirectory(ctx)
	if err != nil {
		return nil, err
	}
	if about.Meta == nil || len(about.Meta.CAAIdentities) == 0 {
		return nil, errNoPersist
	}
	return about.Meta.CAAIdentities, nil
}

func (d *directory) record(ctx context.Context, account rfc8555.Account, name string) (Record, error) {
	known, err := d.identities(ctx)
	if err != nil {
		return Record{}, err
	}
	base, star := strings.CutPrefix(name, "*.")
	c := rfc8555.Challenge{Identifier: rfc8555.Identifier{Type: "dns", Value: base}}
	return Record{Name: c.DNSPersist01TXTRecordName(), Value: c.DNSPersist01TXTRecordValue(account, known[0], star), CA: d.url}, nil
}

// recordError says that the record of a name is not there.
type recordError struct {
	want  Record
	found []string
	err   error // of the lookup, or nil
}

// Error implements error.
func (e *recordError) Error() string {
	text := fmt.Sprintf("dns-persist-01 needs the record %s. IN TXT %q", e.want.Name, e.want.Value)
	switch {
	case e.err != nil:
		return text + ", which could not be looked for: " + e.err.Error()
	case len(e.found) == 0:
		return text + ", and there is no record of that name"
	}
	return fmt.Sprintf("%s, and that name has %q instead", text, e.found)
}

// Unwrap returns the error of the lookup.
func (e *recordError) Unwrap() error { return e.err }

// recorded looks for the record that the operator has to add, so that no order is made
// that must fail.
func (c *challenges) recorded(ctx context.Context, d *directory, account rfc8555.Account, name string) error {
	want, err := d.record(ctx, account, name)
	if err != nil {
		return err
	}
	known, err := d.identities(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	found, err := resolver(cmp.Or(c.conf.Challenges.Persist.Resolver, c.conf.Resolver)).LookupTXT(ctx, want.Name+".")
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		err, found = nil, nil
	}
	for _, text := range found {
		if parsePersist(text).allows(known, account.Location, strings.HasPrefix(name, "*."), time.Now()) {
			return nil
		}
	}
	return &recordError{want: want, found: found, err: err}
}

// persist is what a record says (draft-ietf-acme-dns-persist §3, with the syntax of
// RFC 8659 §4.2). The zero value is no record.
type persist struct {
	issuer, account, policy string
	until                   time.Time // zero: for ever
}

// parsePersist reads a record; what has a parameter twice, or one without a value, is
// none.
func parsePersist(text string) persist {
	issuer, params, _ := strings.Cut(text, ";")
	p := persist{issuer: plainName(strings.TrimSpace(issuer))}
	seen := map[string]bool{}
	for param := range strings.SplitSeq(params, ";") {
		if strings.TrimSpace(param) == "" {
			continue
		}
		tag, value, ok := strings.Cut(param, "=")
		tag, value = strings.ToLower(strings.TrimSpace(tag)), strings.TrimSpace(value)
		if !ok || tag == "" || seen[tag] || strings.ContainsAny(value, " \t") {
			return persist{}
		}
		seen[tag] = true
		switch tag {
		case "accounturi":
			p.account = value
		case "policy":
			p.policy = strings.ToLower(value)
		case "persistuntil":
			seconds, err := strconv.ParseInt(value, 10, 64)
			if err != nil || seconds <= 0 {
				return persist{}
			}
			p.until = time.Unix(seconds, 0)
		}
	}
	return p
}

func (p persist) allows(issuers []string, account string, star bool, now time.Time) bool {
	named := slices.ContainsFunc(issuers, func(name string) bool { return p.issuer != "" && plainName(name) == p.issuer })
	return named && p.account == account && (!star || p.policy == "wildcard") && (p.until.IsZero() || now.Before(p.until))
}

// recorded is the solver of dns-persist-01: the record is there already.
type recorded struct{}

// Present implements acmez.Solver.
func (recorded) Present(context.Context, rfc8555.Challenge) error { return nil }

// CleanUp implements acmez.Solver.
func (recorded) CleanUp(context.Context, rfc8555.Challenge) error { return nil }
