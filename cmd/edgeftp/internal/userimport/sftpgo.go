package userimport

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sftpGoUser is a user as SFTPGo's dumpdata writes him, as far as it matters here.
type sftpGoUser struct {
	Username    string              `json:"username"`
	Password    string              `json:"password"`
	Description string              `json:"description"`
	HomeDir     string              `json:"home_dir"`
	Status      *int                `json:"status"`
	Expiration  int64               `json:"expiration_date"` // milliseconds since 1970
	PublicKeys  []string            `json:"public_keys"`
	MaxSessions int64               `json:"max_sessions"`
	QuotaSize   int64               `json:"quota_size"`
	QuotaFiles  int64               `json:"quota_files"`
	Permissions map[string][]string `json:"permissions"`
	Upload      int64               `json:"upload_bandwidth"`   // KB/s
	Download    int64               `json:"download_bandwidth"` // KB/s
	Folders     []json.RawMessage   `json:"virtual_folders"`
	Groups      []json.RawMessage   `json:"groups"`
	Filesystem  struct {
		Provider int `json:"provider"`
	} `json:"filesystem"`
	Filters struct {
		AllowedIP       []string          `json:"allowed_ip"`
		DeniedIP        []string          `json:"denied_ip"`
		DeniedProtocols []string          `json:"denied_protocols"`
		DeniedLogin     []string          `json:"denied_login_methods"`
		Patterns        []json.RawMessage `json:"file_patterns"`
		MaxUpload       int64             `json:"max_upload_file_size"`
		AccessTime      []json.RawMessage `json:"access_time"`
		StartDirectory  string            `json:"start_directory"`
		FTPSecurity     int               `json:"ftp_security"`
	} `json:"filters"`
}

// sftpGo reads a dump.
func (r *reader) sftpGo(text []byte) error {
	var dump struct {
		Users []json.RawMessage `json:"users"`
	}
	if err := json.Unmarshal(text, &dump); err != nil {
		return err
	}
	if dump.Users == nil {
		return errors.New("it has no users")
	}
	for i, raw := range dump.Users {
		var u sftpGoUser
		if err := json.Unmarshal(raw, &u); err != nil {
			r.add(&made{User: User{Line: i + 1, Name: u.Username}, wrong: "it is no user of SFTPGo: " + err.Error()})
			continue
		}
		m := &made{User: User{Line: i + 1, Name: u.Username, Hash: u.Password}}
		u.settings(m)
		u.limits(m)
		r.add(m)
	}
	return nil
}

// settings takes over what has a key of its own here.
func (u *sftpGoUser) settings(m *made) {
	if u.Description != "" {
		m.set("note", shorten(u.Description))
	}
	m.home(u.HomeDir)
	if u.Filters.StartDirectory != "" && u.Filters.StartDirectory != "/" {
		m.set("home", "/"+strings.Trim(u.Filters.StartDirectory, "/"))
	}
	if u.Status != nil && *u.Status == 0 {
		m.set("disabled", true)
	}
	if u.Expiration > 0 {
		m.set("expires", time.UnixMilli(u.Expiration).UTC().Format(time.RFC3339))
	}
	if u.MaxSessions > 0 {
		m.set("max_sessions", u.MaxSessions)
	}
	for _, s := range []struct {
		section, key string
		n, unit      int64
	}{{"quota", "bytes", u.QuotaSize, 1}, {"bandwidth", "up", u.Upload, 1024}, {"bandwidth", "down", u.Download, 1024}} {
		if s.n > 0 && s.n < 1<<52 {
			m.within(s.section, s.key, strconv.FormatInt(s.n*s.unit, 10)+"B")
		}
	}
	if u.QuotaFiles > 0 {
		m.within("quota", "files", u.QuotaFiles)
	}
	if u.Filters.MaxUpload > 0 {
		m.set("max_file_size", strconv.FormatInt(u.Filters.MaxUpload, 10)+"B")
	}
	if len(u.PublicKeys) > 0 {
		m.drop("%d SSH keys", len(u.PublicKeys))
	}
	if len(u.Folders) > 0 {
		m.drop("%d virtual folders", len(u.Folders))
	}
	var rules []any
	for _, dir := range slices.Sorted(maps.Keys(u.Permissions)) {
		letters := sftpGoPerm(m, dir, u.Permissions[dir])
		switch {
		case dir == "/" && letters == "":
			m.wrong = "there is no permission for /"
		case dir == "/":
			m.set("perm", letters)
		case strings.ContainsAny(dir, "*?[") || !strings.HasPrefix(dir, "/"):
			m.narrower = append(m.narrower, fmt.Sprintf("the permissions for %.100q, which is no directory", dir))
		default:
			rules = append(rules, map[string]any{"dir": dir, "perm": letters, "recursive": true})
		}
	}
	if rules != nil {
		m.set("rules", rules)
	}
}

// limits notes what kept the user from more, and cannot be kept here.
func (u *sftpGoUser) limits(m *made) {
	f := &u.Filters
	if u.Filesystem.Provider != 0 {
		m.wrong = "the files are not on a local disk"
	}
	if slices.Contains(f.DeniedProtocols, "FTP") {
		m.wrong = "FTP is denied to this user"
	}
	if len(u.Groups) > 0 {
		m.narrower = append(m.narrower, "what the groups there say")
	}
	for what, n := range map[string]int{"addresses that are allowed": len(f.AllowedIP), "addresses that are refused": len(f.DeniedIP),
		"patterns of names": len(f.Patterns), "times of access": len(f.AccessTime), "TLS for this user": f.FTPSecurity} {
		if n > 0 {
			m.narrower = append(m.narrower, what)
		}
	}
	if slices.Contains(f.DeniedLogin, "password") {
		m.narrower = append(m.narrower, "logins by password are denied")
	}
	slices.Sort(m.narrower)
}

// sftpGoPerm makes permission letters of SFTPGo's words. What a word permits more here
// than there is noted.
func sftpGoPerm(m *made, dir string, words []string) string {
	has := func(w string) bool { return slices.Contains(words, w) }
	if has("*") {
		return "elradfmwMT"
	}
	letters := ""
	give := func(l string, yes bool) {
		if yes {
			letters += l
		}
	}
	give("e", len(words) > 0)
	give("l", has("list"))
	give("r", has("download"))
	whole := func(l, word string, parts ...string) {
		n := 0
		for _, p := range parts {
			if has(p) {
				n++
			}
		}
		if has(word) || n == len(parts) {
			letters += l
		} else if n > 0 {
			letters += l
			m.narrower = append(m.narrower, fmt.Sprintf("in %.100q only part of %s is permitted", dir, word))
		}
	}
	give("a", has("upload") && has("overwrite"))
	whole("d", "delete", "delete_files", "delete_dirs")
	whole("f", "rename", "rename_files", "rename_dirs")
	give("m", has("create_dirs"))
	give("w", has("upload"))
	if has("upload") != has("overwrite") {
		m.narrower = append(m.narrower, fmt.Sprintf("in %.100q files may be uploaded or overwritten, not both", dir))
	}
	give("M", has("chmod"))
	give("T", has("chtimes"))
	return letters
}
