package providers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/libdns/libdns"
)

// says wants an error with all of the texts in it, or in its advice, of which there has
// to be one.
func says(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", texts)
		return
	}
	said := err.Error()
	var advised interface{ Advice() string }
	if errors.As(err, &advised) {
		said += "\n   = help: " + advised.Advice()
	}
	for _, text := range append(texts, "\n   = help: ") {
		if !strings.Contains(said, text) {
			t.Errorf("the error does not say %q:\n%v", text, said)
		}
	}
}

// complete are settings that nothing is wrong with.
func complete() map[string]map[string]string {
	return map[string]map[string]string{
		"acmedns":    {"server_url": "https://auth.example.org", "username": "u", "password": "s3cret-word", "subdomain": "sub"},
		"cloudflare": {"api_token": "s3cret-word", "zone_token": "s3cret-word2"},
		"desec":      {"token": "s3cret-word"},
		"hetzner":    {"api_token": "s3cret-word"},
		"rfc2136":    {"server": "ns1.example.org:53", "key_name": "edgeftp", "key": tsigSecret},
		"route53":    {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": awsSecret, "hosted_zone_id": "Z0123456789ABC"},
	}
}

func TestComplete(t *testing.T) {
	for _, name := range Names() {
		settings := complete()[name]
		if _, err := Open(name, settings); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, key := range slices.Sorted(maps.Keys(settings)) {
			for _, bad := range []string{"", "s3cret word", "s3cret-word\n", "\"s3cret-word\"", "s3cret-word\x00x", strings.Repeat("s3cret-word", 50)} {
				wrong := maps.Clone(settings)
				wrong[key] = bad
				err := Check(name, wrong)
				if p := find(name); err != nil && p.setting(key).Secret && strings.Contains(err.Error(), "s3cret") {
					t.Errorf("%s tells the secret: %v", name, err)
				}
			}
		}
	}
}

// TestMessages: every message of Check is in testdata/messages.txt; UPDATE_GOLDEN=1 in
// the environment writes it.
func TestMessages(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"empty.json": "{}", "bad.json": `{"a":`, "list.json": `[1]`,
		"half.json":  `{"ftp.example.org": {"username": "u", "subdomain": "s"}}`,
		"twice.json": `{"example.org": {"username": "u", "password": "p", "subdomain": "s"}, "*.example.org": {"username": "u", "password": "p", "subdomain": "s"}}`,
		"odd.json":   `{"example.org": {"username": "u", "password": "p\r\nX: y", "subdomain": "s"}}`,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	try := func(name string, settings map[string]string) {
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(settings)) {
			parts = append(parts, fmt.Sprintf("%s=%q", key, settings[key]))
		}
		err := Check(name, settings)
		if err == nil {
			t.Errorf("nothing is wrong with %s %s", name, parts)
			return
		}
		var faults Faults
		if !errors.As(err, &faults) || len(faults) == 0 {
			t.Errorf("%s: the error is %T", name, err)
		}
		for _, f := range faults {
			if f.What == "" || f.Help == "" {
				t.Errorf("%s: %+v says nothing", name, f)
			}
		}
		fmt.Fprintf(&b, "%s %s\n%v\n\n", name, strings.Join(parts, " "), err)
	}
	for _, name := range []string{"", "rfc2316", "Cloudflare", "aws", "nsupdate", "acme-dns", "godaddy"} {
		try(name, nil)
	}
	for _, name := range Names() {
		try(name, nil)
	}
	change := func(name string, pairs ...string) {
		settings := maps.Clone(complete()[name])
		for i := 0; i < len(pairs); i += 2 {
			settings[pairs[i]] = pairs[i+1]
		}
		try(name, settings)
	}
	for _, server := range []string{"ns1", "192.0.2.53", "2001:db8::53", "udp://ns1:53", "ns1:domain", "ns1:0", "ns1:70000", ":53", "a b:53"} {
		change("rfc2136", "server", server)
	}
	change("rfc2136", "key", "", "keyname", "x")
	for _, key := range []string{"no base64!", "bm8-base64_xx", "c2hvcnQ=", `"` + tsigSecret + `"`, tsigSecret + "\n"} {
		change("rfc2136", "key", key)
	}
	for _, alg := range []string{"hmac-md5", "HMAC-MD5.SIG-ALG.REG.INT.", "sha256", "hmac-sha265", "ed25519"} {
		change("rfc2136", "key_alg", alg)
	}
	change("rfc2136", "key_name", "a key")
	change("rfc2136", "key_name", "a..b")
	change("rfc2136", "KeyAlg", "hmac-sha256", "timeout", "5s")
	change("cloudflare", "api_token", "0123456789abcdef0123456789abcdef01234")
	change("cloudflare", "api_token", "Bearer abc")
	change("cloudflare", "api_token", "tökén")
	change("cloudflare", "email", "ops@example.org")
	change("cloudflare", "apiToken", "abc")
	change("desec", "api_token", "abc")
	change("hetzner", "token", "abc")
	change("hetzner", "API-TOKEN", "abc")
	change("route53", "access_key_id", awsSecret)
	change("route53", "access_key_id", "ASIAIOSFODNN7EXAMPLE")
	change("route53", "hosted_zone_id", "/hostedzone/Z0123456789ABC")
	change("route53", "hosted_zone_id", "example.org")
	change("route53", "region", "eu-central-1")
	for _, url := range []string{"auth.example.org", "http://auth.example.org", "https://u:p@auth.example.org", "https://auth.example.org/update", "https://auth.example.org/?x=1", "https://a b", "ftp://auth.example.org"} {
		change("acmedns", "server_url", url)
	}
	change("acmedns", "subdomain", "sub.auth.example.org")
	change("acmedns", "username", "")
	change("acmedns", "accounts", filepath.Join(dir, "half.json"))
	for _, file := range []string{"empty.json", "bad.json", "list.json", "half.json", "twice.json", "odd.json"} {
		try("acmedns", map[string]string{"server_url": "https://auth.example.org", "accounts": filepath.Join(dir, file)})
	}
	got := strings.ReplaceAll(filepath.ToSlash(b.String()), filepath.ToSlash(dir), "DIR")
	golden(t, filepath.Join("testdata", "messages.txt"), got)
}

