package providers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/libdns/libdns"

	"github.com/edgeftp/edgeftp/acme"
)

// route53 changes zones of Amazon Route 53 by its API of 2013-04-01. A set of records
// is changed only if it still is as it was read, so that several nodes can add theirs.
type route53 struct {
	key, secret string
	zone        string // its id, or empty: it is looked for
	client      *http.Client

	mu    sync.Mutex
	found map[string]string // ids by the names of zones
}

const (
	route53Host  = "route53.amazonaws.com"
	route53Space = "https://route53.amazonaws.com/doc/2013-04-01/"
	// route53TTL is that of records whose TTL is left to the provider, in seconds.
	route53TTL = 60
	// route53Tries is how often a set is read anew that another has changed meanwhile.
	route53Tries = 6
)

func openRoute53(settings map[string]string) (acme.Provider, error) {
	return &route53{key: settings["access_key_id"], secret: settings["secret_access_key"], zone: settings["hosted_zone_id"],
		client: client(), found: map[string]string{}}, nil
}

// recordSet is what a zone has under a name and type.
type recordSet struct {
	Name   string  `xml:"Name"`
	Type   string  `xml:"Type"`
	Policy string  `xml:"SetIdentifier,omitempty"`
	TTL    int64   `xml:"TTL"`
	Values []value `xml:"ResourceRecords>ResourceRecord"`
}

// value is a record of a set, as the API writes it.
type value struct{ Value string }

// AppendRecords adds values to the sets of the records.
func (p *route53) AppendRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	for i, r := range records {
		rr := r.RR()
		ours := value{textValue(rr.Data)}
		err := p.change(ctx, zone, rr, func(values []value) []value {
			if slices.Contains(values, ours) {
				return values
			}
			return append(slices.Clone(values), ours)
		})
		if err != nil {
			return records[:i], err
		}
	}
	return records, nil
}

// DeleteRecords removes the values of the records from their sets, and sets that are
// then empty.
func (p *route53) DeleteRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	for i, r := range records {
		rr := r.RR()
		ours := value{textValue(rr.Data)}
		err := p.change(ctx, zone, rr, func(values []value) []value {
			return slices.DeleteFunc(slices.Clone(values), func(v value) bool { return v == ours })
		})
		if err != nil {
			return records[:i], err
		}
	}
	return records, nil
}

// change gives a set the values that edit makes of those it has.
func (p *route53) change(ctx context.Context, zone string, rr libdns.RR, edit func([]value) []value) error {
	id, err := p.zoneID(ctx, zone)
	if err != nil {
		return err
	}
	name := strings.ToLower(libdns.AbsoluteName(rr.Name, zone))
	for try := 1; ; try++ {
		old, err := p.read(ctx, id, name)
		if err != nil {
			return err
		}
		next := recordSet{Name: name, Type: "TXT", TTL: int64(rr.TTL / time.Second), Values: edit(old.Values)}
		switch {
		case slices.Equal(next.Values, old.Values):
			return nil
		case old.TTL > 0:
			next.TTL = old.TTL
		case next.TTL <= 0:
			next.TTL = route53TTL
		}
		err = p.swap(ctx, id, old, next)
		var api *amazonError
		if err == nil || !errors.As(err, &api) || !api.again() || try == route53Tries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try) * 200 * time.Millisecond):
		}
	}
}

// swap replaces a set by another in one transaction: a set is deleted only if it has
// exactly these values, and made only if there is none.
func (p *route53) swap(ctx context.Context, id string, old, next recordSet) error {
	type one struct {
		Action string
		Set    recordSet `xml:"ResourceRecordSet"`
	}
	var batch struct {
		XMLName xml.Name
		Changes []one `xml:"ChangeBatch>Changes>Change"`
	}
	batch.XMLName = xml.Name{Space: route53Space, Local: "ChangeResourceRecordSetsRequest"}
	if len(old.Values) > 0 {
		batch.Changes = append(batch.Changes, one{"DELETE", old})
	}
	if len(next.Values) > 0 {
		batch.Changes = append(batch.Changes, one{"CREATE", next})
	}
	body, err := xml.Marshal(batch)
	if err != nil {
		return err
	}
	return p.do(ctx, http.MethodPost, "/hostedzone/"+id+"/rrset", nil, append([]byte(xml.Header), body...), nil)
}

