package providers

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocument: docs/dns-providers.md is what Describe says; UPDATE_GOLDEN=1 in the
// environment writes it.
func TestDocument(t *testing.T) {
	golden(t, filepath.FromSlash("../../docs/dns-providers.md"), document())
}

const preface = `# DNS providers

<!-- Made of the table in acme/providers: UPDATE_GOLDEN=1 go test ./acme/providers -run TestDocument writes it. -->

Names are proven by DNS records (the challenge ` + "`dns-01`" + `) where no port can be opened,
and for wildcards. These providers are compiled in. Each adds the TXT record
` + "`_acme-challenge.NAME`" + ` for an order and removes that record; whatever else has this
name stays, so NAME and \*.NAME can be ordered at once.

` + "```yaml" + `
certificates:
  acme:
    challenges: [dns-01]
    dns:
      provider: rfc2136
      settings:
        server: ns1.example.org:53
        key_name: edgeftp
        key: "${file:/run/secrets/tsig}"
` + "```" + `

` + "`edgeftp cert check`" + ` tries the settings with a record of its own. Secrets belong in
files, environment variables or systemd credentials (` + "`${file:…}`, `${env:…}`, `${cred:…}`" + `).

For a zone elsewhere, make ` + "`_acme-challenge.NAME`" + ` a CNAME to a name in a zone at one of
these, and write that name as ` + "`dns.delegate`" + `; an acme-dns server is made for this. Or
use the challenge ` + "`dns-persist-01`" + `, which needs one record once and no provider. Who
embeds the server can hand it any package of the libdns project.

| Provider | What it is |
|---|---|
`

func document() string {
	var b strings.Builder
	b.WriteString(preface)
	for _, p := range Describe() {
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", p.Name, p.Name, p.What)
	}
	for _, p := range Describe() {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\nFirst %s.\n\n| Setting | | What to write |\n|---|---|---|\n", p.Name, upper(p.What), p.Needs)
		for _, s := range p.Settings {
			var words []string
			if s.Required {
				words = append(words, "required")
			}
			if s.Secret {
				words = append(words, "secret")
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.Name, strings.Join(words, ", "), strings.ReplaceAll(s.Help, "|", `\|`))
		}
	}
	return b.String()
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
