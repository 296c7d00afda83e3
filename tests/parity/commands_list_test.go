package parity

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

func listCommands() []line {
	const links = "a link that leads nowhere is told as one, where the model has 550 or leaves it out; unix.mode is octal digits alone"
	return []line{
		{"FTPHandler.ftp_LIST", "command: a listing as of ls -lA, sorted; one line for a file; -a, -l, -al, -la are ignored, other options are names", "pi.Standard[LIST]", "limits.listing", different,
			"further options of ls and patterns are honoured, unless something of that very name exists: clients send them", testLIST},
		{"FTPHandler.ftp_NLST", "command: the names, sorted; of a file its name", "pi.Standard[NLST]", "code", different,
			"of another directory the path stands before each name, so that RETR takes the line (RFC 1123 §4.1.2.7)", testNLST},
		{"FTPHandler.ftp_MLST", "command: 250 with the facts of one path, behind one space", "pi.Standard[MLST]", "code", different, links, testMLST},
		{"FTPHandler.ftp_MLSD", "command: the facts of what is in a directory; 501 for what is none", "pi.Standard[MLSD]", "code", different,
			"what is not there is 550 (RFC 3659 §7.2.1), and a file 501; " + links, testMLSD},
	}
}

func parsePerms(t *testing.T, letters string) policy.Perms {
	t.Helper()
	p, err := policy.ParsePerms(letters)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// listed is a site with something to list.
func listed(t *testing.T) (*site, *client) {
	s := serve(t, nil)
	s.write("b.txt", "12345")
	s.write("a.txt", "1")
	s.write(".hidden", "")
	s.write("d/inner", "123")
	s.mkdir("empty")
	if err := os.Symlink("a.txt", s.path("link")); err != nil {
		t.Fatal(err)
	}
	return s, s.login()
}

// names takes the last words of listing lines.
func names(lines []string) (names []string) {
	for _, l := range lines {
		names = append(names, l[strings.LastIndexByte(l, ' ')+1:])
	}
	return names
}

func testLIST(t *testing.T) {
	s, c := listed(t)
	all := []string{".hidden", "a.txt", "b.txt", "d", "empty", "a.txt"}
	for _, line := range []string{"LIST", "LIST -a", "LIST -l", "LIST -al", "LIST -la", "LIST /"} {
		got := c.lines(line)
		if !slices.Equal(names(got), all) {
			t.Errorf("%s: %q", line, got)
		}
		for i, pattern := range []string{"-rw-r--r-- * 0 * .hidden", "-rw-r--r-- * 1 * a.txt", "-rw-r--r-- * 5 * b.txt", "drwxr-xr-x * d", "drwxr-xr-x * empty", "l* link -> a.txt"} {
			if !glob(pattern, got[i]) {
				t.Errorf("%s: the line %q, want %s", line, got[i], pattern)
			}
		}
	}
	if got := c.lines("LIST b.txt"); len(got) != 1 || !glob("-* 5 * b.txt", got[0]) {
		t.Errorf("of a file: %q", got)
	}
	if got := c.get("LIST empty"); got != "" {
		t.Errorf("of an empty directory: %q", got)
	}
	if got := c.get("LIST -R d"); !strings.Contains(got, "inner") {
		t.Errorf("of a tree: %q", got)
	}
	s.write("-R", "x")
	if got := c.lines("LIST -R"); len(got) != 1 {
		t.Errorf("of a file called -R: %q", got)
	}
	c.says("EPSV", "229", "LIST missing", "550", "LIST", "150|125")
	limited(t, "er").login().says("LIST", "550")
	s.greeted().says("LIST", "530")
	if got := limited(t, "l").login().lines("LIST"); len(got) != 0 {
		t.Errorf("the letter l alone: %q", got)
	}
}

func testNLST(t *testing.T) {
	s, c := listed(t)
	for line, want := range map[string]string{
		"NLST": ".hidden a.txt b.txt d empty link", "NLST /": "/.hidden /a.txt /b.txt /d /empty /link", "NLST d": "d/inner", "NLST b.txt": "b.txt", "NLST empty": "",
		"NLST -la": ".hidden a.txt b.txt d empty link", "NLST *.txt": "a.txt b.txt",
	} {
		if got := strings.Join(c.lines(line), " "); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	c.says("EPSV", "229", "NLST missing", "550")
	limited(t, "er").login().says("NLST", "550")
	s.greeted().says("NLST", "530")
}

func testMLST(t *testing.T) {
	s, c := listed(t)
	c.says("MLST a.txt", "250  *modify=*;*size=1;*type=file;*unique=*; /a.txt", "MLST", "250  *type=dir;* /", "MLST d", "250  *type=dir;* /d", "MLST missing", "550",
		"OPTS MLST type;size;", "200 MLST OPTS size;type;", "MLST a.txt", "250  size=1;type=file; /a.txt", "OPTS MLST", "200 MLST OPTS *", "MLST a.txt", "250   /a.txt")
	s.must(os.Symlink("nowhere", s.path("broken")))
	c.says("OPTS MLST type;unix.mode;", "200", "MLST broken", "250  type=OS.unix=slink:nowhere;unix.mode=0*; /broken", "MLST a.txt", "250  type=file;unix.mode=0644; /a.txt")
	if r := c.ask("MLST d"); len(r.Lines) != 3 {
		t.Errorf("%d lines: %q", len(r.Lines), r)
	}
	limited(t, "er").login().says("MLST", "550")
	s.greeted().says("MLST", "530")
}

func testMLSD(t *testing.T) {
	s, c := listed(t)
	got := c.lines("MLSD")
	slices.SortFunc(got, func(a, b string) int { return strings.Compare(a[strings.Index(a, " "):], b[strings.Index(b, " "):]) })
	want := []string{"*type=file;* .hidden", "*size=1;*type=file;* a.txt", "*size=5;*type=file;* b.txt", "*type=dir;* d", "*type=dir;* empty", "*type=file;* link"}
	if len(got) != len(want) {
		t.Fatalf("MLSD: %q", got)
	}
	for i, l := range got {
		if !glob(want[i], l) {
			t.Errorf("MLSD: the line %q, want %s", l, want[i])
		}
	}
	if got := c.get("MLSD empty"); got != "" {
		t.Errorf("of an empty directory: %q", got)
	}
	s.must(os.Symlink("nowhere", s.path("d/broken")))
	if got := strings.Join(c.lines("MLSD d"), "\n"); !strings.Contains(got, "type=OS.unix=slink:nowhere;") {
		t.Errorf("of a link that leads nowhere: %q", got)
	}
	c.says("EPSV", "229", "MLSD a.txt", "501", "MLSD missing", "550")
	limited(t, "er").login().says("MLSD", "550")
	s.greeted().says("MLSD", "530")
}
