package providers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The fakes below answer as the providers' public documentation says, as far as adding
// and removing TXT records goes.

func reply(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(body)
}

type object = map[string]any

// cloudflareAPI has one zone, whose records have ids.
type cloudflareAPI struct {
	mu      sync.Mutex
	token   string
	deny    bool // answer look-ups of records with an error
	records map[string]object
	last    int
}

func (c *cloudflareAPI) texts() (list []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.records {
		list = append(list, strings.Trim(r["content"].(string), `"`))
	}
	return list
}

func (c *cloudflareAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fail := func(code, number int, text string) {
		reply(w, code, object{"success": false, "errors": []object{{"code": number, "message": text}}, "result": nil})
	}
	path := strings.TrimPrefix(r.URL.Path, "/client/v4/zones")
	switch {
	case r.Header.Get("Authorization") != "Bearer "+c.token:
		fail(http.StatusForbidden, 9109, "Invalid access token")
	case path == "":
		list := []object{}
		if strings.TrimSuffix(r.URL.Query().Get("name"), ".") == "example.org" {
			list = append(list, object{"id": "z1", "name": "example.org", "status": "active"})
		}
		reply(w, 200, object{"success": true, "errors": []object{}, "result": list})
	case path == "/z1/dns_records" && r.Method == http.MethodPost:
		var record object
		if err := json.NewDecoder(r.Body).Decode(&record); err != nil {
			fail(400, 6003, err.Error())
			return
		}
		c.last++
		id := fmt.Sprint("r", c.last)
		record["id"] = id
		if n := record["name"].(string); !strings.HasSuffix(n, ".example.org") {
			record["name"] = n + ".example.org"
		}
		c.records[id] = record
		reply(w, 200, object{"success": true, "errors": []object{}, "result": record})
	case path == "/z1/dns_records" && c.deny:
		fail(http.StatusTooManyRequests, 10429, "Too Many Requests")
	case path == "/z1/dns_records":
		list := []object{}
		q := r.URL.Query()
		for _, record := range c.records {
			if record["name"] == q.Get("name") && record["type"] == q.Get("type") && strings.Contains(record["content"].(string), q.Get("content.contains")) {
				list = append(list, record)
			}
		}
		reply(w, 200, object{"success": true, "errors": []object{}, "result": list})
	case r.Method == http.MethodDelete:
		id := strings.TrimPrefix(path, "/z1/dns_records/")
		delete(c.records, id)
		reply(w, 200, object{"success": true, "errors": []object{}, "result": object{"id": id}})
	default:
		fail(404, 7003, "Could not route")
	}
}

func newCloudflare(t *testing.T) *cloudflareAPI {
	c := &cloudflareAPI{token: "right-token", records: map[string]object{
		"r0": {"id": "r0", "type": "TXT", "name": "_acme-challenge.ftp.example.org", "content": `"other"`},
	}}
	serve(t, "api.cloudflare.com", c)
	return c
}

func TestCloudflare(t *testing.T) {
	c := newCloudflare(t)
	both(t, opened(t, "cloudflare", map[string]string{"api_token": c.token}), c.texts)
}

// A look-up that fails is not taken for a record that is gone.
func TestCloudflareCannotLook(t *testing.T) {
	c := newCloudflare(t)
	p := opened(t, "cloudflare", map[string]string{"api_token": c.token})
	if _, err := p.AppendRecords(t.Context(), zone, text(one)); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.deny = true
	c.mu.Unlock()
	_, err := p.DeleteRecords(t.Context(), zone, text(one))
	says(t, err, "did not remove the TXT record _acme-challenge.ftp.example.org. in the zone example.org.: the provider found none", "by hand")
	if got := c.texts(); !slices.Contains(got, one) {
		t.Errorf("the fake has %q", got)
	}
}

// hetznerAPI has one zone of RRsets; changes are actions that take a while.
type hetznerAPI struct {
	texts
	token  string
	ttl    float64 // of the set, 0 is any
	action int
}

