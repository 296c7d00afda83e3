package cases

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// worldly is a policy that does with its world what the user's name and the path say.
type worldly struct{ w *World }

func (p worldly) hooks() policy.Hooks { return policy.Hooks{Authorizer: p, Authenticator: p} }

func (p worldly) Authenticate(ctx context.Context, l *policy.Login) (policy.Identity, error) {
	ok, err := policy.ServicesOf(ctx).Verify(ctx, l.Session.User)
	if err != nil {
		return policy.Identity{Verdict: policy.Deny, Text: err.Error()}, nil
	}
	if _, err := policy.ServicesOf(ctx).Stat(ctx, "/"); !errors.Is(err, fs.ErrPermission) {
		return policy.Identity{}, errors.New("a client that is not logged in sees files")
	}
	if !ok {
		return policy.Identity{}, nil
	}
	return policy.Identity{Verdict: policy.Allow}, nil
}

func (p worldly) Authorize(ctx context.Context, a *policy.Action) (answer policy.Answer, err error) {
	say := func(v ...any) {
		answer = policy.Answer{Verdict: policy.Deny, Text: strings.TrimSpace(fmt.Sprintln(v...))}
	}
	services := policy.ServicesOf(ctx)
	switch a.Op {
	case policy.OpStat:
		e, err := services.Stat(ctx, a.Path)
		say(e.Name, e.Mode, e.Size, e.Time.Unix(), err)
	case policy.OpHash:
		sum, err := services.Digest(ctx, a.Arg)
		say(hex.EncodeToString(sum), err)
	case policy.OpRead:
		r, err := p.w.Fetch(&abi.FetchRequest{URL: a.Path[1:], Want: []string{"x-a"}})
		if err != nil {
			return answer, err
		}
		say(r.Status, r.Header, string(r.Body))
	case policy.OpWrite:
		n, err := p.w.KV.Incr("hits", 1, 1)
		p.w.Log(fmt.Sprint("hit ", n))
		say(n, err)
	case policy.OpDelete:
		v, ok := p.w.KV.Get(a.Path[1:])
		say(string(v), ok)
	}
	return answer, err
}

const world = `{"kv":{"text":"v","hits":7,"gone":null},
 "http":{"GET https://a.example/x":{"status":418,"headers":{"X-A":"b","X-B":"c"},"body":"tea"},"GET https://a.example/y":{}},
 "files":{"/in/a":{"data":"abc"},"/big":{"size":9,"mode":33206,"mtime":5},"/d":{"mode":16877}},
 "tests":[
 {"hook":"fs","op":"stat","path":"/in/a","want":{"action":"deny","text":"a -rw-r--r-- 3 1700000000 <nil>"}},
 {"hook":"fs","op":"stat","path":"/big","want":{"action":"deny","text":"big -rw-rw-rw- 9 5 <nil>"}},
 {"hook":"fs","op":"stat","path":"/in","want":{"action":"deny","text":"in drwxr-xr-x 0 1700000000 <nil>"}},
 {"hook":"fs","op":"stat","path":"/","want":{"action":"deny","text":"/ drwxr-xr-x 0 1700000000 <nil>"}},
 {"hook":"fs","op":"stat","path":"/i","want":{"action":"deny","text":"---------- 0 -62135596800 file does not exist"}},
 {"hook":"fs","op":"stat","path":"/in/a","files":{"/in/a":null},"want":{"action":"deny","text":"---------- 0 -62135596800 file does not exist"}},
 {"hook":"fs","op":"hash","path":"/a","arg":"crc32","files":{"/a":{"data":"123456789"}},"want":{"action":"deny","text":"cbf43926 <nil>"}},
 {"hook":"fs","op":"hash","path":"/a","arg":"MD5","want":{"action":"deny","text":"25f9e794323b453885f5181f1b624d0b <nil>"}},
 {"hook":"fs","op":"hash","path":"/a","arg":"SHA-1","want":{"action":"deny","text":"f7c3bc1d808e04732adf679965ccc34ca7ae3441 <nil>"}},
 {"hook":"fs","op":"hash","path":"/a","arg":"SHA-256","want":{"action":"deny","text":"15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225 <nil>"}},
 {"hook":"fs","op":"hash","path":"/a","arg":"ROT13","want":{"action":"deny","text":"unsupported operation"}},
 {"hook":"fs","op":"read","path":"/https://a.example/x","want":{"action":"deny","text":"418 [{x-a b}] tea","http":["GET https://a.example/x"]}},
 {"hook":"fs","op":"read","path":"/https://a.example/y","want":{"action":"deny","text":"200 []"}},
 {"hook":"fs","op":"read","path":"/https://a.example/z","http":{"GET https://a.example/z":{"status":404}},"want":{"action":"deny","text":"404 []"}},
 {"hook":"fs","op":"read","path":"/https://a.example/z","http":{"GET https://a.example/z":null},"want":{"action":"fail"}},
 {"hook":"fs","op":"write","path":"/","want":{"action":"deny","text":"8 <nil>","kv":{"hits":8,"text":"v","gone":null},"log":["hit 8"],"http":[]}},
 {"hook":"fs","op":"write","path":"/","want":{"action":"deny","text":"9 <nil>","kv":{"hits":9}}},
 {"hook":"fs","op":"write","path":"/","kv":{"hits":null},"want":{"action":"deny","text":"1 <nil>"}},
 {"hook":"fs","op":"delete","path":"/text","want":{"action":"deny","text":"v true","log":[]}},
 {"hook":"fs","op":"delete","path":"/gone","kv":{"gone":""},"want":{"action":"deny","text":"true","kv":{"gone":""}}},
 {"hook":"auth","user":"plain:secret","password":"secret","want":{"action":"allow"}},
 {"hook":"auth","user":"plain:secret","password":"other","want":{"action":"pass"}},
 {"hook":"auth","user":"$real","password":"other","want":{"action":"allow"}}
]}`

