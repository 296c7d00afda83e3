package vfs_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/vfs/vfstest"
)

// linkedForest lets tests make links in one part of a forest behind its back.
type linkedForest struct {
	*vfs.Forest
	vfstest.LinkWriter
}

// inFolder is a forest as it is seen from one of its folders: every path is below at.
type inFolder struct {
	f  *vfs.Forest
	at vfs.Path
	vfstest.LinkWriter
}

func (v inFolder) out(p vfs.Path) vfs.Path {
	switch {
	case p == vfs.Root:
		return v.at
	case p == "" || p[0] != '/':
		return p
	}
	return v.at + p
}

func (v inFolder) named(p vfs.Path, info vfs.Info, err error) (vfs.Info, error) {
	if p == vfs.Root && err == nil {
		if info.Name != v.at.Base() {
			return info, errors.New("the folder has another name: " + info.Name)
		}
		info.Name = "/"
	}
	return info, err
}

func (v inFolder) Open(p vfs.Path) (vfs.File, error) { return v.f.Open(v.out(p)) }
func (v inFolder) Stat(p vfs.Path) (vfs.Info, error) {
	info, err := v.f.Stat(v.out(p))
	return v.named(p, info, err)
}
func (v inFolder) Lstat(p vfs.Path) (vfs.Info, error) {
	info, err := v.f.Lstat(v.out(p))
	return v.named(p, info, err)
}
func (v inFolder) ReadDir(p vfs.Path) (vfs.Dir, error) { return v.f.ReadDir(v.out(p)) }
func (v inFolder) Mkdir(p vfs.Path) error              { return v.f.Mkdir(v.out(p)) }
func (v inFolder) Rmdir(p vfs.Path) error              { return v.f.Rmdir(v.out(p)) }
func (v inFolder) Remove(p vfs.Path) error             { return v.f.Remove(v.out(p)) }
func (v inFolder) Rename(from, to vfs.Path) error      { return v.f.Rename(v.out(from), v.out(to)) }
func (v inFolder) Chmod(p vfs.Path, mode fs.FileMode) error {
	return v.f.Chmod(v.out(p), mode)
}
func (v inFolder) Chtimes(p vfs.Path, atime, mtime time.Time) error {
	return v.f.Chtimes(v.out(p), atime, mtime)
}
func (v inFolder) Space(p vfs.Path) (int64, error) { return v.f.Space(v.out(p)) }
func (v inFolder) Symlink(target string, p vfs.Path) error {
	if strings.HasPrefix(target, "/") {
		to, err := vfs.Clean(vfs.Root, target) // ".." does not leave a root, and does a folder
		if err != nil {
			return err
		}
		target = string(v.out(to))
	}
	return v.f.Symlink(target, v.out(p))
}
func (v inFolder) Partial(owner string, p vfs.Path) (vfs.Info, error) {
	return v.f.Partial(owner, v.out(p))
}
func (v inFolder) Partials(owner string, p vfs.Path) ([]vfs.Info, error) {
	return v.f.Partials(owner, v.out(p))
}
func (v inFolder) DropPartial(owner string, p vfs.Path) error {
	return v.f.DropPartial(owner, v.out(p))
}
func (v inFolder) Stage(p vfs.Path, opt vfs.StageOptions) (vfs.Stage, error) {
	if p == vfs.Root && opt.Unique { // beside which no name can be made up, as it can be beside a folder
		return nil, vfs.ErrRoot
	}
	s, err := v.f.Stage(v.out(p), opt)
	if err != nil {
		return nil, err
	}
	if _, readable := s.(io.ReaderAt); !readable {
		return nil, errors.New("the bytes of an upload cannot be read")
	}
	return insideStage{s, s.(io.ReaderAt), v.at}, nil
}

type insideStage struct {
	vfs.Stage
	io.ReaderAt
	at vfs.Path
}

func (s insideStage) Path() vfs.Path { return s.Stage.Path()[len(s.at):] }

