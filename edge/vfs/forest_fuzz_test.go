package vfs_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// asked is a filesystem that has nothing in it, and notes what it was asked for.
type asked struct {
	name  string
	notes *[]string
}

func (a asked) note(p vfs.Path) error {
	*a.notes = append(*a.notes, a.name+" "+string(p))
	return &fs.PathError{Op: "ask", Path: string(p), Err: fs.ErrNotExist}
}

func (a asked) Open(p vfs.Path) (vfs.File, error)   { return nil, a.note(p) }
func (a asked) Stat(p vfs.Path) (vfs.Info, error)   { return vfs.Info{}, a.note(p) }
func (a asked) Lstat(p vfs.Path) (vfs.Info, error)  { return vfs.Info{}, a.note(p) }
func (a asked) ReadDir(p vfs.Path) (vfs.Dir, error) { return nil, a.note(p) }

// FuzzForest holds that a path leads to the part whose name is the longest beginning of it,
// component by component, and to what is left of it there: whatever the client writes.
func FuzzForest(f *testing.F) {
	f.Add("/pub\n/pub/in\n/a/b/c", "/", "pub/../pub/in/x")
	f.Add("/pub", "/pub", "../..")
	f.Add("/pub", "/", "publish/x")
	f.Add("/a/b\n/a", "/a/b", "../b/./c//d")
	f.Add("/ä\n/ä/ ", "/", "ä/ /x")
	f.Fuzz(func(t *testing.T, list, cwd, arg string) {
		var notes []string
		var folders []vfs.Folder
		var at []string
		for line := range strings.SplitSeq(list, "\n") {
			folders = append(folders, vfs.Folder{Path: vfs.Path(line), FS: asked{line, &notes}})
			at = append(at, line)
		}
		forest, err := vfs.NewForest(asked{"", &notes}, folders)
		if err != nil {
			return
		}
		dir, err := vfs.Clean(vfs.Root, cwd)
		if err != nil {
			return
		}
		p, err := vfs.Clean(dir, arg)
		if err != nil {
			return
		}
		part, rest := owner(at, p)
		notes = nil
		if _, err := forest.Lstat(p); err != nil && !strings.Contains(err.Error(), string(p)) {
			t.Errorf("the error of %q names another path: %v", p, err)
		}
		if len(notes) != 1 || notes[0] != part+" "+rest {
			t.Errorf("%q asked for %q, want the path %q of %q", p, notes, rest, part)
		}
		if self, _ := forest.Fixed(p); self == nil {
			t.Errorf("%q can be removed, where no part can be written to", p)
		}
	})
}

// owner finds the part by comparing components.
func owner(folders []string, p vfs.Path) (part, rest string) {
	names := strings.Split(strings.Trim(string(p), "/"), "/")
	best := 0
	for _, folder := range folders {
		own := strings.Split(strings.Trim(folder, "/"), "/")
		if len(own) > len(names) || len(own) <= best {
			continue
		}
		if strings.Join(names[:len(own)], "/") == strings.Join(own, "/") {
			part, best = folder, len(own)
		}
	}
	return part, "/" + strings.Join(names[best:], "/")
}
