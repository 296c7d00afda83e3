package tests

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// section is a place that the code cites.
type section struct {
	source string // "RFC 959", or a draft's name
	number string // "4.1.3"
}

// citations finds what the sources and the dialogues cite, and where.
func citations(t *testing.T) map[section]map[string]bool {
	t.Helper()
	cite := regexp.MustCompile(`(RFC \d{3,4}|draft-[a-z0-9-]+-\d\d) §(\d+(?:\.\d+)*)((?: (?:and|to) §\d+(?:\.\d+)*)*)`)
	more := regexp.MustCompile(`§(\d+(?:\.\d+)*)`)
	found := map[section]map[string]bool{}
	add := func(source, number, path string) {
		s := section{source, number}
		if found[s] == nil {
			found[s] = map[string]bool{}
		}
		found[s][path] = true
	}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		name := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != "..":
			return filepath.SkipDir
		case d.IsDir() || strings.HasSuffix(name, "_test.go"):
			return nil
		case !strings.HasSuffix(name, ".go") && !(strings.HasPrefix(name, "tests/conformance/") && strings.HasSuffix(name, ".txt")):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		joined := regexp.MustCompile(`\s*\n\s*(//|#)?\s*`).ReplaceAll(text, []byte(" ")) // a citation may be broken over two lines
		for _, m := range cite.FindAllStringSubmatch(string(joined), -1) {
			add(m[1], m[2], name)
			for _, n := range more.FindAllStringSubmatch(m[3], -1) {
				add(m[1], n[1], name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// order puts RFCs by their number before drafts, and sections as they stand in a
// document.
func order(a, b section) int {
	rfc := func(s section) int {
		n, err := strconv.Atoi(strings.TrimPrefix(s.source, "RFC "))
		if err != nil {
			return 1 << 20
		}
		return n
	}
	parts := func(s section) (out []int) {
		for p := range strings.SplitSeq(s.number, ".") {
			n, _ := strconv.Atoi(p)
			out = append(out, n)
		}
		return out
	}
	return cmp.Or(cmp.Compare(rfc(a), rfc(b)), strings.Compare(a.source, b.source), slices.Compare(parts(a), parts(b)))
}

// RFCS.md leads from each section that is cited to the files that cite it.
func TestRFCs(t *testing.T) {
	found := citations(t)
	var doc bytes.Buffer
	doc.WriteString("# From the RFCs to the code\n\n<!-- UPDATE_GOLDEN=1 go test ./tests -run TestRFCs writes this file. -->\n\n" +
		"Each section that the code or a dialogue of tests/conformance cites, and where. The\nway back is the citation itself.\n")
	source := ""
	for _, s := range slices.SortedFunc(maps.Keys(found), order) {
		if s.source != source {
			source = s.source
			fmt.Fprintf(&doc, "\n## %s\n\n| section | cited in |\n|---|---|\n", source)
		}
		fmt.Fprintf(&doc, "| §%s | %s |\n", s.number, strings.Join(slices.Sorted(maps.Keys(found[s])), ", "))
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile("../RFCS.md", doc.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile("../RFCS.md")
	if err != nil || !bytes.Equal(old, doc.Bytes()) {
		t.Errorf("RFCS.md is not up to date (%v): UPDATE_GOLDEN=1 go test ./tests -run TestRFCs", err)
	}
	if len(found) < 100 {
		t.Errorf("only %d sections are cited", len(found))
	}
}
