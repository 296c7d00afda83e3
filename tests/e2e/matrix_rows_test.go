package e2e

import (
	"crypto/sha256"
	"os"
	"slices"
	"strings"
)

// row is one line of the matrix.
type row struct {
	name   string
	needs  []task // without one of them there is nothing to do
	data   task   // by which it uses a data connection; empty if it uses none
	costly bool   // it moves a large file
	run    func(c *cell)
}

// lacking returns why a client cannot do a row, or nothing.
func (r row) lacking(f facts) string {
	for _, k := range r.needs {
		if why := f.lacks[k]; why != "" {
			return why
		}
	}
	return ""
}

// rows lists what every client is made to do.
func (m *matrix) rows() []row {
	empty := sample{path: os.DevNull, digest: sha256.Sum256(nil)}
	all := []row{
		{"list", []task{list}, list, false, m.list},
		{"upload", []task{put}, put, false, upload(m.small)},
		{"download", []task{get}, get, false, download(m.small)},
		{"resumed upload", []task{put, putOn}, put, false, m.resumeUp},
		{"resumed download", []task{get, getOn}, get, false, m.resumeDown},
		{"rename", []task{rename}, "", false, renames},
		{"delete", []task{remove}, "", false, removes},
		{"make a directory", []task{mkdir}, "", false, mkdirs},
		{"remove a directory", []task{rmdir}, "", false, rmdirs},
		{"upload of 0 bytes", []task{put}, put, false, upload(empty)},
		{"download of 0 bytes", []task{get}, get, false, download(empty)},
		{"upload of 64 MiB", []task{put}, put, true, m.heavy(upload)},
		{"download of 64 MiB", []task{get}, get, true, m.heavy(download)},
	}
	all = append(all,
		row{"upload of a tree", []task{putTree}, put, false, m.treeUp},
		row{"download of a tree", []task{getTree}, get, false, m.treeDown})
	for _, n := range []struct{ kind, name, to string }{
		{"spaces", "two  spaces in it", " and one before"},
		{"quotes", `it's "quoted"`, `"`},
		{"letters beyond ASCII", "Größe für 日本語", "ещё 한국어 é"},
		{"a leading dash", "-rf", "--help"},
		{"# and %", "50% #1 %20", "#%41"},
	} {
		all = append(all, row{"a name with " + n.kind, []task{list, get}, get, false, func(c *cell) { m.name(c, n.name, n.to) }})
	}
	return all
}

// heavy moves the large file in the client's main form, and one of 64 MiB in the
// others.
func (m *matrix) heavy(way func(sample) func(*cell)) func(*cell) {
	return func(c *cell) {
		s := m.usual
		if c.form == mainForm(c.client.facts()) {
			s = m.large
		}
		way(s)(c)
	}
}

// thorough reports whether the large files go over every form of TLS.
func (m *matrix) thorough() bool { return full() || updating() }

// prepare makes the cell's folder on the server.
func (c *cell) prepare() {
	c.t.Helper()
	ok(c.t, os.MkdirAll(c.in(""), 0o755))
}

// link puts a sample into the cell's folder on the server.
func (s sample) link(c *cell, name string) {
	c.t.Helper()
	if s.path == os.DevNull {
		ok(c.t, os.WriteFile(c.in(name), nil, 0o644))
		return
	}
	if err := os.Link(s.path, c.in(name)); err != nil {
		ok(c.t, os.WriteFile(c.in(name), must(os.ReadFile(s.path))(c.t), 0o644))
	}
}

// local is the sample as a file for clients that want its name.
func (s sample) local(c *cell) string {
	c.t.Helper()
	if s.path != os.DevNull {
		return s.path
	}
	ok(c.t, os.WriteFile(c.here("empty"), nil, 0o644))
	return c.here("empty")
}

// names lists the cell's folder on the server, with what is hidden.
func (c *cell) names() (out []string) {
	c.t.Helper()
	for _, e := range must(os.ReadDir(c.in("")))(c.t) {
		out = append(out, e.Name())
	}
	return out
}

