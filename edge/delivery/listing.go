package delivery

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// sortable is of how many entries a listing is sorted by name. A longer one is sent in the
// order in which the filesystem has it, while it is read.
const sortable = 10_000

// form is a way to write a listing. Nothing is written before begin.
type form interface {
	// begin writes what comes first; count is how many entries follow, -1 if nobody knows.
	begin(w io.Writer, count int) error
	entry(w io.Writer, e entry) error
	// end writes what comes last; broken, unless empty, is why it is not all.
	end(w io.Writer, broken string) error
}

// lister collects the entries of a listing as they come, and writes them.
type lister struct {
	form  form
	start func() io.Writer // begins the answer; called once, before the first byte
	held  []entry
	out   *bufio.Writer // nil: the answer has not begun
}

// take takes an entry.
func (l *lister) take(e entry) error {
	if l.out == nil {
		if l.held = append(l.held, e); len(l.held) <= sortable {
			return nil
		}
		return l.begin(-1)
	}
	return l.form.entry(l.out, e)
}

// begin begins the answer with what is held.
func (l *lister) begin(count int) error {
	l.out = bufio.NewWriterSize(l.start(), 16<<10)
	if err := l.form.begin(l.out, count); err != nil {
		return err
	}
	for _, e := range l.held {
		if err := l.form.entry(l.out, e); err != nil {
			return err
		}
	}
	l.held = nil
	return nil
}

// finish writes what is left of a listing that has ended; broken, unless empty, is why it
// has ended too early.
func (l *lister) finish(broken string) error {
	if l.out == nil {
		slices.SortFunc(l.held, func(a, b entry) int { return strings.Compare(a.name, b.name) })
		if err := l.begin(len(l.held)); err != nil {
			return err
		}
	}
	if err := l.form.end(l.out, broken); err != nil {
		return err
	}
	return l.out.Flush()
}

// asPage writes a listing as a page.
type asPage struct {
	pages *pages
	dir   vfs.Path
	way   link
}

func (f asPage) begin(w io.Writer, count int) error {
	caption := fmt.Sprintf("%d entries, sorted by name", count)
	switch count {
	case -1:
		caption = fmt.Sprintf("More than %d entries, not sorted", sortable)
	case 0:
		caption = "There is nothing here."
	case 1:
		caption = "1 entry"
	}
	return f.pages.list(w, f.dir, caption, f.way)
}

func (f asPage) entry(w io.Writer, e entry) error     { return f.pages.row(w, f.dir, e) }
func (f asPage) end(w io.Writer, broken string) error { return f.pages.end(w, broken) }

// asJSON writes a listing as an object of JSON.
type asJSON struct {
	dir   vfs.Path
	count int
}

// jsonEntry is an entry in JSON.
type jsonEntry struct {
	Name string `json:"name"`
	// URL is where the entry is, of one whose name is no UTF-8, so that Name is not it.
	URL      string `json:"url,omitempty"`
	Type     string `json:"type"`
	Size     *int64 `json:"size"`     // null: there is none
	Modified string `json:"modified"` // RFC 3339 in UTC; empty: unknown
}

func (f *asJSON) begin(w io.Writer, _ int) error {
	name, err := json.Marshal(string(f.dir))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `{"path":%s,"entries":[`, name)
	return err
}

func (f *asJSON) entry(w io.Writer, e entry) error {
	j := jsonEntry{Name: e.name, Type: e.kind}
	if !utf8.ValidString(e.name) {
		j.URL = escaped(string(f.dir.Join(e.name)))
	}
	if e.size >= 0 {
		j.Size = &e.size
	}
	if !e.modified.IsZero() {
		j.Modified = e.modified.UTC().Format(time.RFC3339)
	}
	b, err := json.Marshal(j)
	if err != nil {
		return err
	}
	if f.count++; f.count > 1 {
		b = append([]byte{','}, b...)
	}
	_, err = w.Write(append([]byte{'\n'}, b...))
	return err
}

func (f *asJSON) end(w io.Writer, broken string) error {
	_, err := fmt.Fprintf(w, "\n],\"complete\":%t}\n", broken == "")
	return err
}
