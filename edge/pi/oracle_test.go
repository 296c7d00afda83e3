package pi

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// asked is a question of the running command, with the answer that it got.
type asked struct {
	op      policy.Op
	p, p2   vfs.Path
	to, to2 vfs.Path // where the answer says that these lie
	no      bool     // it was refused
}

// step is a call of the filesystem or, with an op, a question.
type step struct {
	call
	asked
}

// oracle judges by chance and knows, by rules of its own, what may follow. It keeps
// what is wrong in the order in which it happened.
type oracle struct {
	seed  uint64
	perms policy.Perms
	rule  policy.PathRule

	mu      sync.Mutex
	row     Spec
	line    string   // the running command
	whole   vfs.Path // its whole argument as a path; empty where it is none
	rest    vfs.Path // the argument without options of ls
	rename  vfs.Path // what the last RNFR named
	copied  vfs.Path // what the last SITE CPFR named
	steps   []step
	effects int // calls that need a permission
	denied  int
	done    map[string]int // those calls, and questions with their answers, by name
	wrong   []string
}

func (o *oracle) fault(format string, args ...any) {
	if len(o.wrong) < 20 {
		o.wrong = append(o.wrong, fmt.Sprintf("%q: ", o.line)+fmt.Sprintf(format, args...))
	}
}

// clean is vfs.Clean in other words: what a path means, step by step.
func clean(cwd vfs.Path, text string) (vfs.Path, bool) {
	var stack []string
	if !strings.HasPrefix(text, "/") {
		stack = strings.FieldsFunc(string(cwd), func(r rune) bool { return r == '/' })
	}
	for _, name := range strings.Split(text, "/") {
		switch {
		case strings.ContainsAny(name, "\x00\r\n"):
			return "", false
		case name == "" || name == ".":
		case name == "..":
			stack = stack[:max(len(stack)-1, 0)]
		default:
			stack = append(stack, name)
		}
	}
	tooLong := slices.ContainsFunc(stack, func(name string) bool { return len(name) > vfs.MaxName })
	return vfs.Path("/" + strings.Join(stack, "/")), !tooLong
}

// meant is what a client's word names.
func meant(s *Session, text string) vfs.Path {
	cwd := s.cwd
	if text == "~" || strings.HasPrefix(text, "~/") {
		cwd, text = s.rank.home, strings.TrimLeft(text[1:], "/")
	}
	p, _ := clean(cwd, text)
	return p
}

// wrap lets the oracle know of every command.
func (o *oracle) wrap(row Spec, next Handler) Handler {
	return func(s *Session, a Args) Outcome {
		if row.Lane == Beside && !a.Given { // answered while another command runs, and touches no file
			return next(s, a)
		}
		o.begin(s, row, a)
		out := next(s, a)
		o.answered(out)
		return out
	}
}

func (o *oracle) begin(s *Session, row Spec, a Args) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.finish()
	o.row, o.line, o.whole, o.steps = row, row.Verb+" "+a.Text, "", nil
	if a.Given && row.Ops != 0 {
		o.whole = meant(s, a.Text)
	}
	if o.rest = o.whole; a.ls.given {
		o.rest = meant(s, a.ls.text)
	}
	if row.Verb == "RNFR" {
		o.rename = o.whole
	}
	if row.Verb == "SITE CPFR" {
		o.copied = o.whole
	}
}

// answered: a command whose first question was refused has failed.
func (o *oracle) answered(out Outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.steps, func(s step) bool { return s.op != 0 })
	if i >= 0 && o.steps[i].no && (out.Job != nil || out.Reply.Code < 400) {
		o.fault("was refused and goes on with %v", out.Reply)
	}
	if out.Reply.Code == wire.CodeLocalError {
		o.fault("ended with %v", out.Reply)
	}
}

// Authorize answers by chance, the same question always alike.
func (o *oracle) answer(a *policy.Action) policy.Answer {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := asked{op: a.Op, p: vfs.Path(a.Path), p2: vfs.Path(a.Path2)}
	o.examine(q)
	q.to, q.to2 = q.p, q.p2
	sum := o.chance(q)
	var answer policy.Answer
	switch n := sum % 16; {
	case n < 3:
		answer.Verdict, q.no = policy.Deny, true
	case n == 3:
		answer.Verdict, q.no = policy.Hide, true
	case n < 6:
		answer.Verdict = policy.Rewrite
		answer.Path = "/./d//" + names()[sum>>8%uint64(len(names()))%4]
		q.to, _ = clean(vfs.Root, answer.Path)
		if a.Op == policy.OpCommit {
			q.to = q.p // it moves nothing
		}
		if a.Path2 != "" && sum>>20%2 == 0 {
			answer.Path2 = "/r" + a.Path2
			q.to2, _ = clean(vfs.Root, answer.Path2)
		}
	case n < 10:
		answer.Verdict = policy.Allow
	}
	if q.no {
		o.denied++
	}
	o.done[fmt.Sprint(q.op, " ", answer.Verdict)]++
	o.steps = append(o.steps, step{asked: q})
	return answer
}