func worldSet(t *testing.T, text string) *Set {
	t.Helper()
	s, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWorld(t *testing.T) {
	s := worldSet(t, world)
	for range 2 { // each run begins anew
		w := s.World()
		w.Verifier = func(_ context.Context, hash, password string) (bool, error) {
			return hash == "$real" && password == "other", nil
		}
		if err := s.RunIn(t.Context(), "slot", worldly{w}.hooks(), w); err != nil {
			t.Error(err)
		}
	}
	if err := s.Run(t.Context(), "slot", worldly{s.World()}.hooks()); err == nil || !strings.Contains(err.Error(), "not connected") {
		t.Errorf("a policy without the world: %v", err)
	}
	one, two := make([]byte, 40), make([]byte, 40)
	for _, b := range [][]byte{one, two} {
		if _, err := io.ReadFull(s.World().Random, b); err != nil {
			t.Fatal(err)
		}
	}
	if string(one) != string(two) || string(one[:8]) == string(one[8:16]) {
		t.Errorf("%x, %x", one, two)
	}
}

// TestWorldWrong changes one thing in each and must hear of it.
func TestWorldWrong(t *testing.T) {
	for _, c := range [][3]string{
		{`"log":["hit 8"]`, `"log":["hit 7"]`, `it wrote the lines ["hit 8"] to the log, want ["hit 7"]`},
		{`"log":["hit 8"]`, `"log":[]`, `it wrote the lines ["hit 8"]`},
		{`"kv":{"hits":8,"text":"v","gone":null}`, `"kv":{"hits":9}`, `the key "hits" has 8 afterwards, want 9`},
		{`"kv":{"hits":8,"text":"v","gone":null}`, `"kv":{"text":null}`, `the key "text" has "v" afterwards, want no value`},
		{`"kv":{"hits":8,"text":"v","gone":null}`, `"kv":{"gone":""}`, `the key "gone" has no value afterwards, want ""`},
		{`"http":["GET https://a.example/x"]`, `"http":[]`, `it made the requests ["GET https://a.example/x"], want []`},
		{`"http":{"GET https://a.example/z":{"status":404}},`, ``, `the tests list no answer; it asks "GET https://a.example/z", to which the test lists no answer`},
		{`"files":{"/a":{"data":"123456789"}},`, ``, `digest of "/a", which is not among the files`},
		{`"/a":{"data":"123456789"}`, `"/a":{"size":1}`, `digest of "/a", of which the test gives no data`},
		{`"plain:secret","password":"other"`, `"$none","password":"other"`, `nobody here can verify it`},
	} {
		text := strings.Replace(world, c[0], c[1], 1)
		if text == world {
			t.Fatalf("%s: nothing was changed", c[0])
		}
		s := worldSet(t, text)
		w := s.World()
		if err := s.RunIn(t.Context(), "slot", worldly{w}.hooks(), w); err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%s: got %v, want %s", c[1], err, c[2])
		}
	}
}

