package delivery

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// The page of a directory, and what it looks like.
//
//go:embed page.html
var pageHTML string

// The style is in the page itself, which needs nothing else.
//
//go:embed page.css
var pageCSS string

// pages makes pages of HTML. It is immutable.
type pages struct {
	templates *template.Template
	policy    string // their Content-Security-Policy
}

func newPages() *pages {
	sum := sha256.Sum256([]byte(pageCSS))
	return &pages{templates: template.Must(template.New("").Parse(pageHTML)),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
}

// link leads to a directory.
type link struct{ Name, URL string }

// listPage is what stands above the rows of a listing.
type listPage struct {
	Title, Caption string
	Style          template.CSS
	Above          []link // the directories above, the root first
	Here           link
}

// row is an entry as the page shows it.
type row struct {
	Name, URL, Note   string
	Size, Exact       string // such as "1.2 MB" and "1,234,567 bytes"; empty: there is none
	Bytes             int64
	Stamp, Day, Clock string // such as 2026-11-27T10:00:00Z, 2026-11-27 and 10:00:00
}

// problemPage is a page about something that could not be done.
type problemPage struct {
	Title, Text, Ref string
	Style            template.CSS
}

// list writes what stands above the rows.
func (p *pages) list(w io.Writer, dir vfs.Path, caption string) error {
	page := listPage{Title: "Files in " + shown(string(dir)), Caption: caption, Style: template.CSS(pageCSS)}
	links := []link{{"Files", "/"}}
	for at, rest := "", string(dir)[1:]; rest != ""; {
		name, after, _ := strings.Cut(rest, "/")
		at, rest = at+"/"+name, after
		links = append(links, link{shown(name), escaped(at) + "/"})
	}
	page.Above, page.Here = links[:len(links)-1], links[len(links)-1]
	return p.templates.ExecuteTemplate(w, "list", page)
}

// row writes a row.
func (p *pages) row(w io.Writer, dir vfs.Path, e entry) error {
	r := row{Name: shown(e.name), URL: escaped(string(dir.Join(e.name)))}
	switch e.kind {
	case "directory":
		r.Name, r.URL = r.Name+"/", r.URL+"/"
	case "link":
		r.Note = "(link)"
	}
	if e.size >= 0 {
		r.Bytes, r.Size, r.Exact = e.size, human(e.size), exact(e.size)
	}
	if !e.modified.IsZero() {
		at := e.modified.UTC()
		r.Stamp, r.Day, r.Clock = at.Format(time.RFC3339), at.Format(time.DateOnly), at.Format(time.TimeOnly)
	}
	return p.templates.ExecuteTemplate(w, "row", r)
}

// end writes what stands below the rows; broken, unless empty, is why they are not all.
func (p *pages) end(w io.Writer, broken string) error {
	return p.templates.ExecuteTemplate(w, "end", struct{ Broken string }{broken})
}

// problem writes a page about something that could not be done.
func (p *pages) problem(w io.Writer, title, text, ref string) error {
	return p.templates.ExecuteTemplate(w, "problem", problemPage{title, text, ref, template.CSS(pageCSS)})
}

// human is a size of about three digits, in powers of 1000, as storage is sold.
func human(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB", "PB", "EB"} {
		if f /= 1000; f < 99.95 {
			return strconv.FormatFloat(f, 'f', 1, 64) + " " + unit
		}
		if f < 999.5 {
			return strconv.FormatFloat(f, 'f', 0, 64) + " " + unit
		}
	}
	return strconv.FormatInt(n, 10) + " B" // no int64 comes here
}

// exact is a size in full where human leaves something out.
func exact(n int64) string {
	if n < 1000 {
		return ""
	}
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s + " bytes"
}
