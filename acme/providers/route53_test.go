package providers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/libdns/libdns"
)

const awsSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

const route53Space = "https://route53.amazonaws.com/doc/2013-04-01/"

// route53API has the zones example.org. (Z1), a private one of the name before it, and
// two of the name two.example.
type route53API struct {
	mu       sync.Mutex
	values   []string // of the TXT records of _acme-challenge.ftp.example.org, as written
	ttl      int64
	policy   string
	alias    bool     // of another set, in place of values
	meddle   func()   // is called before a change, once
	busy     []string // errors that the next requests are answered with
	attempts int
}

func newRoute53(t *testing.T) *route53API {
	a := &route53API{values: []string{`"other"`}, ttl: 300}
	serve(t, "route53.amazonaws.com", a)
	return a
}

func (a *route53API) texts() (list []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range a.values {
		list = append(list, strings.Trim(v, `"`))
	}
	return list
}

const fqdn = "_acme-challenge.ftp.example.org."

func (a *route53API) fail(w http.ResponseWriter, status int, code, text string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0"?><ErrorResponse xmlns="%s"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>1</RequestId></ErrorResponse>`, route53Space, code, text)
}

// asSigned is what the header Authorization of a request has to be, as it has come: of
// the headers that it names, the body and the account's key.
func asSigned(r *http.Request, body []byte) (string, error) {
	_, names, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	again, err := http.NewRequest(r.Method, "https://"+r.Host+r.URL.RequestURI(), nil)
	if err != nil {
		return "", err
	}
	for name := range strings.SplitSeq(names, ";") {
		switch values := r.Header.Values(name); {
		case name == "content-length":
			again.ContentLength = int64(len(body))
		case len(values) > 0:
			again.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(body)
	key := aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: awsSecret}
	err = v4.NewSigner().SignHTTP(r.Context(), key, again, hex.EncodeToString(digest[:]), "route53", "us-east-1", at)
	return again.Header.Get("Authorization"), err
}

func (a *route53API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	want, err := asSigned(r, body)
	if err != nil {
		a.fail(w, 400, "IncompleteSignature", err.Error())
		return
	}
	if len(a.busy) > 0 {
		code := a.busy[0]
		a.busy = a.busy[1:]
		a.fail(w, 400, code, "Try later")
		return
	}
	switch path := strings.TrimPrefix(r.URL.Path, "/2013-04-01/"); {
	case r.Header.Get("Authorization") != want:
		a.fail(w, 403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
	case path == "hostedzonesbyname":
		zone := func(id, name string, private bool) string {
			return fmt.Sprintf("<HostedZone><Id>/hostedzone/%s</Id><Name>%s</Name><Config><PrivateZone>%t</PrivateZone></Config></HostedZone>", id, name, private)
		}
		fmt.Fprintf(w, `<?xml version="1.0"?><ListHostedZonesByNameResponse xmlns="%s"><HostedZones>%s</HostedZones></ListHostedZonesByNameResponse>`, route53Space,
			zone("Z0", "example.org.", true)+zone("Z1", "example.org.", false)+zone("Z2", "two.example.", false)+zone("Z3", "two.example.", false))
	case path == "hostedzone/Z1/rrset" && r.Method == http.MethodGet:
		a.list(w, r)
	case path == "hostedzone/Z1/rrset" && r.Method == http.MethodPost:
		if a.attempts++; a.meddle != nil {
			meddle := a.meddle
			a.meddle = nil
			meddle()
		}
		a.change(w, body)
	default:
		a.fail(w, 404, "NoSuchHostedZone", "No hosted zone found with ID")
	}
}

// list begins at the name that is asked for, which may not be there.
func (a *route53API) list(w http.ResponseWriter, r *http.Request) {
	var sets strings.Builder
	defer func() {
		fmt.Fprintf(w, `<?xml version="1.0"?><ListResourceRecordSetsResponse xmlns="%s"><ResourceRecordSets>%s</ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>1</MaxItems></ListResourceRecordSetsResponse>`, route53Space, &sets)
	}()
	if len(a.values) > 0 && r.URL.Query().Get("name") <= fqdn {
		fmt.Fprintf(&sets, "<ResourceRecordSet><Name>%s</Name><Type>TXT</Type>", fqdn)
		if a.policy != "" {
			fmt.Fprintf(&sets, "<SetIdentifier>%s</SetIdentifier><Weight>1</Weight>", a.policy)
		}
		if a.alias {
			sets.WriteString("<AliasTarget><HostedZoneId>Z1</HostedZoneId><DNSName>www.example.org.</DNSName></AliasTarget></ResourceRecordSet>")
			return
		}
		fmt.Fprintf(&sets, "<TTL>%d</TTL><ResourceRecords>", a.ttl)
		for _, v := range a.values {
			sets.WriteString("<ResourceRecord><Value>")
			xml.EscapeText(&sets, []byte(v))
			sets.WriteString("</Value></ResourceRecord>")
		}
		sets.WriteString("</ResourceRecords></ResourceRecordSet>")
	} else {
		sets.WriteString("<ResourceRecordSet><Name>www.example.org.</Name><Type>A</Type><TTL>5</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>")
	}
}

// change does all of a batch or nothing.
func (a *route53API) change(w http.ResponseWriter, body []byte) {
	var batch struct {
		XMLName xml.Name
		Changes []struct {
			Action  string
			Name    string `xml:"ResourceRecordSet>Name"`
			Type    string `xml:"ResourceRecordSet>Type"`
			TTL     int64  `xml:"ResourceRecordSet>TTL"`
			Records []struct {
				Value []string
			} `xml:"ResourceRecordSet>ResourceRecords>ResourceRecord"`
		} `xml:"ChangeBatch>Changes>Change"`
	}
	if err := xml.Unmarshal(body, &batch); err != nil || batch.XMLName.Space != route53Space || len(batch.Changes) == 0 {
		a.fail(w, 400, "InvalidInput", fmt.Sprint("Invalid XML ", err))
		return
	}
	refuse := func(text string) {
		w.WriteHeader(400)
		fmt.Fprintf(w, `<?xml version="1.0"?><InvalidChangeBatch xmlns="%s"><Messages><Message>%s</Message></Messages><RequestId>2</RequestId></InvalidChangeBatch>`, route53Space, text)
	}
	values, ttl := a.values, a.ttl
	for _, c := range batch.Changes {
		var next []string
		for _, r := range c.Records {
			if len(r.Value) != 1 {
				a.fail(w, 400, "InvalidInput", "Invalid XML: a ResourceRecord has one Value")
				return
			}
			next = append(next, r.Value[0])
		}
		switch {
		case c.Name != fqdn || c.Type != "TXT" || c.TTL <= 0:
			refuse("not what the test has: " + c.Name)
			return
		case c.Action == "DELETE" && (!slices.Equal(next, values) || c.TTL != ttl):
			refuse("Tried to delete resource record set but the values provided do not match the current values")
			return
		case c.Action == "CREATE" && len(values) > 0:
			refuse("Tried to create resource record set but it already exists")
			return
		case c.Action == "DELETE":
			values = nil
		case c.Action == "CREATE":
			values, ttl = next, c.TTL
		}
	}
	a.values, a.ttl = values, ttl
	fmt.Fprintf(w, `<?xml version="1.0"?><ChangeResourceRecordSetsResponse xmlns="%s"><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status></ChangeInfo></ChangeResourceRecordSetsResponse>`, route53Space)
}

func route53Settings() map[string]string {
	return map[string]string{"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": awsSecret}
}

func TestRoute53(t *testing.T) {
	a := newRoute53(t)
	both(t, opened(t, "route53", route53Settings()), a.texts)
	if a.ttl != 300 {
		t.Errorf("the TTL of what was there is %d, was 300", a.ttl)
	}
}

// The first record makes the set, the last takes it away, and what is not there can be
// removed.
func TestRoute53Empty(t *testing.T) {
	a := newRoute53(t)
	a.values = nil
	settings := route53Settings()
	settings["hosted_zone_id"] = "Z1"
	p := opened(t, "route53", settings)
	for range 2 { // the second time, it is there
		if _, err := p.AppendRecords(t.Context(), zone, text(one)); err != nil {
			t.Fatal(err)
		}
	}
	if got := a.texts(); !slices.Equal(got, []string{one}) || a.ttl != route53TTL {
		t.Errorf("the zone has %q with TTL %d", got, a.ttl)
	}
	for range 2 {
		if _, err := p.DeleteRecords(t.Context(), zone, text(one)); err != nil {
			t.Fatal(err)
		}
	}
	if got := a.texts(); len(got) > 0 || a.attempts != 2 {
		t.Errorf("the zone has %q after %d changes, want nothing after 2", got, a.attempts)
	}
}

// A node that adds its record at the same time does not lose it.
func TestRoute53Meddled(t *testing.T) {
	a := newRoute53(t)
	a.meddle = func() { a.values = append(a.values, `"`+two+`"`) }
	p := opened(t, "route53", route53Settings())
	if _, err := p.AppendRecords(t.Context(), zone, text(one)); err != nil {
		t.Fatal(err)
	}
	if got := a.texts(); !slices.Equal(got, []string{"other", two, one}) || a.attempts != 2 {
		t.Errorf("the zone has %q after %d changes", got, a.attempts)
	}
}

// The settings alone say who asks whom: what other programs of Amazon's go by does not.
func TestRoute53Environment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte("[default]\nregion = eu-central-1\nendpoint_url = https://elsewhere.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIAANOTHER0EXAMPLE0", "AWS_SECRET_ACCESS_KEY": "another", "AWS_SESSION_TOKEN": "another",
		"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": "https://elsewhere.example", "AWS_ENDPOINT_URL_ROUTE_53": "https://elsewhere.example",
		"AWS_CONFIG_FILE": file, "AWS_SHARED_CREDENTIALS_FILE": file, "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
	a := newRoute53(t)
	both(t, opened(t, "route53", route53Settings()), a.texts)
}

// Where the API is too busy, the same is asked for again; what it refuses is not.
func TestRoute53Busy(t *testing.T) {
	a := newRoute53(t)
	p := opened(t, "route53", route53Settings())
	a.busy = []string{"Throttling", "PriorRequestNotComplete"}
	if _, err := p.AppendRecords(t.Context(), zone, text(one)); err != nil {
		t.Fatal(err)
	}
	if got := a.texts(); !slices.Equal(got, []string{"other", one}) || len(a.busy) > 0 {
		t.Errorf("the zone has %q, and the API is to say %q", got, a.busy)
	}
	a.busy = []string{"AccessDenied", "AccessDenied"}
	_, err := p.AppendRecords(t.Context(), zone, text(two))
	says(t, err, `AccessDenied: "Try later"`, "route53:ListHostedZonesByName")
	if len(a.busy) != 1 {
		t.Errorf("it was asked again, and the API is to say %q", a.busy)
	}
}

// A set that is never as it was read is given up in the end, with what the API says.
func TestRoute53NeverTheSame(t *testing.T) {
	a := newRoute53(t)
	var more func()
	more = func() { a.values, a.meddle = append(a.values, fmt.Sprintf(`"%d"`, a.attempts)), more }
	a.meddle = more
	_, err := opened(t, "route53", route53Settings()).AppendRecords(t.Context(), zone, text(one))
	says(t, err, `InvalidChangeBatch: "Tried to delete`)
	if a.attempts != route53Tries {
		t.Errorf("%d changes were tried, want %d", a.attempts, route53Tries)
	}
}

// Records of a routing policy and aliases are not ours to change, and nothing is changed after the
// end of the context.
func TestRoute53Untouched(t *testing.T) {
	a := newRoute53(t)
	a.policy = "blue"
	p := opened(t, "route53", route53Settings())
	_, err := p.AppendRecords(t.Context(), zone, text(one))
	says(t, err, "weighted", "dns.delegate")
	a.policy, a.alias = "", true
	_, err = p.AppendRecords(t.Context(), zone, text(one))
	says(t, err, "an alias", "dns.delegate")
	a.alias = false
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.DeleteRecords(ctx, zone, asRecords(libdns.TXT{Name: name, Text: "other"})); !errors.Is(err, context.Canceled) || a.attempts > 0 {
		t.Errorf("after its end: %v", err)
	}
}

// What the fake wants of a signature is what another implementation than Amazon's has
// made of the same requests, also of a query with what has to be escaped.
func TestSignature(t *testing.T) {
	for _, c := range []struct{ method, url, body, want string }{
		{"GET", "https://route53.amazonaws.com/2013-04-01/hostedzonesbyname?dnsname=example.org.&maxitems=100", "", "0ae87cdf60d4c13beb02cf6bf20461246b43263f187614f7ebafdd41086ba114"},
		{"GET", "https://route53.amazonaws.com/2013-04-01/hostedzone/Z1/rrset?maxitems=1&name=%2A.a+b%2F.example.org.&type=TXT", "", "1a492803da9dd699202e3e234ede714e77b921c2f35cb6f37f7ce788fb12da4b"},
		{"POST", "https://route53.amazonaws.com/2013-04-01/hostedzone/Z1/rrset", "<a>body</a>", "c96cc2b25a4e3875d2b6c10ea01fc470d587d947a4df6b3b257b9515cbd125ec"},
	} {
		req, err := http.NewRequest(c.method, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261126/us-east-1/route53/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + c.want
		req.Header.Set("X-Amz-Date", "20261126T123456Z")
		req.Header.Set("Authorization", want)
		if got, err := asSigned(req, []byte(c.body)); err != nil || got != want {
			t.Errorf("%s %s: %s, %v", c.method, c.url, got, err)
		}
	}
}

func TestTextValue(t *testing.T) {
	for in, want := range map[string]string{
		one:                      `"` + one + `"`,
		`a "b" \ c` + "\x7f":     `"a\040\"b\"\040\\\040c\177"`,
		strings.Repeat("x", 300): `"` + strings.Repeat("x", 255) + `" "` + strings.Repeat("x", 45) + `"`,
	} {
		if got := textValue(in); got != want {
			t.Errorf("%q is written %s, want %s", in, got, want)
		}
	}
}
