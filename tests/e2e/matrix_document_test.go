package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	updateVar   = "EDGEFTP_UPDATE_DOCS"
	matrixBegin = "<!-- matrix: written by the test run -->\n"
	matrixEnd   = "<!-- end of the matrix -->\n"
	testedWith  = "Tested with "
)

// updating reports whether the documentation is to be written.
func updating() bool { return os.Getenv(updateVar) != "" }

// document compares docs/clients.md with what came out, or writes it. Clients
// that were left out, and their versions, are not compared.
func (m *matrix) document(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "clients.md")
	text := string(must(os.ReadFile(path))(t))
	before, rest, found := strings.Cut(text, matrixBegin)
	_, after, closed := strings.Cut(rest, matrixEnd)
	if !found || !closed {
		t.Fatal("docs/clients.md has no marks between which the matrix stands")
	}
	if updating() {
		var b strings.Builder
		b.WriteString(m.summary())
		for _, c := range clients() {
			col := m.found[c.facts().name]
			if col == nil {
				t.Fatalf("%s was not run: the matrix is not whole", c.facts().name)
			}
			b.WriteString(m.section(col))
		}
		ok(t, os.WriteFile(path, []byte(before+matrixBegin+b.String()+matrixEnd+after), 0o644))
		return
	}
	if len(m.found) == len(clients()) && !strings.Contains(rest, m.summary()) {
		t.Errorf("docs/clients.md counts other cells; EDGEFTP_UPDATE_DOCS=1 writes it:\n%s", m.summary())
	}
	for name, col := range m.found {
		if !m.whole(col) && os.Getenv("CI") != "true" {
			t.Logf("%s was run in parts and is not compared", name)
			continue
		}
		if want := withoutVersion(m.section(col)); !strings.Contains(withoutVersion(rest), want) {
			t.Errorf("docs/clients.md differs from what came out for %s; EDGEFTP_UPDATE_DOCS=1 writes it:\n%s", name, want)
		}
	}
}

// withoutVersion drops the lines that tell versions.
func withoutVersion(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, testedWith) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// summary counts the cells of each client and form.
func (m *matrix) summary() string {
	var b strings.Builder
	b.WriteString("\nThe cells, counted:\n\n| client |")
	for _, f := range forms() {
		b.WriteString(" " + f.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(forms())) + "\n")
	for _, c := range clients() {
		fmt.Fprintf(&b, "| %s |", c.facts().name)
		for _, f := range forms() {
			count := map[string]int{}
			for _, r := range m.rows() {
				what, _, _ := strings.Cut(m.outcome(m.found[c.facts().name], f, r), ": ")
				count[what]++
			}
			var parts []string
			for _, what := range []string{fine, unsteady, lenient, without} {
				if count[what] > 0 {
					parts = append(parts, fmt.Sprintf("%d × %s", count[what], what))
				}
			}
			b.WriteString(" " + strings.Join(parts, "; ") + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// section is the part of the matrix that is one client's.
func (m *matrix) section(col *column) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %s\n\n%s%s.\n\n", col.facts.name, testedWith, col.version)
	for _, n := range col.facts.notes {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	b.WriteString("\n| |")
	for _, f := range forms() {
		b.WriteString(" " + f.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(forms())) + "\n")
	var reasons []string
	for _, r := range m.rows() {
		fmt.Fprintf(&b, "| %s |", r.name)
		for _, f := range forms() {
			b.WriteString(" " + note(m.outcome(col, f, r), &reasons) + " |")
		}
		b.WriteString("\n")
	}
	if len(reasons) > 0 {
		b.WriteString("\n")
	}
	for i, why := range reasons {
		fmt.Fprintf(&b, "%d. %s.\n", i+1, why)
	}
	if col.facts.fresh != "" {
		fmt.Fprintf(&b, "\nUnder `auto`: `%s`, because %s.\n", col.refusal, col.facts.fresh)
	}
	return b.String()
}

// whole reports whether every cell was run: go test -run can leave some out.
func (m *matrix) whole(col *column) bool {
	for _, f := range forms() {
		for _, r := range m.rows() {
			if m.outcome(col, f, r) == "" {
				return false
			}
		}
	}
	return true
}

// outcome returns that of a cell. A short run leaves out large files; what is
// documented of them was seen by a longer one, and is what small files do.
func (m *matrix) outcome(col *column, f form, r row) string {
	found := col.outcomes[[2]string{f.name, r.name}]
	if found == "" && r.costly && !m.thorough() {
		found = col.facts.expects(f, r)
	}
	return found
}

// note writes a cell; a reason becomes the number of a remark.
func note(outcome string, reasons *[]string) string {
	what, why, found := strings.Cut(outcome, ": ")
	if !found {
		return outcome
	}
	i := slices.Index(*reasons, why)
	if i < 0 {
		*reasons = append(*reasons, why)
		i = len(*reasons) - 1
	}
	return fmt.Sprintf("%s (%d)", what, i+1)
}
