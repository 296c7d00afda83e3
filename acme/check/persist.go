package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeftp/edgeftp/acme"
)

const persistLabel = "_validation-persist" // draft-ietf-acme-dns-persist §3

// persistent asks which records are wanted.
func (r *run) persistent(ctx context.Context) ([]acme.Record, error) {
	if r.conf.Challenges.Persist == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*probeTime) // an account may be made
	defer cancel()
	conf := r.conf
	conf.Names = nil
	for _, s := range r.names {
		if !s.out() {
			conf.Names = append(conf.Names, s.name)
		}
	}
	return r.opt.Persist(ctx, conf)
}

// checkPersist looks for the records of dns-persist-01 that a name needs.
func (r *run) checkPersist(ctx context.Context, s *subject, wanted []acme.Record, err error) verdict {
	if err != nil {
		text, help := helped(err, "edgeftp cert dns-record prints it, once the authority knows this server's account")
		r.add(areaDNS, s.name, Warn, "dns-persist-01: it is not known which record is needed: "+quoted(text), help)
		return unknown
	}
	asker := r.dns
	if r.conf.Challenges.Persist.Resolver != "" {
		asker = newResolver(r.conf.Challenges.Persist.Resolver)
	}
	best := fails
	name := dns.CanonicalName(persistLabel + "." + s.base)
	for _, want := range r.recordsFor(s, wanted) {
		a, err := asker.ask(ctx, want.Name, dns.TypeTXT)
		if err != nil && !errors.Is(err, errNoName) {
			text, help := unresolved(err)
			r.add(areaDNS, s.name, certain(err), fmt.Sprintf("dns-persist-01: %s: %s", plain(name), text), help)
			continue
		}
		level := Fail
		if want.CA != r.ends[0].url {
			level = Warn // a fallback's
		}
		why := differs(want.Value, r.identities(want.CA), texts(a.records), time.Now())
		if why == "" {
			r.add(areaDNS, s.name, OK, fmt.Sprintf("dns-persist-01: %s has the record that %s asks for", plain(want.Name), want.CA), "")
			best = works
			continue
		}
		r.add(areaDNS, s.name, level, fmt.Sprintf("dns-persist-01: %s: %s", plain(want.Name), why), fmt.Sprintf("add the record: %s TXT \"%s\"", dns.Fqdn(want.Name), want.Value))
	}
	return best
}

// recordsFor are the wanted records of a name. A wildcard shares its place with the name
// behind the star.
func (r *run) recordsFor(s *subject, wanted []acme.Record) []acme.Record {
	name := dns.CanonicalName(persistLabel + "." + s.base)
	return slices.DeleteFunc(slices.Clone(wanted), func(w acme.Record) bool {
		is, err := parseIssue(w.Value)
		return dns.CanonicalName(w.Name) != name || err == nil && (is.params["policy"] == "wildcard") != s.wild
	})
}

// identities are the names by which records may name an authority.
func (r *run) identities(url string) []string {
	for _, e := range r.ends {
		if e.url == url && e.dir.Meta != nil {
			return lower(e.dir.Meta.CAAIdentities)
		}
	}
	return nil
}

// differs says what is wrong with the records that are there, or nothing: the one for
// the same authority, which may have several names, is compared part by part.
func differs(want string, known, have []string, now time.Time) string {
	wanted, err := parseIssue(want)
	if err != nil {
		return err.Error()
	}
	if len(have) == 0 {
		return "there is no TXT record"
	}
	var why []string
	for _, text := range have {
		got, err := parseIssue(text)
		if err != nil || got.domain != wanted.domain && !slices.Contains(known, got.domain) {
			continue
		}
		diff := compare(wanted, got, now)
		if len(diff) == 0 {
			return ""
		}
		why = append(why, strings.Join(diff, ", "))
	}
	if len(why) == 0 {
		return fmt.Sprintf("no record is for %s; there is %s", quoted(wanted.domain), quoted(strings.Join(have, " | ")))
	}
	return "the record for " + wanted.domain + " differs: " + strings.Join(why, "; or ")
}

// compare returns what got lacks.
func compare(want, got issue, now time.Time) []string {
	var diff []string
	for _, tag := range slices.Sorted(maps.Keys(want.params)) {
		has, ok := got.params[tag]
		switch same := has == want.params[tag] || tag == "policy" && strings.EqualFold(has, want.params[tag]); {
		case !ok:
			diff = append(diff, fmt.Sprintf("%s=%s is missing", tag, want.params[tag]))
		case !same && tag != "persistuntil":
			diff = append(diff, fmt.Sprintf("%s is %s and has to be %s", tag, quoted(has), want.params[tag]))
		}
	}
	if until, ok := got.params["persistuntil"]; ok {
		at, err := strconv.ParseInt(until, 10, 64)
		switch {
		case err != nil:
			diff = append(diff, "persistUntil is "+quoted(until)+", which is no time in seconds since 1970")
		case !time.Unix(at, 0).After(now):
			diff = append(diff, "persistUntil has passed, on "+stamp(time.Unix(at, 0)))
		}
	}
	return diff
}
