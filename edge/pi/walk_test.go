package pi

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// visit is how the walk tries a row of the table: each line in a session of its own,
// after what has to come before.
type visit struct {
	before []string
	lines  []string
}

// ready prepares a data port, whose client sends a few bytes and takes any.
const ready = "REDY"

func visits() map[string]visit {
	v := map[string]visit{}
	for verb, args := range map[string][]string{
		"CWD": {"d"}, "XCWD": {"/d"}, "CDUP": {""}, "XCUP": {""},
		"MKD": {"d/new"}, "XMKD": {"d/new"}, "RMD": {"d/e"}, "XRMD": {"d/e"},
		"RNFR": {"a", "nothing", "link"}, "DELE": {"a", "link", "part"},
		"SIZE": {"a"}, "MDTM": {"a", "20200101000000 a"}, "MFMT": {"20200101000000 a"}, "MFCT": {"20200101000000 a"},
		"MFF":  {"modify=20200101000000; a", "create=20200101000000;UNIX.mode=0600; a"},
		"MLST": {"a", "", "link", "part"}, "AVBL": {"d", ""}, "STAT": {"d", "a", "-laR /", "", "part"},
		"SITE CHMOD": {"600 a"}, "SITE UTIME": {"20200101000000 a", "a 20200101000000 20200101000000 20200101000000 UTC"},
		"SITE CPFR": {"a", "d"}, "SITE SYMLINK": {"a new"},
		"HASH": {"a"}, "XCRC": {"a", "a 1 2", `"a"`}, "XMD5": {"a"}, "XSHA1": {"a"}, "XSHA256": {"a"}, "XSHA512": {"a"},
	} {
		v[verb] = visit{nil, lined(verb, args)}
	}
	for verb, args := range map[string][]string{
		"RETR": {"a", "link", "part", "d"}, "STOR": {"a", "d/new", "link", "part", "d", "no/where"}, "APPE": {"a", "new", "part"}, "STOU": {"", "d/pre", "d"},
		"LIST": {"", "d", "-laR /", "*", "a", "d/*", "part"}, "NLST": {"", "d", "d/*", "*/*"}, "MLSD": {"", "d", "a"},
	} {
		v[verb] = visit{[]string{ready}, lined(verb, args)}
	}
	v["RNTO"] = visit{[]string{"RNFR a"}, []string{"RNTO new", "RNTO d/b", "RNTO d"}}
	v["SITE CPTO"] = visit{[]string{"SITE CPFR a"}, []string{"SITE CPTO new", "SITE CPTO d/b", "SITE CPTO a", "SITE CPTO d"}}
	for _, line := range []string{ // rows without an operation: they touch no file
		"USER a", "REIN", "QUIT", "HOST a", "PORT 127,0,0,1,4,1", "EPRT |1|127.0.0.1|1025|", "PASV", "EPSV", "TYPE A", "MODE S", "OPTS MODE Z", "STRU F",
		"PWD", "XPWD", "ALLO 5", "REST 1", "ABOR", "OPTS MLST size;", "LANG en", "OPTS NONE", "OPTS UTF8 ON", "OPTS UTF-8 ON", "RANG 0 1", "SITE HELP", "OPTS HASH MD5",
		"AUTH TLS", "CCC", "PBSZ 0", "PROT P", "SYST", "HELP", "CLNT a", "CSID Name=a;", "NOOP", "FEAT", "QDAT",
	} {
		row, _, _ := Standard().Lookup((&Config{}).command([]byte(line)))
		v[row.Verb] = visit{nil, []string{line}}
	}
	v["PASS"] = visit{[]string{"USER dev"}, []string{"PASS wrong"}}
	return v
}

func lined(verb string, args []string) (lines []string) {
	for _, a := range args {
		lines = append(lines, strings.TrimRight(verb+" "+a, " "))
	}
	return lines
}

// walker tries one line.
type walker struct {
	*bench
	journal
	answer func(*policy.Action) policy.Answer
}

// walkTable is the table that is walked: all rows that a server can have.
func walkTable(rows ...Spec) *Table {
	redy := Spec{Verb: ready, Handler: func(s *Session, _ Args) Outcome {
		s.setPort(readyPort{}, time.Time{})
		return Say(200, "Prepared.")
	}}
	return NewTable(slices.Concat(standardRows(), Optional(), []Spec{redy}, rows)...)
}

