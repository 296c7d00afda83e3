package delivery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

func TestParseEntry(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for line, want := range map[string]entry{
		"modify=20260301120000;perm=r;size=5;type=file;unique=1g2; a.txt": {"a.txt", "file", 5, at},
		"Modify=20260301120000.5;Type=DIR;Size=4096; d":                   {"d", "directory", -1, at.Add(time.Second / 2)},
		"type=OS.unix=slink:/x;size=3; l":                                 {"l", "link", -1, time.Time{}},
		"type=OS.unix=fifo; p":                                            {"p", "other", -1, time.Time{}},
		"type=file;  two  spaces ":                                        {" two  spaces ", "file", -1, time.Time{}},
		"size=x;modify=now;type=file; a;b=c":                              {"a;b=c", "file", -1, time.Time{}},
		" bare":                                                           {"bare", "other", -1, time.Time{}},
	} {
		got, ok := parseEntry(line)
		if !ok || !got.modified.Equal(want.modified) || got.name != want.name || got.kind != want.kind || got.size != want.size {
			t.Errorf("%q: %+v %v", line, got, ok)
		}
	}
	for _, line := range []string{"type=cdir; .", "type=pdir; ..", "", "type=file;", "type=file; "} {
		if e, ok := parseEntry(line); ok {
			t.Errorf("%q: %+v", line, e)
		}
	}
}

// What comes in pieces is whole lines.
func TestLines(t *testing.T) {
	const text = "type=file; a\r\ntype=file; b\rc\r\ntype=file; d\r\nrest"
	for n := 1; n < len(text); n++ {
		var names []string
		l := &lines{give: func(e entry) error { names = append(names, e.name); return nil }}
		for rest := text; rest != ""; {
			k := min(n, len(rest))
			if _, err := io.WriteString(l, rest[:k]); err != nil {
				t.Fatal(err)
			}
			rest = rest[k:]
		}
		if got := strings.Join(names, "|"); got != "a|b\rc|d" {
			t.Fatalf("pieces of %d: %q", n, got)
		}
	}
}

// hostileNames are names that somebody may give a file.
func hostileNames() []string {
	return []string{`plain.txt`, `<script>alert(1)`, `<img src=x onerror=alert(1)>`, `"onmouseover="x`, `'q'`, `a&amp;b`, "a\u202egpj.exe", "bad\xff\xfeutf8", `javascript:alert(1)`,
		` lead`, `trail `, `50%25`, `q?x=1`, `h#frag`, `back\slash`, "tab\there", "line\u2028sep", `..`[:1] + `hidden`, `//evil.example`[2:], strings.Repeat("w", 255), "\u0085", "nul\x01"}
}

func lineOf(name string) string {
	return "modify=20260301120000;size=1234567;type=file; " + name + "\r\n"
}

func TestHostileNames(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		site := newFakeSite()
		for _, n := range hostileNames() {
			site.listing += lineOf(n)
		}
		site.files["/d\"<'&\u202e/x"] = ""
		w := served(t, protocol, site, anonymous())
		r, body := w.do("GET", "/d%22%3C'&%E2%80%AE/")
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("%s %v", r.Status, r.Header)
		}
		policy := r.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s", policy)
		}
		found := map[string]bool{}
		for n := range nodes(t, body) {
			switch n.Data {
			case "script", "img", "iframe", "form", "link", "object":
				t.Errorf("there is a <%s>", n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
					t.Errorf("there is %s=%q", a.Key, a.Val)
				}
				if a.Key == "href" {
					if !strings.HasPrefix(a.Val, "/") || strings.HasPrefix(a.Val, "//") {
						t.Errorf("a link leads to %q", a.Val)
					}
					found[a.Val] = true
				}
			}
		}
		for _, n := range hostileNames() {
			if href := "/" + escaped("d\"<'&\u202e/"+n); !found[href] {
				t.Errorf("no link leads to %q (%s)", n, href)
			}
		}
		for _, bad := range []string{"\u202e", "\xff", "\u2028", "\x01", "\u0085"} {
			if strings.Contains(body, bad) {
				t.Errorf("the page holds %q", bad)
			}
		}
	})
}

