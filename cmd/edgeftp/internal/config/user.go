package config

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// User is one user of the file.
type User struct {
	Name         string
	PasswordHash string   // may be empty where Certificates is not
	Certificates []string // SHA-256 in lower-case hex
	Perms        policy.Perms
	Rules        []policy.PathRule
	Root         string // the directory that is the user's whole tree; empty is Config.Root
	Home         string
	Group        string
	MaxSessions  int           // 0 is no limit
	Limits       policy.Limits // zero fields do not limit
	Lenient      policy.Lenience
	Expires      time.Time      // zero is never
	Quota        *Quota         // nil is that of Defaults
	Umask        string         // three octal digits; empty is that of Defaults
	Folders      []Folder       // beside those of Config.FoldersOf
	Networks     []netip.Prefix // of his own; see Config.NetworksOf
	DenyNetworks []netip.Prefix // likewise
	TLS          Demands        // of his own; see Config.DemandsOf
	MsgLogin     string         // one or more lines; empty is the server's own words
	MsgQuit      string
	Disabled     bool   // logins are refused
	Note         string // for those who look after the users
	Source       string // SourceList, SourceFile or SourceStore
}

// Defaults is what users have who say nothing else.
type Defaults struct {
	// Root is a template of directories as the file has it: ${user} is the user's
	// name, $${ the characters ${. Empty is Config.Root.
	Root  string
	Perms policy.Perms
	Quota Quota
	// Umask is that of everybody's new files, three octal digits; empty is 022.
	Umask   string
	Folders []Folder
	Access
}

// Anonymous is the user of that name.
type Anonymous struct {
	Enabled     bool
	Perms       policy.Perms
	AllowWrite  bool
	Root        string // empty is Config.Root
	Home        string
	MaxSessions int // 0 is no limit
	Limits      policy.Limits
	MsgLogin    string
	MsgQuit     string
}

// RootOf returns the directory that the template makes of a user's name. It is
// empty where there is no template. The error says that the name is none that may
// stand in a path.
func (d *Defaults) RootOf(user string) (string, error) {
	if d.Root == "" {
		return "", nil
	}
	if strings.Contains(strings.ReplaceAll(d.Root, "$${", ""), userVariable) {
		if user == "" || strings.HasPrefix(user, ".") || strings.ContainsAny(user, "/\\\x00") || len(user) > 255 {
			return "", fmt.Errorf("the name %q cannot be that of a directory", user)
		}
	}
	return strings.NewReplacer("$${", "${", userVariable, user).Replace(d.Root), nil
}

// mayHold reports whether a path, its links resolved, lies where the template puts the
// roots of users. real resolves those of another.
func (d *Defaults) mayHold(path string, real func(string) string) bool {
	const mark = "\x01"
	made, err := d.RootOf(mark)
	if err != nil || made == "" {
		return false
	}
	before, _, varies := strings.Cut(made, mark)
	if !varies {
		return within(real(made), path)
	}
	dir, begins := filepath.Split(before) // /srv/ftp-${user}: a name in dir
	rel, err := filepath.Rel(real(filepath.Clean(dir)), path)
	return err == nil && filepath.IsLocal(rel) && strings.HasPrefix(rel, begins)
}

// userVariable is what stands for the user's name in a template.
const userVariable = "${user}"

type fileUsers struct {
	Sources  []string `json:"sources,omitempty"`
	File     string   `json:"file,omitempty"`
	Defaults struct {
		Root    string       `json:"root,omitempty"`
		Perm    string       `json:"perm"`
		Quota   fileQuota    `json:"quota"`
		Umask   string       `json:"umask,omitempty"`
		Folders []fileFolder `json:"folders"`
		fileAccess
	} `json:"defaults"`
	Groups    []fileGroup   `json:"groups"`
	List      []fileUser    `json:"list"`
	Anonymous fileAnonymous `json:"anonymous"`
}

type fileUser struct {
	Name         string       `json:"name"`
	PasswordHash string       `json:"password_hash,omitempty"`
	Certificates []string     `json:"certificates"`
	Perm         string       `json:"perm,omitempty"`
	Rules        []fileRule   `json:"rules"`
	Root         string       `json:"root,omitempty"`
	Home         string       `json:"home"`
	Group        string       `json:"group,omitempty"`
	MaxSessions  int          `json:"max_sessions"`
	MaxFileSize  string       `json:"max_file_size,omitempty"`
	Bandwidth    fileShare    `json:"bandwidth"`
	MsgLogin     string       `json:"msg_login,omitempty"`
	MsgQuit      string       `json:"msg_quit,omitempty"`
	Expires      string       `json:"expires,omitempty"`
	TLS          fileUserTLS  `json:"tls"`
	Umask        string       `json:"umask,omitempty"`
	Folders      []fileFolder `json:"folders"`
	Networks     []string     `json:"networks"`
	DenyNetworks []string     `json:"deny_networks"`
	Quota        *fileQuota   `json:"quota,omitempty"`
	Disabled     bool         `json:"disabled"`
	Note         string       `json:"note,omitempty"`
}

