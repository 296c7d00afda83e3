package config

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Folder is a directory of the machine that is seen in the trees of users.
type Folder struct {
	Path string // where it is seen
	// Root is the directory, or a template as Defaults.Root is.
	Root     string
	ReadOnly bool
	Perms    *policy.Perms // in it; nil: as the user's rules have it. Of a user's own folders alone
}

// RootOf returns the directory that a login sees, as [Defaults.RootOf] does.
func (f *Folder) RootOf(user string) (string, error) {
	d := Defaults{Root: f.Root}
	return d.RootOf(user)
}

// root is the directory of a folder that is no template.
func (f *Folder) root() string {
	root, _ := f.RootOf("") // fails for a template alone
	return root
}

// Fixed reports whether the directory is the same for every user.
func (f *Folder) Fixed() bool {
	return !strings.Contains(strings.ReplaceAll(f.Root, "$${", ""), userVariable)
}

// FoldersOf returns the folders of a user whose own ones are given, who has the word of a
// group: of several with one path, his own holds, else that of the group, that of the
// defaults, that of storage. An anonymous user has those of storage alone.
func (c *Config) FoldersOf(own []Folder, group string, anonymous bool) []Folder {
	all := c.Folders
	if !anonymous {
		all = nearer(all, c.Defaults.Folders)
		for i := range c.Groups {
			if g := &c.Groups[i]; g.Name == group {
				all = nearer(all, g.Folders)
			}
		}
		all = nearer(all, own)
	}
	return all
}

// nearer are folders, and others in the place of those with their paths.
func nearer(far, near []Folder) []Folder {
	if len(near) == 0 {
		return far
	}
	var out []Folder
	for _, f := range far {
		if !slices.ContainsFunc(near, func(n Folder) bool { return n.Path == f.Path }) {
			out = append(out, f)
		}
	}
	return append(out, near...)
}

// SharedFolders are those that are not one user's own.
func (c *Config) SharedFolders() []Folder {
	all := slices.Concat(c.Folders, c.Defaults.Folders)
	for i := range c.Groups {
		all = append(all, c.Groups[i].Folders...)
	}
	return all
}

// folderRoots are the directories of folders, but for those of templates for many users.
func (c *Config) folderRoots() (roots []string) {
	for _, f := range c.SharedFolders() {
		if f.Fixed() {
			roots = append(roots, f.root())
		}
	}
	for i := range c.Users {
		for _, f := range c.Users[i].Folders {
			if root, err := f.RootOf(c.Users[i].Name); err == nil {
				roots = append(roots, root)
			}
		}
	}
	return roots
}

type fileFolder struct {
	Path     string  `json:"path"`
	Root     string  `json:"root"`
	Perm     *string `json:"perm,omitempty"`
	ReadOnly bool    `json:"read_only"`
}

// checkFolder is the path of a folder.
func checkFolder(s string) error {
	if err := checkVirtual(s); err != nil {
		return err
	}
	switch clean := virtual(s); {
	case clean == "/":
		return fault{"is the root itself", "name a directory in it, like /projects; the root of a user is his root"}
	case clean != s:
		return fault{"is not in its shortest form", "write " + clean}
	}
	return nil
}

// checkMount is where a directory of storage is seen.
func checkMount(s string) error {
	if s == "/" {
		return nil
	}
	return checkFolder(s)
}

// checkUmask is a umask in octal digits.
func checkUmask(s string) error {
	n, err := strconv.ParseUint(s, 8, 16)
	if err != nil || len(s) < 3 || len(s) > 4 || n > 0o777 {
		return fault{"is no umask", `write three octal digits in quotes, as in "022" or "007"`}
	}
	return nil
}

// umask is one form of what the schema has checked, empty for none.
func umask(s string) string {
	n, err := strconv.ParseUint(s, 8, 16)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%03o", n)
}

// UmaskOf returns the umask of a user whose own is given, and false where neither he nor
// the defaults say one.
func (c *Config) UmaskOf(own string) (fs.FileMode, bool) {
	n, err := strconv.ParseUint(orElse(own, c.Defaults.Umask), 8, 16)
	return fs.FileMode(n), err == nil
}

