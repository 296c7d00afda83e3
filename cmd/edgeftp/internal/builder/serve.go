package builder

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/guest-sdk/build"
)

// maxCached is how many modules stay in the cache, the newest.
const maxCached = 100

// Serve is the builder's side: it builds the policy in dir and writes the answer to
// out. When life ends, the server is gone, and so are this process and its compilers
// at once. It fails if the answer cannot be written.
func Serve(ctx context.Context, dir, cache string, life io.Reader, out io.Writer) error {
	go func() {
		_, _ = io.Copy(io.Discard, life)
		endGroup()
	}()
	lower()
	r, err := build.Build(ctx, dir, cache)
	if err == nil {
		prune(cache)
	}
	return writeAnswer(out, r, err)
}

// prune removes the oldest modules of a cache, which is only quicker for them.
func prune(cache string) {
	type module struct {
		path string
		at   time.Time
	}
	var all []module
	paths, _ := filepath.Glob(filepath.Join(cache, "*.wasm")) // the pattern is in order
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
