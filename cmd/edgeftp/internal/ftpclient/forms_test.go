package ftpclient

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReplies(t *testing.T) {
	for text, want := range map[string]string{
		"220 hello\r\n": "220 hello",
		"220\r\n":       "220 ",
		"220 hello\n":   "220 hello",
		"211-begin\r\n 211 inner\r\nx\r\n211 e\r\n": "211 e",
		"211-begin\r\n212 inner\r\n211\r\n":         "211 ",
	} {
		r, err := readReply(bufio.NewReader(strings.NewReader(text)))
		if err != nil || r.String() != want {
			t.Errorf("%q is read as %q, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "22 x\r\n", "2x0 x\r\n", "220_x\r\n", "099 x\r\n", "700 x\r\n", "220 x", "220-x\r\n", "220 a\x00b\r\n",
		"220 " + strings.Repeat("x", maxLine) + "\r\n", "220-\r\n" + strings.Repeat("x\r\n", maxReplyLines+1) + "220 end\r\n"} {
		if r, err := readReply(bufio.NewReader(strings.NewReader(text))); err == nil {
			t.Errorf("%.40q is read as %q", text, r)
		}
	}
}

func TestQuoted(t *testing.T) {
	for text, want := range map[string]string{`"/a" is it`: "/a", `"/a ""b"" c"`: `/a "b" c`, `none`: "", `"no end`: "", `x "/" y "z"`: "/"} {
		if got := quoted(text); got != want {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"Entering Passive Mode (127,0,0,1,4,5).": "127.0.0.1:1029",
		"=127,0,0,1,4,5":                         "127.0.0.1:1029",
		"227 10,1,2,3,0,1 a":                     "10.1.2.3:1",
	} {
		if got, err := parse227(text); err != nil || got.String() != want {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "(1,2,3,4,5)", "(256,0,0,1,4,5)", "(127,0,0,1,0,0)", "(127,0,0,1,4,5,6)", "(-1,0,0,1,4,5,)", "(1,,3,4,5,6)"} {
		if got, err := parse227(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
	if port, err := parse229("Entering (|||6446|)"); err != nil || port != 6446 {
		t.Errorf("%d, %v", port, err)
	}
	for _, text := range []string{"", "(|||0|)", "(|||65536|)", "(||1.2.3.4|21|)", "(||||)", "(|||21)", "(|1||21|)", "|||21|", "(   21 )"} {
		if port, err := parse229(text); err == nil {
			t.Errorf("%q is read as %d", text, port)
		}
	}
}

func TestURLs(t *testing.T) {
	for text, want := range map[string]Target{
		"ftp://h":                    {Host: "h", Port: 21, Folder: true},
		"FTP://h/":                   {Host: "h", Port: 21, Folder: true},
		"ftpes://h:2121/a/b":         {Host: "h", Port: 2121, Path: "a/b"},
		"ftps://h/a/b/":              {Host: "h", Port: 990, Security: Implicit, Path: "a/b", Folder: true},
		"ftp://u%40x@[::1]//abs":     {Host: "::1", Port: 21, User: "u@x", Path: "/abs"},
		"ftp://u@h/%2Fabs%20x":       {Host: "h", Port: 21, User: "u", Path: "/abs x"},
		"ftp://h//":                  {Host: "h", Port: 21, Path: "/", Folder: true},
		"ftp://127.0.0.1/a%3Fb%23c+": {Host: "127.0.0.1", Port: 21, Path: "a?b#c+"},
	} {
		got, err := ParseURL(text)
		if err != nil || !cmp.Equal(*got, want) {
			t.Errorf("%q is read as %+v, %v", text, got, err)
		}
	}
	got, err := ParseURL("ftp://u:p%3A%2Fw@h/x")
	if err != nil || got.Password == nil || *got.Password != "p:/w" || strings.Contains(got.String(), "w@") {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"", "h", "http://h/", "sftp://h/", "ftp://", "ftp:///x", "ftp://h:0/", "ftp://h:65536/", "ftp://h/a?b", "ftp://h/a#b",
		"ftp://h/a%0d%0aDELE x", "ftp://h/%00", "ftp://u%0d@h/", "ftp://h/%ff", "ftp:h", "ftp://::", "ftp://h%20x/", "ftp://\u00e4.example/", "ftp://h/%zz"} {
		if got, err := ParseURL(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
	if _, err := ParseURL("ftp://u:hidden@h:port/"); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("an error shows the password: %v", err)
	}
}

func TestNetrcEntries(t *testing.T) {
	const text = "# all hosts\nmacdef init\nmachine evil login no\n\nmachine a.example login anna password \"s p \\\"q\" account x\n" +
		"machine a.example\n login bob\n password #hash\n# a comment\nmachine b.example login eve\ndefault login anonymous password me@"
	for _, c := range []struct{ host, user, wantUser, wantPassword string }{
		{"a.example", "", "anna", `s p "q`}, {"A.EXAMPLE", "bob", "bob", "#hash"}, {"b.example", "", "eve", ""},
		{"c.example", "", "anonymous", "me@"}, {"evil", "", "anonymous", "me@"}, {"a.example", "zoe", "", ""},
	} {
		got, err := parseNetrc(text, c.host, c.user)
		if err != nil || got == nil != (c.wantUser == "") || got != nil && *got != (Login{c.wantUser, c.wantPassword}) {
			t.Errorf("%s of %s: %+v, %v", c.user, c.host, got, err)
		}
	}
	for _, bad := range []string{"nonsense", "machine", "machine a login", `machine a password "open`, "machine a port 21", "login x"} {
		if got, err := parseNetrc(bad, "a", ""); err == nil {
			t.Errorf("%q is read as %+v", bad, got)
		}
	}
}

// A netrc file with passwords is for its owner alone.
func TestNetrcMode(t *testing.T) {
	file := filepath.Join(t.TempDir(), "netrc")
	t.Setenv("NETRC", file)
	if _, err := Netrc("h", ""); err == nil {
		t.Error("a named file that is not there is no error")
	}
	if err := os.WriteFile(file, []byte("machine h login u password p"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := Netrc("h", ""); err != nil || *l != (Login{"u", "p"}) {
		t.Errorf("%v, %v", l, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if l, err := Netrc("h", ""); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("%v, %v", l, err)
	}
	if l, err := Netrc("other", ""); err != nil || l != nil {
		t.Errorf("of another host: %v, %v", l, err)
	}
}

func TestNames(t *testing.T) {
	for _, good := range []string{"a", "...", "a b", "ä", " x", "-rf", "a\u00a0b"} {
		if err := CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", ".", "..", "a/b", "/", "../x", "a\x00", "a\nb", "\x1b[2J", "a\x7f", "a\u0085b", strings.Repeat("x", 256), "a\xffb"} {
		if CheckName(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func noon() time.Time { return time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC) }

func TestListLines(t *testing.T) {
	at := func(y int, m time.Month, d, h, min int) time.Time { return time.Date(y, m, d, h, min, 0, 0, time.UTC) }
	for line, want := range map[string]*Entry{
		"total 12":                               nil,
		"":                                       nil,
		"drwxr-xr-x   2 0 0 4096 Nov 27 02:40 .": nil,
		"-rw-r--r--   1 ftp  ftp     1234 Nov 27 02:40 a b":      {"a b", File, 1234, at(2026, 11, 27, 2, 40), true, "rw-r--r--", ""},
		"-rw-r--r--   1 ftp  ftp     1234 Dec 24 02:40  lead":    {" lead", File, 1234, at(2025, 12, 24, 2, 40), true, "rw-r--r--", ""},
		"drwxr-sr-t   2 ftp       4096 Jan  2  2019 May":         {"May", Dir, Unknown, at(2019, 1, 2, 0, 0), true, "rwxr-sr-t", ""},
		"lrwxrwxrwx   1 May ftp 7 Nov 27 02:40 l -> ../x":        {"l", Link, Unknown, at(2026, 11, 27, 2, 40), true, "rwxrwxrwx", "../x"},
		"prw-r--r--   1 ftp  ftp        0 Nov 27 02:40 pipe":     {"pipe", Other, Unknown, at(2026, 11, 27, 2, 40), true, "rw-r--r--", ""},
		"11-27-26  02:40AM       <DIR>          Program Files":   {"Program Files", Dir, Unknown, at(2026, 11, 27, 2, 40), true, "", ""},
		"11-27-2026  02:40PM                 1234 a  b.txt":      {"a  b.txt", File, 1234, at(2026, 11, 27, 14, 40), true, "", ""},
		"-rw-r--r--   1 0 0 99999999999999999999 Nov 27 02:40 x": {Name: "refused"},
		"-rw-r--r--   1 0 0 12 Nov 32 02:40 x":                   {Name: "refused"},
		"-rw-r--r--   1 0 0 12 Nov 27 02:40":                     {Name: "refused"},
		"garbage":                                                {Name: "refused"},
		"11-27-26  02:40AM  -5 x":                                {Name: "refused"},
	} {
		got, err := listLine(line, noon())
		if refused := want != nil && want.Name == "refused"; refused != (err != nil) || !refused && !cmp.Equal(got, want) {
			t.Errorf("%q is read as %+v, %v", line, got, err)
		}
	}
}

func TestMLSDLines(t *testing.T) {
	when := time.Date(2026, 11, 27, 2, 40, 1, 500_000_000, time.UTC)
	for line, want := range map[string]*Entry{
		"type=cdir; .":          nil,
		"Type=pdir;perm=el; ..": nil,
		"Type=FILE;Size=12;Modify=20261127024001.5;UNIX.mode=0644; a b": {"a b", File, 12, when, false, "rw-r--r--", ""},
		"type=dir;sizd=4096;  lead":                                     {" lead", Dir, Unknown, time.Time{}, false, "", ""},
		"type=OS.unix=slink:/etc;size=1; l":                             {"l", Link, Unknown, time.Time{}, false, "", "/etc"},
		"type=file;size=-1;modify=yesterday; x":                         {"x", File, Unknown, time.Time{}, false, "", ""},
		" no facts":                                                     {"no facts", Other, Unknown, time.Time{}, false, "", ""},
		"nonsense":                                                      {Name: "refused"},
		"type=file name":                                                {Name: "refused"},
	} {
		got, err := mlsdLine(line)
		if refused := want != nil && want.Name == "refused"; refused != (err != nil) || !refused && !cmp.Equal(got, want) {
			t.Errorf("%q is read as %+v, %v", line, got, err)
		}
	}
}

func FuzzReply(f *testing.F) {
	f.Add([]byte("211-a\r\n b\r\n211 c\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := readReply(bufio.NewReaderSize(bytes.NewReader(in), 16))
		if err == nil && (r.Code < 100 || r.Code > 699 || len(r.Lines) == 0 || strings.ContainsAny(strings.Join(r.Lines, ""), "\n\x00")) {
			t.Errorf("%q is read as %+v", in, r)
		}
		_, _ = parse227(r.Text())
		if _, err := parse229(r.Text()); err == nil && !strings.Contains(r.Text(), "(") {
			t.Errorf("a port of %q", r.Text())
		}
	})
}

func FuzzListing(f *testing.F) {
	for _, line := range []string{"-rw-r--r-- 1 a b 12 Nov 27 02:40 x", "11-27-26  02:40AM <DIR> x", "type=file;size=1; x"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, parse := range []parser{mlsdLine, func(l string) (*Entry, error) { return listLine(l, noon()) }, mlstLine} {
			e, err := parse(line)
			if err != nil || e == nil {
				continue
			}
			if e.Size < Unknown || e.Kind == "" || !strings.Contains(line, e.Name) {
				t.Errorf("%q is read as %+v", line, e)
			}
			if CheckName(e.Name) == nil && (strings.ContainsAny(e.Name, "/\n\x00") || e.Name == "..") {
				t.Errorf("%q is a name", e.Name)
			}
		}
	})
}

func FuzzURL(f *testing.F) {
	f.Add("ftp://u:p@h:21/a/b")
	f.Add("ftps://[::1]/%2F")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := ParseURL(in)
		if err != nil {
			return
		}
		if got.Host == "" || got.Port == 0 || strings.ContainsAny(got.Path+got.User, "\r\n\x00") {
			t.Errorf("%q is read as %+v", in, got)
		}
		again, err := ParseURL(got.String())
		if err != nil || again.Host != got.Host || again.Port != got.Port || again.User != got.User || again.Path != got.Path {
			t.Errorf("%q is %+v, and %q is %+v, %v", in, got, got.String(), again, err)
		}
	})
}

func FuzzNetrc(f *testing.F) {
	f.Add("machine h login u password p\nmacdef x\ny\n\ndefault", "h")
	f.Fuzz(func(t *testing.T, text, host string) {
		got, err := parseNetrc(text, host, "")
		if err == nil && got != nil && got.User == "" && got.Password != "" && !strings.Contains(text, "password") {
			t.Errorf("%q has %+v", text, got)
		}
	})
}