// Every link of a listing leads to what is listed.
func TestLinksLeadThere(t *testing.T) {
	site := newFakeSite()
	for _, n := range hostileNames() {
		site.files["/d/"+n] = "the file " + n
	}
	w := served(t, "http", site, anonymous())
	_, body := w.do("GET", "/d/")
	followed := 0
	for n := range nodes(t, body) {
		if n.Data != "a" || n.Parent.Data != "th" {
			continue
		}
		r, err := w.client.Get(w.URL + n.Attr[0].Val)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode != 200 || !bytes.HasPrefix(text, []byte("the file ")) {
			t.Errorf("%s: %s", n.Attr[0].Val, r.Status)
		}
		followed++
	}
	if followed != len(hostileNames()) {
		t.Errorf("%d links for %d files", followed, len(hostileNames()))
	}
}

func nodes(t *testing.T, body string) func(func(*html.Node) bool) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(*html.Node) bool) {
		for n := range doc.Descendants() {
			if n.Type == html.ElementNode && !yield(n) {
				return
			}
		}
	}
}

func TestPage(t *testing.T) {
	w := served(t, "http", newFakeSite(), anonymous())
	_, body := w.do("GET", "/pub/")
	for _, want := range []string{`<html lang="en">`, `<title>Files in /pub</title>`, `<h1>Files in /pub</h1>`, `<nav aria-label="Path">`, `<li><a href="/">Files</a></li>`,
		`<a href="/pub/" aria-current="page">pub</a>`, `<caption>2 entries, sorted by name</caption>`, `<th scope="col">Name</th>`, `<th scope="row"><a href="/pub/b.bin"><bdi>b.bin</bdi></a></th>`,
		`<data value="100000">100 kB <span class="s">100,000 bytes</span></data>`, `<time datetime="2026-03-01T12:00:00Z">2026-03-01 <span class="s">12:00:00</span></time>`,
		`<a href="/pub/sub/"><bdi>sub/</bdi></a>`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
	if strings.Contains(body, "ZgotmplZ") {
		t.Error("the template has refused something")
	}
	w.site.listing = "type=cdir; .\r\n"
	if _, body := w.do("GET", "/pub/"); !strings.Contains(body, "There is nothing here.") {
		t.Errorf("%s", body)
	}
}

// listed is a listing in JSON.
type listed struct {
	Path    string
	Entries []struct {
		Name, URL, Type, Modified string
		Size                      *int64
	}
	Complete *bool
}

func listedIn(t *testing.T, body string) (l listed) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &l); err != nil || l.Complete == nil {
		t.Fatalf("%v in %.300s", err, body)
	}
	return l
}

func TestJSON(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		w := served(t, protocol, newFakeSite(), anonymous())
		for _, c := range [][]string{{"/?format=json"}, {"/", "Accept", "application/json"}, {"/?format=json", "Accept", "text/html"}} {
			r, body := w.do("GET", c[0], c[1:]...)
			if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Vary") != "Accept" || r.Header.Get("Content-Security-Policy") != "" {
				t.Errorf("%v", r.Header)
			}
			l := listedIn(t, body)
			if l.Path != "/" || !*l.Complete || len(l.Entries) != 4 {
				t.Fatalf("%+v", l)
			}
			if e := l.Entries[0]; e.Name != "a.txt" || e.Type != "file" || *e.Size != 10 || e.Modified != "2026-03-01T12:00:00Z" {
				t.Errorf("%+v", e)
			}
			if e := l.Entries[3]; e.Name != "pub" || e.Type != "directory" || e.Size != nil {
				t.Errorf("%+v", e)
			}
		}
		w.site.listing = lineOf("bad\xff") + lineOf("</script>")
		_, body := w.do("GET", "/pub/?format=json")
		l := listedIn(t, body)
		if l.Entries[1].Name != "bad\ufffd" || l.Entries[1].URL != "/pub/bad%FF" || l.Entries[0].Name != "</script>" || l.Entries[0].URL != "" {
			t.Errorf("%s", body)
		}
		if strings.Contains(body, "</script>") {
			t.Errorf("%s", body)
		}
		w.site.listing = "type=cdir; .\r\n"
		if _, body := w.do("GET", "/pub/?format=json"); len(listedIn(t, body).Entries) != 0 {
			t.Errorf("%s", body)
		}
	})
}

