package ftpclient

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
)

// maxListLine bounds a line of a listing in bytes: a name, a symbolic link's target, and
// the facts.
const maxListLine = 16 << 10

// Kind says what an Entry is.
type Kind string

// The kinds.
const (
	File  Kind = "file"
	Dir   Kind = "dir"
	Link  Kind = "link"
	Other Kind = "other"
)

// Entry is one name in a directory.
type Entry struct {
	// Name has passed CheckName.
	Name string `json:"name"`
	// Kind is file, dir, link, or other.
	Kind Kind `json:"kind"`
	// Size is in bytes; Unknown if the server does not say.
	Size int64 `json:"size"`
	// ModTime is when it was changed; zero if the server does not say.
	ModTime time.Time `json:"modified,omitzero"`
	// Coarse says that ModTime has no seconds, or is of a time zone that nobody knows.
	Coarse bool `json:"coarse_time,omitempty"`
	// Mode are the permissions as the server writes them, such as rw-r--r--; may be empty.
	Mode string `json:"mode,omitempty"`
	// Target is where a link leads to, as the server writes it; it is never followed.
	Target string `json:"target,omitempty"`
}

// List returns what is in a directory, by MLSD or, where the server has none, by LIST.
// Names that no file may have are left away and returned as refused.
func (s *Session) List(path string) (entries []Entry, refused []error, err error) {
	command, parse := "LIST", parser(s.listLine)
	if s.Has("MLST") || s.Has("MLSD") {
		command, parse = "MLSD", mlsdLine
	}
	if path != "" {
		command += " " + path
	}
	d, err := s.beginData(command, 0)
	if err != nil {
		return nil, nil, err
	}
	entries, refused, err = s.readList(d, parse)
	d.close()
	if err != nil {
		return nil, nil, s.lose(err)
	}
	_, err = s.expect("the end of "+command, 226, 250)
	return entries, refused, err
}

// parser reads one line of a listing; nil is a line that names nothing.
type parser func(line string) (*Entry, error)

func (s *Session) readList(d io.Reader, parse parser) (entries []Entry, refused []error, err error) {
	in := bufio.NewReaderSize(d, 16<<10)
	seen := map[string]bool{}
	bytes := 0
	for lines := 0; ; lines++ {
		line, err := readLine(in, maxListLine)
		switch {
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return entries, refused, nil
		case err != nil:
			return nil, nil, err
		case lines >= s.conf.MaxEntries:
			return nil, nil, refuse("a listing of the server has more than %d lines", s.conf.MaxEntries)
		}
		if bytes += len(line); bytes > s.conf.MaxListing {
			return nil, nil, refuse("a listing of the server has more than %d bytes", s.conf.MaxListing)
		}
		e, err := parse(line)
		if err == nil && e != nil {
			if err = CheckName(e.Name); err == nil && seen[e.Name] {
				err = refuse("the server lists the name %q twice", e.Name)
			}
		}
		switch {
		case err != nil && len(refused) < 1000:
			refused = append(refused, err)
		case err == nil && e != nil:
			seen[e.Name] = true
			entries = append(entries, *e)
		}
	}
}

// mlsdLine reads a line of MLSD (RFC 3659 §7): facts, each with a semicolon behind it, a
// space, the name.
func mlsdLine(line string) (*Entry, error) {
	facts, name, ok := strings.Cut(line, " ")
	if !ok || facts != "" && !strings.HasSuffix(facts, ";") {
		return nil, refuse("a line of the listing is none: %q", clip(line))
	}
	e := &Entry{Name: name, Kind: Other, Size: Unknown}
	for fact := range strings.SplitSeq(facts, ";") {
		key, value, _ := strings.Cut(fact, "=")
		switch strings.ToLower(key) {
		case "type":
			if skip := e.mlsdType(value); skip {
				return nil, nil
			}
		case "size":
			if n, ok := decimal(value); ok {
				e.Size = n
			}
		case "modify":
			e.ModTime, _ = parseTimeVal(value)
		case "unix.mode":
			e.Mode = octal(value)
		}
	}
	if e.Kind != File {
		e.Size = Unknown
	}
	return e, nil
}

func (e *Entry) mlsdType(value string) (skip bool) {
	switch kind := strings.ToLower(value); {
	case kind == "cdir" || kind == "pdir":
		return true
	case kind == "file":
		e.Kind = File
	case kind == "dir":
		e.Kind = Dir
	case strings.HasPrefix(kind, "os.unix=slink") || strings.HasPrefix(kind, "os.unix=symlink"):
		e.Kind = Link
		_, e.Target, _ = strings.Cut(value, ":")
	}
	return false
}

// decimal reads a number of digits alone.
func decimal(text string) (n int64, ok bool) {
	if text == "" || len(text) > 18 {
		return 0, false
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// octal writes the digits of a mode as letters.
func octal(text string) string {
	if len(text) > 3 {
		text = text[len(text)-3:]
	}
	var b strings.Builder
	for _, c := range []byte(text) {
		if c < '0' || c > '7' {
			return ""
		}
		for i, letter := range "rwx" {
			if (c-'0')&(4>>i) == 0 {
				letter = '-'
			}
			b.WriteRune(letter)
		}
	}
	return b.String()
}

// Stat tells what a path is. It asks MLST, or looks into the directory above.
func (s *Session) Stat(path string) (*Entry, error) {
	if path == "" || path == "/" {
		return &Entry{Name: "/", Kind: Dir, Size: Unknown}, nil
	}
	if s.Has("MLST") {
		r, err := s.must("MLST "+path, 250)
		if err != nil {
			return nil, err
		}
		for _, line := range r.Lines[1:] {
			if e, err := mlstLine(line); err == nil {
				e.Name = base(path)
				return e, nil
			}
		}
		return nil, refuse("the server answers MLST without facts: %q", clip(r.Text()))
	}
	above, _ := split(path)
	entries, _, err := s.List(above)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		if entries[i].Name == base(path) {
			return &entries[i], nil
		}
	}
	return nil, &ReplyError{"LIST " + above, Reply{550, []string{fmt.Sprintf("%s is not in it", escape.Text(base(path)))}}}
}

// mlstLine is the line of MLST's reply, which begins with a space and may name the
// directory itself.
func mlstLine(line string) (*Entry, error) {
	line = strings.TrimPrefix(line, " ")
	lower := strings.ToLower(line)
	if !strings.Contains(lower, "type=") {
		return nil, refuse("no facts")
	}
	for _, self := range []string{"type=cdir;", "type=pdir;"} {
		if at := strings.Index(lower, self); at >= 0 {
			line = line[:at] + "type=dir;" + line[at+len(self):]
		}
	}
	e, err := mlsdLine(line)
	if err == nil && e == nil {
		err = refuse("no facts")
	}
	return e, err
}

// split returns what is above a path, and its last name.
func split(path string) (above, name string) {
	at := strings.LastIndexByte(path, '/')
	if at == 0 {
		return "/", path[1:]
	}
	return path[:max(at, 0)], path[at+1:]
}

func base(path string) string {
	_, name := split(path)
	return name
}

// Join is a path one name deeper.
func Join(dir, name string) string {
	if dir == "" || strings.HasSuffix(dir, "/") {
		return dir + name
	}
	return dir + "/" + name
}
