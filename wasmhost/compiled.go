package wasmhost

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/tetratelabs/wazero"
)

// Compilations are modules that a host with a CacheDir has loaded, since it was made.
type Compilations struct {
	Hits   uint64 // whose native code was there
	Misses uint64 // that were compiled
}

// compilations are the numbers behind [Compilations].
type compilations struct{ hits, misses atomic.Uint64 }

// Compilations returns what came of the compilation cache. Modules that could not be compiled are not
// among them.
func (h *Host) Compilations() Compilations {
	return Compilations{Hits: h.compiled.hits.Load(), Misses: h.compiled.misses.Load()}
}

// shelf is where the native code of one module is kept. The engine does not tell whether it
// has found some there, so each module has a directory of its own, in which a miss leaves a file
// that was not there.
type shelf struct {
	dir string
	had int // files, before
}

// shelfOf returns the shelf of a module's code, as it is given to the engine.
func (h *Host) shelfOf(code []byte) shelf {
	sum := sha256.Sum256(code)
	s := shelf{dir: filepath.Join(h.config.CacheDir, hex.EncodeToString(sum[:16]))}
	s.had = s.files()
	return s
}

// open returns the engine's cache.
func (s shelf) open() (wazero.CompilationCache, error) {
	return wazero.NewCompilationCacheWithDir(s.dir)
}

// count notes what came of a module that is compiled by now.
func (c *compilations) count(s shelf) {
	if s.files() > s.had {
		c.misses.Add(1)
	} else {
		c.hits.Add(1)
	}
}

// files returns how many there are, of the engine's version and every other. One that is being
// written does not count, nor does what a crash has left of it.
func (s shelf) files() (n int) {
	names, _ := fs.Glob(os.DirFS(s.dir), "*/*") // what cannot be read has none
	for _, name := range names {
		if !strings.HasSuffix(name, ".tmp") {
			n++
		}
	}
	return n
}
