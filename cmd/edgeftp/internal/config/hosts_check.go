package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/edge"
)

// checkHostname is a name of a virtual host.
func checkHostname(s string) error {
	if _, err := edge.CleanHost(s); err != nil {
		return fault{"is no host name", "write it like ftp.example.org, or *.example.org for all names below"}
	}
	return nil
}

// moduleHosts checks for which hosts a module is asked, and that somebody can log in at
// each host.
func (c *checker) moduleHosts(f *file, conf *Config) {
	known := []string{NoHost}
	for i := range conf.Hosts {
		known = append(known, conf.Hosts[i].Name)
	}
	everywhere := false
	for i := range f.Policies.Modules {
		path := []string{"policies", "modules", strconv.Itoa(i), "hosts"}
		m := &conf.Policies.Modules[i]
		for j, name := range f.Policies.Modules[i].Hosts {
			at := sub(path, strconv.Itoa(j))
			switch {
			case name == "": // what the schema refused
			case !slices.Contains(known, name):
				c.at(at, fmt.Sprintf("there is no host %q", name), suggest(name, known, "one of: "+strings.Join(known, ", ")))
			case slices.Contains(m.Hosts, name):
				c.at(at, fmt.Sprintf("%q is named twice", name), "remove one of them")
			default:
				m.Hosts = append(m.Hosts, name)
			}
		}
		everywhere = everywhere || len(f.Policies.Modules[i].Hosts) == 0
	}
	for i := range conf.Hosts {
		h, path := &conf.Hosts[i], []string{"hosts", strconv.Itoa(i), "users"}
		asked := slices.ContainsFunc(conf.Policies.Modules, func(m Module) bool { return slices.Contains(m.Hosts, h.Name) })
		if h.Name != "" && len(h.Users) == 0 && !h.Anonymous.Enabled && !everywhere && !asked && !c.isFaulty(path) {
			c.key(path[:2], fmt.Sprintf("nobody can log in at the host %q", h.Name), "add users.list, enable users.anonymous, or add a policy module that decides on its logins")
		}
	}
}

// hostCertificates reports names of hosts for which no certificate is ordered. Whether
// files hold a name is told when they are opened.
func (c *checker) hostCertificates(conf *Config) {
	if conf.ACME == nil || conf.ACME.OnDemand != nil {
		return
	}
	for i := range conf.Hosts {
		h := &conf.Hosts[i]
		if len(h.Certificates) > 0 {
			continue
		}
		for j := range conf.Listeners {
			l := &conf.Listeners[j]
			if !h.At(l.Name) || l.TLS.Control == "off" && !l.Implicit || l.TLS.Certificate != "auto" {
				continue
			}
			for n, name := range h.Names {
				if path := []string{"hosts", strconv.Itoa(i), "names", strconv.Itoa(n)}; !Covered(name, conf.ACME.Names) && !c.isFaulty(path) {
					c.at(path, fmt.Sprintf("no certificate is ordered for %q, which clients of the listener %q ask for", name, l.Name),
						"add it to certificates.acme.domains, or give the host certificates of its own")
				}
			}
		}
	}
}

// Covered reports whether certificates for subjects hold a name of a host. A certificate's
// wildcard stands for one label, a host's for more: the certificate of the same wildcard
// is all that there can be for it.
func Covered(name string, subjects []string) bool {
	_, above, _ := strings.Cut(name, ".")
	return slices.ContainsFunc(subjects, func(s string) bool {
		return strings.EqualFold(s, name) || above != "" && strings.EqualFold(s, "*."+above)
	})
}
