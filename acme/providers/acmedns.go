package providers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/libdns/libdns"
	"github.com/nrdcg/goacmedns"

	"github.com/edgeftp/edgeftp/acme"
)

// acmedns sets the records of accounts of an acme-dns server.
type acmedns struct {
	api      *goacmedns.Client
	one      *goacmedns.Account           // for every name, or nil
	accounts map[string]goacmedns.Account // by the name that is to be proven
}

func openACMEDNS(settings map[string]string) (acme.Provider, error) {
	api, err := goacmedns.NewClient(settings["server_url"], goacmedns.WithHTTPClient(client()))
	if err != nil {
		return nil, Faults{{"server_url", err.Error(), "write it like https://auth.example.org"}}
	}
	p := &acmedns{api: api}
	if file := settings["accounts"]; file != "" {
		if p.accounts, err = readAccounts(file); err != nil {
			return nil, Faults{{"accounts", err.Error(), accountsHelp}}
		}
		return p, nil
	}
	p.one = &goacmedns.Account{Username: settings["username"], Password: settings["password"], SubDomain: settings["subdomain"]}
	return p, nil
}

const accountsHelp = `write a JSON file like {"ftp.example.org": {"username": "…", "password": "…", "subdomain": "…", "fulldomain": "…"}}`

func checkAccounts(settings map[string]string) (faults Faults) {
	three := []string{"username", "password", "subdomain"}
	if file := settings["accounts"]; file != "" {
		for _, name := range three {
			if settings[name] != "" {
				faults = append(faults, Fault{name, "is of no use beside accounts", "leave out either"})
			}
		}
		if _, err := readAccounts(file); err != nil {
			faults = append(faults, Fault{"accounts", err.Error(), accountsHelp})
		}
		return faults
	}
	for _, name := range three {
		if settings[name] == "" {
			faults = append(faults, Fault{name, "is missing", "write the " + name + " of the account, from the answer to /register, or a file of accounts as accounts"})
		}
	}
	return faults
}

func readAccounts(file string) (map[string]goacmedns.Account, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, errors.New("cannot be read: " + cause(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, errors.New("cannot be read: " + cause(err))
	case len(text) > most:
		return nil, errors.New("has more than 1 MiB")
	}
	return parseAccounts(text)
}

// cause is an error without what the operating system was asked for.
func cause(err error) string {
	var at *os.PathError
	if errors.As(err, &at) {
		return at.Path + ": " + at.Err.Error()
	}
	return err.Error()
}

// parseAccounts reads accounts by name. Its errors hold names of accounts alone.
func parseAccounts(text []byte) (map[string]goacmedns.Account, error) {
	var found map[string]goacmedns.Account
	if err := json.Unmarshal(text, &found); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("is no JSON: at byte %d", syntax.Offset)
		}
		return nil, errors.New("is JSON of another form")
	}
	if len(found) == 0 {
		return nil, errors.New("has no accounts")
	}
	accounts := map[string]goacmedns.Account{}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		a := found[name]
		if a.Username == "" || a.Password == "" || a.SubDomain == "" {
			return nil, fmt.Errorf("has no username, password or subdomain for %s", quoted(name))
		}
		if strings.ContainsFunc(a.Username+a.Password, func(r rune) bool { return r < ' ' || r > '~' }) {
			return nil, fmt.Errorf("has a username or password for %s that cannot be sent", quoted(name))
		}
		key := bare(name)
		if _, twice := accounts[key]; twice {
			return nil, fmt.Errorf("has %s twice", quoted(key))
		}
		accounts[key] = a
	}
	return accounts, nil
}

// bare is a name without what a challenge or a wildcard has before it: both are proven
// by one name.
func bare(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return strings.TrimPrefix(strings.TrimPrefix(name, "_acme-challenge."), "*.")
}

// account finds that of a record: the only one, the one of the name to be proven, or
// the one to whose own name the challenge is delegated.
func (p *acmedns) account(name string) (goacmedns.Account, error) {
	if p.one != nil {
		return *p.one, nil
	}
	if a, ok := p.accounts[bare(name)]; ok {
		return a, nil
	}
	for _, a := range p.accounts {
		if a.FullDomain != "" && bare(a.FullDomain) == bare(name) {
			return a, nil
		}
	}
	return goacmedns.Account{}, fmt.Errorf("there is no account for %s", bare(name))
}

// AppendRecords sets a record of the account. The server keeps two of each, and drops
// the older.
func (p *acmedns) AppendRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	for i, r := range records {
		rr := r.RR()
		a, err := p.account(libdns.AbsoluteName(rr.Name, zone))
		if err == nil {
			err = p.update(ctx, a, rr.Data)
		}
		if err != nil {
			return records[:i], err
		}
	}
	return records, nil
}

// DeleteRecords removes nothing, as the server has no request for it: the next records
// take the place of these.
func (p *acmedns) DeleteRecords(context.Context, string, []libdns.Record) ([]libdns.Record, error) {
	return nil, nil
}

// update sets a record. What the server says that did not do it is its code and its own
// word, without the account's secrets, which it may have repeated.
func (p *acmedns) update(ctx context.Context, a goacmedns.Account, text string) error {
	err := p.api.UpdateTXTRecord(ctx, a, text)
	var refused *goacmedns.ClientError
	if !errors.As(err, &refused) {
		return err
	}
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(refused.Body, &said) != nil || said.Error == "" {
		return fmt.Errorf("HTTP %d", refused.HTTPStatus)
	}
	return fmt.Errorf("HTTP %d: %s", refused.HTTPStatus, quoted(strings.ReplaceAll(said.Error, a.Password, "(secret)")))
}
