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

// maxCached is how many files of a kind stay in a cache, the newest.
const maxCached = 100

// cache is a directory of what was built, by what went into it. The zero value keeps
// nothing.
type cache struct {
	dir       string
	extension string // of its files
	magic     string // with which each begins
}

// modules is the cache of built policies.
func modules(dir string) cache { return cache{dir, ".wasm", "\x00asm"} }

// libraries is the cache of SDKs that are compiled apart from the policy.
func libraries(dir string) cache { return cache{dir, ".rlib", "!<arch>\n"} }

func (c cache) path(language, digest string) string {
	return filepath.Join(c.dir, language+"-"+digest+c.extension)
}

// find returns what was built before, nil if nothing was.
func (c cache) find(language, digest string) []byte {
	if c.dir == "" {
		return nil
	}
	old, err := os.ReadFile(c.path(language, digest))
	if err != nil || !bytes.HasPrefix(old, []byte(c.magic)) {
		return nil
	}
	return old
}

// keep keeps what was built.
func (c cache) keep(language, digest string, built []byte) error {
	if c.dir == "" {
		return nil
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fmt.Errorf("cache of built policies: %w", err)
	}
	if err := writeFile(c.path(language, digest), built); err != nil {
		return fmt.Errorf("cache of built policies: %w", err)
	}
	c.prune()
	return nil
}

// prune removes the oldest files of a cache, which is only quicker for them.
func (c cache) prune() {
	type file struct {
		path string
		at   time.Time
	}
	var all []file
	paths, _ := filepath.Glob(filepath.Join(c.dir, "*"+c.extension)) // the pattern is in order
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			all = append(all, file{path, info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b file) int {
		if c := b.at.Compare(a.at); c != 0 {
			return c
		}
		return strings.Compare(a.path, b.path)
	})
	for i := maxCached; i < len(all); i++ {
		_ = os.Remove(all[i].path) // the next build tries again
	}
}
