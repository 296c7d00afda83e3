package delivery_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

// oddPaths are those that some server or other takes for something else by HTTP than by
// FTP.
func oddPaths() []string {
	return []string{"/", "//", "///", "/.", "/..", "/../", "/./", "/a.txt", "//a.txt", "/d/../a.txt", "/d/./b.txt", "/d//b.txt", "/../../a.txt", "/d/..", "/d/../", "/d",
		"/d/", "/a.txt/", "/a.txt/.", "/a.txt/..", "/a.txt/../d/b.txt", "/none", "/none/", "/none/../a.txt", "/denied/../a.txt", "/denied/c.txt", "/denied/", "/denied", "/d/../denied/c.txt",
		"//denied//c.txt", "/./denied/./c.txt", "/hidden/h.txt", "/hidden/", "/hidden/../a.txt", "/members", "/members/", "/members/m.txt", "/members/none", "/members/../a.txt", "/failing/f.txt", "/failing/", "/out", "/out/", "/out/passwd", "/out/../a.txt", "/in/b.txt", "/in/", "/in",
		"/in/../denied/c.txt", "/loop", "/loop/", "/%2e%2e", "/%2e%2e/a.txt", "/back\\slash", "/..\\a.txt", "/ lead", "/trail ", "/-a", "/~", "/*", "/...", "/.../", "/a name ü", "/bad\xffutf8", "/q?x", "/h#f",
		"/a+b", "/a;b", "/a.txt;v=1", "/A.TXT", "/a.txt\t", "/denied/c.txt ", "/d\t/b.txt", "/" + strings.Repeat("n", 255), "/" + strings.Repeat("n", 256), "/" + strings.Repeat("./", 100) + "a.txt", "/empty",
		"/d/deep/../../a.txt", "/d/deep/e.html", "/d/deep/", "/evil.example/", "//evil.example/a.txt", "/\u202ea", "/\x01", "/\x7f", "/\xc0\xae\xc0\xae/a.txt"}
}

// randomPath puts a path together of what may matter in one.
func randomPath(r *rand.Rand) string {
	words := []string{"", ".", "..", "a.txt", "d", "b.txt", "deep", "e.html", "denied", "c.txt", "hidden", "h.txt", "failing", "in", "out", "passwd", "none", "bad\xffutf8", "a name ü", "%2e%2e",
		"%2f", "back\\slash", " lead", "trail ", "-a", "~", "*", "...", "empty", "loop", "\xff", "?", "#", "%", "%00"}
	var b strings.Builder
	for range 1 + r.IntN(6) {
		b.WriteString("/" + words[r.IntN(len(words))])
	}
	if r.IntN(4) == 0 {
		b.WriteByte('/')
	}
	return b.String()
}