func (h *hetznerAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, code, text string) {
		reply(w, status, object{"error": object{"code": code, "message": text}})
	}
	if r.Header.Get("Authorization") != "Bearer "+h.token {
		fail(401, "unauthorized", "unable to authenticate")
		return
	}
	if r.URL.Path == "/v1/actions" {
		var list []object
		for _, id := range r.URL.Query()["id"] {
			var n int
			fmt.Sscan(id, &n)
			list = append(list, object{"id": n, "status": "success", "progress": 100, "command": "change_rrset"})
		}
		reply(w, 200, object{"actions": list})
		return
	}
	path, found := strings.CutPrefix(r.URL.Path, "/v1/zones/example.org/rrsets/")
	parts := strings.Split(path, "/") // NAME TXT actions add_records
	if !found || len(parts) != 4 {
		fail(404, "not_found", "zone not found")
		return
	}
	var change struct {
		Records []struct{ Value string }
		TTL     float64
	}
	if err := json.NewDecoder(r.Body).Decode(&change); err != nil {
		fail(400, "json_error", err.Error())
		return
	}
	values := h.of(parts[0])
	for _, record := range change.Records {
		if !strings.HasPrefix(record.Value, `"`) || !strings.HasSuffix(record.Value, `"`) {
			fail(422, "invalid_input", "TXT has to be in quotes")
			return
		}
		value := strings.Trim(record.Value, `"`)
		values = slices.DeleteFunc(values, func(v string) bool { return v == value })
		if parts[3] == "add_records" {
			values = append(values, value)
		}
	}
	if h.ttl != 0 && change.TTL != 0 && change.TTL != h.ttl {
		fail(422, "invalid_input", "rrset has differing record TTLs")
		return
	}
	h.set(parts[0], values)
	h.action++
	reply(w, 201, object{"action": object{"id": h.action, "status": "running", "progress": 0, "command": "change_rrset"}})
}

func newHetzner(t *testing.T) *hetznerAPI {
	h := &hetznerAPI{token: "right-token"}
	h.set(name, []string{"other"})
	serve(t, "api.hetzner.cloud", h)
	return h
}

func TestHetzner(t *testing.T) {
	h := newHetzner(t)
	both(t, opened(t, "hetzner", map[string]string{"api_token": h.token}), func() []string { return h.of(name) })
}

// desecAPI has one zone of RRsets, which are read and written whole.
type desecAPI struct {
	texts
	token string
}

func (d *desecAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, found := strings.CutPrefix(r.URL.Path, "/api/v1/domains/example.org/rrsets/")
	switch {
	case r.Header.Get("Authorization") != "Token "+d.token:
		reply(w, 401, object{"detail": "Invalid token."})
	case !found:
		reply(w, 404, object{"detail": "Not found."})
	case path == "" && r.Method == http.MethodPut:
		var sets []struct {
			Subname, Type string
			Records       []string
			TTL           int
		}
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &sets); err != nil {
			reply(w, 400, object{"detail": err.Error()})
			return
		}
		for _, s := range sets {
			if s.TTL < 3600 {
				reply(w, 400, object{"ttl": []string{"Ensure this value is greater than or equal to 3600."}})
				return
			}
			d.set(s.Subname, s.Records)
		}
		reply(w, 200, json.RawMessage(body))
	default:
		sub, _, _ := strings.Cut(path, "/")
		values := d.of(sub)
		if len(values) == 0 {
			reply(w, 404, object{"detail": "Not found."})
			return
		}
		reply(w, 200, object{"subname": sub, "type": "TXT", "records": values, "ttl": 3600})
	}
}

func newDeSEC(t *testing.T) *desecAPI {
	d := &desecAPI{token: "right-token"}
	d.set(name, []string{`"other"`})
	serve(t, "desec.io", d)
	return d
}

func TestDeSEC(t *testing.T) {
	d := newDeSEC(t)
	both(t, opened(t, "desec", map[string]string{"token": d.token}), func() (list []string) {
		for _, v := range d.of(name) {
			list = append(list, strings.Trim(v, `"`))
		}
		return list
	})
}