// holds asks that exactly this lies in the cell's folder.
func (c *cell) holds(names ...string) {
	c.t.Helper()
	slices.Sort(names)
	if got := c.names(); !slices.Equal(got, names) {
		c.t.Errorf("the folder holds %q, want %q", got, names)
	}
}

// list asks for names and, of a long list, sizes.
func (m *matrix) list(c *cell) {
	c.prepare()
	textFile(c.t, c.in("one.txt"), strings.Repeat("x", 12345))
	ok(c.t, os.WriteFile(c.in("empty"), nil, 0o644))
	ok(c.t, os.Mkdir(c.in("folder"), 0o755))
	j := c.job(list, "")
	j.Local = c.here("list")
	c.must(j)
	for _, name := range []string{"one.txt", "empty", "folder"} {
		c.shows(j.Local, name)
	}
	if text := string(must(os.ReadFile(j.Local))(c.t)); !strings.Contains(text, "12345") {
		c.t.Errorf("the list shows no size: %q", text)
	}
}

// shows asks that a list has a line that ends with a name.
func (c *cell) shows(path, name string) {
	c.t.Helper()
	text := string(must(os.ReadFile(path))(c.t))
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n/")
		if line == name || strings.HasSuffix(line, " "+name) {
			return
		}
	}
	c.t.Errorf("the list does not show %q: %q", name, text)
}

func upload(s sample) func(c *cell) {
	return func(c *cell) {
		c.prepare()
		j := c.job(put, "file")
		j.Local = s.local(c)
		c.must(j)
		c.holds("file")
		sameSum(c.t, "upload", c.in("file"), s.digest)
		ok(c.t, os.Remove(c.in("file")))
	}
}

func download(s sample) func(c *cell) {
	return func(c *cell) {
		c.prepare()
		s.link(c, "file")
		j := c.job(get, "file")
		j.Local = c.here("down")
		c.must(j)
		sameSum(c.t, "download", j.Local, s.digest)
		ok(c.t, os.Remove(j.Local))
	}
}

func renames(c *cell) {
	c.prepare()
	textFile(c.t, c.in("old"), "x")
	j := c.job(rename, "old")
	j.To = "new"
	c.must(j)
	c.holds("new")
}

func removes(c *cell) {
	c.prepare()
	textFile(c.t, c.in("file"), "x")
	c.must(c.job(remove, "file"))
	c.holds()
}

func mkdirs(c *cell) {
	c.prepare()
	c.must(c.job(mkdir, "made"))
	if info := must(os.Stat(c.in("made")))(c.t); !info.IsDir() {
		c.t.Errorf("it is no directory: %v", info.Mode())
	}
}

func rmdirs(c *cell) {
	c.prepare()
	ok(c.t, os.Mkdir(c.in("gone"), 0o755))
	c.must(c.job(rmdir, "gone"))
	c.holds()
}

// name does what the client can with a file of an odd name and a directory of
// another, to which the file is then renamed.
func (m *matrix) name(c *cell, name, to string) {
	c.prepare()
	local := map[task]string{put: m.small.path, list: c.here("list"), get: c.here("down")}
	session := func(steps ...job) {
		var jobs []job
		for _, j := range steps {
			if c.can(j.Task) {
				j.Folder, j.Local = c.folder, local[j.Task]
				jobs = append(jobs, j)
			}
		}
		if len(jobs) > 0 {
			c.must(jobs...)
		}
	}
	there := []string{name}
	if c.can(mkdir) {
		there = append(there, to)
	}
	if !c.can(put) {
		m.small.link(c, name)
	}
	session(job{Task: put, Name: name}, job{Task: mkdir, Name: to}, job{Task: list}, job{Task: get, Name: name})
	for _, n := range there {
		c.shows(local[list], n)
	}
	c.holds(there...)
	sameSum(c.t, "upload", c.in(name), m.small.digest)
	sameSum(c.t, "download", local[get], m.small.digest)
	if c.can(remove) {
		session(job{Task: rmdir, Name: to}, job{Task: rename, Name: name, To: to}, job{Task: remove, Name: to})
		c.holds()
	}
}
