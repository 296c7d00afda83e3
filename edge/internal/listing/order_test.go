package listing

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// shelf is a directory that can do everything a Dir can: it gives names in the
// order in which they are stored and describes them when asked.
type shelf struct {
	infos []vfs.Info
	end   error
	asked int // greatest number of entries that were asked for at once
}

func (d *shelf) Next(n int) ([]vfs.Info, error) {
	d.asked = max(d.asked, n)
	if len(d.infos) == 0 {
		return nil, d.end
	}
	var out []vfs.Info
	out, d.infos = cut(d.infos, n)
	return out, nil
}

func (d *shelf) Close() error { return nil }

// lookShelf is a shelf that is a vfs.LookDir.
type lookShelf struct {
	shelf
	all    map[string]vfs.Info
	looked atomic.Int32
}

func newLookShelf(infos []vfs.Info, all map[string]vfs.Info) *lookShelf {
	return &lookShelf{shelf: shelf{infos: infos, end: io.EOF}, all: all}
}

func (d *lookShelf) AppendNames(names []string, n int) ([]string, error) {
	infos, err := d.Next(n)
	for _, info := range infos {
		names = append(names, info.Name)
	}
	return names, err
}

func (d *lookShelf) Candidates(names []string, n int) ([]string, error) {
	return d.AppendNames(names, n)
}

func (d *lookShelf) Look(names []string, see func(*vfs.Info)) error {
	for _, name := range names {
		d.looked.Add(1)
		if info, ok := d.all[name]; ok {
			see(&info)
		}
	}
	return nil
}

// stored returns entries in an order that is none.
func stored() []vfs.Info {
	at := func(name string, size int64, age time.Duration) vfs.Info {
		return vfs.Info{Name: name, Size: size, ModTime: noon.Add(-age)}
	}
	return []vfs.Info{at("m", 3, 2), at("B", 9, 9), at("z", 1, 5), at("a", 3, 1), at("\xff", 4, 5), at("\u00e9", 2, 7)}
}

func TestSort(t *testing.T) {
	for options, want := range map[Options]string{
		0:                 "B a m z \u00e9 \xff",
		Reverse:           "\xff \u00e9 z m a B",
		ByTime:            "a m z \xff \u00e9 B",
		ByTime | Reverse:  "B \u00e9 \xff z m a",
		BySize:            "B \xff a m \u00e9 z",
		BySize | Reverse:  "z \u00e9 m a \xff B",
		Verbose | Numeric: "B a m z \u00e9 \xff",
	} {
		all := map[string]vfs.Info{}
		for _, info := range stored() {
			all[info.Name] = info
		}
		for what, dir := range map[string]vfs.Dir{
			"entries": &shelf{infos: stored(), end: io.EOF},
			"looks":   newLookShelf(stored(), all),
		} {
			if got := strings.Join(read(t, New(Sort(dir, options, 6), true, Names(""))), " "); got != want {
				t.Errorf("%s, options %b: %q", what, options, got)
			}
		}
		dir := newLookShelf(stored(), all)
		if got := strings.Join(read(t, NewNames(SortNames(nil, dir, options, 6), true, "")), " "); got != want {
			t.Errorf("names, options %b: %q", options, got)
		}
		if dir.looked.Load() > 0 {
			t.Errorf("%d files were looked at for their names", dir.looked.Load())
		}
	}
}

// What is too much to be held is listed whole, as it is stored.
func TestSortTooMany(t *testing.T) {
	var infos []vfs.Info
	var want []string
	all := map[string]vfs.Info{}
	for i := range 3 * portion {
		info := vfs.Info{Name: entry(3*portion - i)}
		infos, want, all[info.Name] = append(infos, info), append(want, info.Name), info
	}
	for _, most := range []int{1, portion - 1, portion, 3*portion - 1, -1} {
		for what, dir := range map[string]vfs.Dir{
			"entries": &shelf{infos: infos, end: io.EOF},
			"looks":   newLookShelf(infos, all),
			"names":   &nameDir{dir{left: 3 * portion, end: io.EOF, name: entry}},
		} {
			names := what == "names"
			r := New(Sort(dir, 0, most), true, Names(""))
			if names {
				r = NewNames(SortNames(nil, dir, 0, most), true, "")
			}
			if got := read(t, r); !slices.Equal(got, want) {
				t.Errorf("%s, at most %d: %d names, %q...", what, most, len(got), got[:min(len(got), 3)])
			}
		}
	}
	long := strings.Repeat("x", 1500) // few entries, but large ones
	heavy := []vfs.Info{{Name: "b", Target: long}, {Name: "a", Target: long}, {Name: "c"}}
	if got := read(t, New(Sort(&shelf{infos: heavy, end: io.EOF}, 0, 4), true, Names(""))); strings.Join(got, "") != "abc" {
		t.Errorf("%q", got)
	}
	wide := []vfs.Info{{Name: "b", Target: strings.Repeat(long, 3)}, {Name: "a"}, {Name: "c"}}
	dir := &shelf{infos: wide, end: io.EOF}
	if got := read(t, New(Sort(dir, 0, 4), true, Names(""))); strings.Join(got, "") != "bac" {
		t.Errorf("%q", got)
	}
}

