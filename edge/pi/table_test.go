package pi

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

func TestRowsAreComplete(t *testing.T) {
	verb := regexp.MustCompile(`^[A-Z][A-Z0-9]{2,6}( [A-Z0-9-]{2,8})?$`)
	source := regexp.MustCompile(`^docs/ftpq.md$|^(RFC \d{3,4}|draft-[a-z0-9-]+-\d\d) §\d+(\.\d+)*(; (RFC \d{3,4}|draft-[a-z0-9-]+-\d\d) §\d+(\.\d+)*)*$`)
	seen := map[string]bool{}
	leaves := map[Memory]int{}
	for _, r := range standardRows() {
		if !verb.MatchString(r.Verb) {
			t.Errorf("%q is not a verb", r.Verb)
		}
		if seen[r.Verb] {
			t.Errorf("%s has two rows", r.Verb)
		}
		seen[r.Verb] = true
		if !source.MatchString(r.RFC) {
			t.Errorf("%s: %q does not say where it is defined", r.Verb, r.RFC)
		}
		if r.Help == "" || strings.HasPrefix(r.Help, ":") == (r.Grammar != NoArg && !strings.HasPrefix(r.Help, ": nothing")) || !strings.Contains(r.Help, ": ") {
			t.Errorf("%s: the help %q is not \"argument: words\", or \": words\" without an argument", r.Verb, r.Help)
		}
		if r.Handler == nil {
			t.Errorf("%s has no handler", r.Verb)
		}
		if r.Perm != 0 && r.State != LoggedIn {
			t.Errorf("%s needs a permission but no login", r.Verb)
		}
		if r.Lane == Data && r.Perm == 0 {
			t.Errorf("%s moves data without a permission", r.Verb)
		}
		leaves[r.Leaves]++
	}
	for _, r := range standardRows() {
		if r.Needs != MemoryNone && leaves[r.Needs] != 1 {
			t.Errorf("%s needs what %d rows leave", r.Verb, leaves[r.Needs])
		}
	}
	if n := len(Standard().Rows()); n != len(seen) {
		t.Errorf("the table has %d rows of %d", n, len(seen))
	}
}

func TestRowsAreSorted(t *testing.T) {
	if !slices.IsSortedFunc(Standard().Rows(), func(a, b *Spec) int { return strings.Compare(a.Verb, b.Verb) }) {
		t.Error("the rows are not in the order of their verbs")
	}
}

func TestLookup(t *testing.T) {
	table := Standard()
	for _, c := range []struct{ verb, arg, want, rest string }{
		{"STOR", "a b", "STOR", "a b"},
		{"SITE", "CHMOD 644 a b", "SITE CHMOD", "644 a b"},
		{"SITE", "chmod  644 a", "SITE CHMOD", " 644 a"},
		{"SITE", "  help", "SITE HELP", ""},
		{"OPTS", "utf-8 on", "OPTS UTF-8", "on"},
		{"SITE", "", "SITE", ""},
		{"SITE", "   ", "SITE", ""},
	} {
		row, cmd, ok := table.Lookup(wire.Command{Verb: c.verb, Arg: c.arg})
		if !ok || row.Verb != c.want || cmd.Arg != c.rest {
			t.Errorf("Lookup(%s %q) = %v, %q, %v", c.verb, c.arg, row, cmd.Arg, ok)
		}
	}
	for _, c := range []wire.Command{{Verb: "NONE"}, {Verb: ""}, {Verb: "SITE", Arg: "EXEC"}, {Verb: "CHMOD", Arg: "644 a"}, {Verb: "SITE", Arg: "CHMOD\x00"}} {
		if row, _, ok := table.Lookup(c); ok {
			t.Errorf("Lookup(%v) found %s", c, row.Verb)
		}
	}
}

// TestWith: an embedder's rows join the others, in HELP, SITE HELP and FEAT as
// well, and the table they were added to stays as it was.
func TestWith(t *testing.T) {
	row := func(verb, help string) Spec {
		return Spec{Verb: verb, Help: help, RFC: "RFC 959 §4.1.3", Feat: feat(verb + " here"), Handler: noop}
	}
	old := Standard()
	table := old.With(row("SITE USAGE", ": what is used"), row("NOOP", ": replaced"), row("THMB", "path: a digest"))
	if n := len(table.Rows()); n != len(old.Rows())+2 {
		t.Errorf("%d rows joined %d", n, len(old.Rows()))
	}
	if table.byVerb["NOOP"].Help != ": replaced" || old.byVerb["NOOP"].Help == ": replaced" {
		t.Error("NOOP was not replaced, or in both tables")
	}
	text := func(o Outcome) string { return string(o.Reply.Append(nil)) }
	for what, reply := range map[string]string{
		"HELP":       text(table.help("", "", nil)),
		"SITE HELP":  text(table.help("SITE ", "", nil)),
		"HELP THMB":  text(table.help("", "thmb", nil)),
		"HELP USAGE": text(table.help("SITE ", "usage", nil)),
		"FEAT":       text(features(&Session{state: &state{conf: &Config{Table: table}}}, Args{})),
	} {
		if want := strings.TrimPrefix(what, "HELP "); !strings.Contains(reply, "THMB") && !strings.Contains(reply, "USAGE") {
			t.Errorf("%s knows nothing of %s: %s", what, want, reply)
		}
	}
}