func TestWorldParseRefuses(t *testing.T) {
	test := `{"hook":"cert","arg":"a","want":{"action":"pass"`
	for text, says := range map[string]string{
		`{"kv":{"":"x"}}`:  "a length that no key",
		`{"kv":{"a":1.5}}`: "no whole number",
		`{"kv":{"a":[]}}`:  "no whole number",
		`{"kv":{"a":1e9}}`: "no whole number",
		`{"kv":{"a":"` + strings.Repeat("x", 4097) + `"}}`:            "a length that no key",
		`{"http":{"https://a.example/":{}}}`:                          "METHOD URL",
		`{"http":{" ":{}}}`:                                           "METHOD URL",
		`{"http":{"BREW https://a.example/":{}}}`:                     "METHOD URL",
		`{"http":{"GET https://a.example/":{"status":7}}}`:            "status 7",
		`{"http":{"GET https://a.example/":{"headers":{"a b":"c"}}}}`: "header",
		`{"http":{"GET https://a.example/":{"code":200}}}`:            "unknown key",
		`{"files":{"a":{}}}`:                                          "canonical",
		`{"files":{"/a/../b":{}}}`:                                    "canonical",
		`{"files":{"/a":{"size":1,"data":"ab"}}}`:                     "not that of its data",
		`{"files":{"/a":{"size":-1}}}`:                                "not that of its data",
		`{"tests":[` + test + `,"kv":{"":1}}}]}`:                      "test 1: kv",
		`{"tests":[` + test + `,"http":["x"]}}]}`:                     "METHOD URL",
		`{"tests":[` + test + `},"kv":{"":1}}]}`:                      "test 1: kv",
		`{"tests":[{"name":"n","hook":"fs"}]}`:                        "n: no want",
		"{\n\"tests\": [],\n\"kv\": }":                                "line 3",
		"{\n\"tests\": 5}":                                            "line 2",
	} {
		if s, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.100s: got %+v, %v, want %q", text, s, err, says)
		}
	}
}

func TestParseQuestion(t *testing.T) {
	c, err := ParseQuestion([]byte(`{"hook":"fs","op":"rename","path":"/a","path2":"/b","user":"anna","exists":true}`))
	if err != nil || c.Want.Action != "" || c.Name != "question" || c.Words() != "fs rename /a -> /b, exists, user anna" {
		t.Errorf("%+v, %v", c, err)
	}
	o := c.Ask(t.Context(), "slot", every{}.hooks(), new(Set).World())
	if o.Err != nil || o.Got != `rewrite, path "/b", path2 "/a"` || o.Action != "rewrite" || o.Want != "" {
		t.Errorf("%+v", o)
	}
	if c, err = ParseQuestion([]byte(`{"name":"n","hook":"fs","op":"delete","path":"/a","want":{"action":"deny","code":550}}`)); err != nil {
		t.Fatal(err)
	}
	o = c.Ask(t.Context(), "slot", every{}.hooks(), new(Set).World())
	if o.Err == nil || o.Cause == nil || o.Want != "deny 550" || o.Got != "fail: cannot say" || o.Action != "fail" {
		t.Errorf("%+v", o)
	}
	for text, says := range map[string]string{
		`{"hook":"fs","op":"reed"}`:              "no operation",
		`{"hook":"fs","op":"read"}}`:             "bytes after",
		`{"hook":"fs","op":"read","verb":"x"}`:   "no use",
		`{"hook":"fs","op":"read","want":{}}`:    "never answers",
		`{"hook":"fs","op":"read","kv":{"":""}}`: "length",
		`{`:                                      "EOF",
		`"` + strings.Repeat("x", abi.MaxTests):  "at most",
	} {
		if c, err := ParseQuestion([]byte(text)); err == nil && c.Want.Action == "" || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%.100s: got %+v, %v, want %q", text, c, err, says)
		}
	}
	if v, err := ParseValues([]byte(`{"a":"b","n":5}`)); err != nil || v["a"].String() != `"b"` || v["n"].String() != "5" || v["x"].String() != "no value" {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := ParseValues([]byte(`{"":"b"}`)); err == nil {
		t.Error("a key without a name")
	}
}

func TestWords(t *testing.T) {
	s := worldSet(t, right)
	for i, want := range map[int]string{
		0:                "auth, early, user anna, group g, virtual host shop, over ftpq/1, with a binding, with a password, from [2001:db8::1]:5, TLS, certificate 00ff, state \"s\"",
		len(s.Tests) - 1: "cert ftp.example.org",
	} {
		if got := s.Tests[i].Words(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