// golden compares a text with a file, which UPDATE_GOLDEN=1 in the environment writes.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("%s is not what was said: UPDATE_GOLDEN=1 go test ./acme/providers writes it. Said:\n%s", path, got)
	}
}

// Everything that a provider has is described, in our own form.
func TestDescribe(t *testing.T) {
	if !slices.IsSorted(Names()) {
		t.Errorf("%q is in no order", Names())
	}
	for _, p := range Describe() {
		if p.What == "" || p.Needs == "" || strings.HasSuffix(p.What, ".") || complete()[p.Name] == nil {
			t.Errorf("%s is not described or not tested: %+v", p.Name, p)
		}
		secret := false
		for _, s := range p.Settings {
			if s.Help == "" || strings.HasSuffix(s.Help, ".") || s.Name != plain(s.Name) {
				t.Errorf("%s: %+v", p.Name, s)
			}
			secret = secret || s.Secret
		}
		if !secret {
			t.Errorf("%s has no secret", p.Name)
		}
		for key := range find(p.Name).checks {
			if find(p.Name).setting(key) == nil {
				t.Errorf("%s checks %s, which is no setting", p.Name, key)
			}
		}
	}
}

// failing is a provider that fails as it is told to.
type failing struct{ err error }

func (s failing) AppendRecords(context.Context, string, []libdns.Record) ([]libdns.Record, error) {
	return nil, s.err
}

func (s failing) DeleteRecords(context.Context, string, []libdns.Record) ([]libdns.Record, error) {
	return nil, s.err
}

// A secret that a provider repeats is taken out of the error, and cannot be had by
// unwrapping it; the error still is what it is.
func TestSecretsInErrors(t *testing.T) {
	p := find("cloudflare")
	settings := map[string]string{"api_token": "abc-token", "zone_token": "abc-token-more"}
	g := &guard{p, failing{fmt.Errorf("bad header Bearer abc-token-more, abc-token: %w", context.DeadlineExceeded)}, p.secrets(settings)}
	_, err := g.AppendRecords(t.Context(), zone, text(one))
	says(t, err, "bad header Bearer (secret), (secret): context deadline exceeded")
	if !errors.Is(err, context.DeadlineExceeded) || errors.Unwrap(err) != nil {
		t.Errorf("%#v", err)
	}
	var e *Error
	if !errors.As(err, &e) || e.Provider != "cloudflare" || e.Help == "" {
		t.Errorf("%#v", err)
	}
}

// To some providers a record without a text is the whole set, and one without a type
// everything under the name: neither gets there.
func TestOnlyChallenges(t *testing.T) {
	p := newPrimary(t)
	g := opened(t, "rfc2136", p.settings())
	for _, r := range []libdns.RR{{Name: name}, {Name: name, Type: "TXT"}, {Name: name, Type: "A", Data: "192.0.2.1"}, {Type: "TXT", Data: one}} {
		if _, err := g.DeleteRecords(t.Context(), zone, asRecords(r)); err == nil || !strings.Contains(err.Error(), "none of a challenge") {
			t.Errorf("%+v: %v", r, err)
		}
		if _, err := g.AppendRecords(t.Context(), zone, asRecords(r)); err == nil || !strings.Contains(err.Error(), "none of a challenge") {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// FuzzCheck: no settings break Check or Open, and no secret is told.
func FuzzCheck(f *testing.F) {
	for i := range Names() {
		f.Add(uint8(i), "ns1.example.org:53", "edgeftp", "hmac-sha256", "c2VjcmV0LXNlY3JldA==")
	}
	f.Add(uint8(0), "https://auth.example.org", "%zz", "::1", "s3cret word")
	f.Fuzz(func(t *testing.T, which uint8, a, b, c, secret string) {
		p := find(Names()[int(which)%len(Names())])
		settings, plain := map[string]string{}, []string{a, b, c}
		for i, s := range p.Settings {
			if s.Secret {
				settings[s.Name] = secret
			} else if s.Name != "accounts" {
				settings[s.Name] = plain[i%len(plain)]
			}
		}
		err := Check(p.Name, settings)
		if _, opened := Open(p.Name, settings); (err == nil) != (opened == nil) {
			t.Fatalf("Check: %v, Open: %v", err, opened)
		}
		if err != nil && len(secret) > 20 && strings.Contains(err.Error(), secret) && !strings.Contains(a+b+c, secret) {
			t.Fatalf("the error tells the secret %q: %v", secret, err)
		}
	})
}
