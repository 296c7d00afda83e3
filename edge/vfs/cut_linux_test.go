package vfs_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// claim is one thing that is said to be at a path, from the moment on when it may be
// there. Moments are numbers of events.
type claim struct {
	there      bool
	data       string
	begin, end int  // end is when the client was told of it
	sure       bool // from the end on nothing older may be there
}

// ledger knows what may be at each path after a power cut.
type ledger struct {
	t   *testing.T
	d   *vfs.Disk
	r   *recorder
	cfg vfs.DiskConfig

	mu     sync.Mutex
	claims map[vfs.Path][]*claim
	bodies []string // of uploads, of which there may be partial ones
}

func (l *ledger) claim(p vfs.Path, there bool, data string) *claim {
	c := &claim{there: there, data: data, begin: l.r.at(), end: math.MaxInt}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.claims[p] == nil {
		l.claims[p] = []*claim{{sure: true}}
	}
	l.claims[p] = append(l.claims[p], c)
	return c
}

// told ends what claim began.
func (l *ledger) told(err error, sure bool, claims ...*claim) {
	if err != nil {
		l.t.Errorf("without a power cut: %v", err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range claims {
		c.end, c.sure = l.r.at(), sure
	}
}

// last is what is at p now.
func (l *ledger) last(p vfs.Path) claim {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known := l.claims[p]; known != nil {
		return *known[len(known)-1]
	}
	return claim{}
}

// may reports whether that may be at p after a cut.
func (l *ledger) may(p vfs.Path, there bool, data string, cut int) bool {
	for _, c := range l.claims[p] {
		if c.begin > cut || c.there != there || c.data != data {
			continue
		}
		over := false
		for _, later := range l.claims[p] {
			over = over || later.sure && later.end <= cut && c.end <= later.begin && later != c
		}
		if !over {
			return true
		}
	}
	return l.claims[p] == nil && !there
}

// full reports whether names are promised.
func (l *ledger) full() bool { return l.cfg.Durability == vfs.DurabilityFull }

func (l *ledger) body(data string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bodies = append(l.bodies, data)
	return data
}

// write stages data in pieces.
func (l *ledger) write(p vfs.Path, opt vfs.StageOptions, data string) (vfs.Stage, error) {
	s, err := l.d.Stage(p, opt)
	for err == nil && data != "" {
		var n int
		n, err = s.Write([]byte(data[:min(len(data), 5000)]))
		data = data[n:]
	}
	return s, err
}

// put is an upload that is committed; whole is what the file holds then.
func (l *ledger) put(p vfs.Path, opt vfs.StageOptions, data, whole string) {
	opt.Owner = "ann"
	l.body(whole)
	s, err := l.write(p, opt, data)
	if err == nil {
		c := l.claim(s.Path(), true, whole)
		l.told(s.Commit(context.Background()), l.full(), c)
		return
	}
	l.told(err, false)
}

func (l *ledger) store(p vfs.Path, data string) { l.put(p, vfs.StageOptions{}, data, data) }

func (l *ledger) add(p vfs.Path, data string) {
	l.put(p, vfs.StageOptions{Append: true}, data, l.last(p).data+data)
}

// inside overwrites a part of a file, or goes on with a partial upload of whole.
func (l *ledger) from(p vfs.Path, at int, data, whole string) {
	l.put(p, vfs.StageOptions{Offset: int64(at)}, data, whole)
}

// leave is an upload that is interrupted.
func (l *ledger) leave(p vfs.Path, at int, whole string) {
	l.body(whole)
	s, err := l.write(p, vfs.StageOptions{Offset: int64(at), Owner: "ann"}, whole[at:])
	if err == nil {
		err = s.Discard(true)
	}
	l.told(err, false)
}

func (l *ledger) mkdir(p vfs.Path) { l.told(l.d.Mkdir(p), false) }

func (l *ledger) remove(p vfs.Path) {
	c := l.claim(p, false, "")
	l.told(l.d.Remove(p), false, c)
}

// rename moves a file, or a directory with these files.
func (l *ledger) rename(from, to vfs.Path, files ...vfs.Path) {
	var claims []*claim
	if len(files) == 0 {
		files = []vfs.Path{""}
	}
	for _, f := range files {
		old := l.last(from + f)
		claims = append(claims, l.claim(from+f, false, ""), l.claim(to+f, true, old.data))
	}
	l.told(l.d.Rename(from, to), l.cfg.Durability != vfs.DurabilityNone, claims...)
}

// alone does one thing after another.
func (l *ledger) alone() {
	l.store("/a", body('a', 9000))
	l.store("/a", body('b', 6000)) // replaced
	l.add("/a", body('c', 7000))
	l.add("/a", body('d', 300))
	whole := l.last("/a").data
	l.from("/a", 2000, body('e', 5000), whole[:2000]+body('e', 5000)+whole[7000:])
	l.put("/u", vfs.StageOptions{Unique: true}, body('f', 5000), body('f', 5000))
	l.mkdir("/d")
	l.store("/d/x", body('g', 5000))
	l.add("/d/log", body('h', 100))
	l.add("/d/log", body('i', 100))
	l.rename("/a", "/d/a")
	l.rename("/d", "/e", "/x", "/log", "/a")
	l.add("/e/log", body('j', 5000))
	l.remove("/e/x")
	l.store("/e/x", body('k', 100))
	l.rename("/e/x", "/e/a") // over another
}

// interrupted leaves uploads and goes on with them.
func (l *ledger) interrupted() {
	whole := body('a', 30000)
	l.leave("/p", 0, whole[:20000])
	l.d.Settled()
	l.leave("/p", 20000, whole[:25000])
	other := whole[:6000] + body('b', 20000)
	l.leave("/p", 6000, other[:16000]) // other bytes than before
	l.d.Settled()
	l.from("/p", 12000, other[12000:], other)
	l.mkdir("/d")
	l.leave("/d/q", 0, body('c', 9000))
	l.d.Settled()
	l.store("/d/log", body('d', 5000))
	s, err := l.write("/d/log", vfs.StageOptions{Append: true}, body('e', 5000)) // not committed
	l.told(err, false)
	l.rename("/d", "/m", "/log")
	l.leave("/m/q", 9000, body('c', 15000))
	if err := s.Discard(false); err != nil {
		l.t.Error(err)
	}
	l.from("/m/q", 15000, body('c', 18000)[15000:], body('c', 18000))
	l.leave("/r", 0, body('f', 5000))
	l.told(l.d.DropPartial("ann", "/r"), false)
	l.mkdir("/n")
	l.leave("/n/s", 0, body('g', 5000))
	l.told(l.d.Rmdir("/n"), false)
	s, err = l.write("/t", vfs.StageOptions{}, body('h', 5000))
	l.told(err, false)
	l.told(s.Discard(false), false)
	l.add("/log", body('i', 5000))
	l.store("/last", body('j', 5000))
}

// crowd makes uploads at the same time, which share syncs.
func (l *ledger) crowd() {
	l.mkdir("/d")
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			p := vfs.Path(fmt.Sprintf("/d/%d", i))
			l.store(p, body(byte('a'+i), 5000))
			l.add(p, body(byte('A'+i), 3000))
			l.store(p, body(byte('0'+i), 4000))
			l.leave(p+"p", 0, body(byte('a'+i), 5000))
			l.from(p+"p", 5000, body(byte('a'+i), 9000)[5000:], body(byte('a'+i), 9000))
		})
	}
	wg.Wait()
	l.d.Settled()
}