func (o *oracle) chance(q asked) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, o.seed, q.op, q.p, "\x00", q.p2)
	n := h.Sum64()
	return n ^ n>>29
}

// examine checks a question: it is one that the row names and that the session's own
// permissions let through, and its paths are what the client meant.
func (o *oracle) examine(q asked) {
	if !o.row.Ops.Has(q.op) {
		o.fault("asks about %v, its row names %v", q.op, o.row.Ops)
	}
	for _, p := range []vfs.Path{q.p, q.p2} {
		if c, ok := clean(vfs.Root, string(p)); p != "" && (!ok || c != p) {
			o.fault("asks about %q, which is not canonical", p)
		}
		if p != "" && !o.allowed(p).Has(letters(q.op)) {
			o.fault("asks about %v of %q without the permission", q.op, p)
		}
	}
	want, want2 := o.whole, vfs.Path("")
	switch {
	case o.row.Verb == "RNTO":
		want, want2 = o.rename, o.whole
	case o.row.Verb == "SITE CPTO" && q.op == policy.OpRead:
		want = o.copied
	case o.row.Grammar != PathArg || q.op == policy.OpHash || q.op == policy.OpCommit || strings.HasPrefix(o.row.Verb, "MDTM"):
		return
	}
	if q.p != want || q.p2 != want2 {
		o.fault("asks about %q and %q, the client means %q and %q", q.p, q.p2, want, want2)
	}
}

// allowed are the session's own permissions at a path.
func (o *oracle) allowed(p vfs.Path) policy.Perms {
	if dir := o.rule.Dir; string(p) == dir || strings.HasPrefix(string(p), dir+"/") {
		return o.rule.Perms
	}
	return o.perms
}

// tell is called before the filesystem does anything.
func (o *oracle) tell(c call) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.steps = append(o.steps, step{call: c})
	needs := c.needs()
	if needs == 0 {
		return
	}
	o.effects++
	o.done[c.what]++
	permitted, refused := false, false
	for _, s := range o.steps {
		refused = refused || s.no && s.op != policy.OpList
		if !s.no && needs.Has(s.op) && s.to == c.p && (c.p2 == "" || s.to2 == c.p2) {
			permitted = true
		}
	}
	if !permitted || refused {
		o.fault("%v, permitted %v, refused %v", c, permitted, refused)
	}
}

// finish looks back on a command: one of which a part was refused has changed nothing; what was described is what was asked about, what
// lies in a listed directory, or the directory of an upload; and nothing that a policy
// has put elsewhere is looked at where the client thinks that it lies.
func (o *oracle) finish() {
	refused := slices.ContainsFunc(o.steps, func(s step) bool { return s.no && s.op != policy.OpList })
	for _, s := range o.steps {
		if refused && s.changes() {
			o.fault("%v, and a part of the command was refused", s.call)
		}
	}
	for i, s := range o.steps {
		if !s.describes() {
			continue
		}
		known, moved, meant := s.call.p == o.whole || s.call.p == o.rest, false, false
		for j, q := range o.steps {
			switch {
			case q.op == 0:
			case j > i && q.asked.p == s.call.p: // for the question that follows
				meant = true
			case q.to == s.call.p || q.asked.p == s.call.p && q.no:
				meant = true
			case q.op == policy.OpList && !q.no && s.call.p.Dir() == q.to:
				meant = true
			case q.op == policy.OpSymlink:
				known = known || j < i // on the way to the target
			case q.op == policy.OpWrite || q.op == policy.OpAppend || q.op == policy.OpUnique:
				known = known || s.call.p == q.to.Dir() || s.call.p == q.asked.p
			}
			if j < i && q.op != 0 && q.asked.p == s.call.p && q.to != q.asked.p && !q.no {
				moved = true
			}
		}
		if !meant && (!known || moved) {
			o.fault("%v, asked about %v, put elsewhere %v", s.call, known, moved)
		}
	}
}
