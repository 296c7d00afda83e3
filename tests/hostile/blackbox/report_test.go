package blackbox

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// document is the file that TestPeers writes.
const document = "../../../docs/attacks.md"

// report writes the document and the table.
func report(t *testing.T, scores []*score) {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# Attacks over the wire

<!-- Written by EDGEFTP_PEERS=1 go test -run TestPeers ./tests/hostile/blackbox (as root, on Debian). Do not edit. -->

Each case of [tests/hostile/blackbox](../tests/hostile/blackbox) was tried on all servers in one run,
on the loopback interface, and judged by the same rule. They served a user in a chroot or the like, with
TLS, without anonymous access, and with their own defaults for what slows attackers down. *n/a*: the server
has not what is attacked, and says so. What is called correct is our own choice: a server whose "no" stands
here may do what its authors want.

| server | ok | fail | n/a | of | time |
|---|---|---|---|---|---|
`)
	for _, s := range scores {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %v |\n", s.name, s.count("ok"), s.count("fail"), s.count("n/a"), len(s.verdicts), s.took.Round(time.Second))
	}
	b.WriteString("\n| row | case | correct |")
	for _, s := range scores {
		name, _, _ := strings.Cut(s.name, " ")
		fmt.Fprintf(&b, " %s |", name)
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("---|", len(scores)) + "\n")
	for _, a := range chosen(true) {
		fmt.Fprintf(&b, "| %d | %s | %s |", a.row, a.name, a.correct)
		for _, s := range scores {
			word := s.verdicts[a.name].word
			if word == "fail" {
				word = "**no**"
			}
			fmt.Fprintf(&b, " %s |", word)
		}
		b.WriteString("\n")
	}
	for _, s := range scores {
		failed := ""
		for _, a := range chosen(true) {
			if v := s.verdicts[a.name]; v.word != "ok" {
				failed += fmt.Sprintf("- %s: %s\n", a.name, told(v))
			}
		}
		if failed != "" {
			fmt.Fprintf(&b, "\n## %s\n\n%s", s.name, failed)
		}
	}
	if os.Getenv(casesVar)+os.Getenv(serversVar) == "" {
		if err := os.WriteFile(document, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range scores {
		t.Logf("%-40s %d ok, %d fail, %d n/a of %d in %v", s.name, s.count("ok"), s.count("fail"), s.count("n/a"), len(s.verdicts), s.took.Round(time.Second))
	}
}

// told is a verdict on one line of a table.
func told(v verdict) string {
	detail := strconv.Quote(v.detail)
	detail = strings.ReplaceAll(detail[1:len(detail)-1], `\"`, `"`)
	if len(detail) > 240 {
		detail = detail[:240] + "..."
	}
	if v.word == "n/a" {
		return "n/a, " + detail
	}
	return detail
}