// folders makes the folders of one list. user is empty for a list that is of many; with a
// nil conf nothing is looked at, and roots must be absolute.
func (c *checker) folders(list []fileFolder, path []string, user string, conf *Config) []Folder {
	var out []Folder
	for i := range list {
		f, at := &list[i], sub(path, strconv.Itoa(i))
		made := Folder{Path: f.Path, ReadOnly: f.ReadOnly, Root: f.Root}
		if f.Path != "" && slices.ContainsFunc(out, func(o Folder) bool { return o.Path == f.Path }) {
			c.at(sub(at, "path"), fmt.Sprintf("there is a folder at %q already", f.Path), "give each folder a path of its own")
		}
		if f.Perm != nil {
			p, _ := policy.ParsePerms(*f.Perm) // the schema has read it
			made.Perms = &p
		}
		switch {
		case f.Root == "": // what the schema refused
		case conf == nil && !strings.HasPrefix(f.Root, "/"):
			c.at(sub(at, "root"), fmt.Sprintf("%q is no absolute path", f.Root), "write it from / on")
		case conf != nil:
			made.Root = beside(c.dir, f.Root)
			c.folderRoot(&made, at, user, conf)
		}
		out = append(out, made)
	}
	return out
}

// folderRoot checks the directory of a folder, as far as it can be told.
func (c *checker) folderRoot(f *Folder, path []string, user string, conf *Config) {
	at := sub(path, "root")
	if !f.Fixed() && user == "" {
		return
	}
	dir, err := f.RootOf(user)
	if err != nil {
		c.at(at, err.Error()+", as the folder's root asks", "name a directory without ${user}")
		return
	}
	c.root(at, dir, conf)
	if state := c.real(conf.Instance.StateDir); within(state, c.real(dir)) && !c.isFaulty(at) && !within(c.real(dir), state) {
		c.at(at, fmt.Sprintf("the folder's directory %s lies in the state directory %s, where the server's keys are", dir, conf.Instance.StateDir), "serve a directory beside it")
	}
}

func foldersFile(list []Folder) []fileFolder {
	out := []fileFolder{}
	for _, f := range list {
		made := fileFolder{Path: f.Path, Root: f.Root, ReadOnly: f.ReadOnly}
		if f.Perms != nil {
			text := f.Perms.String()
			made.Perm = &text
		}
		out = append(out, made)
	}
	return out
}

// PathRules are the path rules of a user: those of his folders behind his own, which hold
// where two are about one directory.
func (u *User) PathRules() []policy.PathRule {
	rules := u.Rules
	for _, f := range u.Folders {
		if f.Perms != nil && !slices.ContainsFunc(u.Rules, func(r policy.PathRule) bool { return r.Dir == f.Path }) {
			rules = append(rules[:len(rules):len(rules)], policy.PathRule{Dir: f.Path, Perms: *f.Perms, Recursive: true})
		}
	}
	return rules
}

// ReadOnlyRoots are the directories of storage in which nothing may be changed, whichever
// tree leads to them.
func (c *Config) ReadOnlyRoots() (roots []string) {
	if c.ReadOnly {
		roots = append(roots, c.Root)
	}
	for i := range c.Folders {
		if c.Folders[i].ReadOnly {
			roots = append(roots, c.Folders[i].root())
		}
	}
	return roots
}

// ruledTwice reports a folder's permissions beside a rule for the same directory.
func (c *checker) ruledTwice(u *User, path []string) {
	for i, f := range u.Folders {
		if f.Perms != nil && slices.ContainsFunc(u.Rules, func(r policy.PathRule) bool { return r.Dir == f.Path }) {
			c.at(sub(path, "folders", strconv.Itoa(i), "perm"), fmt.Sprintf("there is a rule for %q already", f.Path), "say it once, here or in rules")
		}
	}
}

// template is a template of directories, with the key that it stands at.
type template struct {
	Defaults
	key string
}

// templates are those of users' roots and folders.
func (c *Config) templates() []template {
	all := []template{{Defaults{Root: c.Defaults.Root}, "users.defaults.root"}}
	for _, f := range c.SharedFolders() {
		if !f.Fixed() {
			all = append(all, template{Defaults{Root: f.Root}, "the folder " + f.Path})
		}
	}
	return all
}
