package wire

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestParseCommand(t *testing.T) {
	for _, c := range []struct {
		line string
		want Command
	}{
		{"NOOP", Command{Verb: "NOOP"}},
		{"noop", Command{Verb: "NOOP"}},
		{"  NoOp", Command{Verb: "NOOP"}},
		{"USER joe", Command{Verb: "USER", Arg: "joe"}},
		{"CWD  two spaces ", Command{Verb: "CWD", Arg: " two spaces "}},
		{"PASS ", Command{Verb: "PASS"}},
		{"RETR a\tb", Command{Verb: "RETR", Arg: "a\tb"}},
		{"STOR \xff\xe4", Command{Verb: "STOR", Arg: "\xff\xe4"}},
		{"STOR a\x00b", Command{Verb: "STOR", Arg: "a\x00b", Bad: true}},
		{"STOR a\rb", Command{Verb: "STOR", Arg: "a\rb", Bad: true}},
		{"ABCDEFGHIJKLMNOP x", Command{Verb: "ABCDEFGHIJKLMNOP", Arg: "x"}},
		{"ABCDEFGHIJKLMNOPQ x", Command{Line: "ABCDEFGHIJKLMNOPQ x"}},
		{"", Command{}},
		{"   ", Command{}},
		{"\t", Command{Line: "\t"}},
		{"NO-OP", Command{Line: "NO-OP"}},
		{"USER\tjoe", Command{Line: "USER\tjoe"}},
		{"AUTH\x00", Command{Line: "AUTH\x00", Bad: true}},
		{"\xd0\xb0UTH TLS", Command{Line: "\xd0\xb0UTH TLS"}},
		{"GET / HTTP/1.1", Command{Verb: "GET", Arg: "/ HTTP/1.1"}},
		{"Host: x", Command{Line: "Host: x"}},
		{"@A", Command{Line: "@A"}},
		{"[{", Command{Line: "[{"}},
	} {
		if got := ParseCommand([]byte(c.line)); got != c.want {
			t.Errorf("%q: %+v, want %+v", c.line, got, c.want)
		}
	}
}

// TestParseCommandKeeps holds that a Command does not share the reader's memory.
func TestParseCommandKeeps(t *testing.T) {
	line := []byte("stor name")
	c := ParseCommand(line)
	copy(line, "xxxxxxxxx")
	if c != (Command{Verb: "STOR", Arg: "name"}) {
		t.Errorf("the command changed with the line: %+v", c)
	}
}

func FuzzParseCommand(f *testing.F) {
	for _, s := range []string{"NOOP", "USER joe", " stor a b", "a\x00", "", "XSHA256 a", "1A", "GET / HTTP/1.1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		c := ParseCommand(line)
		trimmed := strings.TrimLeft(string(line), " ")
		if c.Verb == "" {
			if c.Line != trimmed || c.Arg != "" {
				t.Fatalf("%q is malformed, and became %+v", line, c)
			}
			return
		}
		if len(c.Verb) > maxVerb || strings.Trim(c.Verb, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" || c.Verb[0] < 'A' || c.Line != "" {
			t.Fatalf("%q: %+v", line, c)
		}
		if c.Bad != strings.ContainsAny(c.Arg, "\x00\r") {
			t.Fatalf("%q: Bad is %v", line, c.Bad)
		}
		whole := trimmed[:len(c.Verb)] // the line is the verb, or verb, space and argument
		if !strings.EqualFold(whole, c.Verb) || trimmed != whole && trimmed != whole+" "+c.Arg {
			t.Fatalf("%q: %+v", line, c)
		}
	})
}

func TestParsePort(t *testing.T) {
	for arg, want := range map[string]string{
		"127,0,0,1,4,0":        "127.0.0.1:1024",
		"192,168,0,255,255,9":  "192.168.0.255:65289",
		" 10, 0,0,7 ,0,21 ":    "10.0.0.7:21",
		"010,0,0,001,000,21":   "10.0.0.1:21",
		"0,0,0,0,0,0":          "0.0.0.0:0",
		"":                     "",
		"127,0,0,1,4":          "",
		"127,0,0,1,4,0,0":      "",
		"127,0,0,1,4,":         "",
		"127,0,0,256,4,0":      "",
		"127,0,0,-1,4,0":       "",
		"127,0,0,+1,4,0":       "",
		"127,0,0,1,4,0x10":     "",
		"127,0,0,1,1_0,0":      "",
		"127.0.0.1,4,0":        "",
		"(127,0,0,1,4,0)":      "",
		"127,0,0,1,4,0\r":      "127.0.0.1:1024",
		"127,0,0,1,4,0 junk":   "",
		"１２７,0,0,1,4,0":        "",
		"1,2,3,4,5,6,":         "",
		"99999999999,0,0,1,4,": "",
	} {
		got, err := ParsePort(arg)
		switch {
		case want == "" && !errors.Is(err, ErrEndpointSyntax):
			t.Errorf("%q: %v, %v", arg, got, err)
		case want != "" && (err != nil || got.String() != want):
			t.Errorf("%q: %v, %v; want %s", arg, got, err, want)
		}
	}
}

