package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// Origin is where a value comes from.
type Origin struct {
	Kind string `json:"kind"` // one of the constants below
	// Name is the variable, the path, the credential, the flag or the key.
	Name string `json:"name,omitempty"`
	File string `json:"file,omitempty"` // of the configuration; empty where none says it
	Line int    `json:"line,omitempty"` // in File, from 1
}

// The kinds of origins.
const (
	OriginDefault    = "default"     // nobody says it
	OriginFile       = "file"        // the configuration file, as it stands there
	OriginEnv        = "environment" // ${env:NAME}, or a variable that stands for a flag
	OriginContent    = "content"     // ${file:PATH}
	OriginCredential = "credential"  // ${cred:NAME}
	OriginFlag       = "flag"
	OriginKey        = "key" // another key, whose value holds for this one, too
)

// String is the origin for people.
func (o Origin) String() string {
	where := ""
	if o.File != "" {
		where = fmt.Sprintf("%s:%d", o.File, o.Line)
	}
	switch o.Kind {
	case OriginFile:
		return where
	case OriginContent:
		return "file " + o.Name + " (" + where + ")"
	case OriginEnv, OriginCredential:
		if where == "" {
			return o.Kind + " " + o.Name
		}
		return o.Kind + " " + o.Name + " (" + where + ")"
	case OriginFlag:
		return "flag --" + o.Name
	case OriginKey:
		return "as " + o.Name
	}
	return o.Kind
}

// Setting is one key of a configuration with its value, in the forms of [Change].
type Setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin Origin `json:"origin"`
}

// Origins know where the values of one configuration come from.
type Origins struct {
	doc  *document // nil where there is no file
	file string
	dir  string
	// flag tells of a path whether a flag or its variable says the value.
	flag func(path []string) (Origin, bool)
}

// LoadOrigins is [Load] with where each value comes from.
func LoadOrigins(path string) (*Config, *Origins, error) {
	return loadOrigins(path, func(string) error { return nil })
}

// ValidateOrigins is [Validate] with where each value comes from.
func ValidateOrigins(path string) (*Config, *Origins, error) { return loadOrigins(path, bind) }

func loadOrigins(path string, bind func(address string) error) (*Config, *Origins, error) {
	o := &Origins{file: path}
	machine := thisMachine()
	machine.bind = bind
	machine.parsed = func(doc *document, dir string) { o.doc, o.dir = doc, dir }
	c, err := load(path, machine)
	return c, o, err
}

// FlagOrigins is [FromFlags] with where each value comes from. set says of a flag
// whether it was given, and the variable of the environment that gave it, if it was one.
func FlagOrigins(f Flags, set func(flag string) (given bool, variable string)) (*Config, *Origins, error) {
	c, err := FromFlags(f)
	return c, &Origins{flag: func(path []string) (Origin, bool) {
		for _, name := range flagsOf(path) {
			if given, variable := set(name); variable != "" {
				return Origin{Kind: OriginEnv, Name: variable}, true
			} else if given {
				return Origin{Kind: OriginFlag, Name: name}, true
			}
		}
		return Origin{}, false
	}}, err
}

// flagsOf are the flags of serve that say the value at a path.
func flagsOf(path []string) []string {
	at := dotted(path)
	if strings.HasPrefix(at, "policies.modules[") {
		return []string{"policy"}
	}
	return map[string][]string{
		"instance.state_dir":               {"state-dir"},
		"listeners[0].address":             {"listen"},
		"listeners[1].address":             {"implicit"},
		"listeners[0].passive.ports":       {"passive-ports"},
		"listeners[1].passive.ports":       {"passive-ports"},
		"listeners[0].tls.control":         {"tls"},
		"listeners[0].tls.certificate":     {"cert", "domain"},
		"listeners[1].tls.certificate":     {"cert", "domain"},
		"certificates.files[0].cert":       {"cert"},
		"certificates.files[0].key":        {"key"},
		"certificates.acme.domains":        {"domain"},
		"certificates.acme.email":          {"email"},
		"certificates.acme.agree_to_terms": {"agree-to-terms"},
		"certificates.acme.ca":             {"acme-ca"},
		"storage[0].root":                  {"root"},
		"users.list[0].name":               {"user"},
		"users.list[0].password_hash":      {"password-file"},
		"users.list[0].perm":               {"perm", "read-only"},
		"users.anonymous.enabled":          {"anonymous"},
		"events.file":                      {"events"},
		"sandbox.landlock":                 {"sandbox"},
		"sandbox.seccomp":                  {"sandbox"},
		"telemetry.log.format":             {"log"},
	}[at]
}

// Override says that a flag, or its variable if that is not empty, gives the value of
// a key in the place of the file.
func (o *Origins) Override(key, flag, variable string) {
	before := o.flag
	o.flag = func(path []string) (Origin, bool) {
		switch {
		case dotted(path) != key && before != nil:
			return before(path)
		case dotted(path) != key:
			return Origin{}, false
		case variable != "":
			return Origin{Kind: OriginEnv, Name: variable}, true
		}
		return Origin{Kind: OriginFlag, Name: flag}, true
	}
}

