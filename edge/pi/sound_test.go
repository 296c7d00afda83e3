package pi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// names are what paths are made of; the first four are what policies rewrite to.
func names() []string {
	return []string{"b", "e", "new", "e/c", "a", "d", "f", "x", "..", ".", "", "link", "in", "out", "loop", "part", "~", "*", "[ab]", "-la", "a b", " a", "a ",
		"\xff\xfe", "\xe2\x80\xae", "\x1b[2J", "\x9b", "\t", "A", "...", `"`, "a\\b", "1", "NUL", strings.Repeat("n", 255), strings.Repeat("n", 256), "a\x00b"}
}

// scenes are what a client may do, a path in the place of each percent sign; a bar
// ends a line. BRKN is a data port whose client breaks off.
func scenes() []string {
	const day = "20200101000000"
	return []string{
		"CWD %", "CWD %", "CWD %", "XCWD %", "CWD", "CDUP", "XCUP", "PWD", "CWD /", "USER dev|PASS secret", "TYPE A", "TYPE I", "ALLO 5", "OPTS MLST size;perm;",
		"MKD %", "MKD %", "XMKD %", "RMD %", "XRMD %", "DELE %", "DELE %",
		"RNFR %|RNTO %", "RNFR %|RNTO %", "RNFR %|RNTO %", "RNFR %|CWD %|RNTO %", "RNTO %", "RNFR %|REDY|STOR %|RNTO %", "RNFR %|USER dev|PASS secret|RNTO %",
		"SITE CPFR %|SITE CPTO %", "SITE CPFR %|SITE CPTO %", "SITE CPFR %|DELE %|SITE CPTO %", "SITE CPTO %",
		"SIZE %", "MDTM %", "MDTM " + day + " %", "MFMT " + day + " %", "MFCT " + day + " %", "MFF modify=" + day + ";unix.mode=0600; %", "MFF create=" + day + "; %",
		"SITE CHMOD 640 %", "SITE CHMOD 777 %", "SITE UTIME " + day + " %", "SITE UTIME % " + day + " " + day + " " + day + " UTC", "SITE SYMLINK % %", "SITE SYMLINK % x",
		"MLST %", "MLST", "AVBL %", "AVBL", "STAT %", "STAT -laR %", "STAT -L %", "HASH %", "RANG 0 1|HASH %", "XCRC %", "XMD5 % 1 2", "XSHA1 \"%\"", "XSHA256 %",
		"REDY|RETR %", "REDY|RETR %", "REST 2|REDY|RETR %", "RANG 1 2|REDY|RETR %", "RETR %", "REDY|STOR %", "REDY|STOR %", "REST 1|REDY|STOR %", "REDY|APPE %",
		"BRKN|STOR %", "BRKN|APPE %", "BRKN|STOR part|DELE part", "BRKN|STOR part|REST 3|REDY|STOR part", "BRKN|STOR part|SIZE part|LIST|RETR part|REDY|APPE part", "REST 3|BRKN|STOR %", "REST 3|REDY|STOR %", "REDY|STOU", "REDY|STOU %", "STOR %",
		"REDY|LIST", "REDY|LIST %", "REDY|LIST -laR %", "REDY|LIST -ltL %", "REDY|LIST -d %", "REDY|LIST *", "REDY|NLST", "REDY|NLST %", "REDY|NLST %/*", "REDY|NLST */*",
		"REDY|NLST [ad]*", "REDY|NLST -R %", "REDY|MLSD", "REDY|MLSD %", "LIST %",
	}
}

// tape is where chance comes from: the input of the fuzzer.
type tape struct{ data []byte }

func (t *tape) next(n int) int {
	if len(t.data) == 0 {
		return 0
	}
	b := t.data[0]
	t.data = t.data[1:]
	return int(b) % n
}

// path makes one of up to four names.
func (t *tape) path() string {
	var b strings.Builder
	shape := t.next(12)
	if shape%3 == 0 {
		b.WriteByte('/')
	}
	for i := range 1 + shape/3 {
		if i > 0 {
			b.WriteByte('/')
		}
		all := names()
		if n := t.next(2 * len(all)); n < len(all) {
			b.WriteString(all[n])
		} else {
			b.WriteString(all[n%12])
		}
	}
	return b.String()
}

// script makes the lines of a session, and tells how many scenes they are.
func (t *tape) script() (lines string, n int) {
	var b strings.Builder
	b.WriteString("USER dev\r\nPASS secret\r\nTYPE I\r\n")
	all := scenes()
	for len(t.data) > 0 {
		n++
		for part := range strings.SplitSeq(all[t.next(len(all))], "|") {
			for i, piece := range strings.Split(part, "%") {
				if i > 0 {
					b.WriteString(t.path())
				}
				b.WriteString(piece)
			}
			b.WriteString("\r\n")
		}
	}
	b.WriteString("QUIT\r\n")
	return b.String(), n
}

// brokenPort is a data port whose client breaks off.
type brokenPort struct{}