// TestHelpAndFeatAreDerived: each row is in HELP or its group's, explains itself,
// and FEAT is exactly what the rows say.
func TestHelpAndFeatAreDerived(t *testing.T) {
	table := Standard()
	s := &Session{state: &state{conf: &Config{Table: table}}}
	all := table.help("", "", nil).Reply
	site := table.help("SITE ", "", nil).Reply
	var feats []string
	for _, row := range table.Rows() {
		words := strings.Fields(strings.Join(append(slices.Clone(all.Lines), site.Lines...), " "))
		if _, word, _ := strings.Cut(" "+row.Verb, " "); strings.HasPrefix(row.Verb, "SITE ") || !strings.Contains(row.Verb, " ") {
			if !slices.Contains(words, strings.TrimPrefix(word, "SITE ")) {
				t.Errorf("HELP does not name %s", row.Verb)
			}
		}
		if one := table.help("", row.Verb, nil).Reply; one.Code != wire.CodeHelp || !strings.Contains(one.Lines[0], row.RFC) {
			t.Errorf("HELP %s is %v", row.Verb, one)
		}
		if row.Feat != nil {
			feats = append(feats, row.Feat(s)...)
		}
	}
	slices.Sort(feats)
	lines := features(s, Args{}).Reply.Lines
	if got := lines[1 : len(lines)-1]; !slices.Equal(got, feats) {
		t.Errorf("FEAT says %q, the rows %q", got, feats)
	}
}

// TestVerbsOccurInTheTableAlone: no other file compares a verb with a literal, so
// that a row is all there is to know about a command.
func TestVerbsOccurInTheTableAlone(t *testing.T) {
	verbs := map[string]bool{}
	for _, row := range Standard().Rows() {
		verbs[row.Verb] = true
		for word := range strings.FieldsSeq(row.Verb) {
			verbs[word] = true
		}
	}
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") || path == "table.go" {
			continue
		}
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			if text, err := strconv.Unquote(lit.Value); err == nil && verbs[text] {
				t.Errorf("%s: the verb %s stands outside of the table", files.Position(lit.Pos()), text)
			}
			return true
		})
	}
}

// TestWithout: a verb that was taken away is unknown everywhere.
func TestWithout(t *testing.T) {
	table := Standard().Without("MDTM", "SITE CHMOD")
	for _, c := range []wire.Command{{Verb: "MDTM", Arg: "a"}, {Verb: "SITE", Arg: "CHMOD 644 a"}} {
		if row, _, ok := table.Lookup(c); ok {
			t.Errorf("%v is still %s", c, row.Verb)
		}
	}
	s := &Session{state: &state{conf: &Config{Table: table}}}
	for _, reply := range []Outcome{table.help("", "", nil), table.help("SITE ", "", nil), features(s, Args{})} {
		if text := string(reply.Reply.Append(nil)); strings.Contains(text, "MDTM") || strings.Contains(text, "CHMOD") {
			t.Errorf("still told of: %s", text)
		}
	}
}

// TestWrap: around every handler, and with the row that it belongs to.
func TestWrap(t *testing.T) {
	var seen []string
	table := Standard().Wrap(func(row Spec, next Handler) Handler {
		return func(s *Session, a Args) Outcome {
			seen = append(seen, row.Verb)
			return next(s, a)
		}
	})
	row, _, _ := table.Lookup(wire.Command{Verb: "NOOP"})
	if out := row.Handler(nil, Args{}); out.Reply.Code != wire.CodeOK || len(seen) != 1 || seen[0] != "NOOP" {
		t.Errorf("%v after %v", out.Reply, seen)
	}
}

// TestWithPermission: the letter of an embedder's row is asked for before its
// handler, where its argument points.
func TestWithPermission(t *testing.T) {
	ran := 0
	row := Spec{Verb: "SITE TOUCH", Grammar: PathArg, Perm: policy.PermWrite, Handler: func(*Session, Args) Outcome {
		ran++
		return Say(wire.CodeOK, "Touched.")
	}}
	spec, _, _ := Standard().With(row).Lookup(wire.Command{Verb: "SITE", Arg: "TOUCH a"})
	b := newBench(t, nil)
	defer func() { b.own().close() }()
	s := b.sess
	for path, code := range map[vfs.Path]wire.Code{"/free/a": wire.CodeOK, "/locked/a": wire.CodeUnavailable} {
		s.rank.perms = policy.PermAll
		s.rank.id.Rules = []policy.PathRule{{Dir: "/locked", Perms: policy.PermRead, Recursive: true}}
		if out := spec.Handler(s, Args{Path: path}); out.Reply.Code != code {
			t.Errorf("%s: %v", path, out.Reply)
		}
	}
	if ran != 1 {
		t.Errorf("the handler ran %d times", ran)
	}
}
