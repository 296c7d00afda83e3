package pi

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

func TestPrefix(t *testing.T) {
	who := policy.Session{ID: 7, User: "anna", Peer: netip.MustParseAddrPort("192.0.2.1:4711"),
		Local: netip.MustParseAddrPort("192.0.2.9:21"), Listener: "main", Group: "g", Client: "c", TLS: policy.TLS{Version: "1.3"}}
	now := time.Date(2026, 11, 26, 5, 4, 3, 0, time.UTC)
	for template, want := range map[string]string{
		"": "", "100%%": "100%",
		"%(remote_ip)s:%(remote_port)s-[%(username)s]":              "192.0.2.1:4711-[anna]",
		"[%(asctime)s] %(session)s %(listener)s %(tls)s %(client)s": "[2026-11-26 05:04:03] 7 main 1.3 c",
		"%(local_ip)s:%(local_port)s %(group)s.":                    "192.0.2.9:21 g.",
	} {
		p, err := ParsePrefix(template)
		if err != nil {
			t.Errorf("%q: %v", template, err)
		} else if got := p.text(&who, now); got != want {
			t.Errorf("%q: %q, want %q", template, got, want)
		}
	}
	for template, says := range map[string]string{
		"%": "byte 1", "a %s": "byte 3", "%(username)": "byte 1", "%(username)d": "byte 1",
		"%(password)s": `"password"`, "x%(": "byte 2",
	} {
		if _, err := ParsePrefix(template); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", template, err)
		}
	}
	for _, name := range PrefixNames() {
		if _, err := ParsePrefix("%(" + name + ")s"); err != nil {
			t.Errorf("%s is listed, but %v", name, err)
		}
	}
}

func TestPrefixedLog(t *testing.T) {
	p, err := ParsePrefix("%(remote_ip)s-[%(username)s]")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := &Session{state: &state{conf: &Config{Log: slog.New(slog.NewTextHandler(&out, nil)), LogPrefix: p}}}
	s.who.Peer, s.who.User = netip.MustParseAddrPort("192.0.2.1:1"), "anna"
	s.log().Info("early") // before the login it may be a password in the place of a name
	if strings.Contains(out.String(), "anna") {
		t.Errorf("logged %q", out.String())
	}
	s.rank.in = true
	s.log().Info("hello", "a", 1)
	if got := out.String(); !strings.Contains(got, `msg="192.0.2.1-[anna] hello"`) || !strings.Contains(got, "a=1") {
		t.Errorf("logged %q", got)
	}
}

// What a client has chosen can steer no terminal, whatever the log does with
// messages.
func TestPrefixIsHarmless(t *testing.T) {
	p, err := ParsePrefix("[%(username)s %(client)s]")
	if err != nil {
		t.Fatal(err)
	}
	who := policy.Session{User: "a\x1b]0;x\x07\u202e\u009b\xff", Client: "b\u2028c"}
	if got, want := p.text(&who, time.Time{}), `[a\x1b]0;x\a\u202e\u009b\xff b\u2028c]`; got != want {
		t.Errorf("the prefix is %q, want %q", got, want)
	}
	who = policy.Session{User: "J\u00fcrgen \"x\\"}
	if got, want := p.text(&who, time.Time{}), "[J\u00fcrgen \"x\\ ]"; got != want {
		t.Errorf("the prefix is %q, want %q", got, want)
	}
}

func FuzzParsePrefix(f *testing.F) {
	for _, s := range []string{"", "%", "%%", "%(username)s", "[%(asctime)s] %(remote_ip)s", "%(", "%(x)s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, template string) {
		p, err := ParsePrefix(template)
		if err != nil {
			return
		}
		if len(p.texts) != len(p.names)+1 {
			t.Fatalf("%q: %d texts around %d names", template, len(p.texts), len(p.names))
		}
		_ = p.text(&policy.Session{}, time.Time{})
	})
}