// newWalker has a session logged in, and everything done that comes before.
func newWalker(t testing.TB, table *Table, before []string) *walker {
	t.Helper()
	w := &walker{answer: func(*policy.Action) policy.Answer { return policy.Answer{Verdict: policy.Allow} }}
	j := &judge{answer: func(a *policy.Action) policy.Answer {
		w.ask(a)
		return w.answer(a)
	}}
	w.bench = newBench(t, func(c *Config) {
		c.Chain.Close()
		next, err := chain.New(chain.Config{Clean: cleaned}, chain.Slot{Name: "judge", Policy: j})
		if err != nil {
			t.Fatal(err)
		}
		c.Chain, c.Table, c.FS = next, table, recorded{c.FS.(*vfs.Mem), recorder{w.tell}}
		c.Passive.Listen = func(context.Context, dtp.PassiveConfig) (dtp.PassivePort, error) { return nil, dtp.ErrNoPort }
	})
	w.furnish()
	w.own().login()
	for _, line := range before {
		w.do(line, 200, 331, 350)
	}
	w.take()
	return w
}

func cleaned(p string) (string, error) {
	c, err := vfs.Clean(vfs.Root, p)
	return string(c), err
}

// furnish makes the files of the walk, among them a link and an interrupted upload.
func (w *walker) furnish() {
	w.t.Helper()
	for _, p := range []vfs.Path{"/a", "/d/b"} {
		w.must(w.fs.WriteFile(p, []byte("one\r\n")))
	}
	w.must(w.fs.Mkdir("/d/e"))
	w.must(w.fs.WriteLink("a", "/link"))
	st, err := w.fs.Stage("/part", vfs.StageOptions{Owner: "dev"})
	w.must(err)
	_, err = st.Write([]byte("half"))
	w.must(err)
	w.must(st.Discard(true))
}

// empty takes everything away again.
func (w *walker) empty() {
	w.t.Helper()
	for _, p := range []vfs.Path{"/a", "/d/b", "/link"} {
		w.must(w.fs.Remove(p))
	}
	w.must(w.fs.DropPartial("dev", "/part"))
	w.must(w.fs.Rmdir("/d/e"))
	w.must(w.fs.Rmdir("/d"))
}

// say sends the line and returns all that is said to it.
func (w *walker) say(line string) string {
	w.t.Helper()
	w.must(w.client.Send(line))
	var all strings.Builder
	for {
		r, err := w.client.Reply()
		w.must(err)
		all.WriteString(r.String() + "\n")
		if r.Code >= 200 {
			return all.String()
		}
	}
}

// walk tries a row in every way and returns what is wrong with it.
func walk(t testing.TB, table *Table, row *Spec, v visit) (wrong []string) {
	t.Helper()
	var asked policy.Ops
	for _, line := range v.lines {
		ops, faults := permittedWalk(t, table, row, v.before, line)
		asked |= ops
		wrong = append(wrong, faults...)
		for _, verdict := range []policy.Verdict{policy.Deny, policy.Hide, policy.Pass} {
			wrong = append(wrong, refusedWalk(t, table, row, v.before, line, verdict)...)
		}
	}
	if asked != row.Ops {
		wrong = append(wrong, fmt.Sprintf("%s has the operations %q in its row and asks about %q", row.Verb, row.Ops, asked))
	}
	return wrong
}

// permittedWalk: where everything is permitted, what is done was asked about.
func permittedWalk(t testing.TB, table *Table, row *Spec, before []string, line string) (ops policy.Ops, wrong []string) {
	t.Helper()
	w := newWalker(t, table, before)
	defer w.close()
	reply := w.say(line)
	if strings.HasPrefix(reply, "451") {
		wrong = append(wrong, fmt.Sprintf("%s: %s", line, reply))
	}
	calls, asked := w.take()
	for _, a := range asked {
		ops |= policy.OpsOf(a.Op)
	}
	for _, c := range calls {
		if n := c.needs(); n != 0 && n&ops == 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %v without a question about %q", line, c, n))
		}
		if row.Ops == 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %v, and the row names no operation", line, c))
		}
	}
	return ops, wrong
}

