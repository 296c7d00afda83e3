package cases

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// every answers all hooks so that each kind of want can be right or wrong.
type every struct{}

func words(v ...any) string { return strings.TrimSpace(fmt.Sprintln(v...)) }

func (every) hooks() policy.Hooks {
	var e every
	return policy.Hooks{Authenticator: e, Authorizer: e, Lister: e, Commander: e, Site: e, Throttler: e,
		Filter: e, Observer: e, Certifier: e}
}

func (every) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	p := policy.PermReadOnly
	s := l.Session
	return policy.Identity{Verdict: policy.Allow, PasswordHash: l.Password, Perms: &p, Home: "/" + s.User + s.Group,
		Text: words(s.Peer, s.TLS.ClientSHA256, string(s.State["slot"]), l.Early, s.VHost, s.Protocol, string(l.Binding))}, nil
}

func (every) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	if a.Op == policy.OpDelete {
		return policy.Answer{}, errors.New("cannot say")
	}
	if a.Op == policy.OpRename {
		return policy.Answer{Verdict: policy.Rewrite, Path: a.Path2, Path2: a.Path}, nil
	}
	return policy.Answer{Verdict: policy.Deny, Code: 553, Text: words(a.Op, a.Path, a.Arg, a.A, a.B, a.Size, a.Dir, a.Exists)}, nil
}

func (every) List(_ context.Context, l *policy.Listing) (v policy.View, err error) {
	for i, e := range l.Entries {
		if e.Mode.IsDir() {
			v.Hidden.Set(i)
		}
	}
	return v, nil
}

func (every) Command(_ context.Context, c *policy.Command) (policy.Answer, error) {
	return policy.Answer{Verdict: policy.Deny, Code: 502, Text: c.Verb + " " + c.Arg + " " + c.Dir}, nil
}

func (every) SiteCommands() []policy.SiteCommand { return nil }

func (every) CallSite(_ context.Context, c *policy.SiteCall) (policy.SiteReply, error) {
	return policy.SiteReply{Verdict: policy.Allow, Code: 211, Lines: []string{c.Verb, c.Arg, c.Dir}}, nil
}

func (every) Throttle(_ context.Context, t *policy.Transfer) (policy.Rate, error) {
	return policy.Rate{Limit: t.Size + t.Moved}, nil
}

func (every) Filter(_ context.Context, c *policy.Chunk) (policy.Piece, error) {
	return policy.Piece{Verdict: policy.Rewrite, Data: append([]byte("<"), c.Data...), Carry: c.Carry}, nil
}

func (every) Observe(_ context.Context, e *policy.Event) error {
	if e.Kind == policy.EventTimeout {
		return errors.New("lost")
	}
	return nil
}

func (every) Certify(_ context.Context, r *policy.CertRequest) (policy.Answer, error) {
	return policy.Answer{Verdict: policy.Deny, Text: r.Name}, nil
}

// right has a test for each hook, and all of them are right.
const right = `{"settings":{"a":1},"tests":[
 {"hook":"auth","user":"anna","group":"g","vhost":"shop","peer":"[2001:db8::1]:5","cert_sha256":"00ff","state":"s","password":"x","early":true,"protocol":"ftpq/1","binding":"6f66207468697320636f6e6e656374696f6e2c20616e64206e6f206f74686572",
  "want":{"action":"allow","perms":"elr","home":"/annag","pwhash":"x","text":"[2001:db8::1]:5 00ff s true shop ftpq/1 of this connection, and no other"}},
 {"hook":"fs","op":"write","path":"/a","arg":"b","a":1,"b":2,"size":3,"exists":true,"want":{"action":"deny","code":553,"text":"write /a b 1 2 3 false true"}},
 {"hook":"fs","op":"rename","path":"/a","path2":"/b","want":{"action":"rewrite","path":"/b","path2":"/a"}},
 {"hook":"fs","op":"delete","path":"/a","want":{"action":"fail"}},
 {"hook":"list","path":"/","entries":[{"name":"a","mode":33188},{"name":"d","mode":16877,"size":4}],"want":{"action":"pass","hidden":["d"]}},
 {"hook":"cmd","verb":"SITE CHMOD","arg":"644","path":"/in","want":{"action":"deny","code":502,"text":"SITE CHMOD 644 /in"}},
 {"hook":"site","verb":"ECHO","arg":"x","path":"/","want":{"action":"allow","code":211,"lines":["ECHO","x","/"]}},
 {"hook":"throttle","op":"read","path":"/a","upload":true,"a":10,"b":5,"want":{"action":"pass","rate":15}},
 {"hook":"data","op":"write","path":"/a","upload":true,"a":1,"data":"abc","last":true,"carry":"c","want":{"action":"rewrite","data":"<abc","carry":"c"}},
 {"hook":"event","op":"login","path":"/","arg":"x","want":{"action":"pass"}},
 {"hook":"event","op":"timeout","want":{"action":"fail"}},
 {"name":"cert","hook":"cert","arg":"ftp.example.org","want":{"action":"deny","text":"ftp.example.org"}}
]}`

