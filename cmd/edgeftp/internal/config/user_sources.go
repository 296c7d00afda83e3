package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"

	yaml "go.yaml.in/yaml/v4"
)

// Where users come from: the words of users.sources.
const (
	SourceList     = "list"     // users.list
	SourceFile     = "file"     // the file of users.file
	SourceStore    = "store"    // [Config.UserStore]
	SourcePolicies = "policies" // policy modules
)

// Shadowed is a user whom nobody asks for: an earlier source has the name.
type Shadowed struct {
	Name   string
	Source string // that is not asked for it
	By     string // the source that holds
}

// UserStore is the file of the users that edgeftp user makes.
func (c *Config) UserStore() string { return filepath.Join(c.Instance.StateDir, "users.db") }

// From reports whether users of a source are known.
func (c *Config) From(source string) bool { return slices.Contains(c.Sources, source) }

// maxUsersFile is how many bytes the file of users may have.
const maxUsersFile = 16 << 20

// sources reads where users come from, and the file.
func (c *checker) sources(whole *file, conf *Config) {
	f, path := &whole.Users, []string{"users", "sources"}
	conf.Sources = f.Sources
	if f.Sources == nil {
		conf.Sources = []string{SourceList, SourceStore, SourcePolicies}
		if f.File != "" {
			conf.Sources = slices.Insert(conf.Sources, 1, SourceFile)
		}
	}
	for i, s := range f.Sources {
		at := sub(path, strconv.Itoa(i))
		switch {
		case slices.Contains(f.Sources[:i], s):
			c.at(at, fmt.Sprintf("%q is there already", s), "name each source once")
		case s == SourcePolicies && i < len(f.Sources)-1:
			c.at(at, "policies are asked after all other sources", "put policies at the end")
		case s == SourceFile && f.File == "":
			c.at(at, "there is no users.file", "set users.file, or remove file here")
		}
	}
	for _, s := range []struct {
		name string
		used bool
	}{{SourceList, len(f.List) > 0}, {SourceFile, f.File != ""}} {
		if s.used && !conf.From(s.name) && !conf.From("") { // empty is one that was reported
			c.key(path, fmt.Sprintf("users.%s is given, and %q is not among the sources: none of its users could log in", s.name, s.name),
				"add "+s.name+", or remove users."+s.name)
		}
	}
	if f.File != "" && !c.isFaulty([]string{"users", "file"}) {
		conf.UsersFile = beside(c.dir, f.File)
		c.usersFile(conf, whole.offers())
	}
	conf.Users, conf.Shadowed = inOrder(conf.Users, conf.Sources)
}

// inOrder sorts users by their sources, and takes those out whose name an earlier
// source has.
func inOrder(users []User, sources []string) (left []User, shadowed []Shadowed) {
	slices.SortStableFunc(users, func(a, b User) int { return slices.Index(sources, a.Source) - slices.Index(sources, b.Source) })
	by := map[string]string{}
	for _, u := range users {
		if first, known := by[u.Name]; known && first != u.Source {
			shadowed = append(shadowed, Shadowed{Name: u.Name, Source: u.Source, By: first})
			continue
		}
		by[u.Name] = u.Source
		left = append(left, u)
	}
	return left, shadowed
}

// hasStore reports whether there is a file of users that were made before.
func (c *checker) hasStore(conf *Config) bool {
	_, err := c.stat(conf.UserStore())
	return !errors.Is(err, fs.ErrNotExist)
}

// usersFile reads the file of users. What is wrong in it is a problem of that file.
func (c *checker) usersFile(conf *Config, o offers) {
	for _, root := range conf.Roots() {
		if root != "" && within(c.real(root), c.real(conf.UsersFile)) {
			c.at([]string{"users", "file"}, fmt.Sprintf("the file of users %s lies inside the root %s: clients could read the hashes", conf.UsersFile, root), "put it beside the root")
			return
		}
	}
	data, err := c.read(conf.UsersFile, maxUsersFile)
	if err != nil {
		c.at([]string{"users", "file"}, fmt.Sprintf("the file of users %s cannot be read: %s", conf.UsersFile, reason(err)), "check the path, and that the server's user may read it")
		return
	}
	users, problems, err := readUsers(data, filepath.Dir(conf.UsersFile), c.outside, conf, o)
	if err != nil {
		problems = []Problem{{Text: err.Error()}}
	}
	for _, p := range problems {
		p.file = conf.UsersFile
		c.problems = append(c.problems, p)
	}
	conf.Users = append(conf.Users, users...)
}

// readUsers reads a file with the keys version and users.
func readUsers(data []byte, dir string, machine outside, conf *Config, o offers) ([]User, []Problem, error) {
	doc, problems := parseYAML(data)
	if problems != nil {
		return nil, problems, nil
	}
	s, err := entrySchema()
	if err != nil {
		return nil, nil, err
	}
	r := newReport(func(path []string, key bool) spot {
		at := doc.locate(path, key)
		at.name = entryName(path)
		return at
	})
	list := usersOf(&reader{report: r, doc: doc, expand: machine.expander(dir)})
	e := &entries{schema: s, dir: dir, outside: machine, offers: o, conf: conf}
	users, _, err := e.read(r, list, doc.shown, doc.empty)
	for i := range users {
		users[i].Source = SourceFile
	}
	sorted := new(Error)
	if err == nil && errors.As(r.err("users"), &sorted) {
		return nil, sorted.Problems, nil
	}
	return users, nil, err
}

// usersOf reads the root of a file of users: its version, and the list.
func usersOf(r *reader) (list []any) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(r.doc.root.Content); i += 2 {
		key, value := r.doc.root.Content[i], r.doc.root.Content[i+1]
		at := []string{key.Value}
		r.doc.places[join(at)] = place{key: key, value: value}
		switch name := key.Value; {
		case seen[name]:
			r.key(at, fmt.Sprintf("%q is given twice", name), "remove one of them")
		case name == "version":
			if value.Value != "1" || value.Kind != yaml.ScalarNode {
				r.at(at, "this is not a version that this edgeftp knows", "write version: 1")
			}
		case name == "users":
			r.doc.places[join(entryPath())] = place{key: key, value: value}
			v, ok := r.value(value, entryPath())
			var isList bool
			if list, isList = v.([]any); ok && !isList {
				r.at(at, "must be a list", "one entry for each user, as in users.list of the configuration")
			}
		default:
			r.key(at, fmt.Sprintf("unknown key %q", name), "a file of users has the keys version and users")
		}
		seen[key.Value] = true
	}
	for _, name := range []string{"version", "users"} {
		if !seen[name] {
			r.key([]string{name}, strconv.Quote(name)+" is missing", "a file of users has version: 1, and users: with the entries of users.list")
		}
	}
	return list
}
