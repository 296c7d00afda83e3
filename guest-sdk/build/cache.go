package build

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxCached is how many modules stay in a cache, the newest.
const maxCached = 100

// cache is a directory of built modules, by what went into them. The zero value keeps
// nothing.
type cache struct{ dir string }

func (c cache) path(language, digest string) string {
	return filepath.Join(c.dir, language+"-"+digest+".wasm")
}

// find returns what was built before, nil if nothing was.
func (c cache) find(language, digest string) []byte {
	if c.dir == "" {
		return nil
	}
	old, err := os.ReadFile(c.path(language, digest))
	if err != nil || !bytes.HasPrefix(old, []byte("\x00asm")) {
		return nil
	}
	return old
}

// keep keeps what was built.
func (c cache) keep(language, digest string, module []byte) error {
	if c.dir == "" {
		return nil
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fmt.Errorf("cache of built policies: %w", err)
	}
	if err := writeFile(c.path(language, digest), module); err != nil {
		return fmt.Errorf("cache of built policies: %w", err)
	}
	prune(c.dir)
	return nil
}

// prune removes the oldest modules of a cache, which is only quicker for them.
func prune(dir string) {
	type module struct {
		path string
		at   time.Time
	}
	var all []module
	paths, _ := filepath.Glob(filepath.Join(dir, "*.wasm")) // the pattern is in order
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			all = append(all, module{path, info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b module) int {
		if c := b.at.Compare(a.at); c != 0 {
			return c
		}
		return strings.Compare(a.path, b.path)
	})
	for i := maxCached; i < len(all); i++ {
		_ = os.Remove(all[i].path) // the next build tries again
	}
}
