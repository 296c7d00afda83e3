package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// newTree makes a folder "tree" with 32 files in folders of its own.
func newTree(t *testing.T, dir string) string {
	t.Helper()
	root := filepath.Join(dir, "tree")
	for i, folder := range []string{"a", "a/b", "with spaces", "größer/日本"} {
		path := filepath.Join(root, filepath.FromSlash(folder))
		ok(t, os.MkdirAll(path, 0o755))
		for n := range 8 {
			noiseFile(t, filepath.Join(path, fmt.Sprintf("file %d-%d", i, n)), int64(1+n*n*1000))
		}
	}
	return root
}

// treeUp has the client upload a folder of folders, with as many connections as
// it likes.
func (m *matrix) treeUp(c *cell) {
	c.prepare()
	j := c.job(putTree, "tree")
	j.Local = m.tree
	c.must(j)
	c.holds("tree")
	sameTree(c.t, m.tree, c.in("tree"))
}

// treeDown has it download one.
func (m *matrix) treeDown(c *cell) {
	c.prepare()
	ok(c.t, os.CopyFS(c.in("tree"), os.DirFS(m.tree)))
	j := c.job(getTree, "tree")
	j.Local = c.here("tree")
	c.must(j)
	sameTree(c.t, m.tree, j.Local)
}
