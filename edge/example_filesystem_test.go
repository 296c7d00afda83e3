package edge_test

import (
	"embed"
	"io"
	"io/fs"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

//go:embed testdata/site
var site embed.FS

// readOnly is a filesystem of one's own: it serves any fs.FS whose files can seek.
// It is no vfs.Writer, so every attempt to change something is answered 550.
type readOnly struct{ files fs.FS }

func (r readOnly) Stat(p vfs.Path) (vfs.Info, error) {
	fi, err := fs.Stat(r.files, p.Rel())
	if err != nil {
		return vfs.Info{}, err
	}
	return describe(fi, p.Base()), nil
}

// Lstat is Stat where there are no symbolic links.
func (r readOnly) Lstat(p vfs.Path) (vfs.Info, error) { return r.Stat(p) }

func (r readOnly) Open(p vfs.Path) (vfs.File, error) {
	info, err := r.Stat(p)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, vfs.ErrIsDirectory
	}
	f, err := r.files.Open(p.Rel())
	if err != nil {
		return nil, err
	}
	file, seeks := f.(vfs.File)
	if !seeks {
		_ = f.Close()
		return nil, vfs.ErrSpecial
	}
	return file, nil
}

func (r readOnly) ReadDir(p vfs.Path) (vfs.Dir, error) {
	info, err := r.Stat(p)
	switch {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, vfs.ErrNotDirectory
	}
	list, err := fs.ReadDir(r.files, p.Rel())
	return &entries{list}, err
}

// entries is an open directory, read in portions.
type entries struct{ left []fs.DirEntry }

func (e *entries) Next(n int) ([]vfs.Info, error) {
	if len(e.left) == 0 {
		return nil, io.EOF
	}
	n = min(max(n, 1), len(e.left))
	infos := make([]vfs.Info, 0, n)
	for _, entry := range e.left[:n] {
		if fi, err := entry.Info(); err == nil {
			infos = append(infos, describe(fi, entry.Name()))
		}
	}
	e.left = e.left[n:]
	return infos, nil
}

func (e *entries) Close() error { return nil }

func describe(fi fs.FileInfo, name string) vfs.Info {
	return vfs.Info{Name: name, Size: fi.Size(), Mode: fi.Mode(), ModTime: fi.ModTime(), Links: 1}
}

// What is served can be anything that is a vfs.FS: here, files in the program.
func Example_filesystem() {
	conf := basic()
	conf.FS = readOnly{must(fs.Sub(site, "testdata/site"))}
	serve(must(edge.New(conf)), func(c *client) {
		c.login()
		c.get("NLST")
		c.say("CWD docs", "SIZE hello.txt")
		c.get("RETR hello.txt")
		c.say("DELE hello.txt", "CWD ../nowhere")
	})
	// Output:
	// > NLST
	// docs
	// index.html
	// < 226 Transfer complete.
	// > CWD docs
	// < 250 "/docs" is the working directory.
	// > SIZE hello.txt
	// < 213 24
	// > RETR hello.txt
	// Hello from the program.
	// < 226 Transfer complete.
	// > DELE hello.txt
	// < 550 The files here cannot be changed.
	// > CWD ../nowhere
	// < 550 No such file or directory.
}