func TestSortFails(t *testing.T) {
	broken := errors.New("broken")
	for _, most := range []int{1, 100} {
		r := New(Sort(&shelf{infos: stored(), end: broken}, 0, most), true, Names(""))
		text, err := io.ReadAll(r)
		if !errors.Is(err, broken) || strings.Count(string(text), "\r\n") != 6 {
			t.Errorf("at most %d: %q, %v", most, text, err)
		}
	}
	// Entries that vanished between their name and the look at them.
	dir := newLookShelf(stored(), map[string]vfs.Info{"z": {Name: "z"}})
	if got := read(t, New(Sort(dir, 0, 100), true, Names(""))); !slices.Equal(got, []string{"z"}) {
		t.Errorf("%q", got)
	}
}

// A sorted directory is looked at bit by bit: its first lines do not wait for the
// last one.
func TestSortedIsLazy(t *testing.T) {
	all := map[string]vfs.Info{}
	var infos []vfs.Info
	for i := range 10_000 {
		info := vfs.Info{Name: entry(i), ModTime: noon}
		infos, all[info.Name] = append(infos, info), info
	}
	dir := newLookShelf(infos, all)
	r := New(Sort(dir, 0, 10_000), true, Long(Style{Now: noon}))
	if _, err := r.Read(make([]byte, 4<<10)); err != nil {
		t.Fatal(err)
	}
	if dir.looked.Load() > portion {
		t.Errorf("%d files were looked at for the first lines", dir.looked.Load())
	}
}

// endless is a directory of so many entries, none of which is kept.
type endless struct{ left int }

func (d *endless) Next(n int) ([]vfs.Info, error) {
	if d.left == 0 {
		return nil, io.EOF
	}
	infos := make([]vfs.Info, 0, n)
	for ; len(infos) < n && d.left > 0; d.left-- {
		infos = append(infos, vfs.Info{Name: "entry-" + strconv.Itoa(d.left), ModTime: noon})
	}
	return infos, nil
}

func (d *endless) Close() error { return nil }

// Memory does not grow with the directory: a million entries go through it.
func TestMemory(t *testing.T) {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for options, many := range map[Options]int{0: 1_000_000, ByTime: 50_000} {
		before := heap()
		r := New(Sort(&endless{many}, options, 10_000), true, Long(Style{Now: noon}))
		buf := make([]byte, 64<<10)
		lines, most, reads := 0, uint64(0), 0
		for {
			n, err := r.Read(buf)
			for _, c := range buf[:n] {
				if c == '\n' {
					lines++
				}
			}
			if reads++; reads%100 == 1 {
				most = max(most, heap())
			}
			if err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if lines != many {
			t.Errorf("%d lines", lines)
		}
		if most > before+8<<20 {
			t.Errorf("options %b: the heap grew by %d KiB", options, (most-before)>>10)
		}
		t.Logf("options %b: the heap grew by %d KiB", options, (max(most, before)-before)>>10)
	}
}

func TestWith(t *testing.T) {
	for _, n := range []int{1, 2, 100} {
		d := With(&shelf{infos: stored(), end: io.EOF}, vfs.Info{Name: "mine", Size: 1}, vfs.Info{Name: "a", Size: 99}, vfs.Info{Name: "z"}, vfs.Info{Name: "too"})
		var got []string
		for {
			infos, err := d.Next(n)
			for _, info := range infos {
				got = append(got, info.Name)
				if info.Size == 99 {
					t.Error("the directory's own entry is not the one that is told")
				}
			}
			if err != nil {
				break
			}
		}
		if want := "m B z a \xff \u00e9 mine too"; strings.Join(got, " ") != want {
			t.Errorf("%d at once: %q", n, got)
		}
	}
	plain := &shelf{}
	if With(plain) != vfs.Dir(plain) {
		t.Error("nothing was added, and yet the directory is another one")
	}
}

func TestSortedReader(t *testing.T) {
	want := "B\r\na\r\nm\r\nz\r\n\u00e9\r\n\xff\r\n"
	if err := iotest.TestReader(New(Sort(&shelf{infos: stored(), end: io.EOF}, 0, 10), true, Names("")), []byte(want)); err != nil {
		t.Error(err)
	}
}

// BenchmarkDisk lists a directory of 10,000 files in order. The first read is what
// a client waits for.
func BenchmarkDisk(b *testing.B) {
	top := b.TempDir()
	d, err := vfs.OpenDisk(vfs.DiskConfig{Root: top, State: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	const many = 10_000
	for i := range many {
		if err := os.WriteFile(filepath.Join(top, entry(i)), nil, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for _, most := range []int{many, -1} {
		b.Run(fmt.Sprintf("sorted %v", most > 0), func(b *testing.B) {
			buf := make([]byte, 64<<10)
			var first time.Duration
			for b.Loop() {
				began := time.Now()
				dir, err := d.ReadDir(vfs.Root)
				if err != nil {
					b.Fatal(err)
				}
				r := New(Sort(dir, 0, most), true, Long(Style{Now: began}))
				for n := 0; err != io.EOF; n++ {
					if _, err = r.Read(buf); n == 0 {
						first += time.Since(began)
					}
				}
				_ = r.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/many, "ns/entry")
			b.ReportMetric(float64(first.Microseconds())/float64(b.N), "us-first")
		})
	}
}