func (brokenPort) Open(context.Context) (net.Conn, error) {
	return &scripted{Reader: io.MultiReader(strings.NewReader("abc"), breaks{})}, nil
}
func (brokenPort) Close() error { return nil }

type breaks struct{}

// spoken keeps what the server says.
type spoken struct {
	scripted
	out strings.Builder
}

func (s *spoken) Write(b []byte) (int, error) { return s.out.Write(b) }

func (breaks) Read([]byte) (int, error) { return 0, errors.New("broken off") }

// theatre is what the sessions of a run share.
type theatre struct {
	conf  *Config
	judge *judge
	now   *oracle // of the running session
}

func newTheatre(t testing.TB, rows ...Spec) *theatre {
	t.Helper()
	th := &theatre{judge: &judge{}}
	th.judge.answer = func(a *policy.Action) policy.Answer { return th.now.answer(a) }
	c, err := chain.New(chain.Config{Clean: cleaned}, chain.Slot{Name: "judge", Policy: th.judge})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	brkn := Spec{Verb: "BRKN", Handler: func(s *Session, _ Args) Outcome {
		s.setPort(brokenPort{}, time.Time{})
		return Say(200, "Prepared.")
	}}
	table := walkTable(append(rows, brkn)...).Wrap(func(row Spec, next Handler) Handler {
		return func(s *Session, a Args) Outcome { return th.now.wrap(row, next)(s, a) }
	})
	th.conf = &Config{Name: "test", Table: table, Chain: c, Banner: "ready", Perms: policy.PermAll, Verifier: nobody{}, Census: &headcount{},
		Buffers: new(dtp.Buffers), Drain: make(chan struct{}), Log: slog.New(slog.DiscardHandler)}
	return th
}

// play runs one session of what the tape says, and returns its oracle and how many
// scenes it had.
func (th *theatre) play(t testing.TB, data []byte) (*oracle, int) {
	t.Helper()
	tape := &tape{data}
	o := &oracle{done: map[string]int{}, seed: uint64(tape.next(256))<<8 | uint64(tape.next(256)), perms: policy.PermAll}
	o.rule = policy.PathRule{Dir: "/d/e", Recursive: true, Perms: policy.Perms(tape.next(256)) * 5 % policy.PermAll}
	if tape.next(4) == 0 {
		o.perms &^= 1 << tape.next(10)
	}
	th.now = o
	th.judge.own = policy.Identity{Perms: &o.perms, Rules: []policy.PathRule{o.rule}}
	conf := *th.conf
	outer := stage(t)
	conf.FS = recorded{outer, recorder{o.tell}}
	if tape.next(2) == 0 {
		conf.Home = func(context.Context, policy.Session, policy.Identity) (vfs.FS, func(), error) {
			view, err := recorded{outer, recorder{o.tell}}.Sub("/home")
			return view, nil, err
		}
	}
	lines, n := tape.script()
	here := netip.MustParseAddrPort("192.0.2.1:21")
	conn := &spoken{scripted: scripted{Reader: strings.NewReader(lines)}}
	s := NewSession(&conf, 1, conn, here, here)
	for s.Step(context.Background(), time.Hour) != Closed {
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.finish()
	if !strings.Contains(conn.out.String(), "\r\n221 ") {
		o.fault("the session ended early: %q", conn.out.String()[max(conn.out.Len()-200, 0):])
	}
	if f, err := outer.Open("/home/../outside/secret"); conf.Home != nil {
		if err != nil {
			o.fault("what is outside of the home: %v", err)
		} else if text, err := io.ReadAll(f); err != nil || string(text) != "secret" {
			o.fault("what is outside of the home is %q, %v", text, err)
		}
	}
	return o, n
}

// stage is the tree of a session: the same below the root and below the home.
func stage(t testing.TB) *vfs.Mem {
	t.Helper()
	m := vfs.NewMem()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(m.WriteFile("/outside/secret", []byte("secret")))
	for _, top := range []vfs.Path{"", "/home"} {
		for _, p := range []vfs.Path{"/a", "/d/b", "/d/e/c", "/f/a", "/f/\xff\xfe", "/-la", "/a b"} {
			must(m.WriteFile(top+p, []byte("one\ntwo\r\n")))
		}
		for name, target := range map[vfs.Path]string{"/link": "a", "/in": "d/e", "/out": "../outside", "/loop": "loop", "/d/link": "../f"} {
			must(m.WriteLink(target, top+name))
		}
	}
	return m
}

// FuzzOperations plays random sessions under a random policy, and finds no call of the
// filesystem that was not permitted for the same operation and path.
func FuzzOperations(f *testing.F) {
	th := newTheatre(f)
	for i := range uint64(8) {
		f.Add(chance(i, 200))
	}
	for i := range scenes() { // each scene at least once
		f.Add([]byte{byte(i), 1, 0, 1, 1, byte(i), 0, 4, 0, 5, 1, 0})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 2000 {
			return
		}
		o, _ := th.play(t, data)
		for _, wrong := range o.wrong {
			t.Error(wrong)
		}
	})
}

