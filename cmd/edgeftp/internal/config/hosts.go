package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/edge"
)

// Host is a virtual host: users and files of its own behind the same listeners.
type Host struct {
	Name      string
	Names     []string // as edge.CleanHost has them
	Listeners []string // where Names lead to it; empty is all
	Root      string   // the directory that is served at /
	// Shared says that the roots may be, hold or lie in those of others.
	Shared       bool
	Banner       string // one or more lines; empty is the listener's
	Certificates []CertFile
	Limits       edge.HostLimits // negative is no limit
	Bandwidth    edge.Rates
	Users        []User
	Groups       []Group
	Defaults     Defaults
	Anonymous    Anonymous
}

// NoHost stands among the hosts of a module for the sessions that belong to none.
const NoHost = "default"

type fileHost struct {
	Name         string            `json:"name"`
	Names        []string          `json:"names"`
	Listeners    []string          `json:"listeners"`
	Root         string            `json:"root"`
	Shared       bool              `json:"shared_root"`
	Banner       string            `json:"banner,omitempty"`
	Certificates []fileCertificate `json:"certificates"`
	Limits       fileHostLimits    `json:"limits"`
	Bandwidth    fileRates         `json:"bandwidth"`
	Users        fileUsers         `json:"users"`
}

type fileHostLimits struct {
	Sessions int  `json:"sessions"`
	PerUser  *int `json:"sessions_per_user,omitempty"`
}

// As returns the configuration as if the host were all that is served: its root and its
// users in the place of those of none.
func (c *Config) As(h *Host) *Config {
	own := *c
	own.Root, own.Users, own.Groups, own.Defaults, own.Anonymous = h.Root, h.Users, h.Groups, h.Defaults, h.Anonymous
	own.Folders = nil
	own.Sources, own.UsersFile = []string{SourceList}, "" // the store and the file are those of no host
	if c.From(SourcePolicies) {
		own.Sources = append(own.Sources, SourcePolicies)
	}
	return &own
}

// Every returns the configuration of the sessions of no host, and of each host as As has
// it.
func (c *Config) Every() []*Config {
	all := []*Config{c}
	for i := range c.Hosts {
		all = append(all, c.As(&c.Hosts[i]))
	}
	return all
}

// CertificateFiles returns those of all hosts too.
func (c *Config) CertificateFiles() []CertFile {
	files := slices.Clone(c.Certificates)
	for i := range c.Hosts {
		files = append(files, c.Hosts[i].Certificates...)
	}
	return files
}

// At reports whether the names of the host lead to it at a listener.
func (h *Host) At(listener string) bool {
	return len(h.Listeners) == 0 || slices.Contains(h.Listeners, listener)
}

// roots are the directories that are somebody's tree, but for those of templates.
func (h *Host) roots() []string {
	roots := []string{h.Root, h.Anonymous.Root}
	for i := range h.Users {
		roots = append(roots, h.Users[i].Root)
	}
	own := Config{Users: h.Users, Groups: h.Groups, Defaults: h.Defaults}
	roots = append(roots, own.folderRoots()...)
	return slices.DeleteFunc(roots, func(root string) bool { return root == "" })
}

// templates are those of the host's users.
func (h *Host) templates() []template {
	own := Config{Groups: h.Groups, Defaults: h.Defaults}
	return own.templates()
}

// hosts makes the virtual hosts. The listeners are there.
func (c *checker) hosts(f *file, conf *Config) {
	names := map[string]bool{}
	for i := range f.Hosts {
		in, path := &f.Hosts[i], []string{"hosts", strconv.Itoa(i)}
		c.unique(names, sub(path, "name"), in.Name, "host")
		if in.Name == NoHost {
			c.at(sub(path, "name"), fmt.Sprintf("%q stands for no host", NoHost), "name it otherwise")
		}
		h := Host{Name: in.Name, Root: beside(c.dir, in.Root), Shared: in.Shared, Banner: lines(in.Banner), Bandwidth: in.Bandwidth.rates()}
		h.Limits.Sessions = in.Limits.Sessions
		if n := in.Limits.PerUser; n != nil {
			h.Limits.SessionsPerUser = never(*n)
		}
		if in.Root != "" {
			c.root(sub(path, "root"), h.Root, conf)
		}
		h.Listeners = c.listenersOf(in, path, conf)
		h.Names = c.namesOf(in, path)
		h.Certificates = c.certificatesOf(in, path)
		own := conf.As(&h)
		own.Users, own.Groups, own.Defaults, own.Anonymous = nil, nil, Defaults{}, Anonymous{}
		c.people(&in.Users, sub(path, "users"), f, own)
		h.Users, h.Groups, h.Defaults, h.Anonymous = own.Users, own.Groups, own.Defaults, own.Anonymous
		conf.Hosts = append(conf.Hosts, h)
	}
	c.ownHosts(f, conf)
	for i := range conf.Hosts {
		c.reachable(conf, i)
		c.apart(conf, i)
	}
}

