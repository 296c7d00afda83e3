// Package quickstart is the way from a machine with nothing to a server on the Internet: it
// looks at the machine, says everything that stands in the way at once, and writes a
// configuration with its users and units, or nothing.
package quickstart

import (
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/identity"
)

// Plan is what the server is to be. All paths are absolute.
type Plan struct {
	Domains      []string // names and addresses of the certificate, at least one
	Email        string   // where the authority may write to; empty is nowhere
	CA           string   // the authority; empty is Let's Encrypt
	AgreeToTerms bool
	Listen       []string // HOST:PORT, at least one
	PassivePorts string   // A-B
	IPs          []netip.Addr
	Users        []string // to be made, with passwords that are made up
	Dir          string   // of the configuration
	Root         string   // below which each user has a directory
	StateDir     string
	Account      string         // whom the server is to be, if root starts it
	As           *identity.User // the same, looked up; nil where the writer is not root
	Systemd      bool
	Challenges   []string // set by Survey where one of the two ports is taken
	Advertise    string   // set by Survey where the server is behind NAT
}

// Config is the configuration file.
func (p *Plan) Config() string { return filepath.Join(p.Dir, "edgeftp.yaml") }

func (p *Plan) usersFile() string { return filepath.Join(p.Dir, "users.yaml") }

// home is the directory of a user.
func (p *Plan) home(name string) string { return filepath.Join(p.Root, name) }

const headConfig = `# yaml-language-server: $schema=./edgeftp.schema.json
#
# Written by edgeftp init. What is not here is as it is by default:
#
#     edgeftp config show --config FILE --effective     every key, its value and where that is from
#     edgeftp config describe KEY                       what a key is, and when a change holds
#     edgeftp config validate FILE                      everything that serve does before it listens
`

const headUsers = `# Users, and the hashes of their passwords: edgeftp user hash makes one.
# Other keys of an entry: edgeftp config describe users.list
`

// draft is the configuration.
func (p *Plan) draft() *config.Draft {
	d := &config.Draft{Listen: p.Listen, PassivePorts: p.PassivePorts, Advertise: p.Advertise, Domains: p.Domains, Email: p.Email, CA: p.CA,
		AgreeToTerms: p.AgreeToTerms, Challenges: p.Challenges, StateDir: p.StateDir, Root: p.Root, UsersFile: filepath.Base(p.usersFile()), Perm: "elradfmwMT"}
	if p.As != nil {
		d.User = p.As.Name
	}
	return d
}

// ports are those of the listeners.
func (p *Plan) ports() []string {
	var list []string
	for _, address := range p.Listen {
		if at := strings.LastIndex(address, ":"); at >= 0 {
			list = append(list, address[at+1:])
		}
	}
	return list
}

// low reports whether a port is one that takes a privilege.
func low(port string) bool {
	n, err := strconv.Atoi(port)
	return err == nil && n > 0 && n < 1024
}