// refusedWalk: where nothing is permitted, by a policy's verdict or, with Pass, by
// the session's permissions, nothing happens, and nobody learns what is there.
func refusedWalk(t testing.TB, table *Table, row *Spec, before []string, line string, v policy.Verdict) (wrong []string) {
	t.Helper()
	var replies []string
	for _, there := range []bool{true, false} {
		w := newWalker(t, table, before)
		if v == policy.Pass {
			w.sess.rank.perms = 0
		}
		w.answer = func(*policy.Action) policy.Answer { return policy.Answer{Verdict: v} }
		if !there {
			w.empty()
		}
		replies = append(replies, w.say(line))
		calls, asked := w.take()
		for _, c := range calls {
			if c.needs() != 0 {
				wrong = append(wrong, fmt.Sprintf("%s: %v although it was refused by %v", line, c, v))
			}
		}
		if v == policy.Pass && len(asked) > 0 {
			wrong = append(wrong, fmt.Sprintf("%s: a policy was asked about %v without a permission", line, asked[0].Op))
		}
		if first := replies[0]; row.Ops != 0 && first[0] != '5' && line != "STAT" {
			wrong = append(wrong, fmt.Sprintf("%s, refused by %v: %s", line, v, first))
		}
		w.close()
	}
	if replies[0] != replies[1] {
		wrong = append(wrong, fmt.Sprintf("%s, refused by %v, tells what is there: %q, else %q", line, v, replies[0], replies[1]))
	}
	return wrong
}

// TestEveryCommandAsks walks the table: of every row, nothing is done and nothing is
// told that was not asked about, and each asks about exactly the operations that its
// row names. A row that is not visited fails.
func TestEveryCommandAsks(t *testing.T) {
	table, all := walkTable(), visits()
	for _, row := range table.Rows() {
		if row.Verb == ready {
			continue
		}
		v, ok := all[row.Verb]
		if !ok {
			t.Errorf("%s is not visited: say in visits how to try it", row.Verb)
			continue
		}
		delete(all, row.Verb)
		for _, wrong := range walk(t, table, row, v) {
			t.Error(wrong)
		}
	}
	for verb := range all {
		t.Errorf("%s is visited and has no row", verb)
	}
}

// TestWalkSees: the walk finds what it looks for.
func TestWalkSees(t *testing.T) {
	good := func(verb string) Spec { return *walkTable().byVerb[verb] }
	with := func(s Spec, h Handler) Spec {
		s.Handler = h
		return s
	}
	more := good("DELE")
	more.Ops |= policy.OpsOf(policy.OpRename)
	less := good("MKD")
	less.Ops = 0
	for what, row := range map[string]Spec{
		"a handler that does not ask": with(good("DELE"), func(s *Session, a Args) Outcome {
			return s.Fail(s.fs.(vfs.Writer).Remove(a.Path))
		}),
		"one that acts before it asks": with(good("MKD"), func(s *Session, a Args) Outcome {
			_ = s.fs.(vfs.Writer).Mkdir(a.Path)
			return makeDirectory(s, a)
		}),
		"one that tells what is there": with(good("SIZE"), func(s *Session, a Args) Outcome {
			if _, err := s.fs.Stat(a.Path); err != nil {
				return s.Fail(err)
			}
			return size(s, a)
		}),
		"one that asks about something else": with(good("DELE"), func(s *Session, a Args) Outcome {
			if _, err := s.Ask(Question{Op: policy.OpStat, Path: a.Path}); err != nil {
				return s.Fail(err)
			}
			return s.Fail(s.fs.(vfs.Writer).Remove(a.Path))
		}),
		"a row with an operation too many": more,
		"a row with one too few":           less,
	} {
		if wrong := walk(t, walkTable(row), &row, visits()[row.Verb]); len(wrong) == 0 {
			t.Errorf("the walk has not seen %s", what)
		}
	}
}

// operations is the page that the rows make.
const operations = "../../docs/operations.md"

// letters are the permissions that operations need, as all handlers ask for them.
func letters(op policy.Op) policy.Perms {
	return map[policy.Op]policy.Perms{
		policy.OpStat: policy.PermList, policy.OpList: policy.PermList, policy.OpRead: policy.PermRead, policy.OpHash: policy.PermRead,
		policy.OpWrite: policy.PermWrite, policy.OpUnique: policy.PermWrite, policy.OpSymlink: policy.PermWrite, policy.OpAppend: policy.PermAppend,
		policy.OpMkdir: policy.PermMkdir, policy.OpRmdir: policy.PermDelete, policy.OpDelete: policy.PermDelete, policy.OpRename: policy.PermRename,
		policy.OpChmod: policy.PermChmod, policy.OpSetTime: policy.PermTime, policy.OpCwd: policy.PermCwd,
	}[op]
}

