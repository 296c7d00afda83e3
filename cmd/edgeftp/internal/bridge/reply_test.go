package bridge

import (
	"bytes"
	"strings"
	"testing"
)

// The facts that tell files apart are found in any order, and have to be there.
func TestSame(t *testing.T) {
	for line, want := range map[string]string{
		" Type=file;Size=10;Modify=20260101000000;Unique=1g2; /a b.txt\r\n": "modify=20260101000000;size=10;unique=1g2",
		" modify=20260101000000;SIZE=10; a":                                 "modify=20260101000000;size=10",
		" Size=10; a":                                                       "",
		" Modify=20260101000000; a":                                         "",
		"nothing":                                                           "",
		"":                                                                  "",
	} {
		if got := same(line); got != want {
			t.Errorf("%q: %q", line, got)
		}
	}
}

// Whatever a server sends, replies are cut at lines, and a reply ends with the code that it
// began with.
func FuzzReplies(f *testing.F) {
	for _, text := range []string{"220 Hello.\r\n", "211-a\r\n b\r\n211 c\r\n", "226\n", "22", "150-\r\n150 \r\n", "211-a\r\n211\r\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := newReplies(strings.NewReader(text))
		var all bytes.Buffer
		code, open := 0, false
		for {
			p, err := r.next()
			if err != nil {
				break
			}
			all.Write(p.text)
			if p.first == open || p.code < 0 || p.code > 999 || bytes.IndexByte(p.text, '\n') != len(p.text)-1 {
				t.Fatalf("%+v after open %v", p, open)
			}
			if !p.first && p.code != code {
				t.Fatalf("%d has become %d", code, p.code)
			}
			code, open = p.code, !p.last
		}
		if !strings.HasPrefix(text, all.String()) {
			t.Fatalf("%q became %q", text, all.String())
		}
	})
}

// What the client has told is told again, in order and once of each kind.
func TestMemory(t *testing.T) {
	m := newMemory()
	for _, line := range []string{"HOST h", "USER anna", "PASS secret", "TYPE I", "OPTS UTF8 ON", "CWD a", "TYPE A", "CDUP", "CWD /b", "CWD c", "TYPE I", "OPTS MLST size;modify;", "DELE x"} {
		m.learn(command([]byte(line)), 230)
	}
	var again []string
	for _, line := range m.again() {
		again = append(again, strings.TrimSpace(string(line)))
	}
	if got := strings.Join(again, "|"); got != "TYPE I|OPTS UTF8 ON|OPTS MLST size;modify;|CWD /b|CWD c" || !m.complete() || !m.binary || !m.stream {
		t.Errorf("%s, %+v", got, m)
	}
	for range maxSteps {
		m.learn(command([]byte("CDUP")), 250)
	}
	if m.complete() {
		t.Error("a way that is longer than what is kept is taken for complete")
	}
	m.learn(command([]byte("CWD /")), 250)
	if !m.complete() || len(m.steps) != 1 {
		t.Error("a path from the root does not begin anew")
	}
	m.learn(command([]byte("REIN")), 220)
	if m.complete() || len(m.again()) > 0 {
		t.Error("REIN leaves something")
	}
}