type fileRule struct {
	Dir       string `json:"dir"`
	Perm      string `json:"perm"`
	Recursive bool   `json:"recursive"`
}

type fileShare struct {
	Down string `json:"down,omitempty"`
	Up   string `json:"up,omitempty"`
}

type fileAnonymous struct {
	Enabled     bool      `json:"enabled"`
	Perm        string    `json:"perm"`
	AllowWrite  bool      `json:"allow_write"`
	Root        string    `json:"root,omitempty"`
	Home        string    `json:"home"`
	MaxSessions int       `json:"max_sessions"`
	MaxFileSize string    `json:"max_file_size,omitempty"`
	Bandwidth   fileShare `json:"bandwidth"`
	MsgLogin    string    `json:"msg_login,omitempty"`
	MsgQuit     string    `json:"msg_quit,omitempty"`
}

func (s fileShare) limits(maxFileSize string) policy.Limits {
	down, _ := parseShare(s.Down)
	up, _ := parseShare(s.Up)
	return policy.Limits{RateDown: down, RateUp: up, MaxFileSize: size(maxFileSize)}
}

func (c *checker) users(f *file, conf *Config) {
	c.people(&f.Users, []string{"users"}, f, conf)
	c.sources(f, conf)
	stored := slices.Contains(f.Users.Sources, SourceStore) || conf.From(SourceStore) && c.hasStore(conf)
	if len(f.Users.List) == 0 && f.Users.File == "" && !stored && !conf.Anonymous.Enabled && len(f.Policies.Modules) == 0 && len(f.Hosts) == 0 {
		c.key([]string{"users"}, "nobody can log in", "add users.list, enable users.anonymous, or add a policy module that decides on logins")
	}
}

// people makes the users at a path, which are the server's or those of a virtual host.
func (c *checker) people(in *fileUsers, at []string, f *file, conf *Config) {
	if in.Defaults.Root != "" {
		conf.Defaults.Root = beside(c.dir, in.Defaults.Root)
	}
	conf.Defaults.Perms = perms(in.Defaults.Perm)
	conf.Defaults.Quota = in.Defaults.Quota.quota()
	conf.Defaults.Umask = umask(in.Defaults.Umask)
	conf.Defaults.Folders = c.folders(in.Defaults.Folders, sub(at, "defaults", "folders"), "", conf)
	conf.Defaults.Access = c.access(&in.Defaults.fileAccess, sub(at, "defaults"), f.offers())
	conf.Groups = c.groups(in.Groups, sub(at, "groups"), conf, f.offers())
	names := map[string]bool{}
	for i := range in.List {
		u, path := &in.List[i], sub(at, "list", strconv.Itoa(i))
		c.unique(names, sub(path, "name"), u.Name, "user")
		if u.Name == "anonymous" && in.Anonymous.Enabled {
			c.at(sub(path, "name"), "the user anonymous is there already", "rename this one, or disable users.anonymous")
		}
		made := c.user(u, path, conf)
		made.Source = SourceList
		conf.Users = append(conf.Users, made)
		c.group(u.Group, sub(path, "group"), conf)
		c.offered(u, path, f.offers())
	}
	c.anonymous(&in.Anonymous, sub(at, "anonymous"), conf)
}

func (c *checker) user(u *fileUser, path []string, conf *Config) User {
	made := User{
		Name: u.Name, PasswordHash: u.PasswordHash, Perms: conf.Defaults.Perms, Rules: c.rules(u.Rules, sub(path, "rules")),
		Root: c.userRoot(u, path, conf), Home: virtual(u.Home), Group: u.Group, MaxSessions: u.MaxSessions,
		Limits:   u.Bandwidth.limits(u.MaxFileSize),
		Lenient:  policy.Lenience{Resumption: u.TLS.SessionReuse == lenient, CloseNotify: u.TLS.CloseNotify == lenient},
		MsgLogin: lines(u.MsgLogin), MsgQuit: lines(u.MsgQuit),
		Disabled: u.Disabled, Note: u.Note, Umask: umask(u.Umask), Networks: networks(u.Networks), DenyNetworks: networks(u.DenyNetworks), TLS: Demands(u.TLS.fileDemands),
		Folders: c.folders(u.Folders, sub(path, "folders"), u.Name, conf),
	}
	c.ruledTwice(&made, path)
	if u.Perm != "" {
		made.Perms = perms(u.Perm)
	}
	made.Expires, _ = parseTime(u.Expires)
	if u.Quota != nil {
		q := u.Quota.quota()
		made.Quota = &q
	}
	for _, digest := range u.Certificates {
		if d, err := parseDigest(digest); err == nil {
			made.Certificates = append(made.Certificates, d)
		}
	}
	if u.PasswordHash == "" && len(u.Certificates) == 0 {
		c.key(sub(path, "password_hash"), `"password_hash" is missing`, "give it, an argon2id hash in PHC form or bcrypt (edgeftp user hash makes one), or the certificates of the user's clients")
	}
	return made
}

