package conformance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// document is the file that TestPeers writes.
const document = "../../docs/behaviours.md"

// report writes the document.
func report(t *testing.T, all []script, peers []*peer) {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# Behaviours that clients rely on

<!-- Written by EDGEFTP_PEERS=1 go test -run TestPeers ./tests/conformance (as root, on Debian). Do not edit. -->

71 things that FTP clients expect of a server or stumble over, each a script of
dialogues in [tests/conformance/behaviours](../tests/conformance/behaviours) that says
what is right and where that is defined. All servers were asked the same in one run, on
the loopback interface. A reply with another code than the script's counts as failed,
also where the meaning is much the same: what was seen instead stands below the table.

| # | behaviour |`)
	for _, p := range peers {
		fmt.Fprintf(&b, " %s |", p.Name)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(peers)) + "\n")
	for i, sc := range all {
		b.WriteString(row(sc))
		for _, p := range peers {
			fmt.Fprintf(&b, " %s |", p.results[i].mark())
		}
		b.WriteString("\n")
	}
	b.WriteString("| | **passed, of 71** |")
	for _, p := range peers {
		passed, _, _ := p.score()
		fmt.Fprintf(&b, " **%d** |", passed)
	}
	b.WriteString("\n\n## How the servers were set up\n\nDebian's packages, unpacked and not installed; each with a root, a user and a\n" +
		"certificate of its own, and with what it has for these behaviours turned on.\n\n")
	for _, p := range peers {
		fmt.Fprintf(&b, "- **%s** %s: %s.\n", p.Name, p.Version, p.Setup)
	}
	for _, p := range peers {
		b.WriteString(failures(all, p))
	}
	if err := os.WriteFile(document, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, p := range peers {
		passed, failed, absent := p.score()
		t.Logf("%-40s %d passed, %d failed, %d not applicable", p.Server, passed, failed, absent)
	}
}

// row is the beginning of a behaviour's row.
func row(sc script) string {
	return fmt.Sprintf("| %s | %s |", sc.number(), strings.ReplaceAll(sc.title(), "|", `\|`))
}

func (v verdict) mark() string {
	switch {
	case v.passed:
		return "yes"
	case v.absent != "":
		return "n/a"
	}
	return "**no**"
}

// failures tells what a server did instead.
func failures(all []script, p *peer) string {
	var b strings.Builder
	for i, v := range p.results {
		switch {
		case v.fault != nil:
			fmt.Fprintf(&b, "- %s: %s\n", all[i].number(), v.fault.told(p.root.root))
		case !v.passed:
			fmt.Fprintf(&b, "- %s: not applicable: %s\n", all[i].number(), v.absent)
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return fmt.Sprintf("\n## What %s did instead\n\n%s", p.Name, &b)
}

// told is the fault for a reader who has no script at hand, without what differs
// from run to run.
func (f *fault) told(root string) string {
	wanted := strings.TrimPrefix(f.step.word+" "+f.step.rest, "S: ")
	after := ""
	if f.command != "" {
		after = "after `" + f.command + "`, "
	}
	seen := strings.ReplaceAll(f.err.Error(), root, "ROOT")
	for _, r := range []struct{ what, by string }{
		{`^no reply: read tcp \S+ i/o timeout`, fmt.Sprintf("silence for %v", silence)},
		{`^no reply: (EOF|read tcp .*)`, "the connection was closed"},
		{`\(\|\|\|\d+\|\)`, "(|||port|)"},
		{`(read|write) tcp \S+ `, ""},
		{`[A-Z][a-z][a-z] [ 0-9]\d \d\d:\d\d`, "DATE"},
		{`[A-Z][a-z][a-z] [ 0-9]\d  20(2[1-9]|[3-9]\d)`, "DATE"},
		{`\d+\.\d+ `, "N "},
		{`unique=[0-9a-fg]+`, "unique=ID"},
		{`modify=\d+`, "modify=TIME"},
		{`(\\r)?\\n`, " "},
		{` +`, " "},
	} {
		seen = regexp.MustCompile(r.what).ReplaceAllString(seen, r.by)
	}
	const most = 240
	if len(seen) > most {
		seen = seen[:most] + "..."
	}
	return fmt.Sprintf("%swanted `%s`: %s", after, strings.TrimSpace(wanted), seen)
}

// TestDocument holds that the document is about the behaviours that there are.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile(document)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is missing: TestPeers writes it", filepath.Base(document))
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, sc := range behaviours(t) {
		if !strings.Contains(string(text), "\n"+row(sc)) {
			t.Errorf("there is no row %q: run TestPeers again", row(sc))
		}
	}
}
