package crash

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

const (
	writers = 16
	hidden  = ".edgeftp."
)

// enough reports whether the server was killed often enough: a thousand times, or for
// some seconds.
func enough(rounds int, since time.Time) bool {
	if full() {
		return rounds >= 1000
	}
	return rounds >= 12 || rounds >= 4 && time.Since(since) > 10*time.Second
}

// seed begins the run's random numbers.
func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("EDGEFTP_SEED")
	if text == "" {
		return rand.Uint64()
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("EDGEFTP_SEED: %v", err)
	}
	return n
}

// world is everything that the clients know.
type world struct {
	place
	rng     *rand.Rand
	shared  *shared
	writers []*writer

	kills   map[string]int // by where the one was that the kill was timed by
	others  map[string]int // and where all were
	left    map[string]int // what became of what was not acknowledged
	resumed int
	starts  []time.Duration // from the start to the first login
}

func newWorld(t *testing.T, p place, rng *rand.Rand) *world {
	t.Helper()
	w := &world{place: p, rng: rng, shared: newShared(), kills: map[string]int{}, others: map[string]int{}, left: map[string]int{}}
	dirs := []string{"/shared"}
	for id := range writers {
		w.writers = append(w.writers, newWriter(id, rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64())), w.shared))
		dirs = append(dirs, w.writers[id].dir())
	}
	for _, dir := range dirs {
		if err := os.Mkdir(filepath.Join(p.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// kill -9 at any moment under 16 writers, over and over on the same files: everything
// that was acknowledged is there whole; all else is as it was before, or whole, or
// not there; nothing hidden is left but what is kept for its owner, who goes on with
// it.
func TestKill(t *testing.T) {
	n := seed(t)
	t.Logf("EDGEFTP_SEED=%d", n)
	names := nameless(t)
	w := newWorld(t, newPlace(t, ""), rand.New(rand.NewPCG(n, n)))
	round := 0
	for start := time.Now(); !enough(round, start); round++ {
		w.configure(t, []string{"full", "none", "full", "file"}[round%4])
		var by []string
		if round%3 == 2 {
			by = names
		}
		s := w.start(t, by...)
		c := s.must(t)
		w.starts = append(w.starts, time.Since(s.started))
		w.check(t, c)
		_ = c.Close()
		w.disturb(t, s)
		if t.Failed() {
			t.Fatalf("round %d\n%s", round, &s.log)
		}
		if (round+1)%100 == 0 {
			w.report(t, round+1)
		}
	}
	w.configure(t, "full")
	s := w.start(t)
	w.check(t, s.must(t))
	w.report(t, round)
}

// disturb lets all write, and kills the server at a random moment: when one client
// has come to what was chosen for this round and the others have come to it so or so
// often, or a little later.
func (w *world) disturb(t *testing.T, s *server) {
	t.Helper()
	var killed sync.Once
	var running sync.WaitGroup
	kill := func(phase string) {
		killed.Do(func() {
			for _, each := range w.writers {
				w.others[fmt.Sprint(each.phase.Load())]++
			}
			s.kill()
			w.kills[phase]++
		})
	}
	var left atomic.Int64
	chosen := []string{"", phaseMark, phaseBytes, phaseEnd, phaseOther}[w.rng.IntN(5)]
	left.Store(int64(1 + w.rng.IntN(300)))
	later := w.rng.IntN(2) * w.rng.IntN(5000)
	for _, each := range w.writers {
		each.phase.Store(phaseLogin)
		each.tell = func(phase string) {
			if chosen != "" && chosen != phase || left.Add(-1) != 0 {
				return
			}
			if later == 0 {
				kill(phase)
				return
			}
			running.Go(func() {
				<-time.After(time.Duration(later) * time.Microsecond)
				kill("soon after")
			})
		}
		running.Go(func() {
			if err := each.work(s); !s.dead.Load() {
				t.Errorf("writer %d, %s: %v", each.id, each.phase.Load(), err)
				kill("a fault")
			} else if v, bad := err.(*violation); bad {
				t.Error(v)
			}
		})
	}
	running.Wait()
}

// check compares what is on the disk with what the clients know, when the server was
// started again, and goes on with what is kept.
func (w *world) check(t *testing.T, c *userpi.Client) {
	t.Helper()
	disk, secret := w.tree(t)
	for _, each := range w.writers {
		w.settle(t, each, disk)
	}
	for _, fault := range w.shared.check(disk) {
		t.Error(fault)
	}
	w.strangers(t, disk)
	kept := 0
	for _, each := range w.writers {
		kept += w.keep(t, each, c)
	}
	// The server has just become ready.
	if kept != len(secret) {
		t.Errorf("%d hidden files, but %d uploads are kept: %q", len(secret), kept, secret)
	}
	for _, each := range w.writers {
		w.goOn(t, each, c)
	}
	if len(w.shared.log) > 8<<20 {
		if _, err := c.Must("DELE "+sharedLog, 250); err != nil {
			t.Error(err)
		}
		w.shared.log = nil
	}
}

// tree reads everything below the root: what is in view, and the hidden files.
func (w *world) tree(t *testing.T) (disk map[string]*file, secret []string) {
	t.Helper()
	disk = map[string]*file{}
	err := filepath.WalkDir(w.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == w.root {
			return err
		}
		name := strings.TrimPrefix(path, w.root)
		switch {
		case strings.HasPrefix(entry.Name(), hidden):
			secret = append(secret, name)
		case entry.IsDir():
			disk[name] = &file{dir: true}
		default:
			data, err := os.ReadFile(path)
			disk[name] = &file{data: data}
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return disk, secret
}

// settle finds out whether what was not acknowledged has happened. It has as a whole,
// or not at all.
func (w *world) settle(t *testing.T, each *writer, disk map[string]*file) {
	t.Helper()
	after := maps.Clone(each.known)
	maps.Copy(after, each.pending)
	maps.DeleteFunc(after, func(_ string, f *file) bool { return f == nil })
	before, fault := differs(each, each.known, disk), differs(each, after, disk)
	switch {
	case each.pending == nil && before != "":
		t.Errorf("writer %d: %s", each.id, before)
	case each.pending == nil:
	case before == "":
		w.left["undone"]++
	case fault == "":
		w.left["done"]++
		each.known = after
	default:
		t.Errorf("writer %d: what was not acknowledged is neither undone (%s) nor done (%s)", each.id, before, fault)
	}
	each.pending = nil
}

// differs says where the writer's directory is not as it should be.
func differs(each *writer, want effect, disk map[string]*file) string {
	var faults []string
	for path, f := range want {
		if !f.same(disk[path]) {
			faults = append(faults, path+" is "+describe(disk[path], f))
		}
	}
	for path := range disk {
		if strings.HasPrefix(path, each.dir()+"/") && want[path] == nil {
			faults = append(faults, path+" is "+describe(disk[path], nil))
		}
	}
	slices.Sort(faults)
	return strings.Join(faults, ", ")
}

func describe(is, want *file) string {
	text := func(f *file) string {
		switch {
		case f == nil:
			return "nothing"
		case f.dir:
			return "a directory"
		}
		return fmt.Sprintf("a file of %d bytes", len(f.data))
	}
	got := text(is)
	if is != nil && want != nil && !is.dir && !want.dir {
		got += fmt.Sprintf(" (%d of them right)", alike(is.data, want.data))
	}
	return got + ", not " + text(want)
}

// alike is how many bytes at the beginning are the same.
func alike(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// strangers looks for what is nobody's.
func (w *world) strangers(t *testing.T, disk map[string]*file) {
	t.Helper()
	for path := range disk {
		top, _, below := strings.Cut(path[1:], "/")
		known := top == "shared" && (!below || path == sharedLog || w.shared.puts[path] != nil)
		for _, each := range w.writers {
			known = known || path == each.dir() || each.known[path] != nil
		}
		if !known {
			t.Errorf("%s is nobody's", path)
		}
	}
}

// keep asks what the server keeps of interrupted uploads, and counts it.
func (w *world) keep(t *testing.T, each *writer, c *userpi.Client) (kept int) {
	t.Helper()
	for path, data := range each.flying {
		delete(each.flying, path)
		size, err := sizeOf(c, path)
		if err != nil {
			t.Fatal(err)
		}
		if size >= 0 {
			each.kept[path] = &keep{data, size}
		}
	}
	for path, k := range each.kept {
		if each.known[path] != nil { // it was gone on with
			delete(each.kept, path)
			continue
		}
		size, err := sizeOf(c, path)
		if err != nil {
			t.Fatal(err)
		}
		if size < k.size || size > int64(len(k.data)) {
			t.Errorf("%s: of %d bytes %d were kept, now %d", path, len(k.data), k.size, size)
		}
		k.size = max(size, 0)
		kept++
	}
	return kept
}

// goOn ends every other interrupted upload of a writer.
func (w *world) goOn(t *testing.T, each *writer, c *userpi.Client) {
	t.Helper()
	for i, path := range slices.Sorted(maps.Keys(each.kept)) {
		if i%2 == 1 {
			continue
		}
		k := each.kept[path]
		delete(each.kept, path)
		if _, err := c.Put(userpi.EPSV, "APPE "+path, bytes.NewReader(k.data[k.size:])); err != nil {
			t.Errorf("going on with %s at %d: %v", path, k.size, err)
			continue
		}
		got, err := os.ReadFile(filepath.Join(w.root, path))
		if err != nil || !bytes.Equal(got, k.data) {
			t.Errorf("%s, which was gone on with at %d: %v, %s", path, k.size, err, describe(&file{data: got}, &file{data: k.data}))
		}
		w.resumed++
		each.known[path] = &file{data: k.data}
	}
}

func (w *world) report(t *testing.T, done int) {
	t.Helper()
	acks, total := map[string]int{}, 0
	for _, each := range w.writers {
		for command, n := range each.acks {
			acks[command] += n
			total += n
		}
	}
	starts := slices.Sorted(slices.Values(w.starts))
	t.Logf("%d rounds, %d effects acknowledged: %v", done, total, acks)
	t.Logf("kills timed by a writer that was: %v; where all %d were then: %v", w.kills, writers, w.others)
	t.Logf("of what was not acknowledged: %v; uploads gone on with after a kill: %d", w.left, w.resumed)
	t.Logf("from the start to the first login: median %v, longest %v", starts[len(starts)/2], starts[len(starts)-1])
}
