package e2e

import (
	"bytes"
	"crypto/sha256"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// digest is a SHA-256.
type digest [sha256.Size]byte

// noise reads n bytes that look random and are the same for the same name.
func noise(name string, n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8(sha256.Sum256([]byte(name))), n)
}

// sum reads to the end.
func sum(t *testing.T, r io.Reader) digest {
	t.Helper()
	h := sha256.New()
	_, err := io.Copy(h, r)
	ok(t, err)
	return digest(h.Sum(nil))
}

// sumFile is sum of a file.
func sumFile(t *testing.T, path string) digest {
	t.Helper()
	f := must(os.Open(path))(t)
	defer f.Close()
	return sum(t, f)
}

// noiseFile makes a file of n bytes and returns its sum.
func noiseFile(t *testing.T, path string, n int64) digest {
	t.Helper()
	f := must(os.Create(path))(t)
	h := sha256.New()
	_, err := io.Copy(io.MultiWriter(f, h), noise(path, n))
	ok(t, err)
	ok(t, f.Close())
	return digest(h.Sum(nil))
}

// textFile makes a file with a text.
func textFile(t *testing.T, path, text string) {
	t.Helper()
	ok(t, os.MkdirAll(filepath.Dir(path), 0o755))
	ok(t, os.WriteFile(path, []byte(text), 0o644))
}

// sameSum asks that a file has the sum.
func sameSum(t *testing.T, what, path string, want digest) {
	t.Helper()
	if got := sumFile(t, path); got != want {
		t.Errorf("%s: %s has sha256 %x, want %x", what, path, got, want)
	}
}

// tree lists everything below a folder: a path, and for a file its content's
// digest, for a link its target.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	ok(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel := must(filepath.Rel(dir, path))(t)
		switch {
		case e.IsDir():
			out[rel] = "directory"
		case e.Type().IsRegular():
			d := sumFile(t, path)
			out[rel] = string(d[:])
		default:
			target, _ := os.Readlink(path)
			out[rel] = e.Type().String() + " " + target
		}
		return nil
	}))
	return out
}

// sameTree asks that two folders hold the same, as diff -r does.
func sameTree(t *testing.T, want, got string) {
	t.Helper()
	a, b := tree(t, want), tree(t, got)
	all := maps.Clone(a)
	maps.Copy(all, b)
	wrong := 0
	for _, path := range slices.Sorted(maps.Keys(all)) {
		_, inA := a[path]
		_, inB := b[path]
		switch {
		case !inB:
			t.Errorf("only in %s: %s", want, path)
		case !inA:
			t.Errorf("only in %s: %s", got, path)
		case a[path] != b[path]:
			t.Errorf("%s differs", path)
		default:
			continue
		}
		if wrong++; wrong == 20 {
			t.Fatal("and more")
		}
	}
	t.Logf("%d files and folders are the same", len(a))
}

// names lists what lies below the root, hidden names and all.
func (p place) names(t *testing.T) []string {
	t.Helper()
	return slices.Sorted(maps.Keys(tree(t, p.root)))
}

// holds asks that exactly these names lie below the root.
func (p place) holds(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := p.names(t); !slices.Equal(got, want) {
		t.Errorf("the root holds %q, want %q", got, want)
	}
}

// content asks that a file below the root holds exactly these bytes.
func (p place) content(t *testing.T, name string, want []byte) {
	t.Helper()
	if got := must(os.ReadFile(p.in(name)))(t); !bytes.Equal(got, want) {
		t.Errorf("%s has %d bytes that are not the expected %d", name, len(got), len(want))
	}
}
