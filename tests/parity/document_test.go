package parity

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocument: docs/seed-parity.md is what the tables say; UPDATE_GOLDEN=1 in the
// environment writes it.
func TestDocument(t *testing.T) {
	path := filepath.FromSlash("../../docs/seed-parity.md")
	want := written()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the table says: UPDATE_GOLDEN=1 go test ./tests/parity -run TestDocument", path)
	}
}

const preface = `# Parity with the seed

<!-- Made of the tables in tests/parity: UPDATE_GOLDEN=1 go test ./tests/parity -run TestDocument writes it. -->

The seed is pyftpdlib's page on its protocol handlers. Every class, attribute, method,
callback, command, exception, constant and example on it is a line here, and so is what
its examples use without declaring it: what it is there, what it is called in Go, its key
in the [configuration file](config.md), and how edgeftp stands to it. *Same* is the same
use, with the same codes in the same order, and a default that is the model's unless the
line says otherwise; reply texts are our own words. *Safer* is the same use with less
harm. *Different on purpose* has another code, order or form, and says why; *not needed*
is what its purpose is served without.

Each line is a test of its own, which is named by the item and needs only Go. A line
without one fails, and so does one whose Go name or key does not exist.

    go test ./tests/parity
    go test ./tests/parity -run 'TestParity/FTPHandler.ftp_STOU'

Packages: ` + "`edge`, `pi` is `edge/pi`, `policy` is `edge/policy`, `vfs` is `edge/vfs`, `dtp` is `edge/dtp`, `wire` is\n`edge/wire`, `users`, `anonymous` and `eventlog` are below `policies`. `pi.Standard[STOU]` is a row of the command table.\n"

// tally counts lines by kind.
type tally map[kind]int

func (t tally) row(title string) string {
	all := 0
	for _, n := range t {
		all += n
	}
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d |\n", title, all, t[same], t[safer], t[different], t[needless])
}

func written() string {
	var b strings.Builder
	b.WriteString(preface)
	b.WriteString("\n| part | items | same | safer | different on purpose | not needed |\n|---|---|---|---|---|---|\n")
	sum := tally{}
	for _, s := range document() {
		part := tally{}
		for _, l := range s.lines {
			part[l.kind]++
			sum[l.kind]++
		}
		b.WriteString(part.row(s.title))
	}
	b.WriteString(sum.row("**all of it**"))
	for _, s := range document() {
		fmt.Fprintf(&b, "\n## %s\n\n| item | there | in Go | in the file | here |\n|---|---|---|---|---|\n", s.title)
		for _, l := range s.lines {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", code(l.id), cell(l.seed), codes(l.names), codes(l.key), here(l.kind, l.why))
		}
	}
	writeBehaviours(&b)
	return b.String()
}

func writeBehaviours(b *strings.Builder) {
	sum := tally{}
	for _, v := range behaviours() {
		sum[v.kind]++
	}
	fmt.Fprintf(b, `
## What clients see

The model's behaviours, as runs of it and its own tests show them: %d, of which %d are the same, %d safer and %d different
on purpose. The proofs are dialogues of [tests/conformance](../tests/conformance), lines of the tables above, and tests of
their own (TestBehaviours).

| # | the model | here | proofs |
|---|---|---|---|
`, len(behaviours()), sum[same], sum[safer], sum[different])
	for i, v := range behaviours() {
		fmt.Fprintf(b, "| %d | %s | %s | %s |\n", i+1, cell(v.text), here(v.kind, v.why), proofs(v))
	}
	b.WriteString("\n## What is not matched\n\nFaults of the model that nobody is to rely on.\n\n| # | the model | here | proofs |\n|---|---|---|---|\n")
	for i, v := range defects() {
		fmt.Fprintf(b, "| %d | %s | %s | %s |\n", i+1, cell(v.text), cell(v.why), proofs(v))
	}
}

func proofs(v behaviour) string {
	parts := make([]string, 0, len(v.proofs)+1)
	for _, p := range v.proofs {
		parts = append(parts, cell(p))
	}
	if v.test != nil {
		parts = append(parts, "its own test")
	}
	return strings.Join(parts, "; ")
}

// here says how edgeftp stands to an item.
func here(k kind, why string) string {
	if why == "" {
		return string(k)
	}
	return "*" + string(k) + "*: " + cell(why)
}

func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

func code(text string) string { return "`" + cell(text) + "`" }

// codes writes each part of a list as code; a default stands in parentheses.
func codes(text string) string {
	var parts []string
	for p := range list(text) {
		name, def, _ := strings.Cut(p, "=")
		switch {
		case name == "code":
			parts = append(parts, "code")
		case def != "":
			parts = append(parts, code(name)+" ("+def+")")
		default:
			parts = append(parts, code(name))
		}
	}
	return strings.Join(parts, ", ")
}
