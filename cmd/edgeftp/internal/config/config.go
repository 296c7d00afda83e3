// Package config reads the configuration file of edgeftp and makes the one that
// the flags of serve stand for. Both end in the same [Config], by the same
// checks.
//
// The file is YAML. One JSON Schema, schema.json beside this file, says which
// keys there are, what they may hold and what they are by default; it serves
// editors as well, and docs/config.md is made of it. All faults of a file are
// reported at once, each with its place and a way to mend it. No key is accepted
// and ignored: what the schema knows but the server cannot do yet is refused as
// such.
package config

import (
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Config is a checked configuration with every default filled in. Paths are
// absolute.
type Config struct {
	Instance     Instance
	Listeners    []Listener // at least one
	Certificates []CertFile // the first serves clients that ask for no name
	ACME         *ACME      // nil: no authority is asked
	Limits       Limits
	Defender     Defender
	Bandwidth    edge.Bandwidth
	HideDotFiles bool // in listings
	Transfer     Transfer
	Root         string         // the directory that is served at /
	ReadOnly     bool           // nothing in Root may be changed, whichever tree leads there
	Folders      []Folder       // that everybody sees but the users of virtual hosts
	Durability   vfs.Durability // of every tree
	Mounts       vfs.Mounts     // below every root
	Users        []User         // of the list and the file, in the order of Sources
	Sources      []string       // where users come from, see SourceList and its kin
	UsersFile    string         // that part of Users comes from, or empty
	Shadowed     []Shadowed     // users of the list or the file who are not asked for
	Groups       []Group
	Defaults     Defaults
	Anonymous    Anonymous
	Hosts        []Host // beside Root and Users
	Policies     Policies
	AccessLog    AccessLog
	Metrics      Metrics
	Events       string // the file of the event log, or empty
	Sinks        []Webhook
	Notify       Notify
	Socket       string // of the admin API
	Admin        AdminAPI
	Audit        Audit
	Log          Log
	Languages    Languages
	Sandbox      Sandbox

	// Password is the one that FromFlags made up for the user of the command
	// line, for the greeting. It is empty otherwise, and in no file.
	Password string
	// PasswordFile is where FromFlags read the password of that user, absolute;
	// empty otherwise.
	PasswordFile string
}

// DefaultName is the name of a server that was given none.
const DefaultName = "edgeftp"

// Instance is this server.
type Instance struct {
	Name         string
	StateDir     string
	DrainTimeout time.Duration
	User         string // whom to become, as identity.Lookup reads it, or empty
	AllowRoot    bool   // serve as root
}

// Sandbox is how far the serving process is shut off from the machine. The zero value
// is none.
type Sandbox struct {
	Landlock string // "on", "required" or "off"
	Seccomp  bool
}

// Own returns the directories that the server keeps for itself: its state, and its
// certificates, which may be in that.
func (c *Config) Own() []string {
	own := []string{c.Instance.StateDir}
	if c.ACME != nil {
		own = append(own, c.ACME.Storage)
	}
	return own
}

// Roots returns every directory of the machine that is somebody's tree, each
// once, the one that is served at / first.
func (c *Config) Roots() []string {
	roots := []string{c.Root}
	seen := map[string]bool{c.Root: true, "": true}
	add := func(root string) {
		if !seen[root] {
			roots = append(roots, root)
		}
		seen[root] = true
	}
	for _, all := range c.Every() {
		add(all.Root)
		for _, u := range all.Users {
			add(u.Root)
		}
		add(all.Anonymous.Root)
		for _, root := range all.folderRoots() {
			add(root)
		}
	}
	return roots
}
