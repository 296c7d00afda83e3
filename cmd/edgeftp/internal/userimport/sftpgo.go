package userimport

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
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
	Folders     []sftpGoFolder      `json:"virtual_folders"`
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

// sftpGoFolder is a virtual folder: of a user, where it is seen, or by itself, what it is.
type sftpGoFolder struct {
	Name       string `json:"name"`
	Virtual    string `json:"virtual_path"`
	Mapped     string `json:"mapped_path"`
	QuotaSize  int64  `json:"quota_size"` // below zero, it counts for the user's
	QuotaFiles int64  `json:"quota_files"`
	Filesystem struct {
		Provider int `json:"provider"`
	} `json:"filesystem"`
}

// sftpGo reads a dump.
func (r *reader) sftpGo(text []byte) error {
	var dump struct {
		Users   []json.RawMessage `json:"users"`
		Folders []sftpGoFolder    `json:"folders"`
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
		u.folders(m, dump.Folders)
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

// folders takes virtual folders over. A dump says of them what they are beside the user, or
// with him.
func (u *sftpGoUser) folders(m *made, known []sftpGoFolder) {
	var out []any
	for _, f := range u.Folders {
		for _, k := range known {
			if k.Name == f.Name && f.Mapped == "" {
				f.Mapped, f.Filesystem = k.Mapped, k.Filesystem
			}
		}
		switch {
		case f.Filesystem.Provider != 0:
			m.drop("the virtual folder %.100q, whose files are not on a local disk", f.Virtual)
			continue
		case !strings.HasPrefix(f.Mapped, "/") || path.Clean(f.Virtual) != f.Virtual || len(f.Virtual) < 2 || f.Virtual[0] != '/':
			m.drop("the virtual folder %.100q, of which the file does not say where it is", f.Virtual)
			continue
		case slices.ContainsFunc(out, func(o any) bool { return o.(map[string]any)["path"] == f.Virtual }):
			m.drop("another virtual folder %.100q", f.Virtual)
			continue
		case f.QuotaSize > 0 || f.QuotaFiles > 0:
			m.narrower = append(m.narrower, fmt.Sprintf("a quota of the folder %.100q by itself", f.Virtual))
		}
		out = append(out, map[string]any{"path": f.Virtual, "root": strings.ReplaceAll(path.Clean(f.Mapped), "${", "$${")})
	}
	if out != nil {
		m.set("folders", out)
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
	if f.FTPSecurity == 1 {
		m.within("tls", "control", "required")
		m.within("tls", "data", "required")
	}
	if len(f.AllowedIP) > 0 && !m.networks("networks", f.AllowedIP) {
		m.narrower = append(m.narrower, "addresses that are allowed")
	}
	if len(f.DeniedIP) > 0 && !m.networks("deny_networks", f.DeniedIP) {
		m.narrower = append(m.narrower, "addresses that are refused")
	}
	for what, n := range map[string]int{"patterns of names": len(f.Patterns), "times of access": len(f.AccessTime)} {
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
