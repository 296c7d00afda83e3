package system

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// table is what the files said at one time.
type table struct {
	stamps   stamps
	accounts map[string]Account // of those who may log in
}

// stamp tells one version of a file from another.
type stamp struct {
	modified time.Time
	size     int64
	mode     fs.FileMode
}

// stamps are those of Passwd, Shadow, Group and Shells.
type stamps [4]stamp

func (p *Policy) paths() [4]string {
	return [4]string{p.config.Passwd, p.config.Shadow, p.config.Group, p.config.Shells}
}

func (p *Policy) stamp() (s stamps) {
	for i, name := range p.paths() {
		if info, err := os.Stat(name); name != "" && err == nil {
			s[i] = stamp{info.ModTime(), info.Size(), info.Mode()}
		}
	}
	return s
}

// maxFile is the greatest length of an account file in bytes.
const maxFile = 16 << 20

// read reads all files. They are stamped before, so that a change meanwhile is seen
// the next time.
func (p *Policy) read() (*table, error) {
	t := &table{stamps: p.stamp()}
	var texts [4]string
	for i, name := range p.paths() {
		if name == "" {
			continue
		}
		var err error
		if texts[i], err = readFile(name); err != nil {
			return nil, fmt.Errorf("account file: %w", err)
		}
	}
	users, err := parsePasswd(texts[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.config.Passwd, err)
	}
	shadow, err := parseShadow(texts[1])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.config.Shadow, err)
	}
	groups, err := parseGroup(texts[2])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.config.Group, err)
	}
	shells := parseShells(texts[3])
	t.accounts = map[string]Account{}
	for _, u := range users {
		if !p.mayLogIn(&u.Account, shells) {
			continue
		}
		file := p.config.Passwd
		if u.hash == "x" {
			file = p.config.Shadow
			s := shadow[u.Name] // the zero value locks
			u.hash, u.expires, u.line = s.hash, s.expires, s.line
		}
		if locked(u.hash) {
			continue
		}
		if err := p.check(u.hash); err != nil {
			return nil, fmt.Errorf("%s, line %d: user %q: %w", file, u.line, u.Name, err)
		}
		groups.join(&u.Account)
		t.accounts[u.Name] = u.Account
	}
	return t, nil
}

// readFile reads a file that nobody but its owner and group may change.
func readFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", &fs.PathError{Op: "read", Path: name, Err: errors.New("it is no regular file")}
	case info.Mode().Perm()&0o002 != 0:
		return "", &fs.PathError{Op: "read", Path: name, Err: errors.New("everybody may write to it: chmod o-w")}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("it is longer than %d bytes", maxFile)}
	}
	return string(text), err
}

// mayLogIn reports whether anything but the password keeps a user out.
func (p *Policy) mayLogIn(a *Account, shells []string) bool {
	switch {
	case a.UID == 0 || int64(a.UID) < p.config.MinUID:
		return false
	case len(p.config.Allow) > 0 && !slices.Contains(p.config.Allow, a.Name), slices.Contains(p.config.Deny, a.Name):
		return false
	case p.config.Shells != "" && !slices.Contains(shells, a.Shell):
		return false
	}
	if p.config.Root != "" {
		if _, inside := below(p.config.Root, a.Home); !inside {
			return false
		}
	}
	switch path.Base(a.Shell) {
	case "nologin", "false", "true", "sync", "halt", "shutdown":
		return false
	}
	return true
}

// locked reports whether no password fits. An empty hash is one of those: an
// account without a password is nobody's here.
func locked(hash string) bool { return hash == "" || hash[0] == '!' || hash[0] == '*' }

// check says what is wrong with a hash.
func (p *Policy) check(hash string) error {
	for _, prefix := range []string{"$argon2id$", "$2a$", "$2b$", "$2y$"} {
		if strings.HasPrefix(hash, prefix) {
			if p.config.Check != nil {
				return p.config.Check(hash)
			}
			return nil
		}
	}
	kind := "an old form"
	if parts := strings.SplitN(hash, "$", 3); len(parts) == 3 && parts[0] == "" {
		names := map[string]string{"1": "MD5 crypt", "5": "SHA-256 crypt", "6": "SHA-512 crypt", "7": "scrypt", "y": "yescrypt", "gy": "gost-yescrypt"}
		if kind = names[parts[1]]; kind == "" {
			kind = "an unknown kind"
		}
	}
	return fmt.Errorf("the password hash is of %s, which the server cannot verify: it takes argon2id and bcrypt; set the password anew, lock the account, or deny the user", kind)
}

// number reads the number of a user or group: 32 bits, of which the greatest value
// stands for none.
func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, fmt.Errorf("%.20q is no number of a user or group", s)
	}
	return uint32(n), nil
}
