package providers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	amazon53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/smithy-go"
	"github.com/libdns/libdns"

	"github.com/edgeftp/edgeftp/acme"
)

// route53 changes zones of Amazon Route 53 by Amazon's own client, which is made of the
// settings alone: nothing of the environment, of files or of the machine's role. A set
// of records is changed only if it still is as it was read, so that several nodes can
// add theirs.
type route53 struct {
	api  *amazon53.Client
	zone string // its id, or empty: it is looked for

	mu    sync.Mutex
	found map[string]string // ids by the names of zones
}

const (
	// route53TTL is that of records whose TTL is left to the provider, in seconds.
	route53TTL = 60
	// route53Tries is how often a set is read anew that another has changed meanwhile,
	// and how often a request is sent that the API was too busy for.
	route53Tries = 6
)

func openRoute53(settings map[string]string) (acme.Provider, error) {
	key := aws.Credentials{AccessKeyID: settings["access_key_id"], SecretAccessKey: settings["secret_access_key"]}
	return &route53{zone: settings["hosted_zone_id"], found: map[string]string{}, api: amazon53.New(amazon53.Options{
		Region:           "us-east-1", // of the only endpoint there is
		Credentials:      aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return key, nil }),
		HTTPClient:       client(),
		RetryMaxAttempts: route53Tries,
	})}, nil
}

// AppendRecords adds values to the sets of the records.
func (p *route53) AppendRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	return p.each(ctx, zone, records, func(values []string, ours string) []string {
		if slices.Contains(values, ours) {
			return values
		}
		return append(values, ours)
	})
}

// DeleteRecords removes the values of the records from their sets, and sets that are
// then empty.
func (p *route53) DeleteRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	return p.each(ctx, zone, records, func(values []string, ours string) []string {
		return slices.DeleteFunc(values, func(v string) bool { return v == ours })
	})
}

// each edits the values of the set of each record.
func (p *route53) each(ctx context.Context, zone string, records []libdns.Record, edit func(values []string, ours string) []string) ([]libdns.Record, error) {
	for i, r := range records {
		if err := p.change(ctx, zone, r.RR(), edit); err != nil {
			return records[:i], said(err)
		}
	}
	return records, nil
}

// change replaces a set by one with the values that edit makes of those it has, in one
// transaction: a set is deleted only if it has exactly the values that were read, and
// made only if there is none.
func (p *route53) change(ctx context.Context, zone string, rr libdns.RR, edit func([]string, string) []string) error {
	id, err := p.zoneID(ctx, zone)
	if err != nil {
		return err
	}
	name, ttl := strings.ToLower(libdns.AbsoluteName(rr.Name, zone)), int64(rr.TTL/time.Second)
	if ttl <= 0 {
		ttl = route53TTL
	}
	for try := 1; ; try++ {
		old, err := p.read(ctx, id, name)
		if err != nil {
			return err
		}
		var had []string
		var batch types.ChangeBatch
		next := types.ResourceRecordSet{Name: &name, Type: types.RRTypeTxt, TTL: aws.Int64(ttl)}
		if old != nil {
			for _, r := range old.ResourceRecords {
				had = append(had, aws.ToString(r.Value))
			}
			next.TTL = old.TTL
			batch.Changes = []types.Change{{Action: types.ChangeActionDelete, ResourceRecordSet: old}}
		}
		values := edit(slices.Clone(had), textValue(rr.Data))
		if slices.Equal(values, had) {
			return nil
		}
		for _, v := range values {
			next.ResourceRecords = append(next.ResourceRecords, types.ResourceRecord{Value: &v})
		}
		if len(values) > 0 {
			batch.Changes = append(batch.Changes, types.Change{Action: types.ChangeActionCreate, ResourceRecordSet: &next})
		}
		_, err = p.api.ChangeResourceRecordSets(ctx, &amazon53.ChangeResourceRecordSetsInput{HostedZoneId: &id, ChangeBatch: &batch})
		var changed *types.InvalidChangeBatch
		if !errors.As(err, &changed) || try == route53Tries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try) * 200 * time.Millisecond):
		}
	}
}

// read returns the TXT records of a name, or nil if there are none.
func (p *route53) read(ctx context.Context, id, name string) (*types.ResourceRecordSet, error) {
	list, err := p.api.ListResourceRecordSets(ctx, &amazon53.ListResourceRecordSetsInput{
		HostedZoneId: &id, StartRecordName: &name, StartRecordType: types.RRTypeTxt, MaxItems: aws.Int32(1)})
	if err != nil {
		return nil, err
	}
	// The list begins at the name: what it begins with may be another.
	i := slices.IndexFunc(list.ResourceRecordSets, func(s types.ResourceRecordSet) bool {
		return s.Type == types.RRTypeTxt && aws.ToString(s.Name) == name
	})
	if i < 0 {
		return nil, nil
	}
	set := &list.ResourceRecordSets[i]
	if set.SetIdentifier != nil || set.AliasTarget != nil {
		return nil, fmt.Errorf("the records of %s are an alias, weighted or of another routing policy", name)
	}
	return set, nil
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
	list, err := p.api.ListHostedZonesByName(ctx, &amazon53.ListHostedZonesByNameInput{DNSName: &zone, MaxItems: aws.Int32(100)})
	if err != nil {
		return "", err
	}
	var ids []string
	for _, z := range list.HostedZones {
		if aws.ToString(z.Name) == zone && (z.Config == nil || !z.Config.PrivateZone) {
			ids = append(ids, strings.TrimPrefix(aws.ToString(z.Id), "/hostedzone/"))
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

// said is what the API said, without what the client has put around it.
func said(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err
	}
	text := api.ErrorMessage()
	var batch *types.InvalidChangeBatch
	if errors.As(err, &batch) && len(batch.Messages) > 0 {
		text = strings.Join(batch.Messages, " ")
	}
	return fmt.Errorf("%s: %s", api.ErrorCode(), quoted(text))
}