// listenersOf are those that a host names.
func (c *checker) listenersOf(in *fileHost, path []string, conf *Config) []string {
	var known, out []string
	for i := range conf.Listeners {
		if name := conf.Listeners[i].Name; name != "" {
			known = append(known, name)
		}
	}
	for i, name := range in.Listeners {
		at := sub(path, "listeners", strconv.Itoa(i))
		switch {
		case name == "": // what the schema refused
		case !slices.Contains(known, name):
			c.at(at, fmt.Sprintf("there is no listener %q", name), suggest(name, known, "one of: "+strings.Join(known, ", ")))
		case slices.Contains(out, name):
			c.at(at, fmt.Sprintf("%q is named twice", name), "remove one of them")
		default:
			out = append(out, name)
		}
	}
	return out
}

// namesOf are a host's names in one form.
func (c *checker) namesOf(in *fileHost, path []string) []string {
	var out []string
	for i, name := range in.Names {
		clean, err := edge.CleanHost(name)
		switch {
		case err != nil: // the schema has refused it
		case slices.Contains(out, clean):
			c.at(sub(path, "names", strconv.Itoa(i)), fmt.Sprintf("%q is there already", clean), "remove one of them")
		default:
			out = append(out, clean)
		}
	}
	return out
}

func (c *checker) certificatesOf(in *fileHost, path []string) []CertFile {
	var list []CertFile
	for i, p := range in.Certificates {
		at := sub(path, "certificates", strconv.Itoa(i))
		if p.Cert == "" { // what the schema refused
			continue
		}
		pair := CertFile{Cert: beside(c.dir, p.Cert), Key: beside(c.dir, orElse(p.Key, p.Cert)), Watch: p.Watch}
		c.exists(sub(at, "cert"), pair.Cert, "certificate file")
		if p.Key != "" {
			c.exists(sub(at, "key"), pair.Key, "key file")
		}
		list = append(list, pair)
	}
	c.sameFiles(list, sub(path, "certificates"))
	return list
}

// ownHosts checks what listeners say of hosts.
func (c *checker) ownHosts(f *file, conf *Config) {
	var known []string
	for i := range conf.Hosts {
		if name := conf.Hosts[i].Name; name != "" {
			known = append(known, name)
		}
	}
	for i := range f.Listeners {
		l, path := &f.Listeners[i], []string{"listeners", strconv.Itoa(i)}
		if l.Host != "" && !slices.Contains(known, l.Host) {
			c.at(sub(path, "host"), fmt.Sprintf("there is no host %q", l.Host), suggest(l.Host, known, "name one of hosts[].name"))
		}
		conf.Listeners[i].Host, conf.Listeners[i].StrictHosts = l.Host, l.UnknownHosts == "refuse"
		if l.UnknownHosts == "refuse" && len(f.Hosts) == 0 {
			c.at(sub(path, "unknown_hosts"), "there are no virtual hosts, so every name is unknown", "add hosts, or remove it; tls.strict_sni refuses names without a certificate")
		}
	}
}