// cutCase is a way to use a Disk.
type cutCase struct {
	name       string
	script     func(*ledger)
	durability vfs.Durability
	names      bool // uploads are staged under names
	skip       func(c vfs.Call, folder bool) bool
}

// play runs the script once, without a power cut.
func (c cutCase) play(t *testing.T, top string) *ledger {
	t.Helper()
	for _, dir := range []string{"root", "var"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r, err := record(top)
	if err != nil {
		t.Fatal(err)
	}
	r.skip = c.skip
	l := &ledger{t: t, r: r, cfg: cutConfig(top, c.durability), claims: make(map[vfs.Path][]*claim)}
	if l.d, err = vfs.OpenProbed(l.cfg, r.probe); err != nil {
		t.Fatal(err)
	}
	if c.names {
		l.d.StageUnderNames()
	}
	c.script(l)
	if err := errors.Join(l.d.Close(), r.err); err != nil {
		t.Fatal(err)
	}
	return l
}

func cutConfig(top string, durability vfs.Durability) vfs.DiskConfig {
	return vfs.DiskConfig{Root: filepath.Join(top, "root"), State: filepath.Join(top, "var", "lib", "state"), Durability: durability}
}

// cuts cuts the power at every stride-th event, each time in all ways with some
// seeds, and returns how often that was and what was wrong.
func (c cutCase) cuts(t *testing.T, stride int, seeds uint64) (rounds int, wrong []string) {
	t.Helper()
	top := memoryDir(t)
	defer os.RemoveAll(top)
	l := c.play(t, filepath.Join(top, "first"))
	p := l.r.base.clone()
	for cut, e := range l.r.log {
		p.apply(e)
		if cut%stride != stride-1 && cut != len(l.r.log)-1 {
			continue
		}
		for seed := range seeds * kinds {
			rounds++
			chance := chance{rand.New(rand.NewPCG(uint64(cut), seed)), int(seed % kinds)}
			dir := filepath.Join(top, fmt.Sprintf("%d-%d", cut, seed))
			if err := l.after(dir, p.fall(chance), cut+1, chance); err != nil {
				wrong = append(wrong, fmt.Sprintf("%s: cut after event %d of %d (%s %q), chance %d: %v",
					c.name, cut, len(l.r.log), e.what, e.name, seed, err))
			}
			_ = os.RemoveAll(dir)
		}
	}
	return rounds, wrong
}

// after starts the host anew with what is left of a platter, and looks at it. In
// one of three cases the power is cut again while the Disk tidies up.
func (l *ledger) after(dir string, left *platter, cut int, c chance) error {
	if err := left.restore(dir, l.r); err != nil {
		return err
	}
	if c.IntN(3) == 0 {
		r, err := record(dir)
		if err != nil {
			return err
		}
		d, err := vfs.OpenProbed(cutConfig(dir, l.cfg.Durability), r.probe)
		if err != nil {
			return fmt.Errorf("opened for the first time: %w", err)
		}
		p := r.base.clone()
		for i, e := range r.log[:c.IntN(len(r.log)+1)] {
			_ = i
			p.apply(e)
		}
		if err := errors.Join(d.Close(), r.err); err != nil {
			return err
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := p.fall(c).restore(dir, r); err != nil {
			return err
		}
	}
	d, err := vfs.OpenDisk(cutConfig(dir, l.cfg.Durability))
	if err != nil {
		return fmt.Errorf("opened: %w", err)
	}
	err = l.look(d, filepath.Join(dir, "root"), cut)
	return errors.Join(err, d.Close())
}

// look compares what is there with the ledger.
func (l *ledger) look(d *vfs.Disk, root string, cut int) error {
	seen := make(map[vfs.Path]bool)
	hidden := 0
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		p, data := vfs.Path(strings.TrimPrefix(name, root)), string(raw)
		if vfs.IsHidden(path.Base(name)) {
			hidden++
			return nil
		}
		seen[p] = true
		if !l.may(p, true, data, cut) && l.cfg.Durability != vfs.DurabilityNone {
			return fmt.Errorf("%s holds %s", p, l.describe(data))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for p := range l.claims {
		if !seen[p] && !l.may(p, false, "", cut) && l.full() {
			return fmt.Errorf("%s is not there", p)
		}
	}
	kept := d.Kept()
	if _, live := d.JournalLength(); (live != hidden || live != len(kept)) && l.full() {
		return fmt.Errorf("%d hidden files, %d records, %d partial uploads", hidden, live, len(kept))
	}
	for _, p := range kept {
		if err := l.lookKept(filepath.Join(root, p.Rel())); err != nil {
			return err
		}
	}
	return nil
}

// lookKept checks that a partial upload is the beginning of one.
func (l *ledger) lookKept(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	for _, whole := range l.bodies {
		if strings.HasPrefix(whole, string(data)) {
			return nil
		}
	}
	return fmt.Errorf("a partial upload holds %s", l.describe(string(data)))
}

// describe says how far data is like anything that was uploaded.
func (l *ledger) describe(data string) string {
	best := 0
	for _, whole := range l.bodies {
		n := 0
		for n < min(len(whole), len(data)) && whole[n] == data[n] {
			n++
		}
		best = max(best, n)
	}
	return fmt.Sprintf("%d bytes %.8q of which %d are as they were uploaded", len(data), data, best)
}

// cutCases are what is tried.
func cutCases() []cutCase {
	var cases []cutCase
	for _, durability := range []vfs.Durability{vfs.DurabilityFull, vfs.DurabilityFile, vfs.DurabilityNone} {
		for _, names := range []bool{false, true} {
			for name, script := range map[string]func(*ledger){"alone": (*ledger).alone,
				"interrupted": (*ledger).interrupted, "crowd": (*ledger).crowd} {
				title := fmt.Sprintf("%s, %s, names %v", name, [...]string{"full", "file", "none"}[durability], names)
				cases = append(cases, cutCase{name: title, script: script, durability: durability, names: names})
			}
		}
	}
	return cases
}

// TestPowerCuts holds what each Durability promises (see the model above) at any
// moment of each script. EDGEFTP_FULL=1 cuts at every event, with more chances.
func TestPowerCuts(t *testing.T) {
	stride, seeds := 5, uint64(1)
	if os.Getenv("EDGEFTP_FULL") != "" {
		stride, seeds = 1, 4
	}
	total := 0
	for _, c := range cutCases() {
		rounds, wrong := c.cuts(t, stride, seeds)
		total += rounds
		for _, text := range wrong[:min(len(wrong), 3)] {
			t.Error(text)
		}
		if len(wrong) > 0 {
			t.Errorf("%s: %d of %d cuts", c.name, len(wrong), rounds)
		}
	}
	t.Logf("%d power cuts", total)
}

// The model has teeth: a Disk that leaves out any one kind of sync is found out.
func TestPowerCutsFind(t *testing.T) {
	journal := func(c vfs.Call) bool {
		return strings.Contains(c.File.Name(), "/state/") || strings.HasSuffix(c.File.Name(), "/state")
	}
	for name, m := range map[string]struct {
		durability vfs.Durability
		skip       func(c vfs.Call, folder bool) bool
	}{
		"file":             {vfs.DurabilityFull, func(c vfs.Call, folder bool) bool { return !folder && !journal(c) }},
		"folder":           {vfs.DurabilityFull, func(c vfs.Call, folder bool) bool { return folder && !journal(c) }},
		"journal":          {vfs.DurabilityFull, func(c vfs.Call, folder bool) bool { return !folder && journal(c) }},
		"state directory":  {vfs.DurabilityFull, func(c vfs.Call, folder bool) bool { return folder && journal(c) }},
		"file alone":       {vfs.DurabilityFile, func(c vfs.Call, folder bool) bool { return !folder && !journal(c) }},
		"journal alone":    {vfs.DurabilityFile, func(c vfs.Call, folder bool) bool { return !folder && journal(c) }},
		"folder of rename": {vfs.DurabilityFile, func(c vfs.Call, folder bool) bool { return folder && !journal(c) }},
	} {
		rounds, found := 0, 0
		for _, c := range cutCases() {
			if c.durability != m.durability || found > 0 {
				continue
			}
			c.skip = func(c vfs.Call, folder bool) bool { return c.Op == "sync" && m.skip(c, folder) }
			n, wrong := c.cuts(t, 7, 1)
			rounds, found = rounds+n, found+len(wrong)
		}
		t.Logf("without the sync of the %s: %d of %d power cuts are found to be wrong", name, found, rounds)
		if found == 0 {
			t.Errorf("nobody notices that the sync of the %s is left out", name)
		}
	}
}
