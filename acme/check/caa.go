package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// issue is the value of a CAA property issue or issuewild (RFC 8659 §4.2).
type issue struct {
	domain string            // of the authority; empty: nobody
	params map[string]string // by their tags in lower case
}

// parseIssue reads the value of a property. An error is a value that grants nothing to
// anybody.
func parseIssue(value string) (issue, error) {
	domain, rest, more := strings.Cut(value, ";")
	is := issue{domain: strings.ToLower(strings.Trim(domain, " \t")), params: map[string]string{}}
	if is.domain != "" {
		for label := range strings.SplitSeq(is.domain, ".") {
			if !word(label, "-") || label[0] == '-' || label[len(label)-1] == '-' {
				return issue{}, fmt.Errorf("%s is no domain of an authority", quoted(is.domain))
			}
		}
	}
	if rest = strings.Trim(rest, " \t"); !more || rest == "" {
		return is, nil
	}
	for part := range strings.SplitSeq(rest, ";") {
		if strings.Trim(part, " \t") == "" {
			continue // some authorities bear it, some do not
		}
		tag, val, ok := strings.Cut(strings.Trim(part, " \t"), "=")
		tag, val = strings.TrimRight(tag, " \t"), strings.TrimLeft(val, " \t")
		if !ok || !word(tag, "-") || strings.ContainsFunc(val, func(c rune) bool { return c < 0x21 || c > 0x7E }) {
			return issue{}, fmt.Errorf("%s is no parameter (RFC 8659 §4.2)", quoted(part))
		}
		if _, twice := is.params[strings.ToLower(tag)]; twice {
			return issue{}, fmt.Errorf("the parameter %s is there twice", tag)
		}
		is.params[strings.ToLower(tag)] = val
	}
	return is, nil
}

// word reports whether text has letters, digits and some further characters alone, and
// at least one.
func word(text, more string) bool {
	return text != "" && !strings.ContainsFunc(text, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(more, c)
	})
}

// caaSet climbs to the records that hold for a name (RFC 8659 §3). There may be none.
func caaSet(ctx context.Context, r *resolver, name string) (at string, set []*dns.CAA, err error) {
	for at = dns.CanonicalName(name); at != "."; at = parent(at) {
		a, err := r.ask(ctx, at, dns.TypeCAA)
		if err != nil && !errors.Is(err, errNoName) {
			return at, nil, err
		}
		for _, rr := range a.records {
			if c, ok := rr.(*dns.CAA); ok {
				set = append(set, c)
			}
		}
		if len(set) > 0 {
			return at, set, nil
		}
	}
	return at, nil, nil
}

// checkCAA looks whether CAA records let the authorities issue for a name. They do not
// matter for IP addresses.
func (r *run) checkCAA(ctx context.Context, s *subject) {
	if s.out() || s.ip.IsValid() {
		return
	}
	at, set, err := caaSet(ctx, r.dns, s.base)
	switch {
	case errors.Is(err, errLoop) && s.lookErr != nil:
		return // was told already
	case err != nil:
		text, help := unresolved(err)
		r.add(areaDNS, s.name, certain(err), fmt.Sprintf("the CAA records of %s: %s", plain(at), text), help)
		return
	case len(set) == 0:
		r.add(areaDNS, s.name, OK, "no CAA record stands against any authority", "")
		return
	}
	for _, e := range r.ends {
		if e.err == nil {
			r.permits(ctx, s, e, plain(at), set)
		}
	}
}

// permits tells what a set of CAA records means for one authority.
func (r *run) permits(ctx context.Context, s *subject, e *endpoint, at string, set []*dns.CAA) {
	worst := Fail
	if e.role != "" {
		worst = Warn
	}
	for _, c := range set {
		if tag := strings.ToLower(c.Tag); c.Flag&0x80 != 0 && !slices.Contains([]string{"issue", "issuewild", "iodef", "issuemail", "contactemail", "contactphone"}, tag) {
			r.add(areaDNS, s.name, worst, fmt.Sprintf("a CAA record of %s has the property %s, is critical, and known to few authorities: others issue nothing", at, quoted(c.Tag)),
				"take the record out, or its critical flag (128)")
		}
	}
	tag, values := properties(s, set)
	if tag == "" {
		r.add(areaDNS, s.name, OK, fmt.Sprintf("the CAA records of %s restrict no authority", at), "")
		return
	}
	var ids []string
	if e.dir.Meta != nil {
		ids = e.dir.Meta.CAAIdentities
	}
	shown := quoted(strings.Join(values, " | "))
	if len(ids) == 0 {
		r.add(areaDNS, s.name, Note, fmt.Sprintf("CAA of %s: %s is %s, and %s does not say by which name it is meant", at, tag, shown, e.url),
			"compare it with the authority's documentation")
		return
	}
	var why, better []string
	for _, value := range values {
		is, err := parseIssue(value)
		switch {
		case err != nil:
			why = append(why, err.Error())
			continue
		case !slices.Contains(lower(ids), is.domain):
			continue
		}
		no, unsure := r.restricted(ctx, s, is)
		if no == "" {
			level, help := OK, ""
			if unsure != "" {
				level, help = Note, "compare it with the account of the first order, which the log names"
			}
			r.add(areaDNS, s.name, level, fmt.Sprintf("CAA of %s lets %s issue%s", at, is.domain, unsure), help)
			return
		}
		why, better = append(why, no), append(better, is.String())
	}
	text := fmt.Sprintf("CAA of %s does not let %s issue: %s is %s", at, list(ids), tag, shown)
	help := fmt.Sprintf("add the record: %s. CAA 0 %s \"%s\"", at, tag, ids[0])
	if len(why) > 0 {
		text += "; " + strings.Join(why, "; ")
	}
	if len(better) > 0 {
		help = fmt.Sprintf("change the record: %s. CAA 0 %s \"%s\"", at, tag, better[0])
	}
	r.add(areaDNS, s.name, worst, text, help)
}