func TestFormatPort(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:1024":         "127,0,0,1,4,0",
		"255.255.255.255:65535":  "255,255,255,255,255,255",
		"[::ffff:10.1.2.3]:2121": "10,1,2,3,8,73",
	} {
		if got := FormatPort(netip.MustParseAddrPort(addr)); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

func FuzzParsePort(f *testing.F) {
	for _, s := range []string{"127,0,0,1,4,0", " 1, 2,3,4,5,6", "1,2,3,4,5,256", ",,,,,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		a, err := ParsePort(arg)
		if err != nil {
			if err != ErrEndpointSyntax || a.IsValid() {
				t.Fatalf("%q: %v with %v", arg, a, err)
			}
			return
		}
		if !a.Addr().Is4() || strings.Count(arg, ",") != 5 {
			t.Fatalf("%q became %v", arg, a)
		}
		if again, err := ParsePort(FormatPort(a)); err != nil || again != a {
			t.Fatalf("%v, formatted and parsed: %v, %v", a, again, err)
		}
	})
}

func TestParseEPRT(t *testing.T) {
	for arg, want := range map[string]string{
		"|1|132.235.1.2|6275|":             "132.235.1.2:6275",
		"|2|1080::8:800:200C:417A|5282|":   "[1080::8:800:200c:417a]:5282",
		" |1|127.0.0.1|1024| ":             "127.0.0.1:1024",
		"!1!127.0.0.1!1024!":               "127.0.0.1:1024",
		"~2~::1~65535~":                    "[::1]:65535",
		"|2|::ffff:127.0.0.1|1024|":        "127.0.0.1:1024",
		"|1|::1|1024|":                     "",
		"|2|127.0.0.1|1024|":               "",
		"|1|127.0.0.1|65536|":              "",
		"|1|127.0.0.1|-1|":                 "",
		"|1|127.0.0.1||":                   "",
		"|1||1024|":                        "",
		"||127.0.0.1|1024|":                "",
		"|x|127.0.0.1|1024|":               "",
		"|1|127.0.0.1|1024":                "",
		"|1|127.0.0.1|1024|x|":             "",
		"|1|127.0.0.1|":                    "",
		"|1|127.1|1024|":                   "",
		"|1|0x7f.0.0.1|1024|":              "",
		"|1|localhost|1024|":               "",
		"|2|fe80::1%eth0|1024|":            "",
		"|2|[::1]|1024|":                   "",
		"\x801\x80127.0.0.1\x801024\x80":   "",
		"\x001\x00127.0.0.1\x001024\x00":   "",
		"":                                 "",
		"|":                                "",
		"||":                               "",
		"||||":                             "",
		"|+1|127.0.0.1|1024|":              "",
		"|1|127.0.0.1|99999999999999999|":  "",
		"|1|127.0.0.1|1024|\r|1|1.2.3.4|1": "",
	} {
		got, err := ParseEPRT(arg)
		switch {
		case want == "" && !errors.Is(err, ErrEndpointSyntax):
			t.Errorf("%q: %v, %v", arg, got, err)
		case want != "" && (err != nil || got.String() != want):
			t.Errorf("%q: %v, %v; want %s", arg, got, err, want)
		}
	}
	for _, arg := range []string{"|3|127.0.0.1|1024|", "|0|x|y|", "|65535|::1|1|"} {
		if _, err := ParseEPRT(arg); !errors.Is(err, ErrEndpointFamily) {
			t.Errorf("%q: %v", arg, err)
		}
	}
}

func TestOtherFamily(t *testing.T) {
	for arg, v4 := range map[string]bool{"|2|1.2.3.256|2048|": true, "!2!": true, " |2|x": true, "|1|::1|1|": false, "|1|": false} {
		if !OtherFamily(arg, v4) || OtherFamily(arg, !v4) {
			t.Errorf("%q: IPv4 %v, IPv6 %v", arg, OtherFamily(arg, true), OtherFamily(arg, false))
		}
	}
	for _, arg := range []string{"", " ", "|", "||", "||||", "|2", "2", "|3|1.2.3.4|1|", "|x|", "|-1|", "1112.2.2.2111"} {
		if OtherFamily(arg, true) {
			t.Errorf("%q is of IPv6", arg)
		}
	}
}

func TestParseFamily(t *testing.T) {
	for arg, want := range map[string]error{
		"1": nil, "2": nil, "3": ErrEndpointFamily, "0": ErrEndpointFamily,
		"": ErrEndpointSyntax, "ALL": ErrEndpointSyntax, "-1": ErrEndpointSyntax, "65536": ErrEndpointSyntax,
	} {
		n, err := ParseFamily(arg)
		if !errors.Is(err, want) || (err == nil) != (n == 1 || n == 2) {
			t.Errorf("%q: %d, %v", arg, n, err)
		}
	}
}

func FuzzParseEPRT(f *testing.F) {
	for _, s := range []string{"|1|132.235.1.2|6275|", "|2|::1|1|", "|3|x|y|", "1112.2.2.2111", "||||", "|2|fe80::1%a|1|"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		a, err := ParseEPRT(arg)
		if err != nil {
			if err != ErrEndpointSyntax && err != ErrEndpointFamily || a.IsValid() {
				t.Fatalf("%q: %v with %v", arg, a, err)
			}
			if OtherFamily(arg, true) && OtherFamily(arg, false) || err == ErrEndpointFamily && OtherFamily(arg, true) {
				t.Fatalf("%q is of more than one protocol", arg)
			}
			return
		}
		if !a.IsValid() || a.Addr().Zone() != "" || a.Addr().Is4In6() {
			t.Fatalf("%q became %v", arg, a)
		}
		family := "2"
		if a.Addr().Is4() {
			family = "1"
		}
		plain := "|" + family + "|" + a.Addr().String() + "|" + a.String()[strings.LastIndexByte(a.String(), ':')+1:] + "|"
		if again, err := ParseEPRT(plain); err != nil || again != a {
			t.Fatalf("%v as %q: %v, %v", a, plain, again, err)
		}
	})
}
