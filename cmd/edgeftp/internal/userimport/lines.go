package userimport

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// purePW reads what stands behind the hash in a line of Pure-FTPd's
// (README.Virtual-Users): uid, gid, gecos, home, bandwidth up and down in bytes per
// second, ratios up and down, sessions, files, bytes, local addresses allowed and refused,
// those of clients allowed and refused, times.
func (r *reader) purePW(fields []string, m *made) {
	for len(fields) < 18 {
		fields = append(fields, "")
	}
	if fields[4] != "" {
		m.set("note", shorten(fields[4]))
	}
	m.home(fields[5])
	m.size("bandwidth", "up", fields[6])
	m.size("bandwidth", "down", fields[7])
	if fields[8] != "" && fields[8] != "0" || fields[9] != "" && fields[9] != "0" {
		m.narrower = append(m.narrower, "the ratio of uploads to downloads")
	}
	if n := m.number("the sessions", fields[10]); n > 0 {
		m.set("max_sessions", n)
	}
	if n := m.number("the quota of files", fields[11]); n > 0 {
		m.within("quota", "files", n)
	}
	m.size("quota", "bytes", fields[12])
	for i, what := range []string{"local addresses that are allowed", "local addresses that are refused", "addresses that are allowed", "addresses that are refused", "times of day"} {
		v := fields[13+i]
		if key := [...]string{2: "networks", 3: "deny_networks", 4: ""}[i]; key != "" && v != "" && m.networks(key, strings.Split(v, ",")) {
			continue
		}
		if v != "" && v != "0-0" {
			m.narrower = append(m.narrower, fmt.Sprintf("%s (%.100s)", what, v))
		}
	}
}

// size sets a number of bytes, unless it is none or 0.
func (m *made) size(section, key, text string) {
	if n := m.number(section+"."+key, text); n > 0 {
		m.within(section, key, strconv.FormatInt(n, 10)+"B")
	}
}

// number reads a number, 0 for an empty field.
func (m *made) number(what, text string) int64 {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		m.wrong = fmt.Sprintf("%s is %.50q and no number", what, text)
		return 0
	}
	return n
}

// proFTPD reads what stands behind the hash in a line of an AuthUserFile, which has the
// form of passwd(5): uid, gid, gecos, home, shell.
func (r *reader) proFTPD(fields []string, m *made) {
	if fields[4] != "" {
		m.set("note", shorten(fields[4]))
	}
	m.home(fields[5])
}

// shorten makes a line of at most what a note may have.
func shorten(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	for len(s) > 400 {
		runes := []rune(s)
		s = string(runes[:len(runes)-1-len(runes)/10])
	}
	return s
}

// vsFTPD reads the list of virtual users from which db_load makes the file of
// pam_userdb, a line with a name and one with his password in turn; or, where each line
// has a colon, that of pam_pwdfile: name:hash, perhaps with more behind it.
func (r *reader) vsFTPD(text string) error {
	var all []line
	n, hashes := 0, true
	for s := range strings.Lines(text) {
		n++
		s = strings.TrimRight(s, "\r\n")
		all = append(all, line{n, s})
		if s != "" && !strings.HasPrefix(s, "#") && !strings.Contains(s, ":") {
			hashes = false
		}
	}
	if hashes {
		r.lines(text, func(l line) {
			fields := strings.SplitN(l.text, ":", 3)
			r.add(&made{User: User{Line: l.n, Name: fields[0], Hash: fields[1]}})
		})
		return nil
	}
	for len(all) > 0 && all[len(all)-1].text == "" {
		all = all[:len(all)-1]
	}
	if len(all)%2 != 0 {
		return errors.New("the number of lines is odd: each user has a line with the name and one with the password")
	}
	for i := 0; i < len(all); i += 2 {
		m := &made{User: User{Line: all[i].n, Name: all[i].text, Password: all[i+1].text}}
		m.checkPassword()
		r.add(m)
	}
	return nil
}

// checkPassword refuses what cannot be a password.
func (m *made) checkPassword() {
	if m.Password == "" || len(m.Password) > 1023 {
		m.wrong = fmt.Sprintf("the password has %d bytes; it is to have 1 to 1023", len(m.Password))
	}
}