// userRoot is the user's own directory, empty for that of storage.
func (c *checker) userRoot(u *fileUser, path []string, conf *Config) string {
	if u.Root != "" {
		dir := beside(c.dir, u.Root)
		c.root(sub(path, "root"), dir, conf)
		return dir
	}
	dir, err := conf.Defaults.RootOf(u.Name)
	switch {
	case err != nil:
		c.at(sub(path, "name"), err.Error()+", as users.defaults.root asks", "give the user a root")
	case dir != "":
		c.root(sub(path, "name"), dir, conf)
	}
	return dir
}

func (c *checker) rules(list []fileRule, path []string) []policy.PathRule {
	var rules []policy.PathRule
	for i, r := range list {
		dir := virtual(r.Dir)
		if dir != "" && slices.ContainsFunc(rules, func(r policy.PathRule) bool { return r.Dir == dir }) {
			c.at(sub(path, strconv.Itoa(i), "dir"), fmt.Sprintf("there is a rule for %q already", dir), "give each directory one rule")
		}
		p, _ := policy.ParsePerms(r.Perm) // the schema has read it
		rules = append(rules, policy.PathRule{Dir: dir, Perms: p, Recursive: r.Recursive})
	}
	return rules
}

func (c *checker) anonymous(a *fileAnonymous, path []string, conf *Config) {
	conf.Anonymous = Anonymous{Enabled: a.Enabled, Perms: perms(a.Perm), AllowWrite: a.AllowWrite, Home: virtual(a.Home),
		MaxSessions: a.MaxSessions, Limits: a.Bandwidth.limits(a.MaxFileSize), MsgLogin: lines(a.MsgLogin), MsgQuit: lines(a.MsgQuit)}
	if changing := conf.Anonymous.Perms &^ policy.PermReadOnly; changing != 0 && !a.AllowWrite {
		c.at(sub(path, "perm"), fmt.Sprintf("anonymous users may not have the permissions %q", changing),
			"use of e, l and r what they need, or say allow_write: true if strangers shall be able to change files")
	}
	if a.Root != "" {
		conf.Anonymous.Root = beside(c.dir, a.Root)
		c.root(sub(path, "root"), conf.Anonymous.Root, conf)
	}
}

// file writes what every user has: the defaults have been applied.
func (c *Config) usersFile() (f fileUsers) {
	f.Defaults.Root, f.Defaults.Perm = c.Defaults.Root, c.Defaults.Perms.String()
	f.Defaults.Umask, f.Defaults.Folders = c.Defaults.Umask, foldersFile(c.Defaults.Folders)
	f.Defaults.fileAccess = c.Defaults.Access.file()
	f.Defaults.Quota, f.Groups = c.Defaults.Quota.file(), groupsFile(c.Groups)
	f.Sources, f.File = c.Sources, c.UsersFile
	f.List = []fileUser{}
	for i := range c.Users {
		if c.Users[i].Source == SourceFile {
			continue
		}
		f.List = append(f.List, c.Users[i].file())
	}
	a := &c.Anonymous
	f.Anonymous = fileAnonymous{Enabled: a.Enabled, Perm: a.Perms.String(), AllowWrite: a.AllowWrite, Root: a.Root, Home: a.Home,
		MaxSessions: a.MaxSessions, MaxFileSize: formatSize(a.Limits.MaxFileSize), Bandwidth: share(a.Limits),
		MsgLogin: a.MsgLogin, MsgQuit: a.MsgQuit}
	return f
}

func share(l policy.Limits) fileShare {
	return fileShare{Down: formatSize(l.RateDown), Up: formatSize(l.RateUp)}
}

func (u *User) file() fileUser {
	f := fileUser{Name: u.Name, PasswordHash: u.PasswordHash, Certificates: orEmpty(u.Certificates), Perm: u.Perms.String(), Rules: []fileRule{},
		Root: u.Root, Home: u.Home, Group: u.Group, MaxSessions: u.MaxSessions, MaxFileSize: formatSize(u.Limits.MaxFileSize),
		Bandwidth: share(u.Limits), MsgLogin: u.MsgLogin, MsgQuit: u.MsgQuit,
		TLS: u.tlsFile(), Umask: u.Umask, Folders: foldersFile(u.Folders), Networks: networkWords(u.Networks), DenyNetworks: networkWords(u.DenyNetworks), Disabled: u.Disabled, Note: u.Note}
	for _, r := range u.Rules {
		f.Rules = append(f.Rules, fileRule{Dir: r.Dir, Perm: r.Perms.String(), Recursive: r.Recursive})
	}
	if !u.Expires.IsZero() {
		f.Expires = u.Expires.Format(time.RFC3339Nano)
	}
	if u.Quota != nil {
		q := u.Quota.file()
		f.Quota = &q
	}
	return f
}
