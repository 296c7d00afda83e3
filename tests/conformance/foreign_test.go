package conformance

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// A server that is known by its address and its directory alone is judged by what
// it does: dialogues that it cannot be asked for do not count, and one that goes
// otherwise fails the behaviour.
func TestForeign(t *testing.T) {
	s, root := newForeignSuite(t), t.TempDir()
	disk, err := vfs.OpenDisk(vfs.DiskConfig{Root: root, Durability: vfs.DurabilityNone})
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	opt := newOptions(s)
	srv, err := serve(t.Context(), opt.conf, disk, opt.rules)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := srv.stop(); err != nil {
			t.Error(err)
		}
	}()
	f := &foreign{addr: srv.Addresses()[0].String(), user: user, password: password, root: hostTree{root: root}}
	for name, c := range map[string]struct{ text, want string }{
		"passes": {"== one\nfile /a.txt \"x\"\nlogin\nbinary\nC: SIZE a.txt\nS: 213 1\n== two\nlogin\nC: MKD d\nS: 257\nis-dir /d\n", "pass"},
		"empty":  {"== one\nlogin\nC: MKD d\nS: 257\n== two\nlogin\nC: MKD d\nS: 257\nours event nothing\n", "pass"},
		"part":   {"== one\nlogin\nC: NOOP\nS: 200\n== two\nserver tls off\nS: 220\nC: AUTH TLS\nS: 502\n", "pass"},
		"absent": {"== one\nown\nlogin\n== two\nserver tls off\nlogin\n== three\nlogin\nevent login\n", "n/a: it looks at events"},
		"fails":  {"== one\nlogin\nC: NOOP\nS: 200\n== two\nlogin\nC: NOOP\nS: 999\n", `fail: line 8: S: 999: the reply is "200 `},
		"files":  {"== one\nlogin\nC: MKD d\nS: 257\nabsent /d\n", "fail: line 5: absent /d: there is d"},
	} {
		path := filepath.Join(t.TempDir(), name+".txt")
		if err := (hostTree{root: filepath.Dir(path)}).WriteFile(vfs.Path("/"+name+".txt"), []byte(c.text)); err != nil {
			t.Fatal(err)
		}
		sc, err := readScript(path)
		if err != nil {
			t.Fatal(err)
		}
		if v := f.try(t.Context(), s, sc); !strings.HasPrefix(v.String(), c.want) {
			t.Errorf("%s: %v, and not %s\n%s", name, v, c.want, v.said)
		}
	}
}

// What a server need not say once it may have closed the connection.
func TestMayEnd(t *testing.T) {
	s := newSuite(t)
	for text, ok := range map[string]bool{
		"S: 220\nraw \"AUTH TLS\\r\\nNOOP\\r\\n\"\nS: 421\nmay-end\ntls\nC: NOOP\nS: 200\nabsent /a": true,
		"S: 220\nraw \"AUTH TLS\\r\\nNOOP\\r\\n\"\nS: 421\ntls":                                      false,
		"login\nmay-end\nC: NOOP\nS: 500":                                                            false, // it has not, and said something else
		"login\nmay-end\nC: QUIT\nS: 221\nis-dir /no":                                                false, // what is there is looked at all the same
		"login\nmay-end\nC: QUIT\nS: 221\nC: NOOP\nS: 200\nends\nclosed":                             true,
	} {
		var steps []step
		for i, line := range strings.Split(text, "\n") {
			if err := appendLine(&steps, i+1, line); err != nil {
				t.Fatal(err)
			}
		}
		r, mem := newRun(s), vfs.NewMem()
		r.fs, r.served = mem, mem
		err := r.perform(t.Context(), dialogue{steps: steps})
		if closing := r.close(); closing != nil {
			t.Error(closing)
		}
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestReplyForms(t *testing.T) {
	reply := func(inner ...string) userpi.Reply {
		return userpi.Reply{Code: 250, Lines: append(append([]string{"begin"}, inner...), "end")}
	}
	for _, c := range []struct {
		err error
		ok  bool
	}{
		{factLine(reply(" type=file;size=1; /a b;c=d; e"), "a b;c=d; e"), true},
		{factLine(reply(" /a"), "a"), false},
		{factLine(reply("  /a"), "a"), true}, // no facts: RFC 3659 §7.2
		{factLine(reply("  type=file; /a"), "a"), false},
		{factLine(reply(" type=file; /a", " x"), "a"), false},
		{factLine(userpi.Reply{Code: 250, Lines: []string{"type=file; a"}}, "a"), false},
		{indented(reply(" a", "  b")), true},
		{indented(reply(" a", "b")), false},
		{indented(userpi.Reply{Code: 211, Lines: []string{"one"}}), true},
		{indented(userpi.Reply{}), false},
	} {
		if (c.err == nil) != c.ok {
			t.Errorf("%v, and not %v", c.err, c.ok)
		}
	}
}

func TestListingForms(t *testing.T) {
	r := &run{vars: names{}}
	for _, c := range []struct {
		verb, got string
		want      []string
		ok        bool
	}{
		{"has", "a\r\nb\r\n", []string{"b", "a"}, true},
		{"has", "a\r\nb\r\n", []string{"c"}, false},
		{"has", "", []string{"a"}, false},
		{"each", "", []string{"a"}, true},
		{"each", "a1\r\na2\r\n", []string{"a*", "c"}, true},
		{"each", "a1\r\nb\r\n", []string{"a*"}, false},
		{"each", "a\nb\r\n", []string{"a*"}, false},
		{"each", "a\r\n\r\n", []string{"a"}, false},
	} {
		if err := r.someLines(c.verb, c.got, c.want); (err == nil) != c.ok {
			t.Errorf("%s %q in %q: %v", c.verb, c.want, c.got, err)
		}
	}
}

func TestFault(t *testing.T) {
	for err, want := range map[string]string{
		"no reply: read tcp 127.0.0.1:1->127.0.0.1:2: i/o timeout": "silence for 10s",
		"no reply: EOF": "the connection was closed",
		`the reply is "229 ok (|||4242|)\nNov 26 05:11 /x/root"`: `the reply is "229 ok (|||port|) DATE ROOT"`,
	} {
		f := &fault{command: "EPSV", step: step{word: "S:", rest: "500"}, err: errors.New(err)}
		if got := f.told("/x/root"); got != "after `EPSV`, wanted `500`: "+want {
			t.Errorf("%s: %s", err, got)
		}
	}
}
