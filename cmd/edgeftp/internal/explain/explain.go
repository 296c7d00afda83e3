// Package explain says what codes mean: those of FTP's replies, and the program's own,
// which begin with EF.
package explain

import (
	_ "embed" // for the two tables
	"fmt"
	"slices"
	"strings"
)

// The tables: of each code a line with what it says, then lines on what it means, then
// lines that begin with ">" on what to do. A code has one entry: it means one thing.
var (
	//go:embed replies.txt
	replies string
	//go:embed codes.txt
	codes string
)

// Entry is what a code means.
type Entry struct {
	// Code is three digits, or EF and four digits.
	Code string `json:"code"`
	// Summary is what it says, in a few words.
	Summary string `json:"summary"`
	// Meaning tells more; may be empty.
	Meaning string `json:"meaning,omitempty"`
	// Do is what helps; may be empty.
	Do string `json:"do,omitempty"`
}

// All returns every entry, the replies of FTP first.
func All() []Entry { return slices.Concat(parse(replies), parse(codes)) }

// Find returns the entry of a code, or none. The code may be written without EF or in small
// letters. A code of FTP that has no entry is explained by its first digits (RFC 959
// §4.2.1).
func Find(code string) []Entry {
	code = strings.ToUpper(strings.TrimSpace(code))
	if len(code) == 4 {
		code = "EF" + code
	}
	var found []Entry
	for _, e := range All() {
		if e.Code == code {
			found = append(found, e)
		}
	}
	if e, ok := byDigits(code); len(found) == 0 && ok {
		found = append(found, e)
	}
	return found
}

func byDigits(code string) (Entry, bool) {
	if len(code) != 3 || code[0] < '1' || code[0] > '6' || code[1] < '0' || code[1] > '5' || code[2] < '0' || code[2] > '9' {
		return Entry{}, false
	}
	says := [...]string{"it has begun, and another reply follows", "it is done", "it needs another command", "it failed now and may succeed later",
		"it failed and will again", "a protected reply (RFC 2228 §5.2)"}[code[0]-'1']
	about := [...]string{"the form of the command", "information", "the connections", "the login", "no subject that is laid down", "the files"}[code[1]-'0']
	return Entry{Code: code, Summary: says, Meaning: fmt.Sprintf("This server does not send %s. The first digit says so much; the second one that it is about %s.", code, about)}, true
}

func parse(table string) (all []Entry) {
	for block := range strings.SplitSeq(strings.TrimSpace(table), "\n\n") {
		lines := strings.Split(block, "\n")
		e := Entry{}
		e.Code, e.Summary, _ = strings.Cut(lines[0], " ")
		for _, line := range lines[1:] {
			if do, ok := strings.CutPrefix(line, "> "); ok {
				e.Do = strings.TrimSpace(e.Do + " " + do)
			} else {
				e.Meaning = strings.TrimSpace(e.Meaning + " " + line)
			}
		}
		all = append(all, e)
	}
	return all
}