func TestRight(t *testing.T) {
	s, err := Parse([]byte(right))
	if err != nil {
		t.Fatal(err)
	}
	if string(s.Settings) != `{"a":1}` || len(s.Tests) != 12 || s.Tests[1].Name != "test 2" {
		t.Errorf("got %+v", s)
	}
	if err := s.Run(t.Context(), "slot", every{}.hooks()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	if err := s.Run(ctx, "slot", every{}.hooks()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestWrong changes one expectation in each and must hear of it.
func TestWrong(t *testing.T) {
	for _, c := range [][3]string{
		{`"allow","perms":"elr"`, `"allow","perms":"el"`, `got the perms "elr", want "el"`},
		{`"home":"/annag"`, `"home":"/"`, "test 1: got the home"},
		{`"pwhash":"x"`, `"pwhash":""`, "pwhash"},
		{`"code":553`, `"code":550`, "got the code 553, want 550"},
		{`"text":"write /a`, `"text":"read /a`, "text"},
		{`{"action":"rewrite","path":"/b","path2":"/a"}`, `{"action":"allow"}`, "got rewrite, want allow"},
		{`{"action":"fail"}},
 {"hook":"list"`, `{"action":"deny"}},
 {"hook":"list"`, "got fail, want deny: cannot say"},
		{`"hidden":["d"]`, `"hidden":[]`, `got the hidden ["d"], want []`},
		{`"lines":["ECHO","x","/"]`, `"lines":["ECHO"]`, "lines"},
		{`"rate":15`, `"rate":0`, "got the rate 15, want 0"},
		{`"data":"<abc"`, `"data":"abc"`, "data"},
		{`"carry":"c"}`, `"carry":""}`, "carry"},
		{`"op":"login"`, `"op":"timeout"`, "lost"},
		{`"action":"deny","text":"ftp.example.org"`, `"action":"allow"`, `cert: got deny ("ftp.example.org"), want allow`},
	} {
		text := strings.Replace(right, c[0], c[1], 1)
		if text == right {
			t.Fatalf("%s: nothing was changed", c[0])
		}
		s, err := Parse([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", c[1], err)
		}
		if err := s.Run(t.Context(), "slot", every{}.hooks()); err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%s: got %v, want %s", c[1], err, c[2])
		}
	}
}

// TestMissingHook holds that a hook that is not there is no failure that a test
// could have expected.
func TestMissingHook(t *testing.T) {
	s, err := Parse([]byte(right))
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.Tests {
		s.Tests[i].Want.Action = "fail"
		one := Set{Tests: s.Tests[i : i+1]}
		if err := one.Run(t.Context(), "slot", policy.Hooks{}); !errors.Is(err, ErrNoHook) {
			t.Errorf("%s: got %v", s.Tests[i].Hook, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	one := func(s string) string { return `{"tests":[` + s + `]}` }
	for text, says := range map[string]string{
		``:               "EOF",
		`[]`:             "a list, want an object",
		`{}{}`:           "bytes after",
		`{"test":[]}`:    `unknown key "test"`,
		`{"tests":[{}]}`: "is no hook",
		one(`{"hook":"idle","want":{"action":"pass"}}`):                                                                            "is no hook",
		one(`{"hook":"fs","op":"read"}`):                                                                                           "no want",
		one(`{"hook":"fs","op":"read","want":{}}`):                                                                                 "never answers",
		one(`{"hook":"fs","op":"reed","want":{"action":"pass"}}`):                                                                  `"reed" is no operation: there are stat, list, read, write`,
		one(`{"hook":"throttle","want":{"action":"pass"}}`):                                                                        "no op: a test of throttle names its operation: stat, list",
		one(`{"hook":"event","op":"read","want":{"action":"pass"}}`):                                                               "no kind",
		one(`{"hook":"cmd","want":{"action":"pass"}}`):                                                                             "missing",
		one(`{"hook":"cert","want":{"action":"pass"}}`):                                                                            "missing",
		one(`{"hook":"throttle","op":"read","want":{"action":"deny"}}`):                                                            "never answers",
		one(`{"hook":"fs","op":"read","verb":"x","want":{"action":"pass"}}`):                                                       `no use for "verb"`,
		one(`{"hook":"fs","op":"read","want":{"action":"pass","rate":1}}`):                                                         `no use for "rate"`,
		one(`{"hook":"fs","op":"read","what":1,"want":{"action":"pass"}}`):                                                         `unknown key "what"`,
		one(`{"hook":"fs","op":"read","a":"1","want":{"action":"pass"}}`):                                                          `the key "a" is a string, want a whole number`,
		one(`{"hook":"fs","op":"read","want":{"action":"pass","text":7}}`):                                                         `the key "text" is the number, want a string`,
		"{\"tests\":[\n" + `{"name":"n","hook":"fs","op":"read","want":{"action":"no"}}]}`:                                         `line 2: n: the hook fs never`,
		one(`{"hook":"fs","op":"read","peer":"here","want":{"action":"pass"}}`):                                                    "peer",
		one(`{"hook":"fs","op":"read","protocol":"http3","want":{"action":"pass"}}`):                                               `protocol "http3" carries no session: there are ftpq/1, http/1.1, h2, h3`,
		one(`{"hook":"auth","binding":"00","want":{"action":"pass"}}`):                                                             `binding "00" is not 64 hex digits`,
		one(`{"hook":"auth","binding":"` + strings.Repeat("g", 64) + `","want":{"action":"pass"}}`):                                `gg" is not 64 hex digits`,
		one(`{"hook":"fs","op":"read","binding":"00","want":{"action":"pass"}}`):                                                   `no use for "binding"`,
		one(`{"hook":"list","want":{"action":"pass"}}`):                                                                            "0 entries",
		one(`{"hook":"data","op":"read","carry":"` + strings.Repeat("x", 1025) + `","want":{"action":"pass"}}`):                    "too long",
		`{"tests":[` + strings.TrimSuffix(strings.Repeat(`{"hook":"cert","arg":"a","want":{"action":"pass"}},`, 1025), ",") + `]}`: "1025 tests",
		`"` + strings.Repeat("x", 1<<18) + `"`:                                                                                     "at most",
	} {
		if s, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.100s: got %+v, %v, want %q", text, s, err, says)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(right))
	f.Add([]byte(world))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			return
		}
		for i := range s.Tests {
			if words := s.Tests[i].Words(); strings.ContainsAny(words, "\n\r") {
				t.Errorf("%q is not one line", words)
			}
		}
		err = s.RunIn(t.Context(), "slot", every{}.hooks(), s.World())
		if err != nil && bytes.ContainsAny([]byte(err.Error()), "\n\r") {
			t.Errorf("%q is not one line", err)
		}
	})
}

func FuzzParseQuestion(f *testing.F) {
	f.Add([]byte(`{"hook":"fs","op":"rename","path":"/a","path2":"/b","kv":{"a":1},"files":{"/a":{"data":"x"}}}`))
	f.Add([]byte(`{"hook":"list","path":"/","entries":[{"name":"a","mode":16877}],"want":{"action":"pass","hidden":["a"]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseQuestion(b)
		if err != nil {
			return
		}
		o := c.Ask(t.Context(), "slot", every{}.hooks(), new(Set).World())
		if strings.ContainsAny(o.Got+o.Want+c.Words()+c.Name, "\n\r") {
			t.Errorf("%+v is not one line", o)
		}
	})
}