// manyLines is a listing of n entries in descending order.
func manyLines(n int) string {
	var b strings.Builder
	for i := n; i > 0; i-- {
		b.WriteString(lineOf(fmt.Sprintf("f%06d", i)))
	}
	return b.String()
}

func TestLongListing(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		site := newFakeSite()
		w := served(t, protocol, site, anonymous())
		for _, n := range []int{sortable, sortable + 1} {
			site.listing = manyLines(n)
			_, body := w.do("GET", "/pub/?format=json")
			l := listedIn(t, body)
			first, last := "f000001", fmt.Sprintf("f%06d", n)
			if n > sortable {
				first, last = last, first
			}
			if len(l.Entries) != n || !*l.Complete || l.Entries[0].Name != first || l.Entries[n-1].Name != last {
				t.Errorf("%d: %d from %s", n, len(l.Entries), l.Entries[0].Name)
			}
			_, body = w.do("GET", "/pub/")
			if got := strings.Count(body, "<tr>"); got != n+1 || !strings.HasSuffix(body, "</html>\n") {
				t.Errorf("%d: %d rows", n, got)
			}
			if unsorted := strings.Contains(body, "More than 10000 entries, not sorted"); unsorted != (n > sortable) {
				t.Errorf("%d entries: unsorted %v", n, unsorted)
			}
		}
	})
}

// A listing that ends too early says so: with a status where that is still possible.
func TestBrokenListing(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		site := newFakeSite()
		site.broken, site.listing = "/pub", manyLines(3)
		w := served(t, protocol, site, anonymous())
		if r, body := w.do("GET", "/pub/"); r.StatusCode != 500 || strings.Contains(body, "f00000") {
			t.Errorf("%s %s", r.Status, body)
		}
		site.listing = manyLines(sortable + 5)
		r, body := w.do("GET", "/pub/?format=json")
		if l := listedIn(t, body); r.StatusCode != 200 || *l.Complete || len(l.Entries) != sortable+5 {
			t.Errorf("%s, %d entries, complete %v", r.Status, len(l.Entries), *l.Complete)
		}
		if _, body := w.do("GET", "/pub/"); !strings.Contains(body, `role="alert">The rest of this listing could not be read.`) {
			t.Error("the page says nothing")
		}
	})
}

func TestSizes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1234: "1.2 kB", 99_949: "99.9 kB", 99_950: "100 kB", 999_499: "999 kB",
		999_500: "1.0 MB", 1_000_000_000: "1.0 GB", 1<<63 - 1: "9.2 EB"} {
		if got := human(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{12: "", 1000: "1,000 bytes", 1234567: "1,234,567 bytes", 123456: "123,456 bytes"} {
		if got := exact(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

// Every colour on the paper has the contrast that WCAG 2.2 §1.4.3 asks for (AA, 4.5 to 1).
func TestContrast(t *testing.T) {
	schemes := regexp.MustCompile(`:root\{[^}]*--paper[^}]*\}`).FindAllString(pageCSS, -1)
	if len(schemes) != 2 {
		t.Fatalf("%d colour schemes", len(schemes))
	}
	for _, s := range schemes {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--(\w+):(#\w+)`).FindAllStringSubmatch(s, -1) {
			colours[m[1]] = m[2]
		}
		for _, name := range []string{"ink", "soft", "link", "seen"} {
			if r := contrast(colours["paper"], colours[name]); r < 4.5 {
				t.Errorf("%s on %s: %.2f", name, colours["paper"], r)
			}
		}
	}
}

func TestListingIsNotKept(t *testing.T) {
	w := served(t, "http", newFakeSite(), anonymous())
	if r, _ := w.do("GET", "/pub/"); r.StatusCode != http.StatusOK || r.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%s %v", r.Status, r.Header)
	}
}
