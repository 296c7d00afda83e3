package wasm

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/examples/wasm/live"
)

func liveHTTPLogin(t *testing.T, dir string) {
	o := newOffice(t)
	o.users["berta"] = fmt.Sprintf(`{"hash": %q, "home": "/in", "perms": "elrw"}`, live.Hash)
	o.users["broken"] = `{"hash": "no hash"}`
	wasm := live.Rehost(t, live.Build(t, dir), "idp.example.org", o.URL)
	s := live.Start(t, live.Options{Nobody: true, Modules: []live.Module{{Name: "http-login", Wasm: wasm,
		Settings: fmt.Sprintf("{ url: %q, token: a token, cache_seconds: 3600, dummy_hash: %q }", o.URL+"/users/{user}", live.Hash),
		Grants:   fmt.Sprintf("kv: true, verify: true, fetch_private: [%q]", o.URL)}}})
	if err := os.Mkdir(s.In("in"), 0o755); err != nil {
		t.Fatal(err)
	}
	berta := s.As("berta")
	berta.Put(t, "/a.txt", "hers").Want(t, live.OK) // from the home that the record names
	if text, err := os.ReadFile(s.In("in", "a.txt")); err != nil || string(text) != "hers" {
		t.Errorf("%q, %v", text, err)
	}
	berta.Do(t, "MKD d").Want(t, live.Refused, "550")
	berta.Do(t, "DELE a.txt").Want(t, live.Refused, "550")
	if asked := o.requests(); !slices.Equal(asked, []string{"GET /users/berta"}) {
		t.Errorf("three logins asked %q, want one question", asked)
	}

	// Who does not exist is refused with the words of a wrong password, and is not asked
	// about twice either.
	wrong := berta.CurlAs(t, "not it", s.URL("/")).Want(t, live.NoLogin, "530")
	nobody := s.As("nobody")
	unknown := nobody.Curl(t, s.URL("/")).Want(t, live.NoLogin, "530")
	nobody.Curl(t, s.URL("/")).Want(t, live.NoLogin, "530")
	if a, b := refusal(t, wrong), refusal(t, unknown); a != b {
		t.Errorf("a wrong password is answered %q, an unknown user %q", a, b)
	}
	if asked := o.requests(); !slices.Equal(asked, []string{"GET /users/berta", "GET /users/nobody"}) {
		t.Errorf("asked %q", asked)
	}

	// What goes wrong there lets nobody in, and the log says what it was.
	s.As("broken").Curl(t, s.URL("/")).Want(t, live.NoLogin)
	s.Expect(t, "http-login", "a record without a hash")
	o.answer(503)
	s.As("carla").Curl(t, s.URL("/")).Want(t, live.NoLogin)
	s.Expect(t, "http-login", "it answers with 503")
	berta.Get(t, "/").Want(t, live.OK, "a.txt") // she is still known
	o.Close()
	s.As("dora").Curl(t, s.URL("/")).Want(t, live.NoLogin)
	s.Expect(t, "http-login", "the directory of users: failed")
	s.Stop(t)
}

// refusal is the reply to PASS, without the number under which the log has it.
func refusal(t *testing.T, r live.Result) string {
	t.Helper()
	for line := range strings.Lines(r.Stderr) {
		if reply, ok := strings.CutPrefix(line, "< 530"); ok {
			return regexp.MustCompile(`\(ref [^)]*\)`).ReplaceAllString(strings.TrimSpace(reply), "")
		}
	}
	t.Fatalf("no 530 in\n%s", r.Stderr)
	return ""
}
