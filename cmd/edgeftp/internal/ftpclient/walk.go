package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
)

// maxDepth bounds how deep directories lie in each other: a server may show one that
// holds itself.
const maxDepth = 64

// Item is one thing of a tree, with its path below the tree's top, with slashes.
type Item struct {
	Path string
	Entry
}

// Tree is all that is below a directory, in an order in which a directory comes before
// what it holds.
type Tree struct {
	Items []Item
	// Skipped are names that were left away, with the reason.
	Skipped []Result

	unknown map[string]bool // paths of what was not followed
	bytes   int             // of all paths
}

// Walk lists a directory of the server and all below it. It follows no links.
func (s *Session) Walk(dir string) (*Tree, error) {
	t := &Tree{unknown: map[string]bool{}}
	if err := s.walk(t, dir, "", 0); err != nil {
		return nil, err
	}
	return t, nil
}

func (s *Session) walk(t *Tree, dir, below string, depth int) error {
	if depth > maxDepth {
		return refuse("directories lie in each other more than %d deep: %s", maxDepth, escape.Text(dir))
	}
	entries, refused, err := s.List(dir)
	if err != nil {
		return err
	}
	if len(t.Items)+len(entries) > s.conf.MaxEntries {
		return refuse("there are more than %d files and directories", s.conf.MaxEntries)
	}
	for _, err := range refused {
		t.Skipped = append(t.Skipped, Result{Op: "list", Remote: dir, Status: Skipped, Err: err, Error: err.Error()})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	for _, e := range entries {
		item := Item{path.Join(below, e.Name), e}
		if t.bytes += len(item.Path); t.bytes > s.conf.MaxListing {
			return refuse("the paths below %s have more than %d bytes", escape.Text(dir), s.conf.MaxListing)
		}
		switch e.Kind {
		case File:
			t.Items = append(t.Items, item)
		case Dir:
			t.Items = append(t.Items, item)
			if err := s.walk(t, Join(dir, e.Name), item.Path, depth+1); err != nil {
				return err
			}
		default:
			t.unknown[item.Path] = true
			t.Skipped = append(t.Skipped, Result{Op: "list", Remote: Join(dir, e.Name), Status: Skipped, Error: "it is a " + string(e.Kind) + ", which is not followed"})
		}
	}
	return nil
}

// WalkLocal lists all below a directory of this side. Links are not followed, and
// incomplete files of this client are left away.
func WalkLocal(ctx context.Context, root *os.Root) (*Tree, error) {
	t := &Tree{unknown: map[string]bool{}}
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		if name == "." || IsPart(d.Name()) {
			return nil
		}
		item := Item{Path: name, Entry: Entry{Name: d.Name(), Kind: Other, Size: Unknown}}
		switch {
		case d.IsDir():
			item.Kind = Dir
		case d.Type().IsRegular():
			item.Kind = File
		case d.Type()&fs.ModeSymlink != 0:
			item.Kind = Link
		}
		t.unknown[name] = item.Kind == Link || item.Kind == Other
		if item.Kind == File {
			info, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil // it has gone meanwhile
			}
			if err != nil {
				return err
			}
			item.Size, item.ModTime = info.Size(), info.ModTime()
		}
		t.Items = append(t.Items, item)
		return nil
	})
	if err != nil {
		return nil, &Local{err}
	}
	return t, nil
}

// index is a tree by its paths.
func (t *Tree) index() map[string]*Item {
	all := make(map[string]*Item, len(t.Items))
	for i := range t.Items {
		all[t.Items[i].Path] = &t.Items[i]
	}
	return all
}

// near is how far two times may be from each other that are the same: servers and file
// systems cut fractions off, FAT every second second.
const near = 2 * time.Second

// sameTime compares a time of the server with one of this side.
func sameTime(there *Entry, here time.Time) bool {
	apart := there.ModTime.Sub(here).Abs()
	if there.Coarse {
		return apart <= 24*time.Hour
	}
	return apart <= near
}

// Sendable says why a local name cannot be sent; nil if it can.
func Sendable(name string) error {
	if err := checkArgument("the name", name); err != nil {
		return err
	}
	if CheckName(path.Base(name)) != nil {
		return fmt.Errorf("the name %s holds control characters", escape.Text(name))
	}
	return nil
}
