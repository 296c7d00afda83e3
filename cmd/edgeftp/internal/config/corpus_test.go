package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// wanted is a fault that a file of the corpus has, as its author says in the file:
//
//	# want: LINE:COLUMN KEY [WORDS]
//
// KEY is - where the fault is about no key, and 0:0 where it is about no place; WORDS
// are to be in the help.
type wanted struct {
	line, column int
	key, words   string
}

// wants reads what the author of a file says.
func wants(t *testing.T, data []byte) (list []wanted) {
	t.Helper()
	for _, m := range regexp.MustCompile(`# want: (\d+):(\d+) (\S+)(?: \[([^\r\n]*)\])?[\r\n]`).FindAllSubmatch(data, -1) {
		line, err := strconv.Atoi(string(m[1]))
		column, err2 := strconv.Atoi(string(m[2]))
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		list = append(list, wanted{line, column, strings.TrimPrefix(strings.ReplaceAll(string(m[3]), `\s`, " "), "-"), string(m[4])})
	}
	return list
}

// corpusMachine is the machine on which the broken files are read.
func corpusMachine() outside {
	return testMachine(
		map[string]string{"/etc/c.pem": "", "/etc/closed": "closed dir", "/etc/key.pem": "-----BEGIN PRIVATE KEY-----\nhunter2\n", "/etc/bad.json": "{\"language\": 1}",
			"/etc/users.yaml": badUsers, "/etc/tab.yaml": "users:\n\t- x", "/etc/none.yaml": "# nobody\nusers: { a: b }\nusers: []\nmore: 1\n", "/srv/users.yaml": ""},
		map[string]string{"NAME": "fra-1", "BAD": "hunter2 secret"})
}

// tally is what came of the corpus.
type tally struct {
	files, faults int // as the authors say
	found, placed int // of faults: told in one run, and at their place
	asked, helped int // helps that authors ask for, and those that are right
	extra         int // told beside them
}

// The corpus: every fault of every file is found in one run, at its place, with the
// help that mends it, and nothing else is.
func TestCorpus(t *testing.T) {
	n := judged(t)
	t.Logf("%+v", n)
	if n.files < 200 {
		t.Errorf("there are %d files only", n.files)
	}
}

// judged reads all of the corpus.
func judged(t *testing.T) (n tally) {
	t.Helper()
	names, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSchema()
	if err != nil {
		t.Fatal(err)
	}
	n.files = len(names)
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		list := wants(t, data)
		_, err = s.parse(filepath.Base(name), "/etc", data, corpusMachine())
		var e *Error
		if !errors.As(err, &e) || len(list) == 0 {
			t.Errorf("%s: %d faults are told, and it says of %d", name, len(problemsOf(err)), len(list))
			continue
		}
		told := map[int]bool{}
		for _, w := range list {
			n.faults++
			i := theProblem(e.Problems, told, w)
			if i < 0 {
				t.Errorf("%s: %d:%d %s is not told", name, w.line, w.column, w.key)
				continue
			}
			told[i], n.found = true, n.found+1
			p := e.Problems[i]
			if p.Line == w.line && p.Column == w.column {
				n.placed++
			} else {
				t.Errorf("%s: %s is told at %d:%d, and is at %d:%d", name, w.key, p.Line, p.Column, w.line, w.column)
			}
			if w.words == "" {
				continue
			}
			if n.asked++; strings.Contains(p.Help, w.words) {
				n.helped++
			} else {
				t.Errorf("%s: %s: the help is %q, without %q", name, w.key, p.Help, w.words)
			}
		}
		for i, p := range e.Problems {
			if !told[i] {
				n.extra++
				t.Errorf("%s: %d:%d %s: %s (%s): the file does not say so", name, p.Line, p.Column, p.Path, p.Text, p.Help)
			}
		}
	}
	return n
}

// theProblem is the problem that is the fault w: the one at its place, or else the first
// about its key. It is negative if there is none.
func theProblem(problems []Problem, told map[int]bool, w wanted) int {
	best := -1
	for i, p := range problems {
		if told[i] || p.Path != w.key {
			continue
		}
		if p.Line == w.line && p.Column == w.column {
			return i
		}
		if best < 0 {
			best = i
		}
	}
	return best
}

func problemsOf(err error) []Problem {
	var e *Error
	if errors.As(err, &e) {
		return e.Problems
	}
	return nil
}
