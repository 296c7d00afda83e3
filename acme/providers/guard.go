package providers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/libdns/libdns"

	"github.com/edgeftp/edgeftp/acme"
)

// longest is how long a provider may take for a record: some wait for as long as the
// server bids them to, which may be an hour.
const longest = 2 * time.Minute

// most is how large an answer, or a file of accounts, may be in bytes.
const most = 1 << 20

// hint explains errors that hold a text. Without what, the error explains itself.
type hint struct{ text, what, help string }

// guard is what stands between the server and a provider.
type guard struct {
	provider *provider
	inner    acme.Provider
	secrets  []string
}

// AppendRecords adds TXT records, and returns them. Some providers return those alone
// that were not there before; they are in the zone all the same, and to be removed.
func (g *guard) AppendRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	if _, err := g.call(ctx, "add", zone, records, g.inner.AppendRecords); err != nil {
		return nil, err
	}
	return records, nil
}

// DeleteRecords removes exactly the TXT records that are named.
func (g *guard) DeleteRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	gone, err := g.call(ctx, "remove", zone, records, g.inner.DeleteRecords)
	if err == nil && g.provider.tells && len(gone) < len(records) {
		return gone, &Error{Provider: g.provider.Name, Doing: doing("remove", zone, records),
			What: "the provider found none to remove", Help: "look whether the record is still there, and remove it by hand"}
	}
	return gone, err
}

// call does one call to the provider in the time that it may take. A record of another
// type, or one without a name or a text, never gets there: to some of them it stands
// for everything under the name.
func (g *guard) call(ctx context.Context, verb, zone string, records []libdns.Record,
	do func(context.Context, string, []libdns.Record) ([]libdns.Record, error),
) ([]libdns.Record, error) {
	for _, r := range records {
		if rr := r.RR(); rr.Type != "TXT" || rr.Name == "" || rr.Data == "" || zone == "" {
			return nil, fmt.Errorf("%s: a record of type %q, name %q in zone %q is none of a challenge", g.provider.Name, rr.Type, rr.Name, zone)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	done, err := do(ctx, zone, records)
	if err != nil {
		return nil, g.explain(doing(verb, zone, records), err, ctx.Err())
	}
	return done, nil
}

// doing says what was tried: add the TXT record _acme-challenge.ftp.example.org.
func doing(verb, zone string, records []libdns.Record) string {
	var names []string
	for _, r := range records {
		names = append(names, libdns.AbsoluteName(r.RR().Name, zone))
	}
	return fmt.Sprintf("%s the TXT record %s in the zone %s", verb, strings.Join(names, ", "), zone)
}

// explain makes an error for people. ended is why the time was over, or nil: some
// providers tell that in words alone.
func (g *guard) explain(doing string, err, ended error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	for _, secret := range g.secrets {
		text = strings.ReplaceAll(text, secret, "(secret)")
	}
	e := &Error{Provider: g.provider.Name, Doing: doing, What: text, err: errors.Join(err, ended),
		Help: "edgeftp cert check tries the provider with a record of its own"}
	for _, h := range g.provider.hints {
		if !strings.Contains(text, h.text) {
			continue
		}
		if e.Help = h.help; h.what != "" {
			e.What = h.what + " (" + text + ")"
		}
		break
	}
	return e
}

// Error is why a provider did not do what it was asked for. What can be done is not in
// its text, as others put theirs around it: see Advice.
type Error struct {
	Provider string // its name
	Doing    string // what it was asked for
	What     string // went wrong, without secrets
	Help     string // what can be done

	err error
}

// Error returns what went wrong, and where.
func (e *Error) Error() string {
	return fmt.Sprintf("DNS provider %s did not %s: %s", e.Provider, e.Doing, e.What)
}

// Advice returns Help, for package acme, which does not know this one.
func (e *Error) Advice() string { return e.Help }

// Is finds errors such as [context.Canceled]. The provider's own error cannot be taken
// out: its text may hold secrets.
func (e *Error) Is(target error) bool { return errors.Is(e.err, target) }

// client is for APIs that never redirect: a redirection would take the secrets along.
func client() *http.Client {
	return &http.Client{
		Transport:     brief{http.DefaultTransport},
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// brief ends answers after [most] bytes with an error: packages read them whole.
type brief struct{ http.RoundTripper }

func (b brief) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, most)
	}
	return resp, err
}
