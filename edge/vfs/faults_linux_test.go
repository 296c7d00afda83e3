package vfs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// injector is a probe that counts calls, lets some of them fail, and knows what is
// open.
type injector struct {
	at    int           // the number of the call that fails; 0: none
	fault syscall.Errno // what it fails with
	full  bool          // from that one on all fail that need room, as on a full disk; with EIO, all

	mu    sync.Mutex
	calls []string // what each was
	fired []failure
	open  map[*os.File]vfs.Call
	wrote int // bytes
}

// failure is a call that failed.
type failure struct {
	vfs.Call
	folder bool // it was about an open directory
}

// room says which calls a full disk refuses.
func room(op string) bool {
	return slices.Contains([]string{"create", "write", "mkdir", "link", "rename", "symlink"}, op)
}

func (i *injector) probe(c vfs.Call) (func(*os.File, error), error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if c.Op == "close" {
		delete(i.open, c.File)
	}
	i.calls = append(i.calls, c.Op)
	n := len(i.calls)
	if i.at > 0 && (n == i.at || i.full && n > i.at && (room(c.Op) || i.fault == syscall.EIO)) {
		failed := failure{Call: c}
		if c.File != nil {
			info, err := c.File.Stat()
			failed.folder = err == nil && info.IsDir()
		}
		i.fired = append(i.fired, failed)
		if c.File != nil && c.Name == "" { // as package os has it
			return nil, &fs.PathError{Op: c.Op, Path: c.File.Name(), Err: i.fault}
		}
		return nil, i.fault
	}
	return func(opened *os.File, err error) {
		i.mu.Lock()
		defer i.mu.Unlock()
		if opened != nil {
			if i.open == nil {
				i.open = make(map[*os.File]vfs.Call)
			}
			i.open[opened] = c
		}
		if c.Op == "write" && err == nil {
			i.wrote += len(c.Data)
		}
	}, nil
}

// dead reports whether all calls fail once one did.
func (i *injector) dead() bool { return i.full && i.fault == syscall.EIO }

// failures returns the calls that failed.
func (i *injector) failures() []failure {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.fired)
}

func (i *injector) written() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.wrote
}

// faultRound is one run of the script with one fault.
type faultRound struct {
	at    int
	fault syscall.Errno
	full  bool
	names bool // uploads are staged under names
}

func (r faultRound) String() string {
	s := fmt.Sprintf("call %d %s", r.at, map[syscall.Errno]string{0: "", syscall.ENOSPC: "ENOSPC", syscall.EIO: "EIO",
		syscall.EINTR: "EINTR", syscall.EMFILE: "EMFILE", syscall.EDQUOT: "EDQUOT"}[r.fault])
	if r.full {
		s += " and from there on"
	}
	if r.names {
		s += ", hidden names"
	}
	return s
}

// memoryDir makes a directory in memory, where there is such a place: what syncs
// cost would be most of the time. It is not the test's own directory, because
// rounds end before the test does.
func memoryDir(t *testing.T) string {
	t.Helper()
	parent := "/dev/shm"
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		parent = ""
	}
	dir, err := os.MkdirTemp(parent, "edgeftp-test-")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// play runs the script once, checks everything, and returns how many calls the Disk
// made and what is wrong.
func (f *faultServer) play(dir string, r faultRound) (calls []string, wrong []string) {
	cfg := vfs.DiskConfig{Root: filepath.Join(dir, "root"), State: filepath.Join(dir, "state")}
	if err := os.Mkdir(cfg.Root, 0o755); err != nil {
		return nil, []string{err.Error()}
	}
	inj := &injector{at: r.at, fault: r.fault, full: r.full}
	w := newWitness(inj, cfg.Root)
	w.strict = r.at == 0 || r.fault == syscall.EINTR
	d, err := vfs.OpenProbed(cfg, inj.probe)
	if err != nil {
		if len(inj.failures()) == 0 || w.strict {
			w.wrong("the Disk is not opened: %v", err)
		}
	} else {
		if r.names {
			d.StageUnderNames()
		}
		served := &servedDisk{Disk: d, left: make(chan struct{})}
		f.give(user(dir), served)
		w.settled = d.Settled
		if w.login(f.addr, user(dir)) {
			w.script()
			w.leave()
		}
		<-served.left
		f.give(user(dir), nil)
		if err := d.Close(); err != nil && len(inj.failures()) == 0 {
			w.wrong("closing the Disk: %v", err)
		}
	}
	for file, c := range inj.open {
		w.wrong("%s, opened by %s of %s, is left open", file.Name(), c.Op, c.Name)
	}
	w.afterwards(cfg, user(dir))
	return inj.calls, w.faults
}

// user is who plays the round in dir.
func user(dir string) string { return "u" + filepath.Base(dir) }

