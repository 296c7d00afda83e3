package e2e

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// clients lists the columns of the matrix.
func clients() []client {
	return []client{
		curlClient{}, lftpClient{}, ftplibClient{}, ftplibClient{resuming: true}, tnftpClient{}, ncftpClient{},
		wgetClient{}, rcloneClient{}, basicFTP{}, jlaffaye{}, jlaffaye{cache: true}, sClient{},
	}
}

// TestClientMatrix makes every client do everything that it can, over every form
// of TLS that it speaks, and compares what comes out with docs/clients.md. With
// EDGEFTP_UPDATE_DOCS=1 it does the large files of every cell, too, and writes
// the matrix there.
func TestClientMatrix(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	t.Run("cells", func(t *testing.T) {
		for i, c := range clients() {
			t.Run(c.facts().name, func(t *testing.T) {
				t.Parallel()
				m.client(t, i, c)
			})
		}
	})
	if !t.Failed() {
		m.document(t)
	}
}

// matrix collects what comes out.
type matrix struct {
	small, middle, usual, large sample
	tree                        string // a folder

	mu    sync.Mutex
	found map[string]*column // by the client's name
}

// column is what comes out for one client.
type column struct {
	facts    facts
	version  string
	outcomes map[[2]string]string // by the names of form and row
	refusal  string               // what the client says of a 522
}

// The outcomes. Without a function there is n/a and the reason.
const (
	fine     = "ok"
	unsteady = "ok, not always"
	lenient  = "522, ok under `prefer`"
	without  = "n/a"
)

func newMatrix(t *testing.T) *matrix {
	dir := t.TempDir()
	return &matrix{
		small: newSample(t, dir, "small", 100_003), middle: newSample(t, dir, "middle", 16*mib),
		usual: newSample(t, dir, "usual", min(bulk(), 64*mib)), large: newSample(t, dir, "large", bulk()),
		tree: newTree(t, dir), found: map[string]*column{},
	}
}

// sample is a file that is sent to and fro.
type sample struct {
	path   string
	size   int64
	digest digest
}

func newSample(t *testing.T, dir, name string, n int64) sample {
	path := filepath.Join(dir, name)
	return sample{path, n, noiseFile(t, path, n)}
}

// client fills one column.
func (m *matrix) client(t *testing.T, number int, c client) {
	col := &column{facts: c.facts(), version: c.version(t), outcomes: map[[2]string]string{}}
	m.mu.Lock()
	m.found[col.facts.name] = col
	m.mu.Unlock()
	h := openHouse(t, number)
	for _, f := range forms() {
		if why := col.facts.lacksForm(f); why != "" {
			for _, r := range m.rows() {
				m.record(col, f, r, without+": "+why)
			}
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			m.form(t, col, c, h, f)
		})
	}
}

// form fills the part of a column that is one form of TLS.
func (m *matrix) form(t *testing.T, col *column, c client, h *house, f form) {
	if f.version == "1.2" {
		t.Run("no other version", func(t *testing.T) { m.onlyTLS12(t, c, h, f) })
	}
	if f.version != "" {
		t.Run("the proof", func(t *testing.T) { m.proof(t, col, newCell(t, c, h, door{form: f, reuse: "require"})) })
	}
	for _, r := range m.rows() {
		if why := r.lacking(col.facts); why != "" {
			m.record(col, f, r, without+": "+why)
			continue
		}
		if r.costly && !m.thorough() && f != mainForm(col.facts) {
			continue
		}
		m.row(t, col, c, h, f, r)
	}
}

// row fills one cell. A client that proves nothing is first turned away, and then
// let in where no proof is asked for.
func (m *matrix) row(t *testing.T, col *column, c client, h *house, f form, r row) {
	d := door{form: f}
	if f.version != "" {
		d.reuse = "auto"
	}
	proofless := col.facts.expects(f, r) == lenient
	done := t.Run(r.name, func(t *testing.T) {
		if proofless {
			m.refused(t, col, newCell(t, c, h, d), r.data)
			d.reuse = "prefer"
		}
		cell := newCell(t, c, h, d)
		if f.version != "" {
			cell.fault = col.facts.faults[r.name]
		}
		r.run(cell)
	})
	if done {
		m.record(col, f, r, col.facts.expects(f, r))
	}
}

