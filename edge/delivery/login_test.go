package delivery_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/delivery"
)

// both lets visitors in without a name, and users with a password.
func both() delivery.Config { return delivery.Config{Anonymous: "anonymous", Basic: true} }

// challenge is what asks for credentials of the usual realm.
const challenge = `Basic realm="files", charset="UTF-8"`

// secure runs a test by each protocol over TLS.
func secure(t *testing.T, test func(t *testing.T, r *rig)) {
	for _, p := range []string{"https", "h2", "h3"} {
		t.Run(p, func(t *testing.T) { test(t, start(t, p, both(), nil)) })
	}
}

// same reports what tells two answers apart.
func same(t *testing.T, what string, a *http.Response, aBody string, b *http.Response, bBody string) {
	t.Helper()
	if a.StatusCode != b.StatusCode || aBody != bBody || len(a.Header) != len(b.Header) {
		t.Errorf("%s: %s %v %q\nand %s %v %q", what, a.Status, a.Header, aBody, b.Status, b.Header, bBody)
	}
	for name := range a.Header {
		if name != "Date" && a.Header.Get(name) != b.Header.Get(name) {
			t.Errorf("%s: %s is %q and %q", what, name, a.Header.Get(name), b.Header.Get(name))
		}
	}
}

// A visitor who has not the permission is asked who he is; a policy's refusal is one, with
// its reference, and nothing tells what there is where he may not look.
func TestChallenged(t *testing.T) {
	secure(t, func(t *testing.T, r *rig) {
		for _, path := range []string{"/members/m.txt", "/members/", "/members/none", "/members/none/"} {
			resp, body := r.get(path)
			if resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") != challenge || !strings.Contains(body, "You have no permission for that. (ref ") {
				t.Errorf("%s: %s %v %q", path, resp.Status, resp.Header, body)
			}
		}
		if resp, body := r.get("/members/m.txt", "Authorization", basicOf("ann", "secret")); resp.StatusCode != 200 || body != "m" {
			t.Errorf("with a name: %s %q", resp.Status, body)
		}
		for _, path := range []string{"/denied/c.txt", "/denied/", "/out/passwd"} {
			resp, body := r.get(path)
			if resp.StatusCode != 403 || resp.Header.Get("WWW-Authenticate") != "" || strings.HasPrefix(path, "/denied") && !strings.Contains(body, "(ref ") {
				t.Errorf("%s: %s %v %q", path, resp.Status, resp.Header, body)
			}
		}
		if resp, _ := r.get("/failing/f.txt"); resp.StatusCode != 500 || resp.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s", resp.Status)
		}
		for _, accept := range []string{"text/html", "application/json", ""} {
			missing, a := r.get("/none.txt", "Accept", accept)
			hidden, b := r.get("/hidden/h.txt", "Accept", accept)
			same(t, "hidden and missing", missing, a, hidden, b)
			if missing.StatusCode != 404 || strings.Contains(a, `<a href="?login" rel="nofollow">Log in</a>`) != (accept == "text/html") {
				t.Errorf("%s %q", missing.Status, a)
			}
		}
		withName, _ := r.get("/denied/c.txt", "Authorization", basicOf("ann", "secret"))
		if withName.StatusCode != 403 || withName.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s", withName.Status)
		}
	})
}

// A page leads to where one logs in, and that leads back.
func TestLogin(t *testing.T) {
	secure(t, func(t *testing.T, r *rig) {
		const link = `<p><a href="?login" rel="nofollow">Log in</a></p>`
		ann := basicOf("ann", "secret")
		if _, body := r.get("/d/", "Accept", "text/html"); !strings.Contains(body, link) {
			t.Errorf("there is no link in %s", body)
		}
		if _, body := r.get("/d/", "Accept", "text/html", "Authorization", ann); strings.Contains(body, "?login") {
			t.Errorf("who has a name is asked for it in %s", body)
		}
		missing, a := r.get("/none/?login", "Accept", "text/html")
		there, b := r.get("/d/?login", "Accept", "text/html")
		same(t, "logging in where nothing is", missing, a, there, b)
		if there.StatusCode != 401 || there.Header.Get("WWW-Authenticate") != challenge || !strings.Contains(b, `<a href="./" rel="nofollow">Go on without logging in</a>`) {
			t.Errorf("%s %v %s", there.Status, there.Header, b)
		}
		for path, want := range map[string]string{"/d/?login": "./", "/?login=1": "./", "/d/b.txt?login&format=json": "./b.txt?format=json",
			"/d/b.txt?%6cogin": "./b.txt", "/none?login": "./none", "//evil.example/?login": "./", "/a:b?login": "./a:b", "/d?x=1&login&login": "./d?x=1"} {
			resp, _ := r.get(path, "Authorization", ann)
			if resp.StatusCode != 303 || resp.Header.Get("Location") != want || resp.Header.Get("Cache-Control") != "no-cache" || !strings.Contains(strings.Join(resp.Header["Vary"], ","), "Authorization") {
				t.Errorf("%s: %s %v, want %s", path, resp.Status, resp.Header, want)
			}
		}
		if resp, body := r.get("/d/?login", "Authorization", basicOf("ann", "wrong")); resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") != challenge {
			t.Errorf("a wrong password: %s %s", resp.Status, body)
		}
	})
}

// Where no password is taken, none is asked for.
func TestNoLogin(t *testing.T) {
	for protocol, conf := range map[string]delivery.Config{"http": both(), "h2": public()} {
		r := start(t, protocol, conf, nil)
		if resp, _ := r.get("/members/m.txt"); resp.StatusCode != 403 || resp.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %s %v", protocol, resp.Status, resp.Header)
		}
		if resp, body := r.get("/d/?login", "Accept", "text/html"); resp.StatusCode != 200 || strings.Contains(body, "login") {
			t.Errorf("%s: %s %s", protocol, resp.Status, body)
		}
	}
}