// chance is n bytes of a seed.
func chance(seed uint64, n int) []byte {
	source := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
	data := make([]byte, n)
	_, _ = source.Read(data)
	return data
}

// TestOperationsAreSound is the same of many seeds: EDGEFTP_FULL=1 in the environment
// plays a million scenes.
func TestOperationsAreSound(t *testing.T) {
	total := 30_000
	if os.Getenv("EDGEFTP_FULL") != "" {
		total = 1_000_000
	}
	th := newTheatre(t)
	began, played, effects, denied, sessions := time.Now(), 0, 0, 0, uint64(0)
	done := map[string]int{}
	for ; played < total; sessions++ {
		o, n := th.play(t, chance(sessions, 200))
		played, effects, denied = played+n, effects+o.effects, denied+o.denied
		for what, n := range o.done {
			done[what] += n
		}
		for _, wrong := range o.wrong {
			t.Errorf("seed %d: %s", sessions, wrong)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d scenes in %d sessions: %d effects, %d refusals, %v", played, sessions, effects, denied, time.Since(began).Round(time.Millisecond))
	t.Log(done)
	if effects < total/5 || denied < total/20 {
		t.Errorf("of %d scenes only %d had an effect and %d a refusal", played, effects, denied)
	}
	for _, what := range []string{"Open", "ReadDir", "Partials", "Stage", "Stage+", "Stage*", "Commit", "Mkdir", "Rmdir", "Remove", "DropPartial", "Rename", "Chmod", "Chtimes", "SetBirth", "Symlink", "Space"} {
		if done[what] == 0 {
			t.Errorf("%s was never called", what)
		}
	}
	for op := policy.OpStat; op <= policy.OpSymlink; op++ {
		for _, v := range []policy.Verdict{policy.Allow, policy.Deny, policy.Hide} {
			if op != policy.OpReadlink && done[fmt.Sprint(op, " ", v)] == 0 {
				t.Errorf("%v was never answered with %v", op, v)
			}
		}
	}
}

// TestOracleSees: the oracle finds what it looks for.
func TestOracleSees(t *testing.T) {
	with := func(verb string, h Handler) Spec {
		row := *walkTable().byVerb[verb]
		row.Handler = h
		return row
	}
	for what, row := range map[string]Spec{
		"a handler that does not ask": with("DELE", func(s *Session, a Args) Outcome {
			return s.Fail(fmt.Errorf("%w", s.fs.(vfs.Writer).Remove(a.Path)))
		}),
		"one that asks about another path": with("MKD", func(s *Session, a Args) Outcome {
			b := a
			b.Path = a.Path.Dir()
			_, err := s.Ask(Question{Op: policy.OpMkdir, Perm: policy.PermMkdir, Path: b.Path})
			if err == nil {
				err = s.fs.(vfs.Writer).Mkdir(a.Path)
			}
			if err != nil {
				return s.Fail(err)
			}
			return Say(257, "Made.")
		}),
		"one that does not go where the answer leads": with("RMD", func(s *Session, a Args) Outcome {
			_, err := s.Ask(Question{Op: policy.OpRmdir, Perm: policy.PermDelete, Path: a.Path})
			if err == nil {
				err = s.fs.(vfs.Writer).Rmdir(a.Path)
			}
			if err != nil {
				return s.Fail(err)
			}
			return Say(250, "Gone.")
		}),
		"one that goes on after a refusal": with("SITE CHMOD", func(s *Session, a Args) Outcome {
			out := siteChmod(s, a)
			if out.Reply.Code >= 400 {
				_ = s.fs.(vfs.Chmodder).Chmod(a.Path, 0o600)
			}
			return out
		}),
		"a rename that asks about its target alone": with("RNTO", func(s *Session, a Args) Outcome {
			_, err := s.Ask(Question{Op: policy.OpRename, Perm: policy.PermRename, Path: a.Path})
			if err == nil {
				err = s.fs.(vfs.Writer).Rename(s.left.rename, a.Path)
			}
			if err != nil {
				return s.Fail(err)
			}
			return Say(250, "Renamed.")
		}),
		"one that asks without a permission": with("RETR", func(s *Session, a Args) Outcome {
			_, err := s.Ask(Question{Op: policy.OpRead, Path: a.Path})
			if err != nil {
				return s.Fail(err)
			}
			return Say(250, "Read.")
		}),
		"one that looks where nobody asked": with("SIZE", func(s *Session, a Args) Outcome {
			_, _ = s.fs.Stat(a.Path.Join("hidden"))
			return size(s, a)
		}),
	} {
		th, seen := newTheatre(t, row), false
		for seed := uint64(0); seed < 300 && !seen; seed++ {
			o, _ := th.play(t, chance(seed, 200))
			seen = len(o.wrong) > 0
		}
		if !seen {
			t.Errorf("the oracle has not seen %s", what)
		}
	}
}
