package listing

import (
	"io"
	"slices"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// meteredRoom is a room that counts.
type meteredRoom struct{ left, taken int64 }

func (c *meteredRoom) Take(n int64) bool {
	if n > c.left {
		return false
	}
	c.left, c.taken = c.left-n, c.taken+n
	return true
}

func (c *meteredRoom) Give(n int64) { c.left += n }

// A directory for which there is no room is listed as it is stored, and what was held
// of it is given back.
func TestSortRoom(t *testing.T) {
	var infos []vfs.Info
	var asStored []string
	for i := range 3 * portion {
		infos = append(infos, vfs.Info{Name: entry(3*portion - i), Target: "to"})
		asStored = append(asStored, infos[i].Name)
	}
	inOrder := slices.Sorted(slices.Values(asStored))
	for _, left := range []int64{0, 1, infoSize * portion * 2, 1 << 30} {
		for _, names := range []bool{false, true} {
			room := &meteredRoom{left: left}
			var dir vfs.Dir = &shelf{infos: infos, end: io.EOF}
			if names {
				dir = newLookShelf(infos, nil)
			}
			r := New(SortIn(room, dir, 0, 10_000), true, Names(""))
			if names {
				r = NewNames(SortNames(room, dir, 0, 10_000), true, "")
			}
			want := asStored
			if left == 1<<30 || names && left > 1 {
				want = inOrder
			}
			if got := read(t, r); !slices.Equal(got, want) {
				t.Errorf("in %d bytes, names %v: %d names, %q...", left, names, len(got), got[:min(len(got), 3)])
			}
			if err := r.Close(); err != nil || room.left != left || left > 1 && room.taken == 0 {
				t.Errorf("%d bytes of %d are left, %d were taken, %v", room.left, left, room.taken, err)
			}
		}
	}
}

// A tree gives back what each of its directories held.
func TestTreeRoom(t *testing.T) {
	room := &meteredRoom{left: 1 << 20}
	walk := &Walk{Limits: Limits{Entries: 1000, Directories: 10, Depth: 5, Time: 1 << 40, Sorted: 100}, Dots: true, Room: room,
		Open: func(p vfs.Path) (vfs.Dir, vfs.Path, error) { return Fixed(stored()...), p, nil }}
	tree := NewTree(walk, func(vfs.Path, string) Format { return Names("") }, false, Root{Path: "/"})
	if err := tree.Begin(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, tree); err != nil {
		t.Fatal(err)
	}
	if err := tree.Close(); err != nil || room.taken == 0 || room.left != 1<<20 {
		t.Errorf("%d bytes are left, %d were taken, %v", room.left, room.taken, err)
	}
}
