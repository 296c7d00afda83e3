package userimport

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// said is what was read, a line for each user.
func said(r Result) string {
	var b strings.Builder
	for _, u := range r.Users {
		secret := u.Hash
		if u.Password != "" {
			secret = "password " + u.Password
		}
		fmt.Fprintf(&b, "%d %s %.17s %v %q\n", u.Line, u.Name, secret, u.Settings, u.Dropped)
	}
	for _, no := range r.Refused {
		way := ""
		if no.User != nil {
			way = fmt.Sprintf(" [new password %v, wider %v: %v]", no.NewPassword, no.Wider, no.User.Settings)
		}
		fmt.Fprintf(&b, "%d %q refused: %s%s\n", no.Line, no.Name, no.Why, way)
	}
	return b.String()
}

// The samples were made with htpasswd, pure-pw and ftpasswd of Debian 12; those of SFTPGo
// and pyftpdlib by hand, after their documents.
func TestSamples(t *testing.T) {
	for name, f := range map[string]Format{"htpasswd": HTPasswd, "pureftpd.passwd": PurePW, "ftpd.passwd": ProFTPD, "vsftpd.list": VSFTPD,
		"vsftpd.pwdfile": VSFTPD, "sftpgo.json": SFTPGo, "server.py": PyFTPDLib} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(f, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		golden := filepath.Join("testdata", name+".golden")
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(golden, []byte(said(got)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), said(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRefused(t *testing.T) {
	const hash = "$2y$05$cd47vQwG6pZr5NhJNsq2f.uXWVs5NAawHpOt.ZtAqnVj7NuMefv7O"
	for _, c := range []struct {
		format     Format
		text, want string
	}{
		{HTPasswd, ":" + hash, "no name"},
		{HTPasswd, strings.Repeat("n", 256) + ":" + hash, "256 bytes"},
		{HTPasswd, "a\x1b[2J:" + hash, "control character"},
		{HTPasswd, "anonymous:" + hash, "anonymous"},
		{HTPasswd, "a:" + hash + ":b", "3 fields"},
		{HTPasswd, "a:", "no password"},
		{PurePW, "a:" + hash + ":1:1::home/a::::::::::::", "no absolute path"},
		{PurePW, "a:" + hash + ":1:1::/a:fast:::::::::::", "no number"},
		{PurePW, "a:" + hash + ":1:1::/a:-1:::::::::::", "no number"},
		{PurePW, "a:" + hash + ":1:1::/a", "6 fields"},
		{ProFTPD, "a:" + hash + ":1:1::/a", "6 fields"},
		{VSFTPD, "a\n\n", "odd"},
		{VSFTPD, "a\n" + strings.Repeat("x", 1024), "1024 bytes"},
		{SFTPGo, "[]", "no file of that format"},
		{SFTPGo, "{}", "no users"},
		{SFTPGo, `{"users":[{"username":"a","permissions":{"/":[]},"home_dir":"/a","password":"` + hash + `"}]}`, "no permission"},
		{SFTPGo, `{"users":[{"username":"a","home_dir":"/a","password":"` + hash + `","filters":{"denied_protocols":["FTP"]}}]}`, "FTP is denied"},
		{PyFTPDLib, "print(1)", "calls neither"},
		{PyFTPDLib, `add_user("a", "b", "/c"`, "no end"},
		{PyFTPDLib, `add_user("a", "b", "/c", perm="xyz")`, "no permissions"},
		{PyFTPDLib, `add_user("a", "b", "/c", operms="e")`, "no argument"},
		{PyFTPDLib, strings.Repeat("#", maxProgram+1), "longer"},
		{HTPasswd, "\xff:" + hash, "UTF-8"},
		{"ldap", "", "no format"},
	} {
		r, err := Parse(c.format, []byte(c.text))
		if text := fmt.Sprint(said(r), err); len(r.Users) != 0 || !strings.Contains(text, c.want) {
			t.Errorf("%s %.40q: %s", c.format, c.text, text)
		}
	}
}

func TestNoPasswordIsShown(t *testing.T) {
	for f, text := range map[Format]string{HTPasswd: "hunter2", VSFTPD: "a:hunter2", ProFTPD: "hunter2"} {
		if r, err := Parse(f, []byte(text)); err != nil || len(r.Refused) != 1 || strings.Contains(said(r), "hunter2") {
			t.Errorf("%s: %s %v", f, said(r), err)
		}
	}
}

// fuzz holds whatever is read to what holds for all formats.
func fuzz(f *testing.F, format Format, files ...string) {
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse(format, text)
		if err != nil {
			if !errors.Is(err, ErrFormat) || len(r.Users)+len(r.Refused) > 0 {
				t.Fatalf("%v with %s", err, said(r))
			}
			return
		}
		names := map[string]bool{}
		for _, u := range r.Users {
			if names[u.Name] || badName(u.Name) != "" || u.Password == "" && unusable(u.Hash) != "" || u.Line < 1 {
				t.Errorf("taken: %+v", u)
			}
			names[u.Name] = true
		}
		for _, no := range r.Refused {
			if no.Why == "" || no.User != nil && (names[no.Name] || no.User.Name != no.Name || !no.NewPassword && !no.Wider) {
				t.Errorf("refused: %+v", no)
			}
		}
	})
}

func FuzzHTPasswd(f *testing.F)  { fuzz(f, HTPasswd, "htpasswd") }
func FuzzPurePW(f *testing.F)    { fuzz(f, PurePW, "pureftpd.passwd") }
func FuzzProFTPD(f *testing.F)   { fuzz(f, ProFTPD, "ftpd.passwd") }
func FuzzVSFTPD(f *testing.F)    { fuzz(f, VSFTPD, "vsftpd.list", "vsftpd.pwdfile") }
func FuzzSFTPGo(f *testing.F)    { fuzz(f, SFTPGo, "sftpgo.json") }
func FuzzPyFTPDLib(f *testing.F) { fuzz(f, PyFTPDLib, "server.py") }