// target is a path as a request has it: what has to be escaped is, and of the rest some.
func target(path string, r *rand.Rand) string {
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("/.-_~!$&'()*+,;=:@", c) >= 0
		if must := i == 0; must || plain && r.IntN(5) > 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

// outcome is what comes of a path, in the same words for both protocols.
type outcome struct {
	class string
	body  string
	asked []string
}

// byFTP asks for a path over FTP: for its listing where it ends with a slash.
func byFTP(c *userpi.Client, k *keeper, path string) (o outcome, err error) {
	verb := "RETR "
	if strings.HasSuffix(path, "/") {
		verb = "MLSD "
	}
	data, err := c.Get(userpi.EPSV, verb+strings.ReplaceAll(path, "\xff", "\xff\xff")) // RFC 854
	o.asked = k.take()
	var no *userpi.Unexpected
	switch {
	case err == nil && verb == "RETR ":
		return outcome{"here", string(data), o.asked}, nil
	case err == nil:
		return outcome{"here", strings.Join(namesOf(string(data)), "\n"), o.asked}, nil
	case !errors.As(err, &no):
		return o, err
	}
	text := no.Reply.String()
	for part, class := range map[string]string{"No such file": "missing", "is a directory": "directory", "is not a directory": "missing", "(ref ": "refused", "leads out": "outside",
		"not possible with this file": "missing", "too long": "too long"} {
		if strings.Contains(text, part) {
			o.class = class
		}
	}
	if no.Reply.Code == 451 {
		o.class = "failed"
	}
	if o.class == "" {
		return o, fmt.Errorf("%q: what is %s?", path, text)
	}
	return o, nil
}

// namesOf is the names in a listing of MLSD, sorted.
func namesOf(lines string) (names []string) {
	for line := range strings.SplitSeq(strings.TrimSuffix(lines, "\r\n"), "\r\n") {
		facts, name, _ := strings.Cut(line, " ")
		if !strings.Contains(facts, "type=cdir") && !strings.Contains(facts, "type=pdir") && name != "" {
			names = append(names, strings.ToValidUTF8(name, "\ufffd"))
		}
	}
	slices.Sort(names)
	return names
}

// asker sends a GET whose target is as it stands, and returns what was read.
type asker func(target string) (*http.Response, string, error)

// asker asks over a connection of a protocol other than HTTP/1.1 in the clear.
func (r *rig) asker(protocol string) asker {
	web, c := r.serve(protocol)
	return func(target string) (*http.Response, string, error) {
		req, err := http.NewRequestWithContext(r.t.Context(), "GET", web.URL, nil)
		if err != nil {
			return nil, "", err
		}
		if req.URL.Opaque = target; strings.HasPrefix(target, "//") { // which net/url would take for a host
			req.URL.Opaque = web.URL + target
		}
		req.Header.Set("Accept", "application/json")
		resp, err := c.Do(req)
		if err != nil {
			return nil, "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp, string(body), err
	}
}

// byHTTP asks for a path over HTTP.
func byHTTP(ask asker, k *keeper, path, as string) (o outcome, err error) {
	resp, body, err := ask(as)
	o = outcome{body: body, asked: k.take()}
	if err != nil {
		return o, err
	}
	switch class := map[int]string{200: "here", 301: "directory", 404: "missing", 403: "refused", 414: "too long", 500: "failed"}[resp.StatusCode]; {
	case class == "refused" && !strings.Contains(body, `"ref"`):
		o.class = "outside"
	case class == "":
		return o, fmt.Errorf("%q: what is %s?", as, resp.Status)
	default:
		o.class = class
	}
	if o.class != "here" {
		o.body = ""
	} else if strings.HasSuffix(path, "/") {
		o.body, err = namesIn(body)
	}
	return o, err
}

func namesIn(body string) (string, error) {
	var l struct{ Entries []struct{ Name string } }
	err := json.Unmarshal([]byte(body), &l)
	var names []string
	for _, e := range l.Entries {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return strings.Join(names, "\n"), err
}

// No path means something else over any HTTP than over FTP: the policies are asked the same
// about it, and the same comes of it.
func TestSameOverFTP(t *testing.T) {
	r := start(t, "http", public(), func(c *edge.Config) {
		c.Policies[0].Options.Breaker.Failures = -1 // some paths fail in all of the sessions, one after the other
	})
	ftp, web := r.ftp(), r.raw()
	defer ftp.Close()
	defer web.Close()
	askers := map[string]asker{"http/1.1": web.get, "h2": r.asker("h2"), "h3": r.asker("h3")}
	random := rand.New(rand.NewPCG(10, 121))
	paths := oddPaths()
	for range 2000 {
		paths = append(paths, randomPath(random))
	}
	for protocol, ask := range askers { // which logs in
		major := map[string]int{"http/1.1": 1, "h2": 2, "h3": 3}[protocol]
		if resp, _, err := ask("/a.txt"); err != nil || resp.StatusCode != 200 || resp.ProtoMajor != major {
			t.Fatalf("%s: %v, %v", protocol, resp, err)
		}
	}
	r.keeper.take()
	classes := map[string]int{}
	questions := 0
	for _, path := range paths {
		a, err := byFTP(ftp, r.keeper, path)
		if err != nil {
			t.Fatal(err)
		}
		as := target(path, random)
		for protocol, ask := range askers {
			b, err := byHTTP(ask, r.keeper, path, as)
			if err != nil {
				t.Fatal(err)
			}
			if a.class != b.class || a.body != b.body || !slices.Equal(a.asked, b.asked) {
				t.Errorf("%q (%s):\nFTP  %+v\n%s %+v", path, as, a, protocol, b)
			}
		}
		classes[a.class]++
		questions += len(a.asked)
	}
	t.Logf("%d paths over FTP, HTTP/1.1, HTTP/2 and HTTP/3, %d questions each, %v", len(paths), questions, classes)
	for _, class := range []string{"here", "directory", "missing", "refused", "outside", "failed", "too long"} {
		if classes[class] == 0 {
			t.Errorf("no path was %s", class)
		}
	}
	if len(paths) < 2000 || questions < 1000 {
		t.Error("hardly anything was compared")
	}
}

// FuzzSameOverFTP is TestSameOverFTP for any path.
func FuzzSameOverFTP(f *testing.F) {
	for i, p := range oddPaths() {
		if i%8 == 0 { // all of them are in the test above
			f.Add(p)
		}
	}
	f.Fuzz(func(t *testing.T, path string) {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "\x00\r\n") || len(path) > 1000 {
			t.Skip("FTP cannot say it")
		}
		r := start(t, "http", public(), nil)
		ftp, web := r.ftp(), r.raw()
		defer ftp.Close()
		defer web.Close()
		if _, _, err := web.get("/empty"); err != nil {
			t.Fatal(err)
		}
		r.keeper.take()
		a, err := byFTP(ftp, r.keeper, path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := byHTTP(web.get, r.keeper, path, target(path, rand.New(rand.NewPCG(1, 2))))
		if err != nil {
			t.Fatal(err)
		}
		if a.class != b.class || a.body != b.body || !slices.Equal(a.asked, b.asked) {
			t.Errorf("%q:\nFTP  %+v\nHTTP %+v", path, a, b)
		}
	})
}
