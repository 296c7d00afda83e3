package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Entry is a user by himself, checked: what the store of users keeps. He has the
// defaults of a configuration when he is asked for with [Entry.User].
type Entry struct {
	user     User
	ownPerms bool
	text     []byte
}

// Name is the user's name.
func (e *Entry) Name() string { return e.user.Name }

// Text is the entry as JSON, with the keys of users.list and without those that say
// what is so by default.
func (e *Entry) Text() json.RawMessage { return slices.Clone(e.text) }

// User returns the user under the defaults of a configuration. The error says that he
// has no root, and his name cannot be that of one.
func (e *Entry) User(conf *Config) (User, error) {
	u := e.user
	u.Source = SourceStore
	if !e.ownPerms {
		u.Perms = conf.Defaults.Perms
	}
	if u.Root != "" {
		return u, nil
	}
	var err error
	u.Root, err = conf.Defaults.RootOf(u.Name)
	return u, err
}

// NeedsTLS reports whether the entry itself says that the user may log in over TLS alone.
func (e *Entry) NeedsTLS() bool { return e.user.TLS.Protection().Required }

// OwnFolders are the folders that the entry itself names.
func (e *Entry) OwnFolders() []Folder { return slices.Clone(e.user.Folders) }

// OwnRoot is the directory that the entry itself names, empty for none.
func (e *Entry) OwnRoot() string { return e.user.Root }

// HasQuota reports whether the entry has a quota of its own.
func (e *Entry) HasQuota() bool { return e.user.Quota != nil }

// EntryReader checks entries of users. It is made by [NewEntryReader] and safe for
// concurrent use.
type EntryReader struct{ schema *schema }

// NewEntryReader returns a reader of entries. Its error is a fault of the program.
func NewEntryReader() (*EntryReader, error) {
	s, err := entrySchema()
	return &EntryReader{s}, err
}

// Read checks entries, each a JSON object with the keys of users.list. Roots have to be
// absolute; whether they are there is not looked at. The error is an [*Error] whose
// problems name users and keys; then there are no entries.
func (r *EntryReader) Read(texts []json.RawMessage) ([]Entry, error) {
	list := make([]any, len(texts))
	for i, text := range texts {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("entry %d is no JSON: %w", i+1, err)
		}
		list[i] = withoutNull(v)
	}
	name := func(path []string) string { // of the user, in the place of his number
		if len(path) < 3 {
			return entryName(path)
		}
		n, _ := strconv.Atoi(path[2])
		who := fmt.Sprintf("user %d", n+1)
		if m, ok := list[n].(map[string]any); ok {
			if s, ok := m["name"].(string); ok {
				who = fmt.Sprintf("user %q", s)
			}
		}
		if rest := dotted(path[3:]); rest != "" {
			who += ": " + rest
		}
		return who
	}
	names := make([]string, len(list)) // before what is faulty is pruned
	for i := range list {
		names[i] = name(append(entryPath(), strconv.Itoa(i)))
	}
	rep := newReport(func(path []string, _ bool) spot {
		if len(path) < 3 {
			return spot{name: name(path)}
		}
		n, _ := strconv.Atoi(path[2])
		at := spot{name: names[n]}
		if rest := dotted(path[3:]); rest != "" {
			at.name += ": " + rest
		}
		return at
	})
	value := map[string]any{"users": map[string]any{"list": list}}
	raw := func(path []string) (string, bool) {
		if slices.Contains(path, "password_hash") {
			return "", false
		}
		return lookup(value, path)
	}
	e := &entries{schema: r.schema, offers: offers{tls: true, certificates: true}}
	users, files, err := e.read(rep, list, raw, func([]string) bool { return false })
	if err == nil {
		err = rep.err("")
	}
	if err != nil {
		return nil, err
	}
	out := make([]Entry, len(users))
	for i := range users {
		text, err := compactEntry(&files[i])
		if err != nil {
			return nil, err
		}
		out[i] = Entry{user: users[i], ownPerms: files[i].Perm != "", text: text}
	}
	return out, nil
}

// withoutNull takes keys out that are null: in a change that is "no longer".
func withoutNull(v any) any {
	if m, ok := v.(map[string]any); ok {
		for k, inner := range m {
			if inner == nil {
				delete(m, k)
			} else {
				m[k] = withoutNull(inner)
			}
		}
	}
	return v
}

