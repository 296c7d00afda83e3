package blackbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/peers"
	"github.com/edgeftp/edgeftp/tests/ports"
)

// peersVar asks for TestPeers, as in tests/conformance: a directory in it keeps the
// unpacked packages, "1" throws them away. casesVar is a list of names of cases, serversVar
// one of servers; what they do not name is left out, and no document is written.
const (
	peersVar   = "EDGEFTP_PEERS"
	casesVar   = "EDGEFTP_CASES"
	serversVar = "EDGEFTP_SERVERS"
	fullVar    = "EDGEFTP_FULL"
)

// runTime bounds what edgeftp is tried with, peerTime each server of TestPeers: many
// failures take their time.
const (
	runTime  = 6 * time.Minute
	peerTime = 12 * time.Minute
)

// attacks are all cases, by the rows of the threat list.
func attacks() []attack {
	all := slices.Concat(controlAttacks(), loginAttacks(), dataAttacks(), tlsAttacks(), pathAttacks(), transferAttacks())
	slices.SortStableFunc(all, func(a, b attack) int { return a.row - b.row })
	return all
}

// chosen are those of the form and of casesVar. The race detector sees nothing of a
// server in another process: a few cases show that the tests themselves have no race.
func chosen(full bool) (some []attack) {
	names := strings.Fields(os.Getenv(casesVar))
	for i, a := range attacks() {
		named := slices.Contains(names, a.name)
		left := a.long && !full || raceDetector && i%12 > 0
		if named || len(names) == 0 && !left {
			some = append(some, a)
		}
	}
	return some
}

// contender is one kind of server.
type contender struct {
	name string
	make func(peers.Site) (*peers.Server, error)
}

// score is what a server made of the cases.
type score struct {
	name     string
	verdicts map[string]verdict
	took     time.Duration
}

func (s *score) count(word string) (n int) {
	for _, v := range s.verdicts {
		if v.word == word {
			n++
		}
	}
	return n
}

// arena tries cases on the servers of one kind, each form when it is needed.
type arena struct {
	contender
	ctx  context.Context
	full bool
	t    *testing.T
	nets byte // the last one that a case had
}

// all tries every case. The patient ones of a form run together, and once more alone
// if the server does not survive that. What fails because somebody waited for too long
// is tried once more, alone: that may be the machine's fault.
func (r *arena) all(cases []attack) (*score, error) {
	began := time.Now()
	s := &score{name: r.name, verdicts: map[string]verdict{}}
	for f := range forms {
		var patient, busy []attack
		for _, a := range cases {
			switch {
			case a.form != f:
			case a.patient:
				patient = append(patient, a)
			default:
				busy = append(busy, a)
			}
		}
		if len(patient)+len(busy) == 0 {
			continue
		}
		if err := r.form(s, f, patient, busy); err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
	}
	s.took = time.Since(began)
	return s, nil
}

// form tries the cases of one form.
func (r *arena) form(s *score, f form, patient, busy []attack) error {
	server, err := r.begin(f)
	if err != nil {
		return err
	}
	defer func() { server.Stop() }()
	if s.name == r.name {
		s.name = server.String()
	}
	var together sync.WaitGroup
	results := make([]verdict, len(patient))
	for i, a := range patient {
		t := r.trial(server, a)
		together.Go(func() { results[i] = t.run() })
	}
	together.Wait()
	if err := r.after(server, f); err != nil { // it is nobody's fault in particular
		r.t.Logf("%s: %v: one by one", server.Name, err)
		busy, patient = append(patient, busy...), nil
		if err := r.again(server); err != nil {
			return err
		}
	}
	for i, a := range patient {
		if results[i].late() {
			busy = append(busy, a)
			continue
		}
		s.verdicts[a.name] = results[i]
		r.t.Logf("%-10s %-30s %s %s", server.Name, a.name, results[i].word, results[i].detail)
	}
	for _, a := range busy {
		if err := r.one(s, server, a); err != nil {
			return err
		}
	}
	return nil
}

// one tries a case alone, and once more if it fails for want of time.
func (r *arena) one(s *score, server *peers.Server, a attack) error {
	began := time.Now()
	v, err := r.alone(server, a)
	if err == nil && v.late() {
		r.t.Logf("%-10s %-30s again: %s", server.Name, a.name, v.detail)
		v, err = r.alone(server, a)
	}
	s.verdicts[a.name] = v
	r.t.Logf("%-10s %-30s %s %s (%v)", server.Name, a.name, v.word, v.detail, time.Since(began).Round(10*time.Millisecond))
	return errors.Join(err, r.ctx.Err())
}

// alone tries a case, and starts the server again if it has not survived it.
func (r *arena) alone(server *peers.Server, a attack) (verdict, error) {
	v := r.trial(server, a).run()
	if err := r.after(server, a.form); err != nil {
		if v.word != "fail" {
			v = verdict{"fail", fmt.Sprintf("afterwards: %v", err)}
		} else {
			v.detail += fmt.Sprintf("; afterwards: %v", err)
		}
		if err := r.again(server); err != nil {
			return v, err
		}
	}
	return v, nil
}

// after holds that the server runs and serves others.
func (r *arena) after(server *peers.Server, f form) error {
	if !server.Alive() {
		return fmt.Errorf("the server has ended")
	}
	return visit(r.ctx, server, 254, f == protected, soon)
}

func (r *arena) again(server *peers.Server) error {
	server.Stop()
	return server.Start(r.ctx)
}

