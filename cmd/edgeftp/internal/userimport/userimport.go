// Package userimport reads the users of other programs: the names, hashes and rights that
// USER and PASS (RFC 959 §4.1.1) meet there. What it reads is hostile text; what it cannot
// take over it tells, line by line, and takes nothing of that user.
package userimport

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/edge"
)

// Format is a form of file.
type Format string

// The formats.
const (
	HTPasswd  Format = "htpasswd"  // of Apache httpd: name:hash
	PurePW    Format = "pure-pw"   // the text file of Pure-FTPd's virtual users
	ProFTPD   Format = "proftpd"   // AuthUserFile, as ftpasswd writes it
	VSFTPD    Format = "vsftpd"    // the list that db_load makes pam_userdb's file of, or that of pam_pwdfile
	SFTPGo    Format = "sftpgo"    // the JSON of dumpdata
	PyFTPDLib Format = "pyftpdlib" // add_user calls of a Python program
)

// Formats are all of them.
func Formats() []Format { return []Format{HTPasswd, PurePW, ProFTPD, VSFTPD, SFTPGo, PyFTPDLib} }

// MaxFile is how many bytes a file may have.
const MaxFile = 32 << 20

// ErrFormat is wrapped by the error of [Parse] for a text that is not of the format at
// all.
var ErrFormat = errors.New("this is no file of that format")

// User is one that can be taken over.
type User struct {
	Line     int            // in the file, from 1; of JSON the number of the user
	Name     string         //
	Hash     string         // that the server can verify; empty with Password
	Password string         // in the clear, as the file has it
	Settings map[string]any // keys of users.list with their values
	// Dropped is what the user had there and has not here, without which he may do no more.
	Dropped []string
}

// Refused is one that cannot be.
type Refused struct {
	Line int
	Name string // may be empty
	Why  string
	// User is who can be taken over all the same, if what follows is done about it; else nil.
	User        *User
	NewPassword bool // he needs a new password
	Wider       bool // something kept him from more there that cannot be kept here
}

// Result is what is in a file, in its order.
type Result struct {
	Users   []User
	Refused []Refused
}

// Parse reads a file. The error wraps [ErrFormat].
func Parse(f Format, text []byte) (Result, error) {
	if len(text) > MaxFile {
		return Result{}, fmt.Errorf("%w: it is longer than %d MiB", ErrFormat, MaxFile>>20)
	}
	if !utf8.Valid(text) || strings.ContainsRune(string(text), 0) {
		return Result{}, fmt.Errorf("%w: it is no text in UTF-8", ErrFormat)
	}
	r := &reader{seen: map[string]int{}}
	var err error
	switch f {
	case HTPasswd:
		r.lines(string(text), func(l line) { r.colons(l, 2, 0, func([]string, *made) {}) })
	case PurePW:
		r.lines(string(text), func(l line) { r.colons(l, 18, 13, r.purePW) })
	case ProFTPD:
		r.lines(string(text), func(l line) { r.colons(l, 7, 0, r.proFTPD) })
	case VSFTPD:
		err = r.vsFTPD(string(text))
	case SFTPGo:
		err = r.sftpGo(text)
	case PyFTPDLib:
		err = r.pyFTPDLib(string(text))
	default:
		return Result{}, fmt.Errorf("there is no format %q", f)
	}
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return r.Result, nil
}

// reader gathers users.
type reader struct {
	Result
	seen map[string]int
}

// line is one line of a file.
type line struct {
	n    int
	text string
}

// lines hands over the lines that are neither empty nor comments.
func (r *reader) lines(text string, f func(line)) {
	n := 0
	for s := range strings.Lines(text) {
		n++
		s = strings.TrimRight(s, "\r\n")
		if strings.TrimSpace(s) != "" && !strings.HasPrefix(s, "#") {
			f(line{n, s})
		}
	}
}

// made is a user under way.
type made struct {
	User
	wrong    string   // why he cannot be taken over at all
	narrower []string // what kept him from more
}

func (m *made) set(key string, value any) {
	if m.Settings == nil {
		m.Settings = map[string]any{}
	}
	m.Settings[key] = value
}

func (m *made) drop(format string, args ...any) {
	m.Dropped = append(m.Dropped, fmt.Sprintf(format, args...))
}

// within sets a key of a section.
func (m *made) within(section, key string, value any) {
	s, _ := m.Settings[section].(map[string]any)
	if s == nil {
		s = map[string]any{}
		m.set(section, s)
	}
	s[key] = value
}

