package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// Module is a policy module.
type Module struct {
	Name      string
	Source    string // a file, or a directory with a policy's source
	Digest    string // that the slot takes alone; empty is any
	Signature string // file; empty is Source with ".minisig" behind it
	// Settings is a JSON object for the module, nil if the file has none.
	Settings json.RawMessage
	Durable  bool // events are kept in files
	// WatchSource says that a directory is built and swapped in again when one of its
	// files has changed. Of a directory that flags name and that is not safe to watch,
	// Unwatched says why.
	WatchSource bool
	Hosts       []string // whose sessions it is asked about, NoHost for those of none; nil is all
	Unwatched   string
	FailOpen    bool // a failure counts as no opinion, where that is possible
	Limits      ModuleLimits
	Grants      Grants
}

// ModuleLimits bound one module. Zero in a field is the host's own limit.
type ModuleLimits struct {
	Memory    int64 // bytes
	Call      time.Duration
	Fuel      uint64
	Depth     uint32
	Instances int
}

// Grants are what one module may use.
type Grants struct {
	KV     bool
	Spaces []string // that it may share; "*" is each
	KVSize int64    // bytes

	Metric, Random, Verify, Password, Stat, Digest bool

	Fetch, FetchPrivate []string // origins
}

type fileModule struct {
	Name      string           `json:"name"`
	Source    string           `json:"source"`
	Watch     bool             `json:"watch_source"`
	Digest    string           `json:"digest,omitempty"`
	Signature string           `json:"signature,omitempty"`
	Hosts     []string         `json:"hosts"`
	Settings  json.RawMessage  `json:"settings,omitempty"`
	OnError   string           `json:"on_error"`
	Events    string           `json:"events"`
	Limits    fileModuleLimits `json:"limits"`
	Grants    fileGrants       `json:"grants"`
}

type fileModuleLimits struct {
	Memory    string `json:"memory"`
	Call      string `json:"call,omitempty"`
	Fuel      uint64 `json:"fuel,omitempty"`
	Depth     uint32 `json:"depth,omitempty"`
	Instances int    `json:"instances"`
}

type fileGrants struct {
	KV           spaces   `json:"kv"`
	KVSize       string   `json:"kv_size"`
	Metric       bool     `json:"metric"`
	Random       bool     `json:"random"`
	Verify       bool     `json:"verify"`
	Password     bool     `json:"password"`
	Stat         bool     `json:"stat"`
	Digest       bool     `json:"digest"`
	Fetch        []string `json:"fetch"`
	FetchPrivate []string `json:"fetch_private"`
}

// spaces is true, false or a list of names.
type spaces struct {
	granted bool
	names   []string
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *spaces) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		s.granted = true
		return json.Unmarshal(data, &s.names)
	}
	return json.Unmarshal(data, &s.granted)
}

// MarshalJSON implements json.Marshaler.
func (s spaces) MarshalJSON() ([]byte, error) {
	if len(s.names) > 0 {
		return json.Marshal(s.names)
	}
	return json.Marshal(s.granted)
}

// failOpen is the value of on_error by which a failure is no refusal.
const failOpen = "allow"

// durable is the value of events by which they are kept in files.
const durable = "durable"

// signatureSuffix is what stands behind a module's name in that of its signature.
const signatureSuffix = ".minisig"

// nativePolicies are the names of the policies that the server itself adds.
func nativePolicies() []string {
	return []string{"users", "anonymous", "antiflood", "quota", "accesslog", "metrics", "eventlog"}
}

func (c *checker) modules(f *file) []Module {
	var list []Module
	names := map[string]bool{}
	for i := range f.Policies.Modules {
		m, path := &f.Policies.Modules[i], []string{"policies", "modules", strconv.Itoa(i)}
		c.unique(names, sub(path, "name"), m.Name, "policy")
		if slices.Contains(nativePolicies(), m.Name) {
			c.at(sub(path, "name"), fmt.Sprintf("%q is the name of a policy of the server's own", m.Name), "give the module another name")
		}
		list = append(list, c.module(m, path, f.Policies.RequireSignature))
	}
	return list
}

func (c *checker) module(m *fileModule, path []string, signed bool) Module {
	source := sub(path, "source")
	if strings.Contains(m.Source, "://") {
		c.at(source, "sources other than files are not built yet", "name a .wasm file, or a directory with a Go main package")
	}
	made := Module{Name: m.Name, Source: beside(c.dir, m.Source), Digest: strings.ToLower(m.Digest), Settings: m.Settings,
		FailOpen: m.OnError == failOpen, Durable: m.Events == durable, WatchSource: m.Watch, Limits: m.Limits.limits(), Grants: m.Grants.grants()}
	info := c.exists(source, made.Source, "policy source")
	if signed && info != nil && info.IsDir() {
		c.at(source, fmt.Sprintf("the policy source %s is a directory, and what is built from it has no signature", made.Source),
			"name a signed .wasm file, or do without require_signature")
	}
	if m.Signature != "" {
		made.Signature = beside(c.dir, m.Signature)
		if info := c.exists(sub(path, "signature"), made.Signature, "signature"); info != nil && info.IsDir() {
			c.at(sub(path, "signature"), fmt.Sprintf("the signature %s is a directory", made.Signature), "name the file that ends in "+signatureSuffix)
		}
	} else if signed && info != nil && !info.IsDir() {
		if _, err := c.stat(made.Source + signatureSuffix); err != nil {
			c.at(source, fmt.Sprintf("the policy source %s has no signature beside it", made.Source),
				"sign it (edgeftp policy sign --key KEY FILE, or minisign -Sm FILE), or name the file under signature")
		}
	}
	return made
}

