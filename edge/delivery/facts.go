package delivery

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// entry is one line of a listing.
type entry struct {
	name     string // as the filesystem has it
	kind     string // "directory", "file", "link" or "other"
	size     int64  // in bytes, of a file; -1: unknown, or no file
	modified time.Time
}

// parseEntry reads a line of MLSD without its CRLF (RFC 3659 §7.2). It reports false for the
// directory itself, for the one above, and for what is no such line.
func parseEntry(line string) (e entry, ok bool) {
	facts, name, found := strings.Cut(line, " ")
	if !found || name == "" {
		return entry{}, false
	}
	e = entry{name: name, kind: "other", size: -1}
	for fact := range strings.SplitSeq(facts, ";") {
		key, value, _ := strings.Cut(fact, "=")
		switch strings.ToLower(key) {
		case "type":
			if e.kind = kindOf(value); e.kind == "" {
				return entry{}, false
			}
		case "size":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				e.size = n
			}
		case "modify":
			e.modified, _ = time.Parse("20060102150405", value)
		}
	}
	if e.kind != "file" {
		e.size = -1
	}
	return e, true
}

// kindOf is the kind of an entry by the fact of its type (RFC 3659 §7.5.1), empty for what
// is no entry.
func kindOf(fact string) string {
	fact = strings.ToLower(fact)
	switch {
	case fact == "cdir", fact == "pdir":
		return ""
	case fact == "dir":
		return "directory"
	case fact == "file":
		return "file"
	case strings.HasPrefix(fact, "os.unix=slink"), strings.HasPrefix(fact, "os.unix=symlink"):
		return "link"
	}
	return "other"
}

// lines cuts what is written to it into lines, and gives their entries away.
type lines struct {
	rest []byte
	give func(entry) error
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	from := 0
	for {
		n := bytes.Index(l.rest[from:], []byte("\r\n"))
		if n < 0 {
			break
		}
		if e, ok := parseEntry(string(l.rest[from : from+n])); ok {
			if err := l.give(e); err != nil {
				return 0, err
			}
		}
		from += n + 2
	}
	l.rest = append(l.rest[:0], l.rest[from:]...)
	return len(b), nil
}