// begin starts a server of the form, with what the cases expect in and beside its
// directory.
func (r *arena) begin(f form) (*peers.Server, error) {
	site := peers.Site{Name: fmt.Sprintf("%s-%d", strings.ToLower(r.name), f), Guarded: true}
	switch f {
	case protected:
		site.RequireTLS = true
	case fewPorts:
		first := ports.Row(r.t, 10)
		site.Passive = [2]int{first, first + 9}
	case fewSessions:
		site.PerAddress = 20
	case fewFiles:
		site.Files = 256
	}
	server, err := r.make(site)
	if err != nil {
		return nil, err
	}
	beside := filepath.Dir(server.Root)
	t := &trial{Server: server}
	for path, text := range map[string]string{filepath.Join(server.Root, witness): witnessed, filepath.Join(beside, secret): treasure} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			return nil, err
		}
		if err := os.Chmod(path, 0o666); err != nil {
			return nil, err
		}
		if err := t.give(path); err != nil {
			return nil, err
		}
	}
	if err := os.Mkdir(filepath.Join(beside, neverListed), 0o777); err != nil {
		return nil, err
	}
	return server, server.Start(r.ctx)
}

// trial makes one, with addresses of its own.
func (r *arena) trial(server *peers.Server, a attack) *trial {
	r.nets = r.nets%250 + 1
	cwd := fmt.Sprintf("/%d-%s", r.nets, a.name)
	return &trial{Server: server, a: a, ctx: r.ctx, net: r.nets, cwd: cwd, dir: server.Root + cwd, full: r.full}
}

// TestEdgeFTP tries the program of this tree, with everything on that is on by
// default.
func TestEdgeFTP(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("addresses, mounts and /proc are those of Linux")
	}
	if _, err := exec.LookPath("sh"); err != nil { // which sets a server's limits
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("there is no shell (dash): %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), runTime)
	defer cancel()
	g := newGround(t, "")
	full := os.Getenv(fullVar) != ""
	r := &arena{contender: contender{"edgeftp", g.EdgeFTP}, ctx: ctx, full: full, t: t}
	s, err := r.all(chosen(full))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range chosen(full) {
		v := s.verdicts[a.name]
		if v.word == "n/a" && strings.HasPrefix(v.detail, notHere) {
			t.Logf("%s: %s", a.name, v.detail)
			continue
		}
		if v.word != "ok" {
			t.Errorf("%s (row %d: %s): %s %s", a.name, a.row, a.correct, v.word, v.detail)
		}
	}
	t.Logf("%d of %d cases withstood in %v", s.count("ok"), len(s.verdicts), s.took.Round(time.Second))
}

func newGround(t *testing.T, packages string) *peers.Ground {
	t.Helper()
	g, err := peers.NewGround(packages)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	if err := g.Build(t.Context(), filepath.Join("..", "..", "..")); err != nil {
		t.Fatal(err)
	}
	return g
}

// TestPeers tries all cases on five servers, one server after the other.
func TestPeers(t *testing.T) {
	where := os.Getenv(peersVar)
	if where == "" {
		t.Skip(peersVar + " is not set: the other servers are compared by .ci/full")
	}
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Fatal("the other servers are Debian packages and want root")
	}
	if where == "1" {
		where = ""
	}
	g := newGround(t, where)
	if err := g.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	with := func(f func(context.Context, peers.Site) (*peers.Server, error)) func(peers.Site) (*peers.Server, error) {
		return func(s peers.Site) (*peers.Server, error) { return f(ctx, s) }
	}
	var scores []*score
	for _, c := range []contender{{"edgeftp", g.EdgeFTP}, {"vsftpd", with(g.VSFTPD)}, {"proftpd", with(g.ProFTPD)}, {"pure-ftpd", with(g.PureFTPd)}, {"pyftpdlib", with(g.Pyftpdlib)}} {
		if named := strings.Fields(os.Getenv(serversVar)); len(named) > 0 && !slices.Contains(named, c.name) {
			continue
		}
		one, cancel := context.WithTimeout(ctx, peerTime)
		r := &arena{contender: c, ctx: one, full: true, t: t}
		s, err := r.all(chosen(true))
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		scores = append(scores, s)
	}
	report(t, scores)
	if s := scores[0]; strings.HasPrefix(s.name, "edgeftp") && s.count("ok") != len(s.verdicts) {
		t.Errorf("edgeftp withstood %d of %d", s.count("ok"), len(s.verdicts))
	}
}

// TestCasesAreWhole: each row of the threat list that can be tried over the wire has a
// case, and no two have the same name.
func TestCasesAreWhole(t *testing.T) {
	elsewhere := []int{21, 22, 29, 30, 34, 49, 50, 60, 61, 62, 63, 64, 65, 66, 70, 72, 80, 95, 96} // unit tests and end-to-end tests
	rows, names := map[int]bool{35: true}, map[string]bool{}                                       // 35 is that of row 51
	for _, a := range attacks() {
		if names[a.name] || a.correct == "" || a.try == nil {
			t.Errorf("%s is there twice, or not whole", a.name)
		}
		names[a.name], rows[a.row] = true, true
	}
	for row := 1; row <= 96; row++ {
		if rows[row] == slices.Contains(elsewhere, row) {
			t.Errorf("row %d has no case", row)
		}
	}
	if len(names) < 110 {
		t.Errorf("there are %d cases", len(names))
	}
}