// TestOperations: docs/operations.md is what the rows say, UPDATE_GOLDEN=1 in the
// environment writes it.
func TestOperations(t *testing.T) {
	var page strings.Builder
	page.WriteString(operationsHead)
	for _, row := range walkTable().Rows() {
		if row.Ops == 0 {
			continue
		}
		var perms policy.Perms
		for op := policy.OpStat; op <= policy.OpSymlink; op++ {
			if row.Ops.Has(op) {
				perms |= letters(op)
			}
		}
		if !perms.Has(row.Perm) {
			t.Errorf("%s needs the permission %v, of its operations %q only %v do", row.Verb, row.Perm, row.Ops, perms)
		}
		fmt.Fprintf(&page, "| `%s` | `%v` | %s |\n", row.Verb, perms, strings.ReplaceAll(row.Ops.String(), " ", ", "))
	}
	page.WriteString("\nEvery other command touches no file.\n")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(operations, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if old, err := os.ReadFile(operations); err != nil || string(old) != page.String() {
		t.Errorf("%s is not what the rows say (%v): UPDATE_GOLDEN=1 go test ./edge/pi -run TestOperations writes it", operations, err)
	}
}

const operationsHead = `# What each command may do

<!-- Made of the table of commands: UPDATE_GOLDEN=1 go test ./edge/pi -run TestOperations writes it. -->

Policies, quotas, the audit and the limits of rates are asked by operation and
path, never by verb, so that no second verb leads around a decision. The rows of the
command table say which operations a command may ask about; whatever else its handler
asks about is refused as a mistake of the program, in the one place through which all
questions go. A test walks the table with a filesystem that writes down every call: a
command that does something without its question, or that is not visited, fails it.

- ` + "`write`" + ` makes a file or replaces one: ` + "`Action.Exists`" + ` says which.
- ` + "`rename`" + ` is asked at RNFR about the old name alone, and at RNTO about both in one
  question: ` + "`Action.Path2`" + ` is the new one.
- A copy is a ` + "`read`" + ` of the one file and a ` + "`write`" + ` of the other.
- ` + "`commit`" + ` is asked when all bytes have come, before anybody can see them.
- A listing with a pattern or ` + "`-R`" + ` asks ` + "`list`" + ` about every directory that it reads.
- The path is made canonical once (RFC 3659 §2.2.2): the question, the event, the log and
  the filesystem have the same bytes.

The letters are those of the permissions that a session must hold (see the ` + "`perms`" + ` of
its user); of a command with several, those of the operations that it comes to.

| Command | Permissions | Operations |
|---|---|---|
`

// TestLinksLeadWhereAsked: a link leads to the path that the policies were asked
// about, wherever its directory really is and whatever they made of it.
func TestLinksLeadWhereAsked(t *testing.T) {
	for line, want := range map[string]string{
		"a new":            "200 /a",
		"../a d/new":       "200 /a",
		"/a d/e/new":       "200 /a",
		"d/e/../b new":     "200 /d/b",
		"../a in/new":      "550 ", // /d/e/new would lead to /d/a, and /a was asked about
		"in/../a new":      "550 ", // to /d/a, and /a was asked about
		"b in/new":         "200 /d/e/b",
		"in/b new":         "200 /d/e/b",
		"../a d/moved":     "200 /d/e/c",
		"/a d/moved":       "200 /d/e/c",
		"../../a d/new":    "550 ",
		"d/none/../b new":  "200 /d/b",
		"in/x/../../a new": "550 ",
	} {
		w := newWalker(t, walkTable(), nil)
		w.must(w.fs.WriteLink("d/e", "/in"))
		for _, p := range []vfs.Path{"/d/a", "/d/e/b", "/d/e/c"} {
			w.must(w.fs.WriteFile(p, []byte(p)))
		}
		w.answer = func(a *policy.Action) policy.Answer {
			if a.Op == policy.OpSymlink && a.Path == "/d/moved" {
				return policy.Answer{Verdict: policy.Rewrite, Path: "/d/e/new", Path2: "/d/e/c"}
			}
			return policy.Answer{Verdict: policy.Allow}
		}
		code, to, _ := strings.Cut(want, " ")
		if got := w.say("SITE SYMLINK " + line); !strings.HasPrefix(got, code) {
			t.Errorf("%s: %s, not %s", line, got, code)
		}
		_, name, _ := strings.Cut(line, " ")
		if f, err := w.fs.Open(vfs.Path(strings.Replace("/"+name, "moved", "e/new", 1))); code == "200" {
			w.must(err)
			text, _ := io.ReadAll(f)
			if to, _ := clean(vfs.Root, to); string(text) != string(to) && !(to == "/a" && string(text) == "one\r\n") && !(to == "/d/b" && string(text) == "one\r\n") {
				t.Errorf("%s leads to %q, not to %s", line, text, to)
			}
		}
		w.close()
	}
}