// networks sets a key that is a list of networks, and reports false for words that are none,
// such as names of hosts: then nothing is set.
func (m *made) networks(key string, words []string) bool {
	var out []any
	for _, w := range words {
		w = strings.TrimSpace(w)
		p, err := netip.ParsePrefix(w)
		if ip, bare := netip.ParseAddr(w); bare == nil && ip.Zone() == "" {
			p, err = netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
		}
		if err != nil || p.Addr().Is4In6() {
			return false
		}
		out = append(out, p.Masked().String())
	}
	m.set(key, out)
	return true
}

// colons takes a line of fields apart, of which the first two are the name and the hash.
// With fewer than least fields, where that is not 0, or others than want, it is none.
func (r *reader) colons(l line, want, least int, more func([]string, *made)) {
	fields := strings.Split(l.text, ":")
	if least == 0 {
		least = want
	}
	m := &made{User: User{Line: l.n, Name: fields[0]}}
	if len(fields) < least || len(fields) > want {
		m.wrong = fmt.Sprintf("the line has %d fields between colons, not %d", len(fields), want)
		if len(fields) == 1 {
			m.Name = "" // it may be a password
		}
		r.add(m)
		return
	}
	m.Hash = fields[1]
	more(fields, m)
	r.add(m)
}

// add takes a user over, or says why not.
func (r *reader) add(m *made) {
	if m.wrong == "" {
		m.wrong = badName(m.Name)
	}
	if first, twice := r.seen[m.Name]; twice && m.wrong == "" {
		m.wrong = fmt.Sprintf("the name is that of line %d", first)
	}
	if m.wrong == "" {
		r.seen[m.Name] = m.Line
	}
	no := Refused{Line: m.Line, Name: m.Name, Why: m.wrong}
	if m.wrong != "" {
		r.Refused = append(r.Refused, no)
		return
	}
	user, why := m.User, m.narrower
	no.Wider = len(m.narrower) > 0
	user.Dropped = append(user.Dropped, m.narrower...)
	if reason := unusable(m.Hash); m.Password == "" && reason != "" {
		user.Hash, no.NewPassword = "", true
		why = append([]string{reason}, why...)
	}
	if len(why) == 0 {
		r.Users = append(r.Users, user)
		return
	}
	if no.Why = strings.Join(why, "; "); !m.locked() {
		no.User = &user
	}
	r.Refused = append(r.Refused, no)
}

// locked reports whether the user may not log in there: then a new password is no help.
func (m *made) locked() bool {
	return m.Password == "" && (strings.HasPrefix(m.Hash, "!") || strings.HasPrefix(m.Hash, "*"))
}

func badName(name string) string {
	switch {
	case name == "":
		return "there is no name"
	case len(name) > 255:
		return fmt.Sprintf("the name has %d bytes, at most 255 are kept", len(name))
	case name == "anonymous" || name == "ftp":
		return "anonymous users are those of users.anonymous in the configuration"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "the name holds a control character"
	}
	return ""
}

// unusable says why a hash cannot be taken over; nothing if it can.
func unusable(hash string) string {
	err := edge.CheckHash(hash)
	if err == nil {
		return ""
	}
	if hash == "" || hash == "x" {
		return "there is no password, or it is kept elsewhere"
	}
	if strings.HasPrefix(hash, "!") || strings.HasPrefix(hash, "*") {
		return "the account is locked"
	}
	for _, known := range []struct{ prefix, name string }{
		{"$apr1$", "Apache's MD5"}, {"$1$", "MD5 crypt"}, {"$5$", "SHA-256 crypt"}, {"$6$", "SHA-512 crypt"}, {"$y$", "yescrypt"}, {"$gy$", "gost-yescrypt"},
		{"$7$", "scrypt"}, {"$pbkdf2", "PBKDF2"}, {"{SHA}", "plain SHA-1"}, {"{SSHA}", "salted SHA-1"}, {"$argon2i$", "argon2i"}, {"$2x$", "an old, faulty bcrypt"},
	} {
		if strings.HasPrefix(hash, known.prefix) {
			return "the password's hash is " + known.name + ", which this server does not verify"
		}
	}
	if strings.HasPrefix(hash, "$argon2id$") || strings.HasPrefix(hash, "$2") {
		return "the password's hash cannot be used: " + err.Error()
	}
	return "the password's hash is DES crypt or of an unknown form, which this server does not verify"
}

// home makes a directory of the machine a user's root.
func (m *made) home(dir string) {
	if i := strings.Index(dir, "/./"); i >= 0 { // the part before it is the root, the rest the first directory
		if rest := strings.Trim(dir[i+3:], "/"); rest != "" {
			m.set("home", "/"+rest)
		}
		dir = dir[:i+1]
	}
	switch {
	case dir == "":
		m.drop("no home")
	case !strings.HasPrefix(dir, "/"):
		m.wrong = fmt.Sprintf("the home %q is no absolute path", dir)
	default:
		m.set("root", cmp.Or(strings.TrimRight(dir, "/"), "/"))
	}
}
