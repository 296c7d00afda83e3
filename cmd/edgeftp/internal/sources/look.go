package sources

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	maxFiles = 4000    // of one source
	maxDirs  = 400     // of one source
	maxFile  = 4 << 20 // bytes of a file that are looked at
)

// unsure is how young a file may be for its time of change to say nothing: what is
// written within one tick of the clock has one time.
const unsure = 3 * time.Second

// stamp is what a file was like when it was looked at.
type stamp struct {
	info fs.FileInfo
	sum  [sha256.Size]byte
	sure bool // nothing can have been written since without another time of change
}

// look looks at all files. A folder that is gone has none. One elsewhere that the system
// does not let be read costs no more than itself: what is in the folder is looked at.
func (w *Watch) look() (map[string]stamp, error) {
	l := looker{seen: w.seen, now: map[string]stamp{}, start: time.Now()}
	w.refused = nil
	err := l.folder(w.dir, true)
	for _, dir := range w.more {
		if err != nil {
			break
		}
		if err = l.folder(dir, false); errors.Is(err, fs.ErrPermission) {
			w.refused = append(w.refused, refusal{dir, err})
			err = nil
		}
	}
	return l.now, err
}

// dirs lists the folders that are to be watched.
func (w *Watch) dirs() []string {
	var all []string
	var below func(dir string)
	below = func(dir string) {
		all = append(all, dir)
		entries, _ := os.ReadDir(dir) // what cannot be read is not watched
		for _, e := range entries {
			if e.IsDir() && !skippedDir(e.Name()) && len(all) < maxDirs {
				below(filepath.Join(dir, e.Name()))
			}
		}
	}
	below(w.dir)
	return append(all, w.more...)
}

type looker struct {
	seen, now map[string]stamp
	start     time.Time
	dirs      int
}

func (l *looker) folder(dir string, below bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err == nil && open(info) {
		return fmt.Errorf("everybody may write in %s (mode %v)", dir, info.Mode())
	}
	if l.dirs++; l.dirs > maxDirs {
		return fmt.Errorf("there are more than %d folders in it", maxDirs)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir() && below && !skippedDir(e.Name()):
			if err := l.folder(path, true); err != nil {
				return err
			}
		case e.IsDir(), skippedFile(e.Name()):
		default:
			l.file(path)
			if s, there := l.now[path]; there && open(s.info) {
				return fmt.Errorf("everybody may write to %s (mode %v)", path, s.info.Mode())
			}
		}
		if len(l.now) > maxFiles {
			return fmt.Errorf("there are more than %d files in it", maxFiles)
		}
	}
	return nil
}

// open reports whether everybody may write there: then everybody could change what the
// server runs, at any time. Windows keeps that elsewhere.
func open(info fs.FileInfo) bool {
	return runtime.GOOS != "windows" && info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0
}

// file looks at one file, links followed. What is no file, or cannot be read, is not
// there; the compiler will say so.
func (l *looker) file(path string) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
		return
	}
	was, known := l.seen[path]
	if known && was.sure && os.SameFile(was.info, info) && was.info.Size() == info.Size() && was.info.ModTime().Equal(info.ModTime()) {
		l.now[path] = was
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return
	}
	l.now[path] = stamp{info: info, sum: sha256.Sum256(text), sure: l.start.Sub(info.ModTime()) > unsure}
}

// skippedDir are folders of tools, which no source lies in.
func skippedDir(name string) bool {
	switch name {
	case "node_modules", "target", "zig-out", "zig-cache":
		return true
	}
	return strings.HasPrefix(name, ".")
}

// skippedFile are modules, and files that editors make while they save.
func skippedFile(name string) bool {
	for _, end := range []string{".wasm", "~", ".swp", ".swx", ".tmp", ".bak"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") || name == "4913"
}