// compactEntry is an entry as JSON without what is so by default.
func compactEntry(f *fileUser) ([]byte, error) {
	text, err := marshal(f)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return nil, err
	}
	var plain fileUser
	plain.Home, plain.TLS = "/", usualTLS()
	other, err := marshal(plain)
	if err != nil {
		return nil, err
	}
	var usual map[string]any
	d = json.NewDecoder(bytes.NewReader(other))
	d.UseNumber()
	if err := d.Decode(&usual); err != nil {
		return nil, err
	}
	if tls, ok := m["tls"].(map[string]any); ok {
		for key, value := range tls {
			if plain, _ := usual["tls"].(map[string]any); plain[key] == value {
				delete(tls, key)
			}
		}
	}
	for key, value := range m {
		a, _ := json.Marshal(value)
		b, _ := json.Marshal(usual[key])
		empty := string(a) == "[]" || string(a) == "null" || string(a) == "{}" && key != "quota"
		if key != "name" && (empty || bytes.Equal(a, b)) {
			delete(m, key)
		}
	}
	return marshal(m)
}

// entryPath is where entries stand in the schema.
func entryPath() []string { return []string{"users", "list"} }

// entryName writes a path below users.list as that of a file of users.
func entryName(path []string) string {
	if len(path) >= 2 && path[0] == "users" && path[1] == "list" {
		return dotted(append([]string{"users"}, path[2:]...))
	}
	return dotted(path)
}

// entrySchema is the part of the schema that entries of users.list are held to.
func entrySchema() (*schema, error) {
	whole, err := newSchema()
	if err != nil {
		return nil, err
	}
	users, _ := whole.root["properties"].(map[string]any)["users"].(map[string]any)
	list, _ := users["properties"].(map[string]any)["list"].(map[string]any)
	if list == nil {
		return nil, errors.New("the embedded schema is damaged: it has no users.list")
	}
	root := map[string]any{"$defs": whole.root["$defs"], "type": "object", "properties": map[string]any{
		"users": map[string]any{"type": "object", "properties": map[string]any{"list": list}}}}
	return compileSchema(root)
}

// entries makes users of entries that may be faulty.
type entries struct {
	schema *schema
	outside
	dir    string
	offers         // of the listeners
	conf   *Config // whose defaults and roots hold; nil looks at neither
}

// read makes users of a list of entries, which it changes, and reports what is wrong.
// Its error is a fault of the program.
func (e *entries) read(r *report, list []any, raw func([]string) (string, bool), empty func([]string) bool) ([]User, []fileUser, error) {
	if list == nil {
		list = []any{}
	}
	v := &validator{report: r, schema: e.schema, value: map[string]any{"users": map[string]any{"list": list}}, raw: raw, empty: empty}
	v.run()
	for i := range list { // one that is none is an empty one for what follows
		if list[i] == nil {
			list[i] = map[string]any{}
		}
	}
	e.schema.fill(e.schema.root, v.value)
	text, err := json.Marshal(list)
	if err != nil {
		return nil, nil, err
	}
	var files []fileUser
	if err := json.Unmarshal(text, &files); err != nil {
		return nil, nil, fmt.Errorf("fault of the program: the schema lets values through that do not fit: %w", err)
	}
	c := &checker{report: r, outside: e.outside, dir: e.dir, source: raw}
	var users []User
	names := map[string]bool{}
	for i := range files {
		u, path := &files[i], sub(entryPath(), strconv.Itoa(i))
		c.unique(names, sub(path, "name"), u.Name, "user")
		users = append(users, e.user(c, u, path))
	}
	return users, files, nil
}

func (e *entries) user(c *checker, u *fileUser, path []string) User {
	c.offered(u, path, e.offers)
	if e.conf != nil {
		return c.user(u, path, e.conf)
	}
	if len(u.Name) > maxEntryName {
		c.at(sub(path, "name"), fmt.Sprintf("the name has %d bytes", len(u.Name)), fmt.Sprintf("at most %d are kept", maxEntryName))
	}
	if u.Name == "/" { // which no address of the admin API could name
		c.at(sub(path, "name"), `"/" cannot be the name of a user in the store`, "give him another one")
	}
	if u.Root != "" && !strings.HasPrefix(u.Root, "/") {
		c.at(sub(path, "root"), fmt.Sprintf("%q is no absolute path", u.Root), "write it from / on")
	}
	own, folders := u.Root, u.Folders
	u.Root, u.Folders = "", nil
	made := c.user(u, path, new(Config))
	u.Root, made.Root = own, own
	u.Folders, made.Folders = folders, c.folders(folders, sub(path, "folders"), u.Name, nil)
	c.ruledTwice(&made, path)
	return made
}

// maxEntryName is how many bytes the name of a user in the store may have.
const maxEntryName = 255

// Settings is a user as an entry of users.list, in JSON and without what is so by
// default.
func (u *User) Settings() (json.RawMessage, error) {
	f := u.file()
	return compactEntry(&f)
}
