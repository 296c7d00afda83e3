package hostile

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// document is the list of threats as operators read it.
const document = "../../SECURITY/threats.md"

// part is a heading of the document, and its rows.
type part struct {
	title string
	rows  []row
}

func parts() []part {
	return []part{{"The control connection", controlRows()}, {"Logging in", loginRows()}, {"Data connections", dataRows()}, {"TLS and certificates", tlsRows()},
		{"Paths and files", fileRows()}, {"Transfers", transferRows()}, {"Policies", policyRows()}, {"Operation", operationRows()},
		{"Beyond the list", newRows()}}
}

// kind says how a threat stands.
func (w *row) kind() string {
	switch {
	case w.left == "":
		return "defended and tested"
	case strings.HasPrefix(w.left, "by design"):
		return "by design"
	case len(w.here)+len(w.there) > 0:
		return "in part"
	}
	return "not"
}

// TestThreatsAreWhole: each threat of the list has its place once, and is held off by
// something that a test shows, or there is a reason why not.
func TestThreatsAreWhole(t *testing.T) {
	var numbers, want []int
	for _, p := range parts() {
		for _, w := range p.rows {
			if w.number > 0 {
				numbers = append(numbers, w.number)
			}
			for _, p := range w.there {
				if err := p.exists(); err != nil {
					t.Errorf("threat %d, %s: %v", w.number, w.title, err)
				}
			}
			if proven := len(w.here)+len(w.there) > 0; !proven && w.left == "" || proven && w.held == "" {
				t.Errorf("threat %d, %s: nothing holds it off that is tested, and nothing says why", w.number, w.title)
			}
		}
	}
	for n := 1; n <= 128; n++ {
		want = append(want, n)
	}
	slices.Sort(numbers)
	if !slices.Equal(numbers, want) {
		t.Errorf("the threats are %v", numbers)
	}
	if (proof{"edge/wire", "TestOfNothing"}).exists() == nil || (proof{"tests/conformance/USER.txt", "nothing"}).exists() == nil {
		t.Error("what does not exist is found")
	}
}

// TestDocument holds the document to the rows.
func TestDocument(t *testing.T) {
	want := written()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(document)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the rows say (%v): UPDATE_GOLDEN=1 go test -run TestDocument ./tests/hostile writes it", document, err)
	}
}

func written() string {
	var b, table strings.Builder
	counts := map[string]int{}
	for _, p := range parts() {
		fmt.Fprintf(&table, "\n## %s\n\n| # | threat | what holds it off | tests |\n|---|---|---|---|\n", p.title)
		for _, w := range p.rows {
			counts[w.kind()]++
			number := ""
			if w.number > 0 {
				number = fmt.Sprint(w.number)
			}
			held := w.held
			if w.left != "" {
				held = strings.TrimSpace(held + " **" + strings.ToUpper(w.left[:1]) + w.left[1:] + ".**")
			}
			fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", number, w.title, held, w.proofs())
		}
	}
	b.WriteString("# Threats\n\n<!-- Made of the rows in tests/hostile: UPDATE_GOLDEN=1 go test -run TestDocument ./tests/hostile writes it. -->\n\n" +
		"What may be done to a server on the open internet, what holds it off, and the tests that show it.\n" +
		"What is not held off, or by design not, stands in bold with the reason. A test of\n`tests/hostile` is a subtest of the row; `NAME.txt` is a dialogue of `tests/conformance`.\n\n")
	b.WriteString("| how it stands | threats |\n|---|---|\n")
	for _, k := range []string{"defended and tested", "in part", "by design", "not"} {
		fmt.Fprintf(&b, "| %s | %d |\n", k, counts[k])
	}
	return b.String() + table.String()
}

// proofs names the tests of a row.
func (w *row) proofs() string {
	var names []string
	for _, name := range sorted(w.here) {
		names = append(names, "hostile: "+name)
	}
	for _, p := range w.there {
		where := p.where
		if strings.HasSuffix(where, ".txt") {
			names = append(names, fmt.Sprintf("%s: %s", strings.TrimPrefix(where, "tests/conformance/"), p.what))
			continue
		}
		names = append(names, fmt.Sprintf("%s.%s", where, p.what))
	}
	if len(names) == 0 {
		return "-"
	}
	return strings.ReplaceAll(strings.Join(names, "; "), "|", "\\|")
}
