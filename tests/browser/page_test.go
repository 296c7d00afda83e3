package browser

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/delivery"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/policies/anonymous"
)

// names are what lies in /files.
func names() []string {
	return []string{"report.pdf", "a name with spaces and ünïcödé.txt", `<script>document.title="run"<`, `"quoted" & 'so'`, "turned\u202Egpj.exe",
		strings.Repeat("long", 60) + ".txt", "bad\xffutf8"}
}

// serve serves a few files and returns the address of the page that lists them.
func serve(t *testing.T) string {
	t.Helper()
	return serveWith(t, delivery.Config{})
}

// member is a policy that lets dev in by a password.
type member struct{}

func (member) Name() string { return "member" }

func (m member) Hooks() policy.Hooks { return policy.Hooks{Authenticator: m} }

func (member) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	if l.Session.User != "dev" || l.Password != "secret" {
		return policy.Identity{}, nil
	}
	all := policy.Perms(policy.PermAll)
	return policy.Identity{Verdict: policy.Allow, Perms: &all}, nil
}

// login is a site that visitors may log in to, in the clear.
func login() delivery.Config { return delivery.Config{Basic: true, BasicInClear: true} }

// serveWith is serve with more to its configuration.
func serveWith(t *testing.T, conf delivery.Config) string {
	t.Helper()
	fs := vfs.NewMem()
	for _, dir := range []vfs.Path{"/files", "/files/below"} {
		if err := fs.Mkdir(dir); err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range names() {
		put(t, fs, vfs.Path("/files").Join(name), strings.Repeat("x", 1+i*12345))
	}
	put(t, fs, "/files/below/page.html", `<!DOCTYPE html><title>page</title><p>text<script>document.title="run"</script>`)
	who, err := anonymous.New(anonymous.Config{})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := edge.New(edge.Config{FS: fs, Listeners: []edge.Listener{{Name: "web"}}, Policies: []edge.Slot{{Name: "member", Policy: member{}}, {Name: "anonymous", Policy: who}},
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	conf.Listener, conf.Anonymous = "web", "anonymous"
	h, err := delivery.New(srv, conf)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(nil)
	web.Config = h.Server()
	web.Config.Handler = shown{h}
	web.Start()
	t.Cleanup(func() {
		web.Close()
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return web.URL + "/files/"
}

// shown is a site that asks nobody for a password whose address ends with "&shown": the
// browser here shows nothing of an answer that does.
type shown struct{ http.Handler }

func (s shown) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.RawQuery, "&shown") {
		w = unasking{w}
	}
	s.Handler.ServeHTTP(w, r)
}

type unasking struct{ http.ResponseWriter }

func (u unasking) WriteHeader(status int) {
	u.Header().Del("WWW-Authenticate")
	u.ResponseWriter.WriteHeader(status)
}

func (u unasking) Unwrap() http.ResponseWriter { return u.ResponseWriter }

func put(t *testing.T, fs *vfs.Mem, p vfs.Path, text string) {
	t.Helper()
	stage, err := fs.Stage(p, vfs.StageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stage, text); err != nil {
		t.Fatal(err)
	}
	if err := stage.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// violation is what axe finds.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML string }
}

// The pages keep every rule of axe-core, its best practices included, in light and dark
// and in each width.
func TestAccessible(t *testing.T) {
	list, members, source, ctx := serve(t), serveWith(t, login()), axe(t), chromium(t)
	for _, page := range []string{list, list + "below/", list + "none", members, members + "none", members + "?login&shown"} {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{360, 1280} {
				do(t, ctx, colours(scheme), chromedp.EmulateViewport(width, 800), chromedp.Navigate(page))
				do(t, ctx, chromedp.Func(func(ctx context.Context, on *chromedp.Target) error {
					_, err := chromedp.Evaluate[*string](source+";null")(ctx, on)
					return err
				}))
				found := eval[struct {
					Violations []violation
					Passes     int
				}](t, ctx, `axe.run().then(r => ({violations: r.violations, passes: r.passes.length}))`)
				if found.Passes < 10 {
					t.Errorf("only %d rules had anything to look at", found.Passes)
				}
				for _, v := range found.Violations {
					t.Errorf("%s, %s, %d px: %s (%s): %s: %v", page, scheme, width, v.ID, v.Impact, v.Help, v.Nodes)
				}
				t.Logf("%s, %s, %d px: %d rules kept, %d not", page, scheme, width, found.Passes, len(found.Violations))
			}
		}
	}
}

// axe finds what is wrong: the test above could fail.
func TestAxeFinds(t *testing.T) {
	list, source, ctx := serve(t), axe(t), chromium(t)
	do(t, ctx, chromedp.Navigate(list))
	n := eval[int](t, ctx, source+`;
		document.documentElement.removeAttribute("lang");
		document.body.append(document.createElement("img"));
		document.querySelector("h1").style.color = "#eee";
		axe.run().then(r => r.violations.filter(v => ["html-has-lang", "image-alt", "color-contrast"].includes(v.id)).length)`)
	if n != 3 {
		t.Errorf("axe finds %d of 3 faults", n)
	}
}

// Tab leads to every link in the order of the page, each visibly, and Enter follows it.
func TestKeyboard(t *testing.T) {
	list, ctx := serve(t), chromium(t)
	do(t, ctx, chromedp.Navigate(list))
	links := eval[[]string](t, ctx, `Array.from(document.links, a => a.href)`)
	if want := len(names()) + 1 + 2; len(links) != want {
		t.Fatalf("%d links, want %d", len(links), want)
	}
	var reached []string
	for range links {
		do(t, ctx, chromedp.KeyEvent(kb.Tab))
		reached = append(reached, eval[string](t, ctx, `document.activeElement.href || ""`))
		if outline := eval[string](t, ctx, `getComputedStyle(document.activeElement).outlineStyle`); outline == "none" {
			t.Errorf("nobody sees that %s has the focus", reached[len(reached)-1])
		}
	}
	if !slices.Equal(reached, links) {
		t.Errorf("Tab leads to\n%q, not to\n%q", reached, links)
	}
	below := slices.Index(links, list+"below/")
	do(t, ctx, chromedp.Navigate(list))
	for range below + 1 {
		do(t, ctx, chromedp.KeyEvent(kb.Tab))
	}
	resp, err := chromedp.RunResponse(ctx, chromedp.KeyEvent(kb.Enter))
	if err != nil || resp.URL != list+"below/" || resp.Status != 200 {
		t.Fatalf("Enter leads to %+v (%v)", resp, err)
	}
	if title := eval[string](t, ctx, `document.title`); title != "Files in /files/below" {
		t.Errorf("%q", title)
	}
}

// Who follows the link to log in comes back to the page that he was on, as who he is, and
// stays that below it.
func TestLogin(t *testing.T) {
	list, ctx := serveWith(t, login()), chromium(t)
	do(t, ctx, chromedp.Navigate(list))
	link := `Array.from(document.links).find(a => a.textContent == "Log in")?.href || ""`
	to := eval[string](t, ctx, link)
	if to != list+"?login" {
		t.Fatalf("the link leads to %q", to)
	}
	do(t, ctx, chromedp.Navigate(to+"&shown")) // whoever is asked and says nothing
	if text := eval[string](t, ctx, `document.body.innerText`); !strings.Contains(text, "401 Unauthorized") {
		t.Errorf("%q", text)
	}
	if back := eval[string](t, ctx, `document.links[0].href`); back != list+"?shown=" {
		t.Errorf("that leads on to %q", back)
	}
	do(t, ctx, chromedp.Navigate(strings.Replace(to, "http://", "http://dev:secret@", 1)))
	if at := eval[string](t, ctx, `location.href`); at != list {
		t.Errorf("logged in one is at %q", at)
	}
	for _, page := range []string{list, list + "below/"} { // without a name in the address, with which the browser waits to be asked
		do(t, ctx, chromedp.Navigate(page))
		if more := eval[string](t, ctx, link); more != "" {
			t.Errorf("at %s one is nobody again", page)
		}
	}
}

// Nothing has to be scrolled sideways on a screen of 360 px, nor of 320, which WCAG 2.2
// asks for (§1.4.10), and nothing lies upon anything else.
func TestNarrow(t *testing.T) {
	list, ctx := serveWith(t, login()), chromium(t)
	for _, page := range []string{list, list + "none", list + "below/", list + "?login&shown"} {
		for _, width := range []int64{320, 360, 640, 1280} {
			do(t, ctx, chromedp.EmulateViewport(width, 640), chromedp.Navigate(page))
			if got := eval[int64](t, ctx, `document.documentElement.scrollWidth`); got > width {
				t.Errorf("%s at %d px is %d px wide", page, width, got)
			}
			if out := eval[[]string](t, ctx, fmt.Sprintf(`Array.from(document.querySelectorAll("main *")).filter(e => {
				const b = e.getBoundingClientRect(); return b.width > 0 && (b.left < 0 || b.right > %d) }).map(e => e.outerHTML.slice(0, 80))`, width)); len(out) > 0 {
				t.Errorf("%s at %d px: beyond the edge: %q", page, width, out)
			}
		}
	}
}

// What somebody has uploaded does not run.
func TestNothingRuns(t *testing.T) {
	list, ctx := serve(t), chromium(t)
	do(t, ctx, chromedp.Navigate(list))
	if title := eval[string](t, ctx, `document.title`); title != "Files in /files" {
		t.Errorf("the title of the listing is %q", title)
	}
	do(t, ctx, chromedp.Navigate(list+"below/page.html"))
	if title := eval[string](t, ctx, `document.title`); title != "page" {
		t.Errorf("the title of a file is %q", title)
	}
	do(t, ctx, chromedp.Navigate(serveWith(t, delivery.Config{FilePolicy: "off"})+"below/page.html")) // where the operator trusts all who upload
	if title := eval[string](t, ctx, `document.title`); title != "run" {
		t.Errorf("without a policy the title of a file is %q: the test cannot fail", title)
	}
}
