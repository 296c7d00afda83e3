package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// examples are the blocks of a document in a language.
func examples(t *testing.T, file, language string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for i, part := range strings.Split(string(data), "\n```") {
		if text, found := strings.CutPrefix(part, language+"\n"); found && i%2 == 1 {
			list = append(list, text+"\n")
		}
	}
	return list
}

// Each configuration that docs/certificates.md shows is one that the server takes, and
// uses the challenges that are promised.
func TestCertificatesDocument(t *testing.T) {
	// The document cannot show an address that anybody has.
	address := strings.NewReplacer("203.0.113.5", "9.9.9.9")
	machine := testMachine(map[string]string{"/etc/corp-roots.pem": testRoots(), "/run/secrets/tsig": "c2VjcmV0c2VjcmV0\n",
		"/run/secrets/cloudflare": "abcdefghijklmnopqrstuvwxyz0123456789abcd\n", "/run/secrets/eab": "c2VjcmV0c2VjcmV0\n", "/etc/customers.wasm": "module"}, nil)
	list := examples(t, filepath.FromSlash("../../../../docs/certificates.md"), "yaml")
	if len(list) < 14 {
		t.Fatalf("%d examples", len(list))
	}
	used := map[string]bool{}
	for _, text := range list {
		if !strings.Contains(text, "listeners:") {
			text += "listeners: [{ name: public, address: \":21\", tls: { certificate: auto } }]\n"
		}
		text += "version: 1\nstorage: [{ root: /srv }]\nusers: { anonymous: { enabled: true } }\n"
		conf, err := parse("edgeftp.yaml", "/etc", []byte(address.Replace(text)), machine)
		if err != nil {
			t.Errorf("%v\n%s", err, text)
			continue
		}
		again(t, conf, machine)
		ch := conf.ACME.Challenges
		used[http01] = used[http01] || len(ch.HTTP) > 0
		used[tlsALPN01] = used[tlsALPN01] || len(ch.TLSALPN) > 0
		used["served"] = used["served"] || ch.TLSALPNServed
		used[dns01] = used[dns01] || ch.DNS != nil
		used[dnsPersist01] = used[dnsPersist01] || ch.Persist != nil
		if challenges := strings.Contains(text, "challenges: ["+tlsALPN01+"]"); challenges && (ch.HTTP != nil || len(ch.TLSALPN) == 0 && !ch.TLSALPNServed) {
			t.Errorf("%+v is not what it says:\n%s", ch, text)
		}
	}
	for _, way := range []string{http01, tlsALPN01, "served", dns01, dnsPersist01} {
		if !used[way] {
			t.Errorf("no example has %s", way)
		}
	}
}

// Every situation of the table leads to a section with a configuration.
func TestCertificatesTable(t *testing.T) {
	data, err := os.ReadFile(filepath.FromSlash("../../../../docs/certificates.md"))
	if err != nil {
		t.Fatal(err)
	}
	var sections []string
	for section := range strings.SplitSeq(string(data), "\n### ") {
		title, body, _ := strings.Cut(section, "\n")
		if strings.Contains(body, "\n```yaml\n") {
			sections = append(sections, strings.ReplaceAll(strings.ToLower(strings.ReplaceAll(title, ",", "")), " ", "-"))
		}
	}
	links := 0
	for _, rest := range strings.Split(string(data), "[below](#")[1:] {
		links++
		if to, _, _ := strings.Cut(rest, ")"); !slices.Contains(sections, to) {
			t.Errorf("the table links to #%s, which is none of %q", to, sections)
		}
	}
	if links != 12 {
		t.Errorf("%d rows", links)
	}
}