// expects is the outcome of a cell if nothing goes wrong.
func (f facts) expects(form form, r row) string {
	fault, weak := f.faults[r.name], f.takesNone(form)
	switch {
	case form.version == "":
		return fine
	case fault.why != "":
		return unsteady + ": " + fault.why
	case r.data != "" && f.fresh != "":
		return lenient
	case f.remarks[r.name] != "":
		return fine + ": " + f.remarks[r.name]
	case r.data != "" && weak != "":
		return fine + ": on the weaker proof, because " + weak
	}
	return fine
}

// proof asks that the client's data connections resume the TLS session, or that
// it is turned away where that is asked of everybody.
func (m *matrix) proof(t *testing.T, col *column, c *cell) {
	if col.facts.fresh != "" || col.facts.takesNone(c.form) != "" {
		m.refused(t, col, c, list)
		return
	}
	c.prepare()
	j := c.job(list, "")
	j.Local = c.here("list")
	c.must(j)
}

// mainForm is that in which the large files go also in a short run.
func mainForm(f facts) form {
	for _, form := range []form{forms()[2], forms()[0]} {
		if f.lacksForm(form) == "" {
			return form
		}
	}
	return form{}
}

func (m *matrix) record(col *column, f form, r row, outcome string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	col.outcomes[[2]string{f.name, r.name}] = outcome
}

// newCell makes one that goes through a door.
func newCell(t *testing.T, c client, h *house, d door) *cell {
	t.Helper()
	folder := strings.NewReplacer(" ", "-", "/", "-", "#", "").Replace(d.form.name + "-" + filepath.Base(t.Name()))
	return (&cell{t: t, client: c, house: h, door: d, form: d.form, folder: folder, work: t.TempDir()}).at(h.doors[d])
}

// at returns the same cell at another address.
func (c *cell) at(addr string) *cell {
	c.t.Helper()
	host, port, err := net.SplitHostPort(addr)
	ok(c.t, err)
	other := *c
	other.addr, other.host, other.port = addr, host, port
	return &other
}

// onlyTLS12 asks that a client which is told to speak TLS 1.2 does not get in
// where that is too old: what the row shows was done with TLS 1.2.
func (m *matrix) onlyTLS12(t *testing.T, c client, h *house, f form) {
	newer := f
	for _, g := range forms() {
		if g.version == "1.3" && g.implicit == f.implicit {
			newer = g
		}
	}
	cell := newCell(t, c, h, door{form: f, reuse: "auto"}).at(h.doors[door{form: newer, reuse: "auto"}])
	cell.prepare()
	err := c.do(cell, job{Task: list, Folder: cell.folder, Local: cell.here("list")})
	if err == nil || refusal.MatchString(err.Error()) {
		t.Errorf("a listener that takes only TLS 1.3 has let the client in: %v", err)
	}
}

// refusal is the reply to a data connection that proves nothing, in what a client
// says.
var refusal = regexp.MustCompile(`\b522\b[^\r\n]*`)

// refused asks that a client whose data connections prove nothing is turned away
// by a listener that asks for the proof, and keeps the client's words.
func (m *matrix) refused(t *testing.T, col *column, c *cell, k task) {
	t.Helper()
	c.prepare()
	j := c.job(k, "probe")
	j.Local = m.small.path
	if k != put {
		m.small.link(c, "probe")
		j.Local = c.here("probe")
	}
	err := c.client.do(c, j)
	if err == nil {
		t.Fatalf("%s has been served without a proof", k)
	}
	words := refusal.FindString(err.Error())
	if words == "" {
		t.Fatalf("%s was not refused by 522: %v", k, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if col.refusal == "" {
		col.refusal = words
	}
	ok(t, os.RemoveAll(c.in("")))
}