// A record that is there already is added all the same: what an order that broke off
// has left is removed with it.
func TestDeSECTwice(t *testing.T) {
	d := newDeSEC(t)
	p := opened(t, "desec", map[string]string{"token": d.token})
	for range 2 {
		if got, err := p.AppendRecords(t.Context(), zone, text(one)); err != nil || len(got) != 1 {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// The limit of deSEC may be an hour: the wait ends with the context.
func TestDeSECLimit(t *testing.T) {
	serve(t, "desec.io", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3000")
		reply(w, 429, object{"detail": "Request was throttled."})
	}))
	p := opened(t, "desec", map[string]string{"token": "right-token"})
	var err error
	for patience := 250 * time.Millisecond; patience < 10*time.Second; patience *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err = p.AppendRecords(ctx, zone, text(one))
		cancel()
		if err != nil && strings.Contains(err.Error(), "cooldown") {
			break // else the answer has not come in time
		}
	}
	says(t, err, "limit of requests is used up", "a wildcard for many names")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%#v", err)
	}
}

// What the providers say to a token that is not theirs, and to a zone that is not
// there: in words, with help, and without the token.
func TestRefused(t *testing.T) {
	newCloudflare(t)
	newHetzner(t)
	newDeSEC(t)
	newRoute53(t)
	aws := map[string]string{"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": awsSecret}
	for _, c := range []struct {
		provider, zone string
		settings       map[string]string
		want           []string
	}{
		{"cloudflare", zone, map[string]string{"api_token": "wrong-token"}, []string{"the token may not change the zone", "give the token Zone / DNS / Edit"}},
		{"cloudflare", "example.net.", map[string]string{"api_token": "right-token"}, []string{"the token sees no such zone", "Zone / Zone / Read"}},
		{"hetzner", zone, map[string]string{"api_token": "wrong-token"}, []string{"the API does not accept the token", "Cloud Console"}},
		{"hetzner", "example.net.", map[string]string{"api_token": "right-token"}, []string{"has no such zone", "have to be moved"}},
		{"desec", zone, map[string]string{"token": "wrong-token"}, []string{"the API does not accept the token", "Token Management"}},
		{"desec", "example.net.", map[string]string{"token": "right-token"}, []string{"the account has no such zone"}},
		{"route53", zone, map[string]string{"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wrong-token"}, []string{"secret_access_key is not that of access_key_id"}},
		{"route53", "example.net.", aws, []string{"has no public zone example.net.", "add the zone"}},
		{"route53", "two.example.", aws, []string{"has 2 public zones two.example.: Z2, Z3", "hosted_zone_id"}},
	} {
		p := opened(t, c.provider, c.settings)
		_, err := p.AppendRecords(t.Context(), c.zone, text(one))
		says(t, err, append(c.want, "DNS provider "+c.provider+" did not add the TXT record _acme-challenge.ftp."+c.zone)...)
		for _, secret := range []string{"wrong-token", "right-token", awsSecret} {
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err.Error()), secret) {
				t.Errorf("%s tells the secret: %v", c.provider, err)
			}
		}
	}
}

// Hetzner holds one TTL for all records of a name.
func TestHetznerTTL(t *testing.T) {
	h := newHetzner(t)
	h.ttl = 3600
	p := opened(t, "hetzner", map[string]string{"api_token": h.token})
	record := text(one)[0].RR()
	record.TTL = 120e9
	_, err := p.AppendRecords(t.Context(), zone, asRecords(record))
	says(t, err, "another TTL", "dns.ttl")
}

// acmednsAPI is an acme-dns server with two accounts: it keeps two records of each.
type acmednsAPI struct{ texts }

func newACMEDNS(t *testing.T) (*acmednsAPI, *httptest.Server) {
	a := &acmednsAPI{}
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	return a, s
}

func (a *acmednsAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ Subdomain, TXT string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		reply(w, 400, object{"error": "malformed_json_payload"})
		return
	}
	accounts := map[string]string{"user-1": "sub-1", "user-2": "sub-2"}
	switch {
	case r.URL.Path != "/update" || r.Method != http.MethodPost:
		http.NotFound(w, r)
	case accounts[r.Header.Get("X-Api-User")] != in.Subdomain || r.Header.Get("X-Api-Key") != "a-password":
		reply(w, 401, object{"error": "forbidden"})
	case len(in.TXT) != 43:
		reply(w, 400, object{"error": "bad_txt"})
	default:
		values := append(a.of(in.Subdomain), in.TXT)
		a.set(in.Subdomain, values[max(0, len(values)-2):])
		reply(w, 200, object{"txt": in.TXT})
	}
}