// properties are the values that count for a name: issuewild stands before issue for a
// wildcard (RFC 8659 §4.3). An empty tag: nothing is restricted.
func properties(s *subject, set []*dns.CAA) (tag string, values []string) {
	take := func(want string) []string {
		var all []string
		for _, c := range set {
			if strings.EqualFold(c.Tag, want) {
				all = append(all, c.Value)
			}
		}
		return all
	}
	if wild := take("issuewild"); s.wild && len(wild) > 0 {
		return "issuewild", wild
	}
	if all := take("issue"); len(all) > 0 {
		return "issue", all
	}
	return "", nil
}

// String is the value as a record has it.
func (is issue) String() string {
	text := is.domain
	for _, tag := range slices.Sorted(maps.Keys(is.params)) {
		text += "; " + tag + "=" + is.params[tag]
	}
	return text
}

// restricted looks at the parameters of RFC 8657: no says why they forbid, and is has
// then what would not; unsure is what could not be compared.
func (r *run) restricted(ctx context.Context, s *subject, is issue) (no, unsure string) {
	if methods, ok := is.params["validationmethods"]; ok {
		mine := r.methods(s)
		if !slices.ContainsFunc(strings.Split(methods, ","), func(m string) bool { return slices.Contains(mine, strings.TrimSpace(m)) }) {
			is.params["validationmethods"] = strings.Join(append(mine, methods), ",")
			return fmt.Sprintf("validationmethods allows %s, and this name is proven by %s", quoted(methods), list(mine)), ""
		}
	}
	if account, ok := is.params["accounturi"]; ok {
		mine := r.accounts(ctx)
		switch {
		case len(mine) == 0:
			return "", fmt.Sprintf(", to the account %s alone; this server has none yet to compare", quoted(account))
		case !slices.Contains(mine, account):
			is.params["accounturi"] = mine[0]
			return fmt.Sprintf("accounturi is %s, and this server's account %s", quoted(account), quoted(list(mine))), ""
		}
	}
	return "", ""
}

// accounts are the URLs of the accounts in the storage (RFC 8555 §7.3).
func (r *run) accounts(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	if r.conf.Storage == nil {
		return nil
	}
	keys, _ := r.conf.Storage.List(ctx, "acme", true) // without an account there is nothing to list
	var all []string
	for _, key := range keys {
		if !strings.HasSuffix(key, "/account.json") {
			continue
		}
		var is struct {
			Account struct {
				Location string `json:"location"`
			} `json:"account"`
		}
		text, err := r.conf.Storage.Load(ctx, key)
		if err == nil && json.Unmarshal(text, &is) == nil && is.Account.Location != "" {
			all = append(all, is.Account.Location)
		}
	}
	return all
}

// methods are the challenges that are configured and can prove the name.
func (r *run) methods(s *subject) []string {
	c := &r.conf.Challenges
	var all []string
	if !s.wild && len(c.TLSALPN) > 0 || !s.wild && c.TLSALPNServed {
		all = append(all, tlsALPN01)
	}
	if !s.wild && len(c.HTTP) > 0 {
		all = append(all, http01)
	}
	if !s.ip.IsValid() && c.DNS != nil {
		all = append(all, dns01)
	}
	if !s.ip.IsValid() && c.Persist != nil {
		all = append(all, dnsPersist01)
	}
	return all
}

func lower(words []string) []string {
	var all []string
	for _, w := range words {
		all = append(all, strings.ToLower(w))
	}
	return all
}