func forestOf(t *testing.T, base vfs.FS, folders ...vfs.Folder) *vfs.Forest {
	t.Helper()
	f, err := vfs.NewForest(base, folders)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestForest holds that the base and every folder do all that they do by themselves.
func TestForest(t *testing.T) {
	disk := func(t *testing.T) (vfs.FS, vfstest.LinkWriter) {
		d := newDisk(t, nil)
		return d.Disk, d
	}
	memory := func(*testing.T) (vfs.FS, vfstest.LinkWriter) {
		m := vfs.NewMem()
		return m, m
	}
	for name, part := range map[string]func(*testing.T) (vfs.FS, vfstest.LinkWriter){"disk": disk, "memory": memory} {
		t.Run(name+"/base", func(t *testing.T) {
			vfstest.TestFS(t, func(t *testing.T) vfs.FS {
				fsys, links := part(t)
				return linkedForest{forestOf(t, fsys, vfs.Folder{Path: "/edgeftp-none"}), links}
			})
		})
		t.Run(name+"/folder", func(t *testing.T) {
			vfstest.TestFS(t, func(t *testing.T) vfs.FS {
				fsys, links := part(t)
				f := forestOf(t, vfs.NewMem(), vfs.Folder{Path: "/made/up/pub", FS: fsys}, vfs.Folder{Path: "/made/up/pub2", FS: vfs.NewMem()})
				return inFolder{f, "/made/up/pub", links}
			})
		})
	}
}

// grove is a forest with something in each part.
func grove(t *testing.T) (f *vfs.Forest, base, pub, deep *vfs.Mem) {
	t.Helper()
	base, pub, deep = vfs.NewMem(), vfs.NewMem(), vfs.NewMem()
	locked := vfs.NewMem()
	for _, w := range []struct {
		fs   *vfs.Mem
		p    vfs.Path
		text string
	}{{base, "/own/f", "base"}, {base, "/pub/covered", "covered"}, {base, "/here/f", "beside"}, {base, "/file", "a file where a folder leads"},
		{pub, "/f", "pub"}, {pub, "/in/f", "covered by deep"}, {deep, "/f", "deep"}, {locked, "/f", "locked"}, {locked, "/d/f", "locked too"}} {
		if err := w.fs.WriteFile(w.p, []byte(w.text)); err != nil {
			t.Fatal(err)
		}
	}
	f = forestOf(t, base, vfs.Folder{Path: "/pub", FS: pub}, vfs.Folder{Path: "/pub/in", FS: deep}, vfs.Folder{Path: "/here/locked", FS: vfs.NewReadOnly(locked)},
		vfs.Folder{Path: "/file/up", FS: vfs.NewMem()}, vfs.Folder{Path: "/gone"})
	return f, base, pub, deep
}

func names(t *testing.T, fsys vfs.FS, p vfs.Path) []string {
	t.Helper()
	d, err := fsys.ReadDir(p)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var all []string
	for {
		infos, err := d.Next(2)
		for _, i := range infos {
			all = append(all, i.Name)
		}
		if err == io.EOF {
			slices.Sort(all)
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func contents(t *testing.T, fsys vfs.FS, p vfs.Path) string {
	t.Helper()
	f, err := fsys.Open(p)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestForestReads(t *testing.T) {
	f, _, _, _ := grove(t)
	vfstest.TestReadOnly(t, f)
	for p, want := range map[vfs.Path]string{"/own/f": "base", "/pub/f": "pub", "/pub/in/f": "deep", "/here/f": "beside", "/here/locked/f": "locked",
		"/pub/covered": "open /pub/covered: file does not exist", "/file": "open /file: is a directory", "/gone": "open /gone: folder is not available",
		"/gone/f": "open /gone/f: folder is not available", "/pub": "open /pub: is a directory"} {
		if got := contents(t, f, p); got != want {
			t.Errorf("%s: %q, want %q", p, got, want)
		}
	}
	for p, want := range map[vfs.Path]string{"/": "file here own pub", "/pub": "f in", "/pub/in": "f", "/here": "f locked", "/file": "up", "/file/up": ""} {
		if got := strings.Join(names(t, f, p), " "); got != want {
			t.Errorf("%s lists %q, want %q", p, got, want)
		}
	}
	if info, err := f.Lstat("/file"); err != nil || info.Mode != fs.ModeDir|0o555 || info.Name != "file" {
		t.Errorf("what leads to a folder: %+v, %v", info, err)
	}
	if _, err := f.Stat("/gone"); !errors.Is(err, vfs.ErrUnavailable) {
		t.Errorf("a folder that is not to be had: %v", err)
	}
}

// What a folder is, and what leads to it, stays; so does all that is read-only or made up.
func TestForestKeeps(t *testing.T) {
	f, base, pub, _ := grove(t)
	stage := func(p vfs.Path, opt vfs.StageOptions) error {
		s, err := f.Stage(p, opt)
		if err == nil {
			return s.Discard(false)
		}
		return err
	}
	for what, c := range map[string]struct{ got, want error }{
		"rmdir folder":           {f.Rmdir("/pub/in"), vfs.ErrFolder},
		"rmdir what leads there": {f.Rmdir("/here"), vfs.ErrFolder},
		"rmdir the root":         {f.Rmdir("/"), vfs.ErrRoot},
		"remove folder":          {f.Remove("/pub"), vfs.ErrIsDirectory},
		"mkdir over a folder":    {f.Mkdir("/pub"), fs.ErrExist},
		"mkdir over one gone":    {f.Mkdir("/gone"), fs.ErrExist},
		"mkdir in one gone":      {f.Mkdir("/gone/d"), vfs.ErrUnavailable},
		"mkdir in made up":       {f.Mkdir("/file/d"), vfs.ErrReadOnly},
		"mkdir in read-only":     {f.Mkdir("/here/locked/n"), vfs.ErrReadOnly},
		"upload in read-only":    {stage("/here/locked/n", vfs.StageOptions{}), vfs.ErrReadOnly},
		"append in read-only":    {stage("/here/locked/f", vfs.StageOptions{Append: true}), vfs.ErrReadOnly},
		"unique in read-only":    {stage("/here/locked/f", vfs.StageOptions{Unique: true}), vfs.ErrReadOnly},
		"remove in read-only":    {f.Remove("/here/locked/f"), vfs.ErrReadOnly},
		"rmdir in read-only":     {f.Rmdir("/here/locked/d"), vfs.ErrReadOnly},
		"rename in read-only":    {f.Rename("/here/locked/f", "/here/locked/g"), vfs.ErrReadOnly},
		"rename into read-only":  {f.Rename("/own/f", "/here/locked/g"), vfs.ErrReadOnly},
		"chmod in read-only":     {f.Chmod("/here/locked/f", 0o600), vfs.ErrReadOnly},
		"times in read-only":     {f.Chtimes("/here/locked/f", time.Time{}, time.Now()), vfs.ErrReadOnly},
		"link in read-only":      {f.Symlink("f", "/here/locked/g"), vfs.ErrReadOnly},
		"upload to a folder":     {stage("/pub", vfs.StageOptions{}), vfs.ErrIsDirectory},
		"upload in made up":      {stage("/file/n", vfs.StageOptions{}), vfs.ErrReadOnly},
		"chmod of a folder":      {f.Chmod("/pub", 0o700), vfs.ErrFolder},
		"rename a folder":        {f.Rename("/pub", "/other"), vfs.ErrFolder},
		"rename what leads":      {f.Rename("/here", "/there"), vfs.ErrFolder},
		"rename onto a folder":   {f.Rename("/own", "/pub"), vfs.ErrFolder},
		"rename out of one":      {f.Rename("/pub/f", "/own/g"), vfs.ErrOtherFolder},
		"rename into one":        {f.Rename("/own/f", "/pub/g"), vfs.ErrCrossDevice},
		"rename to a deeper one": {f.Rename("/pub/f", "/pub/in/g"), vfs.ErrOtherFolder},
		"link over a folder":     {f.Symlink("own", "/pub"), fs.ErrExist},
		"link into a folder":     {f.Symlink("/pub/f", "/own/l"), vfs.ErrEscapes},
		"link out of a folder":   {f.Symlink("/own/f", "/pub/l"), vfs.ErrEscapes},
		"link up out of one":     {f.Symlink("../own/f", "/pub/l"), vfs.ErrEscapes},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", what, c.got, c.want)
		}
	}
	for fsys, want := range map[*vfs.Mem]string{base: "file here own pub", pub: "f in"} {
		if got := strings.Join(names(t, fsys, "/"), " "); got != want {
			t.Errorf("a part has %q, want %q", got, want)
		}
	}
	if free, err := f.Space("/here/locked"); free != 0 || err != nil {
		t.Errorf("space in what is read-only: %d, %v", free, err)
	}
	if free, err := f.Space("/file"); free != 0 || err != nil {
		t.Errorf("space in what is made up: %d, %v", free, err)
	}
	if free, err := f.Space("/pub"); free == 0 || err != nil {
		t.Errorf("space in a folder: %d, %v", free, err)
	}
}

// Links of one part lead into none of the others, whoever made them.
func TestForestLinks(t *testing.T) {
	f, base, pub, _ := grove(t)
	for _, l := range []struct {
		fs     *vfs.Mem
		target string
		p      vfs.Path
	}{{pub, "../own/f", "/up"}, {pub, "../../own", "/far"}, {base, "pub", "/alias"}} {
		if err := l.fs.WriteLink(l.target, l.p); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []vfs.Path{"/pub/up", "/pub/far/f"} {
		if _, err := f.Open(p); !errors.Is(err, vfs.ErrEscapes) {
			t.Errorf("%s: %v", p, err)
		}
	}
	if got := contents(t, f, "/alias/covered"); got != "covered" { // the base's own, and not the folder's
		t.Errorf("through a link of the base: %q", got)
	}
	if err := f.Symlink("/pub/f", "/pub/link"); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, f, "/pub/link"); got != "pub" {
		t.Errorf("through a link in a folder: %q", got)
	}
}

// An upload has the path that it has outside, also one whose name is made up, and one beside
// a folder of the name.
func TestForestUnique(t *testing.T) {
	f, _, pub, _ := grove(t)
	for _, p := range []vfs.Path{"/pub/f", "/pub/in"} {
		s, err := f.Stage(p, vfs.StageOptions{Unique: true})
		if err != nil {
			t.Fatal(err)
		}
		at := s.Path()
		if !strings.HasPrefix(string(at), string(p)+".") {
			t.Errorf("%s became %s", p, at)
		}
		if _, err := io.WriteString(s, "new"); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := contents(t, pub, at[len("/pub"):]); got != "new" {
			t.Errorf("%s: %q", at, got)
		}
	}
}

func TestForestFixed(t *testing.T) {
	f, _, _, _ := grove(t)
	for p, want := range map[vfs.Path][2]error{"/own": {}, "/own/f": {}, "/pub": {vfs.ErrFolder}, "/pub/f": {}, "/here": {vfs.ErrFolder}, "/file": {vfs.ErrFolder, vfs.ErrReadOnly},
		"/here/locked": {vfs.ErrReadOnly, vfs.ErrReadOnly}, "/here/locked/f": {vfs.ErrReadOnly, vfs.ErrReadOnly}, "/gone": {vfs.ErrUnavailable, vfs.ErrUnavailable}} {
		if self, inside := f.Fixed(p); self != want[0] || inside != want[1] {
			t.Errorf("%s: %v, %v, want %v", p, self, inside, want)
		}
	}
}

// A part that knows no users is not used with the server's own rights.
func TestForestAsUser(t *testing.T) {
	d := newDisk(t, nil)
	f := forestOf(t, d.Disk, vfs.Folder{Path: "/pub", FS: vfs.NewMem()})
	if as, err := vfs.AsUser(f, vfs.Credentials{UID: 65534, GID: 65534}); !errors.Is(err, vfs.ErrNoAsUser) || as != nil {
		t.Errorf("%v, %v", as, err)
	}
}

func TestForestRefused(t *testing.T) {
	mem := vfs.NewMem()
	for what, folders := range map[string][]vfs.Folder{
		"the root": {{Path: "/", FS: mem}}, "no path": {{FS: mem}}, "relative": {{Path: "a", FS: mem}}, "not clean": {{Path: "/a/../b", FS: mem}},
		"a slash at the end": {{Path: "/a/", FS: mem}}, "twice": {{Path: "/a", FS: mem}, {Path: "/a", FS: mem}}, "NUL": {{Path: "/a\x00", FS: mem}},
	} {
		if _, err := vfs.NewForest(mem, folders); err == nil {
			t.Errorf("%s: it is taken", what)
		}
	}
}

// The mode of what is new is that of the view, in every part.
func TestMasked(t *testing.T) {
	d := newDisk(t, func(c *vfs.DiskConfig) { c.Umask = 0o077 })
	pub := newDisk(t, nil)
	if err := d.Mkdir("/home"); err != nil {
		t.Fatal(err)
	}
	sub, err := d.Sub("/home")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.(io.Closer).Close() })
	for name, c := range map[string]struct {
		fsys vfs.FS
		at   vfs.Path
		mask fs.FileMode
	}{"disk": {d.Disk, "/", 0o027}, "nothing": {d.Disk, "/", 0}, "view": {sub, "/", 0o007}, "memory": {vfs.NewMem(), "/", 0o077},
		"folder": {forestOf(t, sub, vfs.Folder{Path: "/pub", FS: pub.Disk}), "/pub", 0o002}} {
		m := c.fsys.(vfs.Masker).Masked(c.mask).(vfs.Writer)
		file, dir, part := c.at.Join(name+"-f"), c.at.Join(name+"-d"), c.at.Join(name+"-p")
		if err := m.Mkdir(dir); err != nil {
			t.Fatal(err)
		}
		for _, p := range []vfs.Path{file, part} {
			s, err := m.Stage(p, vfs.StageOptions{Owner: "ann"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(s, "x"); err != nil {
				t.Fatal(err)
			}
			if p == part {
				err = s.Discard(true)
			} else {
				err = s.Commit(context.Background())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		view := m.(vfs.FS)
		for p, want := range map[vfs.Path]fs.FileMode{file: 0o666 &^ c.mask, dir: fs.ModeDir | 0o777&^c.mask} {
			if info, err := view.Stat(p); err != nil || info.Mode != want {
				t.Errorf("%s: %s has mode %v, %v, want %v", name, p, info.Mode, err, want)
			}
		}
		if info, err := view.(vfs.Partials).Partial("ann", part); err != nil || info.Mode != 0o666&^c.mask {
			t.Errorf("%s: what is kept has mode %v, %v", name, info.Mode, err)
		}
	}
	if err := d.Mkdir("/after"); err != nil {
		t.Fatal(err)
	}
	if info, err := d.Stat("/after"); err != nil || info.Mode.Perm() != 0o700 {
		t.Errorf("the Disk's own umask is another one now: %v, %v", info.Mode, err)
	}
}

func TestReadOnlyView(t *testing.T) {
	m := vfs.NewMem()
	if err := m.WriteFile("/d/f", []byte("x")); err != nil {
		t.Fatal(err)
	}
	r := vfs.NewReadOnly(m)
	vfstest.TestReadOnly(t, r)
	sub, err := r.Sub("/d")
	if err != nil {
		t.Fatal(err)
	}
	vfstest.TestReadOnly(t, sub)
	for _, fsys := range []vfs.FS{r, sub} {
		if _, ok := fsys.(vfs.Writer); ok {
			t.Error("it can be written to")
		}
		if _, ok := fsys.(vfs.Chmodder); ok {
			t.Error("its modes can be changed")
		}
	}
	if free, err := r.Space("/"); free != 0 || err != nil {
		t.Errorf("%d, %v", free, err)
	}
	if _, err := r.Space("/d/f"); !errors.Is(err, vfs.ErrNotDirectory) {
		t.Errorf("space of a file: %v", err)
	}
}

// BenchmarkForest is what a folder costs beside its own filesystem: the way to it.
func BenchmarkForest(b *testing.B) {
	m := vfs.NewMem()
	if err := m.WriteFile("/d/f", nil); err != nil {
		b.Fatal(err)
	}
	folders := []vfs.Folder{{Path: "/pub", FS: m}}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		folders = append(folders, vfs.Folder{Path: vfs.Path("/made/up/" + name), FS: m})
	}
	f, err := vfs.NewForest(m, folders)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		fsys vfs.FS
		p    vfs.Path
	}{{"alone", m, "/d/f"}, {"base", f, "/d/f"}, {"folder", f, "/pub/d/f"}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.fsys.Stat(c.p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