// read returns the TXT records of a name; without values if there are none.
func (p *route53) read(ctx context.Context, id, name string) (recordSet, error) {
	var list struct {
		Sets []recordSet `xml:"ResourceRecordSets>ResourceRecordSet"`
	}
	query := url.Values{"name": {name}, "type": {"TXT"}, "maxitems": {"1"}}
	if err := p.do(ctx, http.MethodGet, "/hostedzone/"+id+"/rrset", query, nil, &list); err != nil {
		return recordSet{}, err
	}
	// The list begins at the name: what it begins with may be another.
	if len(list.Sets) == 0 || list.Sets[0].Type != "TXT" || list.Sets[0].Name != name {
		return recordSet{Name: name, Type: "TXT"}, nil
	}
	if list.Sets[0].Policy != "" {
		return recordSet{}, fmt.Errorf("the records of %s are weighted or of another routing policy", name)
	}
	return list.Sets[0], nil
}

// zoneID finds the public zone of a name.
func (p *route53) zoneID(ctx context.Context, zone string) (string, error) {
	if p.zone != "" {
		return p.zone, nil
	}
	zone = strings.ToLower(strings.TrimSuffix(zone, ".")) + "."
	p.mu.Lock()
	id := p.found[zone]
	p.mu.Unlock()
	if id != "" {
		return id, nil
	}
	var list struct {
		Zones []struct {
			ID      string `xml:"Id"`
			Name    string
			Private bool `xml:"Config>PrivateZone"`
		} `xml:"HostedZones>HostedZone"`
	}
	if err := p.do(ctx, http.MethodGet, "/hostedzonesbyname", url.Values{"dnsname": {zone}, "maxitems": {"100"}}, nil, &list); err != nil {
		return "", err
	}
	var ids []string
	for _, z := range list.Zones {
		if z.Name == zone && !z.Private {
			ids = append(ids, strings.TrimPrefix(z.ID, "/hostedzone/"))
		}
	}
	switch len(ids) {
	case 0:
		return "", fmt.Errorf("the account has no public zone %s", zone)
	case 1:
		p.mu.Lock()
		p.found[zone] = ids[0]
		p.mu.Unlock()
		return ids[0], nil
	}
	return "", fmt.Errorf("the account has %d public zones %s: %s", len(ids), zone, strings.Join(ids, ", "))
}

// textValue is a TXT record as the API writes it. What it cannot write as it is does
// not occur in challenges, but may in what others ask for.
func textValue(text string) string {
	var parts []string
	for len(text) > 255 {
		parts, text = append(parts, text[:255]), text[255:]
	}
	parts = append(parts, text)
	for i, part := range parts {
		var b strings.Builder
		for _, c := range []byte(part) {
			switch {
			case c == '"' || c == '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			case c <= ' ' || c > '~':
				fmt.Fprintf(&b, `\%03o`, c)
			default:
				b.WriteByte(c)
			}
		}
		parts[i] = `"` + b.String() + `"`
	}
	return strings.Join(parts, " ")
}

// amazonError is what the API says when it does not do what it was asked for.
type amazonError struct {
	Status        int
	Code, Message string
}

func (e *amazonError) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("HTTP %d: %s: %s", e.Status, e.Code, quoted(e.Message)), `: ""`)
}

// again says that the same may succeed: another has changed the set, or the zone is busy.
func (e *amazonError) again() bool {
	return slices.Contains([]string{"InvalidChangeBatch", "PriorRequestNotComplete", "Throttling", "ThrottlingException"}, e.Code) || e.Status >= 500
}

func readAmazonError(status int, text []byte) *amazonError {
	var said struct {
		XMLName  xml.Name
		Code     string   `xml:"Error>Code"`
		Message  string   `xml:"Error>Message"`
		Messages []string `xml:"Messages>Message"`
	}
	e := &amazonError{Status: status, Code: "no answer of the API"}
	if xml.Unmarshal(text, &said) != nil {
		return e
	}
	e.Code, e.Message = said.Code, said.Message
	if said.XMLName.Local == "InvalidChangeBatch" {
		e.Code, e.Message = "InvalidChangeBatch", strings.Join(said.Messages, " ")
	}
	return e
}

// do sends a signed request, and reads the answer into into if that is not nil.
func (p *route53) do(ctx context.Context, method, path string, query url.Values, body []byte, into any) error {
	at := url.URL{Scheme: "https", Host: route53Host, Path: "/2013-04-01" + path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/xml")
	}
	digest := sha256.Sum256(body)
	key := aws.Credentials{AccessKeyID: p.key, SecretAccessKey: p.secret}
	if err := v4.NewSigner().SignHTTP(ctx, key, req, hex.EncodeToString(digest[:]), "route53", "us-east-1", time.Now()); err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return readAmazonError(resp.StatusCode, text)
	}
	if into == nil {
		return nil
	}
	return xml.Unmarshal(text, into)
}