// afterwards opens the Disk again, without faults, and looks at what is there.
func (w *witness) afterwards(cfg vfs.DiskConfig, owner string) {
	d, err := vfs.OpenDisk(cfg)
	if err != nil {
		w.wrong("the Disk is not opened again: %v", err)
		return
	}
	var hidden []string
	err = filepath.WalkDir(cfg.Root, func(path string, entry os.DirEntry, err error) error {
		if err == nil && vfs.IsHidden(entry.Name()) {
			hidden = append(hidden, path)
		}
		return err
	})
	if err != nil {
		w.wrong("%v", err)
	}
	if _, live := d.JournalLength(); live != len(hidden) {
		w.wrong("%d hidden files, but %d records in the journal", len(hidden), live)
	}
	w.checkTree(cfg.Root)
	if err := dropPartials(d, owner, vfs.Root); err != nil {
		w.wrong("%v", err)
	}
	if _, live := d.JournalLength(); live != 0 {
		w.wrong("%d records are left in the journal that are nobody's", live)
	}
	if err := d.Close(); err != nil {
		w.wrong("%v", err)
	}
	left, err := os.ReadDir(cfg.State)
	if w.inj.dead() { // what a new journal was to be stays for an hour
		left = slices.DeleteFunc(left, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), "new-") })
	}
	if err != nil || len(left) > 0 {
		w.wrong("state is left: %v, %v", left, err)
	}
}

// dropPartials drops what is kept for owner below p.
func dropPartials(d *vfs.Disk, owner string, p vfs.Path) error {
	kept, err := d.Partials(owner, p)
	if err != nil {
		return err
	}
	for _, info := range kept {
		if err := d.DropPartial(owner, p.Join(info.Name)); err != nil {
			return err
		}
	}
	dir, err := d.ReadDir(p)
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		infos, err := dir.Next(100)
		if err != nil {
			break
		}
		for _, info := range infos {
			if info.IsDir() {
				if err := dropPartials(d, owner, p.Join(info.Name)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// faultRounds lists the rounds for a script that makes these calls: each call with
// each fault that it can have, and of those every stride-th.
func faultRounds(calls []string, stride int, names bool) []faultRound {
	var rounds []faultRound
	for i, op := range calls {
		round := faultRound{at: i + 1, names: names}
		for _, round.fault = range []syscall.Errno{syscall.EIO, syscall.EINTR} {
			rounds = append(rounds, round)
		}
		if round.fault = syscall.EMFILE; op == "open" || op == "create" {
			rounds = append(rounds, round)
		}
		if round.fault = syscall.ENOSPC; room(op) || op == "sync" || op == "close" {
			rounds = append(rounds, round)
		}
		if round.full = true; room(op) {
			rounds = append(rounds, round)
		}
		round.fault = syscall.EIO // the disk is dead from there on
		rounds = append(rounds, round)
	}
	var some []faultRound
	for i := 0; i < len(rounds); i += stride {
		some = append(some, rounds[i])
	}
	return some
}

// TestFaults holds that no call of a Disk to the operating system can fail in such
// a way that a client is told something untrue, that anything is left behind, or
// that the session or the server ends. A script of some seventy commands is run
// over the wire again and again, and each time another call fails. A write is
// always two calls here, so that the second half of one can fail.
//
// EDGEFTP_FULL=1 tries all calls with all faults; EDGEFTP_FAULT chooses rounds,
// those whose description holds it, as "call 412 EIO".
func TestFaults(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		if err := goleak.Find(before); err != nil {
			t.Error(err)
		}
	})
	f := serveFaults(t)
	for _, names := range []bool{false, true} {
		var calls []string
		for range 2 { // the numbers must be the same each time
			dir := memoryDir(t)
			again, wrong := f.play(dir, faultRound{names: names})
			_ = os.RemoveAll(dir)
			if len(wrong) > 0 {
				t.Fatalf("without a fault:\n%s", strings.Join(wrong, "\n"))
			}
			if calls != nil && !slices.Equal(calls, again) {
				t.Logf("the calls are not the same each time: %d, %d", len(calls), len(again))
			}
			calls = again
		}
		began := time.Now()
		rounds := chosen(t, calls, names)
		failed := f.playAll(t, rounds)
		t.Logf("names %v: %d calls; %d rounds in %v, %d of them with something wrong", names, len(calls), len(rounds), time.Since(began).Round(time.Millisecond), failed)
	}
}

// chosen are the rounds to be played.
func chosen(t *testing.T, calls []string, names bool) []faultRound {
	t.Helper()
	one, asked := os.LookupEnv("EDGEFTP_FAULT")
	if !asked {
		stride := 23
		if raceEnabled { // what is the same without it is in the gate's next step
			stride = 97
		}
		if os.Getenv("EDGEFTP_FULL") != "" {
			stride = 1
		}
		return faultRounds(calls, stride, names)
	}
	var rounds []faultRound
	for _, r := range faultRounds(calls, 1, names) {
		if strings.Contains(r.String(), one) {
			rounds = append(rounds, r)
		}
	}
	return rounds
}

// playAll plays rounds at the same time, reports what is wrong in the first few,
// and returns in how many something is.
func (f *faultServer) playAll(t *testing.T, rounds []faultRound) (failed int) {
	t.Helper()
	top := memoryDir(t)
	defer os.RemoveAll(top)
	work := make(chan int)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range work {
				dir := filepath.Join(top, strconv.Itoa(i))
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Error(err)
					continue
				}
				_, wrong := f.play(dir, rounds[i])
				_ = os.RemoveAll(dir)
				mu.Lock()
				if len(wrong) > 0 {
					if failed++; failed <= 10 {
						t.Errorf("%v:\n  %s", rounds[i], strings.Join(wrong, "\n  "))
					} else {
						t.Fail()
					}
				}
				mu.Unlock()
			}
		})
	}
	for i := range rounds {
		work <- i
	}
	close(work)
	wg.Wait()
	return failed
}
