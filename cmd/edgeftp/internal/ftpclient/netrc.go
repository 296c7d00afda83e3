package ftpclient

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// maxNetrc bounds what is read of a netrc file.
const maxNetrc = 1 << 20

// Login is what a netrc file has for a host.
type Login struct {
	User     string
	Password string
}

// Netrc reads what the user's netrc file ($NETRC, else ~/.netrc) has for a host, and for
// a user if one is named; nil if it has nothing. A file with passwords that others may
// read is refused.
func Netrc(host, user string) (*Login, error) {
	path, named := os.Getenv("NETRC"), true
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, nil
		}
		path, named = filepath.Join(home, ".netrc"), false
	}
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && !named {
			return nil, nil
		}
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading alone
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxNetrc+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxNetrc {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxNetrc)
	}
	login, err := parseNetrc(string(text), host, user)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if login != nil && login.Password != "" && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s holds passwords and others may read it (mode %04o)\n   = help: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	return login, nil
}

// parseNetrc finds the first entry for a host, or the default one, and for a user if
// one is named. Macros (macdef) are passed over, up to the next empty line.
func parseNetrc(text, host, user string) (*Login, error) {
	var login *Login
	words := &netrcWords{rest: text}
	for {
		word, ok := words.next()
		if !ok {
			return nil, words.err
		}
		any := word == "default"
		if word == "macdef" {
			words.skipMacro()
			continue
		}
		if !any && word != "machine" {
			return nil, fmt.Errorf("line %d: %q is not expected here", words.line(text), clip(word))
		}
		name := ""
		if !any {
			if name, ok = words.next(); !ok {
				return nil, errors.New("machine has no name behind it")
			}
		}
		var err error
		if login, err = words.login(text); err != nil {
			return nil, err
		}
		if (any || strings.EqualFold(name, host)) && (user == "" || login.User == user) {
			return login, nil
		}
	}
}

// netrcWords are the words that are left of a netrc file.
type netrcWords struct {
	rest string
	err  error
}

func (w *netrcWords) line(text string) int {
	return strings.Count(text[:len(text)-len(w.rest)], "\n") + 1
}

// peek returns the next word and what is behind it. Words with spaces stand in double
// quotes, in which a backslash takes the next character as it is.
func (w *netrcWords) peek() (word, rest string, ok bool) {
	s := strings.TrimLeft(w.rest, " \t\r\n,")
	for strings.HasPrefix(s, "#") { // a comment, to the end of the line
		_, after, _ := strings.Cut(s, "\n")
		s = strings.TrimLeft(after, " \t\r\n,")
	}
	if s == "" {
		return "", "", false
	}
	if s[0] != '"' {
		end := strings.IndexAny(s, " \t\r\n")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	w.err = errors.New("a quotation mark has no end")
	return "", "", false
}

func (w *netrcWords) next() (string, bool) {
	word, rest, ok := w.peek()
	if ok {
		w.rest = rest
	}
	return word, ok
}

// login reads what belongs to a machine. Passwords may begin with "#".
func (w *netrcWords) login(text string) (*Login, error) {
	l := new(Login)
	for {
		word, rest, ok := w.peek()
		if !ok || word == "machine" || word == "default" || word == "macdef" {
			return l, w.err
		}
		w.rest = rest
		if word != "login" && word != "password" && word != "account" {
			return nil, fmt.Errorf("line %d: %q is not expected here", w.line(text), clip(word))
		}
		if trimmed := strings.TrimLeft(w.rest, " \t\r\n"); strings.HasPrefix(trimmed, "#") && word == "password" {
			end := strings.IndexAny(trimmed+"\n", " \t\r\n")
			l.Password, w.rest = trimmed[:end], trimmed[end:]
			continue
		}
		value, ok := w.next()
		if !ok {
			if w.err != nil {
				return nil, w.err
			}
			return nil, fmt.Errorf("%s has nothing behind it", word)
		}
		switch word {
		case "login":
			l.User = value
		case "password":
			l.Password = value
		}
	}
}

// skipMacro passes over a macro, which an empty line ends.
func (w *netrcWords) skipMacro() {
	text := strings.ReplaceAll(w.rest, "\r\n", "\n")
	_, w.rest, _ = strings.Cut(text, "\n\n")
}
