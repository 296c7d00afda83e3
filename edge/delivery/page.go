package delivery

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// The style is in the page itself, which needs nothing else.
//
//go:embed page.css
var pageCSS string

// tag is markup, and a constant of this package: nothing that somebody else has chosen is
// made one.
type tag string

// write writes markup as it is, and text so that it cannot be any. It stands in the place
// of html/template, by whose reflection the linker cannot leave out any method of the
// program: that made it 41 MB large, and not 35.
func write(w io.Writer, parts ...any) error {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case tag:
			b = append(b, p...)
		case string:
			b = append(b, html.EscapeString(p)...)
		}
	}
	_, err := w.Write(b)
	return err
}

// pages makes pages of HTML. It is immutable.
type pages struct {
	policy string // their Content-Security-Policy
}

func newPages() *pages {
	sum := sha256.Sum256([]byte(pageCSS))
	return &pages{policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
}

// head writes what each page begins with.
func head(w io.Writer, title string) error {
	return write(w, tag(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>`), title, tag("</title>\n<style>"), tag(pageCSS), tag("</style>\n</head>\n<body>\n<main>\n<h1>"), title, tag("</h1>\n"))
}

// tail is what each page ends with.
const tail tag = "</main>\n</body>\n</html>\n"

// link is a link that stands alone. The zero value is none.
type link struct{ href, text string }

// markup is the link in a line of its own.
func (l link) markup() []any {
	if l.href == "" {
		return nil
	}
	return []any{tag(`<p><a href="`), l.href, tag(`" rel="nofollow">`), l.text, tag("</a></p>\n")}
}

// list writes what stands above the rows; way is where else one may go.
func (p *pages) list(w io.Writer, dir vfs.Path, caption string, way link) error {
	if err := head(w, "Files in "+shown(string(dir))); err != nil {
		return err
	}
	parts := []any{tag("<nav aria-label=\"Path\">\n<ol>\n<li>")}
	name, url := "Files", "/"
	for at, rest := "", string(dir)[1:]; rest != ""; {
		parts = append(parts, tag(`<a href="`), url, tag(`">`), name, tag("</a></li>\n<li>"))
		next, after, _ := strings.Cut(rest, "/")
		at, rest = at+"/"+next, after
		name, url = shown(next), escaped(at)+"/"
	}
	parts = append(parts, tag(`<a href="`), url, tag(`" aria-current="page">`), name, tag("</a></li>\n</ol>\n</nav>\n"))
	parts = append(parts, way.markup()...)
	parts = append(parts, tag("<table>\n<caption>"), caption, tag(`</caption>
<thead>
<tr><th scope="col">Name</th><th scope="col" class="n">Size</th><th scope="col">Changed (UTC)</th></tr>
</thead>
<tbody>
`))
	return write(w, parts...)
}

// row writes a row.
func (p *pages) row(w io.Writer, dir vfs.Path, e entry) error {
	name, url := shown(e.name), escaped(string(dir.Join(e.name)))
	if e.kind == "directory" {
		name, url = name+"/", url+"/"
	}
	parts := []any{tag(`<tr><th scope="row"><a href="`), url, tag(`"><bdi>`), name, tag(`</bdi></a>`)}
	if e.kind == "link" {
		parts = append(parts, tag(` <span class="s">(link)</span>`))
	}
	parts = append(parts, tag(`</th><td class="n">`))
	if e.size < 0 {
		parts = append(parts, tag("&ndash;"))
	} else {
		parts = append(parts, tag(`<data value="`), strconv.FormatInt(e.size, 10), tag(`">`), human(e.size))
		if full := exact(e.size); full != "" {
			parts = append(parts, tag(` <span class="s">`), full, tag(`</span>`))
		}
		parts = append(parts, tag(`</data>`))
	}
	parts = append(parts, tag(`</td><td>`))
	if e.modified.IsZero() {
		parts = append(parts, tag("&ndash;"))
	} else {
		at := e.modified.UTC()
		parts = append(parts, tag(`<time datetime="`), at.Format(time.RFC3339), tag(`">`), at.Format(time.DateOnly),
			tag(` <span class="s">`), at.Format(time.TimeOnly), tag(`</span></time>`))
	}
	return write(w, append(parts, tag("</td></tr>\n"))...)
}

// end writes what stands below the rows; broken, unless empty, is why they are not all.
func (p *pages) end(w io.Writer, broken string) error {
	parts := []any{tag("</tbody>\n</table>\n")}
	if broken != "" {
		parts = append(parts, tag(`<p role="alert">`), broken, tag("</p>\n"))
	}
	return write(w, append(parts, tail)...)
}

// problem writes a page about something that could not be done; way is where one may go on.
func (p *pages) problem(w io.Writer, title, text, ref string, way link) error {
	if err := head(w, title); err != nil {
		return err
	}
	parts := []any{tag("<p>"), text, tag("</p>\n")}
	if ref != "" {
		parts = append(parts, tag("<p>Reference: <code>"), ref, tag("</code></p>\n"))
	}
	return write(w, append(append(parts, way.markup()...), tail)...)
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