// reachable checks that clients can get a host, and no other by the same name.
func (c *checker) reachable(conf *Config, i int) {
	h, path := &conf.Hosts[i], []string{"hosts", strconv.Itoa(i)}
	var own, named, protected bool
	for j := range conf.Listeners {
		l := &conf.Listeners[j]
		tls := l.TLS.Control != "off" || l.Implicit
		own = own || l.Host == h.Name
		if !h.At(l.Name) {
			protected = protected || l.Host == h.Name && tls
			continue
		}
		named = named || tls || !slices.Contains(l.Unlisted, "HOST")
		protected = protected || tls
		for n, name := range h.Names {
			if slices.Contains(l.Hosts, name) && l.Host != h.Name {
				c.at(sub(path, "names", strconv.Itoa(n)), fmt.Sprintf("%q is among the hosts of the listener %q, and so a name of its own host", name, l.Name), "remove it there")
			}
			for k := range conf.Hosts[:i] {
				if o := &conf.Hosts[k]; o.At(l.Name) && slices.Contains(o.Names, name) && !c.isFaulty(sub(path, "names", strconv.Itoa(n))) {
					c.at(sub(path, "names", strconv.Itoa(n)), fmt.Sprintf("%q is a name of the host %q at the listener %q", name, o.Name, l.Name), "give each name to one host")
				}
			}
		}
	}
	switch {
	case len(h.Names) == 0 && !own && !c.isFaulty(sub(path, "names")):
		c.key(path, "no client can get this host: it has no names, and is no listener's own", "give it names, or name it as host of a listener")
	case len(h.Names) > 0 && !named:
		c.key(sub(path, "names"), "no client can give a name: its listeners have neither TLS nor HOST", "allow TLS or the command HOST at one of them, or name the host as host of a listener")
	case len(h.Certificates) > 0 && !protected:
		c.key(sub(path, "certificates"), "no listener of this host has TLS", "remove them, or allow TLS at one")
	}
}

// apart reports roots of a host that are, hold or lie in those of an earlier one, or of no
// host. With that, a user of the one could read what is the other's.
func (c *checker) apart(conf *Config, i int) {
	h, path := &conf.Hosts[i], []string{"hosts", strconv.Itoa(i), "root"}
	shared := conf.Defaults // and the mounts of storage, which are folders of the same users
	shared.Folders = slices.Concat(shared.Folders, conf.Folders)
	others := []Host{{Root: conf.Root, Users: conf.Users, Groups: conf.Groups, Anonymous: conf.Anonymous, Defaults: shared}}
	for k := range others {
		others[k].Name = NoHost
	}
	for _, o := range append(others, conf.Hosts[:i]...) {
		if h.Shared || o.Shared || h.Root == "" || c.isFaulty(path) {
			continue
		}
		if mine, theirs := c.touching(h, &o); mine != "" {
			whose := fmt.Sprintf("the host %q", o.Name)
			if o.Name == NoHost {
				whose = "storage and users"
			}
			c.at(path, fmt.Sprintf("the host's directory %s and %s of %s lie in each other: users of one would see files of the other", mine, theirs, whose),
				"serve directories beside each other, or say shared_root: true")
		}
	}
}

// touching finds a root of each host of which one is or holds the other.
func (c *checker) touching(h, o *Host) (mine, theirs string) {
	for _, a := range h.roots() {
		for _, b := range o.roots() {
			if within(c.real(a), c.real(b)) || within(c.real(b), c.real(a)) {
				return a, b
			}
		}
		for _, t := range o.templates() {
			if t.mayHold(c.real(a), c.real) {
				return a, t.Root
			}
		}
	}
	for _, b := range o.roots() {
		for _, t := range h.templates() {
			if t.mayHold(c.real(b), c.real) {
				return t.Root, b
			}
		}
	}
	return "", ""
}

func (c *Config) hostsFile() []fileHost {
	out := []fileHost{}
	for i := range c.Hosts {
		h := &c.Hosts[i]
		f := fileHost{Name: h.Name, Names: orEmpty(h.Names), Listeners: orEmpty(h.Listeners), Root: h.Root, Shared: h.Shared, Banner: h.Banner,
			Certificates: []fileCertificate{}, Limits: fileHostLimits{Sessions: h.Limits.Sessions}, Bandwidth: ratesFile(h.Bandwidth), Users: c.As(h).usersFile()}
		for _, p := range h.Certificates {
			f.Certificates = append(f.Certificates, fileCertificate(p))
		}
		f.Users.Sources, f.Users.File = nil, "" // which the server's own have alone
		if n := max(h.Limits.SessionsPerUser, 0); h.Limits.SessionsPerUser != 0 {
			f.Limits.PerUser = &n
		}
		out = append(out, f)
	}
	return out
}