// of is the origin of what stands at a path of the file.
func (o *Origins) of(path []string, w where, named bool) Origin {
	if o.flag != nil {
		if origin, said := o.flag(path); said {
			return origin
		}
	}
	if o.doc != nil {
		p, known := o.doc.places[join(path)]
		if !known && named { // a name that is written in another way than it is kept
			p, known = o.doc.places[join(path[:len(path)-1])]
		}
		if known {
			return o.written(p)
		}
	}
	if other := word(w.at, "x-else"); other != "" {
		return Origin{Kind: OriginKey, Name: other}
	}
	return Origin{Kind: OriginDefault}
}

// written is the origin of a value that the file has.
func (o *Origins) written(p place) Origin {
	made := Origin{Kind: OriginFile, File: o.file, Line: p.value.Line}
	if p.key != nil && (p.value.Kind != yaml.ScalarNode || p.value.Line == 0) {
		made.Line = p.key.Line
	}
	kinds := map[string]string{"env": OriginEnv, "file": OriginContent, "cred": OriginCredential}
	var names []string
	var look func(n *yaml.Node, depth int)
	look = func(n *yaml.Node, depth int) {
		for _, m := range regexp.MustCompile(`(^|[^$])\$\{(env|file|cred):([^}]*)\}`).FindAllStringSubmatch(n.Value, -1) {
			made.Kind = kinds[m[2]]
			if m[2] == "file" && !filepath.IsAbs(m[3]) {
				m[3] = filepath.Join(o.dir, m[3])
			}
			names = append(names, m[3])
		}
		for _, inner := range n.Content {
			if depth < maxDepth {
				look(inner, depth+1)
			}
		}
	}
	look(p.value, 0)
	made.Name = strings.Join(names, ", ")
	return made
}

// Settings lists every key with its value and where that comes from, in the order of
// the schema. Keys without a value are there, too.
func (c *Config) Settings(o *Origins) ([]Setting, error) {
	r, err := newReference()
	if err != nil {
		return nil, err
	}
	l := lister{reference: r, origins: o}
	l.value(nil, nil, l.top(), c.tree(), false)
	return l.list, nil
}

type lister struct {
	*reference
	origins *Origins
	list    []Setting
}

// value lists a value and those within it. path is its place in the file, key what it
// is shown as; named says that it is one of the names of a map.
func (l *lister) value(path, key []string, w where, v any, named bool) {
	switch v := v.(type) {
	case map[string]any:
		if !w.secret && (len(v) > 0 || field(w.at, "properties") != nil) {
			l.section(path, key, w, v)
			return
		}
	case []any:
		ids, ok := identify(v)
		if !w.secret && ok && len(v) > 0 {
			for i, id := range ids {
				l.value(sub(path, strconv.Itoa(i)), sub(key, "["+id+"]"), l.into(w, "", true), v[i], false)
			}
			return
		}
	}
	l.list = append(l.list, Setting{Key: strings.Join(key, ""), Value: l.text(w, v), Origin: l.origins.of(path, w, named)})
}

func (l *lister) section(path, key []string, w where, v map[string]any) {
	props := field(w.at, "properties")
	if props == nil {
		for _, name := range slices.Sorted(maps.Keys(v)) {
			l.value(sub(path, name), sub(key, step(key, name)), l.into(w, name, false), v[name], true)
		}
		return
	}
	for i := 0; i+1 < len(props.Content); i += 2 {
		name := props.Content[i].Value
		inner, set := v[name]
		below := l.into(w, name, false)
		if !set {
			inner = absent{}
		}
		if word(below.at, "x-not-built") != "true" {
			l.value(sub(path, name), sub(key, step(key, name)), below, inner, false)
		}
	}
}

// Variables are the names behind ${env:NAME} in a file, whether the file is in order or
// not. There are none where it cannot be read, or its path is empty.
func Variables(path string) []string {
	data, err := readFile(path, maxFile)
	if path == "" || err != nil {
		return nil
	}
	var names []string
	for _, m := range regexp.MustCompile(`\$\{env:([^}\n]*)\}`).FindAllSubmatch(data, -1) {
		names = append(names, string(m[1]))
	}
	return names
}

// Fault is something that showed only when the value at a key was put to use.
type Fault struct {
	// Key is the path of the key, such as listeners, 0, tls.
	Key []string
	Err error // with what to do about it behind "\n   = help: "
}

// Refuse words faults as [Load] words those of the file itself, all of them at once.
func (o *Origins) Refuse(faults []Fault) error {
	r := newReport(locateFlag)
	if o.doc != nil {
		r = newReport(o.doc.locate)
	}
	for _, f := range faults {
		text, help, _ := strings.Cut(f.Err.Error(), "\n   = help: ")
		r.add(f.Key, r.locate(f.Key, false), text, strings.TrimSpace(help))
	}
	return r.err(o.file)
}
