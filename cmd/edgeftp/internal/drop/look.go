package drop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	moduleSuffix    = ".wasm"
	signatureSuffix = moduleSuffix + ".minisig"
	digestSuffix    = moduleSuffix + ".sha256"

	maxNames     = 4096 // in the directory
	maxSlotName  = 100  // bytes
	maxSignature = 4096 // bytes
	maxDigest    = 1024 // bytes
)

// The files that belong to a slot.
const (
	moduleFile = iota
	signatureFile
	digestFile
	numFiles
)

// files is what a look finds of a slot: nil where there is no file.
type files [numFiles]fs.FileInfo

// same reports whether two looks found the same files, as far as can be told
// without reading them.
func (f files) same(g files) bool {
	for i := range f {
		if (f[i] == nil) != (g[i] == nil) || f[i] != nil && !sameFile(f[i], g[i]) {
			return false
		}
	}
	return true
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}

// entry is what the watcher knows of a slot.
type entry struct {
	seen files
	done bool   // offered or refused: only a change matters now
	said string // the last complaint, which is not repeated
}

// watcher looks at a directory. One goroutine uses it.
type watcher struct {
	dir     string
	options Options
	take    func(context.Context, Candidate) error
	slots   map[string]*entry
	self    fs.FileInfo // the directory at the last look
	said    string      // the last complaint about it
}

func newWatcher(dir string, o Options, take func(context.Context, Candidate) error) *watcher {
	return &watcher{dir: dir, options: o, take: take, slots: map[string]*entry{}}
}

// run looks until ctx ends: at once, a while after the bell, and again while
// something may still be changing. However often the bell rings, there is a pause
// between two looks.
func (w *watcher) run(ctx context.Context, b bell) {
	next := time.NewTimer(0)
	defer next.Stop()
	due := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.rung:
			if soon := time.Now().Add(w.options.Settle); soon.Before(due) {
				due = soon
				next.Reset(w.options.Settle)
			}
			continue
		case <-next.C:
		}
		wait := w.options.Poll
		if w.look(ctx, b) {
			wait = w.options.Settle
		}
		due = time.Now().Add(wait)
		next.Reset(wait)
	}
}

// look looks once at everything. It reports whether it wants to look again soon.
func (w *watcher) look(ctx context.Context, b bell) (again bool) {
	root, found, err := w.list(b)
	if err != nil {
		if said := err.Error(); said != w.said {
			w.said = said
			w.options.Log.Error("no policy module is taken from the policy directory", "error", err)
		}
		return false
	}
	defer root.Close()
	w.said = ""
	for slot, e := range w.slots {
		if found[slot][moduleFile] == nil {
			delete(w.slots, slot)
			if e.done {
				w.options.Log.Info("the file of a policy module was removed from the policy directory: the module in force stays", "policy", slot)
			}
		}
	}
	for _, slot := range slices.Sorted(maps.Keys(found)) {
		if ctx.Err() != nil {
			return false
		}
		now, e := found[slot], w.slots[slot]
		switch {
		case now[moduleFile] == nil: // files that belong to nothing, yet
		case e == nil:
			w.slots[slot] = &entry{seen: now}
			again = true
		case !e.seen.same(now):
			e.seen, e.done = now, false
			again = true
		case !e.done:
			again = w.offer(ctx, root, slot, e) || again
		}
	}
	return again
}

// list opens the directory and finds what is in it, by slot.
func (w *watcher) list(b bell) (*os.Root, map[string]files, error) {
	root, err := os.OpenRoot(w.dir)
	if err != nil {
		w.self = nil
		return nil, nil, err
	}
	found, err := w.find(root, b)
	if err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	return root, found, nil
}

func (w *watcher) find(root *os.Root, b bell) (map[string]files, error) {
	self, err := root.Stat(".")
	if err != nil {
		return nil, err
	}
	if err := checkDir(w.dir, self); err != nil {
		return nil, err
	}
	if w.self == nil || !os.SameFile(self, w.self) {
		if err := b.again(); err != nil {
			w.options.Log.Warn("the system does not tell of changes in the policy directory", "error", err)
		}
	}
	w.self = self
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(maxNames + 1)
	_ = dir.Close()
	if len(names) > maxNames {
		return nil, fmt.Errorf("more than %d files in %s", maxNames, w.dir)
	}
	if err != nil && len(names) > 0 {
		return nil, err
	}
	found := map[string]files{}
	for _, name := range names {
		slot, kind, ok := split(name)
		if !ok {
			continue
		}
		info, err := root.Lstat(name)
		if err != nil {
			continue // gone meanwhile
		}
		f := found[slot]
		f[kind] = info
		found[slot] = f
	}
	return found, nil
}

// split takes a file's name apart. Names that begin with a dot are those of files
// that somebody is still writing, and no slot's.
func split(name string) (slot string, kind int, ok bool) {
	for kind, suffix := range [numFiles]string{moduleSuffix, signatureSuffix, digestSuffix} {
		slot, ok := strings.CutSuffix(name, suffix)
		if ok && slot != "" && slot[0] != '.' && len(slot) <= maxSlotName {
			return slot, kind, true
		}
	}
	return "", 0, false
}

func writableByAll(info fs.FileInfo) bool {
	return info.Mode().Perm()&0o002 != 0 && runtime.GOOS != "windows"
}
