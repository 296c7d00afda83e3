package listing

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// shelfOf returns a directory of so many entries, and how it is listed.
func shelfOf(many int) (d *lookShelf, want string) {
	var infos []vfs.Info
	all := map[string]vfs.Info{}
	var text strings.Builder
	for i := range many {
		info := vfs.Info{Name: entry(i), Size: int64(i), ModTime: noon}
		infos, all[info.Name] = append(infos, info), info
		text.Write(append(Long(Style{Now: noon})(nil, &info), "\r\n"...))
	}
	return newLookShelf(infos, all), text.String()
}

// withHelpers lists d with so many helpers, which are there again when it is over.
func withHelpers(t *testing.T, d vfs.Dir, many int, use func(*Reader)) {
	t.Helper()
	format := func() Format { return Long(Style{Now: noon}) }
	h := NewHelpers(many)
	r := New(d, true, format())
	r.Help(h, format)
	use(r)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if free := int(h.free.Load()); free != many {
		t.Errorf("%d helpers of %d are left", free, many)
	}
}

// A listing is the same with a helper and without, whatever its size and in whatever
// pieces it is read.
func TestHelp(t *testing.T) {
	for _, helpers := range []int{0, 1, 3} {
		for _, many := range []int{0, 1, firstPortion, firstPortion + 1, firstPortion + helped - 1, firstPortion + helped, firstPortion + portion,
			firstPortion + portion + 1, firstPortion + 2*portion, firstPortion + 2*portion + 1, 5*portion + 7} {
			d, want := shelfOf(many)
			withHelpers(t, d, helpers, func(r *Reader) {
				if err := iotest.TestReader(r, []byte(want)); err != nil {
					t.Errorf("%d helpers, %d entries: %v", helpers, many, err)
				}
			})
			d, want = shelfOf(many)
			withHelpers(t, d, helpers, func(r *Reader) {
				if got, err := io.ReadAll(iotest.OneByteReader(r)); err != nil || string(got) != want {
					t.Errorf("%d helpers, %d entries: %d bytes of %d, %v", helpers, many, len(got), len(want), err)
				}
			})
		}
	}
}

// Names with a dot and names that no line can hold are left out by whoever looks.
func TestHelpLeavesOut(t *testing.T) {
	d, _ := shelfOf(0)
	var want []string
	for i := range 4 * portion {
		name := entry(i)
		switch i % 3 {
		case 0:
			name = "." + name
		case 1:
			name += "\n"
		default:
			want = append(want, name)
		}
		d.infos = append(d.infos, vfs.Info{Name: name})
		d.all[name] = vfs.Info{Name: name}
	}
	h := NewHelpers(1)
	r := New(d, false, Names(""))
	r.Help(h, func() Format { return Names("") })
	if got := read(t, r); !slices.Equal(got, want) || r.LeftOut == 0 {
		t.Errorf("%d names of %d, %d left out", len(got), len(want), r.LeftOut)
	}
	_ = r.Close()
}

// troubled is a directory in which the look at one name goes wrong.
type troubled struct {
	*lookShelf
	at     string
	err    error
	panics any
	began  chan struct{} // closed when that look begins; nil: nothing
	goesOn chan struct{} // which it waits for
	inUse  atomic.Int32
	closed bool
}

func (d *troubled) Look(names []string, see func(*vfs.Info)) error {
	d.inUse.Add(1)
	defer d.inUse.Add(-1)
	i := slices.Index(names, d.at)
	if i < 0 {
		return d.lookShelf.Look(names, see)
	}
	if err := d.lookShelf.Look(names[:i], see); err != nil {
		return err
	}
	if d.began != nil {
		close(d.began)
		<-d.goesOn
	}
	if d.panics != nil {
		panic(d.panics)
	}
	return d.err
}

func (d *troubled) Close() error {
	d.closed = d.inUse.Load() == 0
	return nil
}

// What fails, or panics, ends a listing behind what was before it, whoever looked.
func TestHelpFails(t *testing.T) {
	broken := errors.New("broken")
	for _, helpers := range []int{0, 1} {
		for _, i := range []int{0, firstPortion, firstPortion + 5, firstPortion + portion + 5, firstPortion + 2*portion + 9} {
			shelf, want := shelfOf(4 * portion)
			want = strings.Join(strings.SplitAfter(want, "\n")[:i], "")
			d := &troubled{lookShelf: shelf, at: entry(i), err: broken}
			withHelpers(t, d, helpers, func(r *Reader) {
				if got, err := io.ReadAll(r); !errors.Is(err, broken) || string(got) != want {
					t.Errorf("%d helpers, entry %d: %d bytes of %d, %v", helpers, i, len(got), len(want), err)
				}
			})
			shelf, _ = shelfOf(4 * portion)
			d = &troubled{lookShelf: shelf, at: entry(i), panics: broken}
			withHelpers(t, d, helpers, func(r *Reader) {
				defer func() {
					if p := recover(); p != any(broken) {
						t.Errorf("%d helpers, entry %d: panicked %v", helpers, i, p)
					}
				}()
				_, _ = io.ReadAll(r)
			})
			if !d.closed {
				t.Error("closed while it is looked at")
			}
		}
	}
}

// A listing that is given up waits for its helper before its directory is closed.
func TestHelpGivenUp(t *testing.T) {
	shelf, _ := shelfOf(4 * portion)
	d := &troubled{lookShelf: shelf, at: entry(firstPortion + 2*portion + 3), began: make(chan struct{}), goesOn: make(chan struct{})}
	withHelpers(t, d, 1, func(r *Reader) {
		for range 2 { // the first lines are sent before anybody is asked to help
			if n, err := r.Read(make([]byte, 256<<10)); n == 0 || err != nil {
				t.Fatal(n, err)
			}
		}
		<-d.began // by a helper, as the reader has returned
		go close(d.goesOn)
		if err := r.Close(); err != nil || !d.closed {
			t.Errorf("closed %v, %v", d.closed, err)
		}
		if n, err := r.Read(make([]byte, 9)); n != 0 || !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Read after Close: %d, %v", n, err)
		}
	})
}

// There are no more helpers at work than there are, however many listings.
func TestHelpers(t *testing.T) {
	h := NewHelpers(2)
	taken := func() (n int) {
		for h.take() {
			n++
		}
		return n
	}
	if n := taken(); n != 2 {
		t.Errorf("%d helpers, want two", n)
	}
	if h.give(); taken() != 1 {
		t.Error("a helper that was given back is not there")
	}
	if (*Helpers)(nil).take() {
		t.Error("none is a helper")
	}
}
