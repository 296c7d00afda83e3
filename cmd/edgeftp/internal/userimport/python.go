package userimport

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxProgram is how many bytes a program may have.
const maxProgram = 256 << 10

// pyFTPDLib reads the calls of add_user and override_perm in a Python program whose
// arguments are literals. It understands nothing else of Python: comments are skipped.
func (r *reader) pyFTPDLib(text string) error {
	if len(text) > maxProgram {
		return fmt.Errorf("it is longer than %d KiB", maxProgram>>10)
	}
	users := map[string]*made{}
	var order []*made
	found := false
	for i := 0; i < len(text); {
		rest := text[i:]
		switch {
		case rest[0] == '#':
			i += lineEnd(rest)
			continue
		case rest[0] == '"' || rest[0] == '\'':
			if _, n, ok := pyString(rest); ok {
				i += n
				continue
			}
		}
		name, is := call(text, i)
		if !is {
			i++
			continue
		}
		found = true
		at := 1 + strings.Count(text[:i], "\n")
		args, n, err := pyArgs(text[i+len(name)+1:])
		i += len(name) + 1 + n
		switch name {
		case "add_user":
			m := pyUser(at, args, err)
			if m.wrong == "" {
				if _, twice := users[m.Name]; !twice {
					users[m.Name] = m
				}
			}
			order = append(order, m)
		case "override_perm":
			pyOverride(users, args, err)
			if err != nil {
				r.add(&made{User: User{Line: at}, wrong: "override_perm: " + err.Error()})
			}
		case "add_anonymous":
			r.add(&made{User: User{Line: at, Name: "anonymous"}})
		}
	}
	for _, m := range order {
		r.add(m)
	}
	if !found {
		return errors.New("it calls neither add_user nor add_anonymous")
	}
	return nil
}

// call reports whether one of the methods is called at a place.
func call(text string, i int) (string, bool) {
	if i > 0 && (text[i-1] == '_' || text[i-1] >= '0' && text[i-1] <= '9' || text[i-1] >= 'A' && text[i-1] <= 'z') {
		return "", false
	}
	for _, name := range []string{"add_user", "override_perm", "add_anonymous"} {
		if strings.HasPrefix(text[i:], name+"(") {
			return name, true
		}
	}
	return "", false
}

// pyArg is one argument of a call.
type pyArg struct{ name, value string }

var errLiteral = errors.New("the arguments are no plain texts, so that only the program itself knows them")

// pyArgs reads arguments up to the bracket that closes them, and returns how long that is.
func pyArgs(text string) (args []pyArg, n int, err error) {
	for n < len(text) {
		switch c := text[n]; {
		case c == ')':
			return args, n + 1, nil
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',':
			n++
		case c == '#':
			n += lineEnd(text[n:])
		default:
			a, length, err := pyOne(text[n:])
			if err != nil {
				return nil, n, err
			}
			args = append(args, a)
			n += length
		}
	}
	return nil, n, errors.New("the call has no end")
}

// pyOne reads one argument: a text, True or False, perhaps with a name.
func pyOne(text string) (a pyArg, n int, err error) {
	for n < len(text) && (text[n] == '_' || text[n] >= 'a' && text[n] <= 'z' || text[n] >= 'A' && text[n] <= 'Z') {
		n++
	}
	word, rest := text[:n], strings.TrimLeft(text[n:], " ")
	if strings.HasPrefix(rest, "=") && word != "" {
		a.name = word
		rest = strings.TrimLeft(rest[1:], " ")
		n = len(text) - len(rest)
		for _, w := range []string{"True", "False"} {
			if strings.HasPrefix(rest, w) {
				a.value = w
				return a, n + len(w), nil
			}
		}
	} else if word == "True" || word == "False" {
		return pyArg{value: word}, n, nil
	} else {
		rest, n = text, 0
	}
	s, length, ok := pyString(rest)
	if !ok {
		return a, 0, errLiteral
	}
	if next := strings.TrimLeft(rest[length:], " \t\r\n"); next != "" && next[0] != ',' && next[0] != ')' && next[0] != '#' {
		return a, 0, errLiteral
	}
	a.value = s
	return a, n + length, nil
}

// pyString reads a text in quotes at the beginning of another, with the escapes that are
// the same everywhere, and returns how long it is.
func pyString(text string) (s string, n int, ok bool) {
	raw := false
	if len(text) > 1 && (text[0] == 'r' || text[0] == 'u' || text[0] == 'b') {
		raw, text, n = text[0] == 'r', text[1:], 1
	}
	if text == "" || text[0] != '"' && text[0] != '\'' {
		return "", 0, false
	}
	quote := text[:1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(text, triple) {
		end := strings.Index(text[3:], triple)
		if end < 0 {
			return "", 0, false
		}
		return text[3 : 3+end], n + end + 6, !strings.Contains(text[3:3+end], `\`)
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n':
			return "", 0, false
		case c == quote[0]:
			return b.String(), n + i + 1, true
		case c == '\\' && !raw:
			r, _, tail, err := strconv.UnquoteChar(text[i:], quote[0])
			if err != nil {
				return "", 0, false
			}
			b.WriteRune(r)
			i = len(text) - len(tail) - 1
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, false
}

// pyUser makes a user of the arguments of add_user.
func pyUser(at int, args []pyArg, err error) *made {
	m := &made{User: User{Line: at}}
	if err != nil {
		m.wrong = "add_user: " + err.Error()
		return m
	}
	perm := "elr" // the default of the library
	for i, a := range args {
		if a.name == "" && i < 6 {
			a.name = []string{"username", "password", "homedir", "perm", "msg_login", "msg_quit"}[i]
		}
		switch a.name {
		case "username":
			m.Name = a.value
		case "password":
			m.Password = a.value
		case "homedir":
			m.home(a.value)
		case "perm":
			perm = a.value
		case "msg_login", "msg_quit":
			m.set(a.name, a.value)
		default:
			m.wrong = fmt.Sprintf("add_user has no argument %.50q", a.name)
		}
	}
	if strings.Trim(perm, "elradfmwMT") != "" || perm == "" {
		m.wrong = fmt.Sprintf("%.50q are no permissions", perm)
	}
	m.set("perm", perm)
	if m.wrong == "" {
		m.checkPassword()
	}
	return m
}

// pyOverride adds a rule of override_perm(username, directory, perm, recursive) to a user.
func pyOverride(users map[string]*made, args []pyArg, err error) {
	if err != nil {
		return
	}
	got := map[string]string{}
	for i, a := range args {
		if a.name == "" && i < 4 {
			a.name = []string{"username", "directory", "perm", "recursive"}[i]
		}
		got[a.name] = a.value
	}
	m := users[got["username"]]
	if m == nil {
		return
	}
	root, _ := m.Settings["root"].(string)
	dir, below := strings.CutPrefix(strings.TrimRight(got["directory"], "/"), strings.TrimRight(root, "/"))
	if !below || dir != "" && dir[0] != '/' || strings.Trim(got["perm"], "elradfmwMT") != "" {
		m.wrong = fmt.Sprintf("override_perm names %.100q, which does not lie in the home, or no permissions", got["directory"])
		return
	}
	rules, _ := m.Settings["rules"].([]any)
	m.set("rules", append(rules, map[string]any{"dir": "/" + strings.TrimLeft(dir, "/"), "perm": got["perm"], "recursive": got["recursive"] == "True"}))
}

// lineEnd is how long the rest of a line is, which is not empty.
func lineEnd(text string) int {
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		return max(i, 1)
	}
	return len(text)
}