// watchable says why the source of a module cannot be watched, and what to do then;
// nothing if it can.
func (c *checker) watchable(m *Module, conf *Config) (why, help string) {
	info, err := c.stat(m.Source)
	switch {
	case err != nil: // told elsewhere
		return "", ""
	case !info.IsDir():
		return fmt.Sprintf("%s is a file, and only the source in a directory is watched", m.Source),
			"name the directory of the source, or use policies.watch for built modules"
	case m.Digest != "":
		return "the slot takes the module with one digest alone", "leave digest out while the source changes"
	case info.Mode().Perm()&0o002 != 0:
		return fmt.Sprintf("everybody may write in %s (mode %v)", m.Source, info.Mode()), "chmod o-w " + m.Source
	}
	for _, root := range conf.Roots() {
		if root != "" && within(c.real(root), c.real(m.Source)) {
			return fmt.Sprintf("%s lies inside the root %s: clients could change the policy", m.Source, root), "put it beside the root"
		}
	}
	switch {
	case within(c.real(conf.Instance.StateDir), c.real(m.Source)):
		return fmt.Sprintf("%s lies inside the state directory %s, in which the server writes: whoever has got into it could change the policy",
			m.Source, conf.Instance.StateDir), "put it beside the state directory"
	}
	for _, all := range conf.Every() {
		for _, t := range all.templates() {
			if t.mayHold(c.real(m.Source), c.real) {
				return fmt.Sprintf("%s may lie inside a user's root (%s: %s): clients could change the policy", m.Source, t.key, t.Root),
					"put it where no user's root can be"
			}
		}
	}
	return "", ""
}

// watchSources checks the modules whose source is watched.
func (c *checker) watchSources(conf *Config) {
	for i := range conf.Policies.Modules {
		m := &conf.Policies.Modules[i]
		if !m.WatchSource {
			continue
		}
		if why, help := c.watchable(m, conf); why != "" {
			c.at([]string{"policies", "modules", strconv.Itoa(i), "watch_source"}, why, help)
		}
	}
}

// SignatureFile is where the module's signature lies, if it has one.
func (m *Module) SignatureFile() string {
	if m.Signature != "" {
		return m.Signature
	}
	return m.Source + signatureSuffix
}

func (f *fileModuleLimits) limits() ModuleLimits {
	return ModuleLimits{Memory: size(f.Memory), Call: duration(f.Call), Fuel: f.Fuel, Depth: f.Depth, Instances: f.Instances}
}

func (f *fileGrants) grants() Grants {
	return Grants{KV: f.KV.granted, Spaces: f.KV.names, KVSize: size(f.KVSize), Metric: f.Metric, Random: f.Random, Verify: f.Verify,
		Password: f.Password, Stat: f.Stat, Digest: f.Digest, Fetch: f.Fetch, FetchPrivate: f.FetchPrivate}
}

func (m *Module) file() fileModule {
	g, l := &m.Grants, &m.Limits
	f := fileModule{Name: m.Name, Source: m.Source, Hosts: orEmpty(m.Hosts), Watch: m.WatchSource, Digest: m.Digest, Signature: m.Signature, Settings: m.Settings, OnError: "deny", Events: "memory",
		Limits: fileModuleLimits{Memory: formatSize(l.Memory), Fuel: l.Fuel, Depth: l.Depth, Instances: l.Instances},
		Grants: fileGrants{KV: spaces{g.KV, g.Spaces}, KVSize: formatSize(g.KVSize), Metric: g.Metric, Random: g.Random, Verify: g.Verify,
			Password: g.Password, Stat: g.Stat, Digest: g.Digest, Fetch: orEmpty(g.Fetch), FetchPrivate: orEmpty(g.FetchPrivate)}}
	if m.FailOpen {
		f.OnError = failOpen
	}
	if m.Durable {
		f.Events = durable
	}
	if l.Call > 0 {
		f.Limits.Call = formatDuration(l.Call)
	}
	return f
}

// Rules are what the server takes of modules.
func (p *Policies) Rules() trust.Rules {
	r := trust.Rules{Keys: p.Trust, Required: p.RequireSignature, AllowDowngrade: p.AllowDowngrade, Pins: map[string]trust.Digest{}}
	for _, m := range p.Modules {
		if d, err := trust.ParseDigest(m.Digest); err == nil {
			r.Pins[m.Name] = d
		}
	}
	return r
}
