// Package tutorials carries out the documents for policy authors, block by block, as
// their readers do.
package tutorials

import (
	"fmt"
	"strings"
)

// block is one fenced block of a document.
type block struct {
	line    int    // of its fence
	kind    string // the first word of the info string: sh, text, or a language
	options string // the rest of it: server, file=PATH
	text    string // with a line end behind each line
}

// file is the path that a block is to be written to, empty for none.
func (b *block) file() string {
	path, _ := strings.CutPrefix(b.options, "file=")
	if path == b.options {
		return ""
	}
	return path
}

// blocks finds the fenced blocks of a document.
func blocks(doc string) (list []block, err error) {
	var open *block
	for i, line := range strings.Split(doc, "\n") {
		rest, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			kind, options, _ := strings.Cut(strings.TrimSpace(rest), " ")
			open = &block{line: i + 1, kind: kind, options: strings.TrimSpace(options)}
		case fence:
			list, open = append(list, *open), nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: the block has no end", open.line)
	}
	return list, nil
}

// compare reports the first line of what was promised that what was said does not have.
// The promised lines come in order; "..." alone stands for any lines, and within a line
// for any text.
func compare(promised, said string) error {
	lines := strings.Split(said, "\n")
	at := 0
	for _, want := range strings.Split(strings.TrimRight(promised, "\n"), "\n") {
		if strings.TrimSpace(want) == "..." || strings.TrimSpace(want) == "" {
			continue
		}
		found := false
		for ; at < len(lines) && !found; at++ {
			found = matches(strings.TrimSpace(want), lines[at])
		}
		if !found {
			return fmt.Errorf("no line %q where it was promised, in\n%s", want, said)
		}
	}
	return nil
}

// matches reports whether a line holds the parts of want between "..." in order.
func matches(want, line string) bool {
	for _, part := range strings.Split(want, "...") {
		i := strings.Index(line, strings.TrimSpace(part))
		if i < 0 {
			return false
		}
		line = line[i+len(strings.TrimSpace(part)):]
	}
	return true
}
