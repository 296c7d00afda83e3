package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// samples are files of the corpus that docs/errors.md shows, each for another kind of fault.
func samples() [][2]string {
	return [][2]string{
		{"key-transposed", "A slip in a key"},
		{"indent-section-empty", "A section that is not indented"},
		{"size-no-unit", "A size without a unit"},
		{"number-leading-zero", "A number that YAML may read in another way than its author"},
		{"syntax-brace-open", "What is no YAML"},
		{"source-secret-hidden", "A value from the environment, which is not shown"},
		{"key-of-pyftpdlib", "A name that another server has for it"},
		{"together-state-in-root", "Two keys that do not go together"},
		{"hosts-apart", "Several faults, all told at once"},
		{"users-file", "Faults in a second file"},
	}
}

// docs/errors.md is the corpus: its counts, and ten of its files with what is told of
// them. UPDATE_GOLDEN=1 in the environment writes it.
func TestErrorsDocument(t *testing.T) {
	n := judged(t)
	var b strings.Builder
	fmt.Fprintf(&b, `<!-- Written by go test ./cmd/edgeftp/internal/config -run TestErrorsDocument with UPDATE_GOLDEN=1; do not edit. -->
# What is said of a broken configuration

A configuration that is not in order opens no port and takes no other one's place: `+"`serve`, `reload` and `config validate`"+`
tell all faults at once, each with its place, its reason and what to do, and exit with 3.

How well they do so is measured by files that are broken on purpose, each of which says itself which faults it has,
where, and which word is to be in the help
([cmd/edgeftp/internal/config/testdata/broken](../cmd/edgeftp/internal/config/testdata/broken)):

| | of | |
|---|---:|---:|
| files | | %d |
| faults that are told, in one run | %d | %d |
| at the line and column where they are | %d | %d |
| with the help that was asked for | %d | %d |
| told beside them, and no fault | | %d |

Ten of them:
`, n.files, n.faults, n.found, n.faults, n.placed, n.asked, n.helped, n.extra)
	for _, s := range samples() {
		text, err := os.ReadFile("testdata/broken/" + s[0] + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		told, err := os.ReadFile("testdata/broken/" + s[0] + ".golden")
		if err != nil {
			t.Fatal(err)
		}
		var shown strings.Builder
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "# want: ") {
				shown.WriteString(line)
			}
		}
		fmt.Fprintf(&b, "\n## %s\n\n```yaml\n%s```\n```text\n%s```\n", s[1], shown.String(), told)
	}
	golden(t, "../../../../docs/errors.md", b.String())
}
