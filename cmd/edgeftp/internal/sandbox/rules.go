package sandbox

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/policies/webhook"
)

// PlanFor is what a server of a configuration needs once everything is opened and
// bound, less the sources of policies that are watched: which those are is known when
// they are built ([Plan.Watch]).
func PlanFor(conf *config.Config) *Plan {
	p := &Plan{Paths: []Path{}, Bind: []Ports{}, Connect: []string{}}
	p.own(conf)
	p.trees(conf)
	p.replaced(conf)
	p.ports(conf)
	p.connections(conf)
	if conf.Metrics.Listen != "" {
		p.maybe("/proc/stat", Read, "when the machine was started, for the figure of when this process was")
	}
	out := conf.ACME != nil || slices.ContainsFunc(conf.Policies.Modules, fetches) || len(conf.Webhooks()) > 0
	names := out || needsNames(conf)
	for _, s := range systemPaths(out, names) {
		p.maybe(s.Path, s.Access, s.Why)
	}
	if real, err := filepath.EvalSymlinks(resolver); names && err == nil && wide(filepath.Dir(real)) {
		p.leave("a file that replaces " + real + " (how names of hosts are looked up): restart after a change, or let it be a link to a file that others write")
	}
	return p
}

// portDNS is that of name servers (RFC 1035 §4.2.2).
const portDNS = 53

// resolver says who is asked for the addresses of names (resolv.conf(5)).
const resolver = "/etc/resolv.conf"

// fetches reports whether a policy may make requests.
func fetches(m config.Module) bool { return len(m.Grants.Fetch)+len(m.Grants.FetchPrivate) > 0 }

// systemPaths are the files of the system that the Go runtime and the libraries open
// while a server serves, as strace shows them. tls and names say whether others are asked
// for something over TLS, and whether hosts are looked up.
func systemPaths(tls, names bool) []Path {
	list := []Path{
		{"/proc/self", Read, "figures of this process, which telemetry.metrics shows"},
		{"/proc/sys/kernel/random/boot_id", Read, "whether an unfinished upload is of this boot, when a user's tree is opened"},
		{"/proc/sys/net/ipv4/tcp_available_congestion_control", Read, "which congestion controls there are (reload)"},
		{"/proc/sys/net/ipv4/tcp_allowed_congestion_control", Read, "which of them a server may choose (reload)"},
	}
	if names {
		for _, f := range []string{resolver, "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols"} {
			list = append(list, Path{f, Read, "how names of hosts are looked up; read again after a change"})
		}
		for _, dir := range []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"} {
			list = append(list, Path{dir, Read, "libraries by which a build with cgo looks hosts up (nsswitch.conf)"})
		}
		if real, err := filepath.EvalSymlinks(resolver); err == nil && !wide(filepath.Dir(real)) {
			list = append(list, Path{filepath.Dir(real), Read, "resolv.conf, which others replace"})
		}
	}
	if tls {
		for _, f := range []string{"/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/certs", "/etc/pki/tls/cacert.pem", "/etc/pki/ca-trust/extracted",
			"/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/var/lib/ca-certificates", os.Getenv("SSL_CERT_FILE"), os.Getenv("SSL_CERT_DIR")} {
			if f != "" {
				list = append(list, Path{f, Read, "the authorities that connections to others are verified by"})
			}
		}
	}
	return list
}

// needsNames reports whether addresses that clients are told have to be looked up.
func needsNames(conf *config.Config) bool {
	named := func(host string) bool {
		_, err := netip.ParseAddr(host)
		return host != "" && err != nil
	}
	for i := range conf.Listeners {
		a := &conf.Listeners[i].Passive.Advertise
		if named(a.Address) {
			return true
		}
		for _, host := range a.ByLocal {
			if named(host) {
				return true
			}
		}
		for _, host := range a.ByClient {
			if named(host) {
				return true
			}
		}
	}
	return false
}

// own is what the server keeps for itself.
func (p *Plan) own(conf *config.Config) {
	p.add(conf.Instance.StateDir, Tree, "keys, caches, unfinished uploads, what policies remember")
	p.add(filepath.Dir(conf.Socket), Socket, "the admin socket, which is put there in the place of a predecessor's, and removed at the end")
	if conf.ACME != nil {
		if err := os.MkdirAll(conf.ACME.Storage, 0o700); err != nil { // it would be made when it is needed
			p.leave(conf.ACME.Storage + " (certificates): " + err.Error())
			return
		}
		p.add(conf.ACME.Storage, Tree, "certificates and accounts with authorities")
	}
}

// trees are what is served.
func (p *Plan) trees(conf *config.Config) {
	for _, root := range conf.Roots() {
		if root != "" {
			p.add(root, Tree, "it is served")
		}
	}
	for _, all := range conf.Every() {
		if all.Defaults.Root != "" {
			p.homes(&all.Defaults)
		}
		for _, f := range all.SharedFolders() {
			if !f.Fixed() {
				p.homes(&config.Defaults{Root: f.Root})
			}
		}
	}
}

// maxLinks bounds the users whose trees are found by links.
const maxLinks = 10000

// homes are the trees of users.defaults.root, also of users that only policies know: all
// that lies where their names are put, and where links there lead to.
func (p *Plan) homes(d *config.Defaults) {
	const mark = "\x01"
	made, err := d.RootOf(mark)
	if err != nil {
		p.leave("users.defaults.root: " + err.Error())
		return
	}
	before, _, varies := strings.Cut(made, mark)
	if !varies {
		p.add(made, Tree, "it is served (users.defaults.root)")
		return
	}
	dir := strings.TrimSuffix(before, "/")
	if !strings.HasSuffix(before, "/") { // /srv/ftp-${user}
		dir = filepath.Dir(before)
	}
	if dir == "" {
		dir = "/"
	}
	p.add(dir, Tree, "the trees of users (users.defaults.root)")
	entries, _ := os.ReadDir(dir) // what cannot be listed has no links to follow
	for _, e := range entries[:min(len(entries), maxLinks)] {
		user := strings.TrimPrefix(filepath.Join(dir, e.Name()), before)
		root, err := d.RootOf(user)
		if err != nil || filepath.Join(dir, e.Name()) == user {
			continue
		}
		if real, err := filepath.EvalSymlinks(root); err == nil && !p.covers(real) {
			p.add(real, Tree, "the tree of a user, by a link (users.defaults.root)")
		}
	}
}

// replaced are files that others write or replace while the server serves.
func (p *Plan) replaced(conf *config.Config) {
	for _, c := range conf.CertificateFiles() {
		if c.Watch {
			p.file(c.Cert, "a certificate, which is read again when it is replaced")
			p.file(c.Key, "a key, which is read again when it is replaced")
		}
	}
	if conf.UsersFile != "" {
		p.file(conf.UsersFile, "users, which are read again at a reload")
	}
	if conf.Log.File != "" {
		p.log(conf.Log.File, "the log")
	}
	if conf.Events != "" {
		p.log(conf.Events, "the event log")
	}
	if conf.AccessLog.File != "" {
		p.log(conf.AccessLog.File, "the access log")
	}
	if conf.Audit.File != "" && !within(conf.Instance.StateDir, conf.Audit.File) {
		p.log(conf.Audit.File, "the audit log")
		p.maybe(filepath.Dir(conf.Audit.File), Read, "the audit log, which the admin API shows")
	}
	if t := conf.Admin.TCP; t != nil {
		p.file(t.Cert, "the admin API's certificate, which is read again when it is replaced")
		p.file(t.Key, "the admin API's key, which is read again when it is replaced")
	}
	if conf.Policies.Watch != "" {
		p.add(conf.Policies.Watch, Read, "modules that are put there (policies.watch)")
	}
}

// within reports whether a path lies in a directory.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// ports are those that are bound after the listeners.
func (p *Plan) ports(conf *config.Config) {
	for i := range conf.Listeners {
		l := &conf.Listeners[i]
		if l.Protocol == config.ProtocolHTTP || l.Protocol == config.ProtocolQUIC {
			continue // nothing is bound for a transfer; ports of UDP have no rules
		}
		why := "data connections of listener " + l.Name
		for _, s := range l.Passive.Ports {
			p.bind(s.First, s.Last, why)
		}
		switch {
		case len(l.Passive.Ports) == 0:
			p.bind(0, 0, why)
		case l.Active.Enabled:
			p.bind(0, 0, "active mode of listener "+l.Name+", whose own end may have any port")
		}
	}
	if conf.ACME == nil {
		return
	}
	for _, address := range append(conf.ACME.Challenges.HTTP[:len(conf.ACME.Challenges.HTTP):len(conf.ACME.Challenges.HTTP)], conf.ACME.Challenges.TLSALPN...) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			p.bind(uint16(n), uint16(n), "challenges of certificate authorities")
		}
	}
}

// connections are what TCP connections to others are made for. Which ports they need
// is up to clients, authorities and services; so one of them allows all. Those of webhooks
// are known.
func (p *Plan) connections(conf *config.Config) {
	for i := range conf.Listeners {
		if l := &conf.Listeners[i]; l.Active.Enabled {
			p.connect("active mode of listener " + l.Name)
		}
	}
	if conf.ACME != nil {
		p.connect("certificate authorities (certificates.acme)")
	}
	for i := range conf.Policies.Modules {
		if m := &conf.Policies.Modules[i]; fetches(*m) {
			p.connect(fmt.Sprintf("policy %q may fetch", m.Name))
		}
	}
	for _, w := range conf.Webhooks() {
		_, port := webhook.Origin(w.URL.Value())
		p.connectTo(port, "webhook "+w.Name)
		p.connectTo(portDNS, "names of hosts, where an answer is too long for UDP")
	}
}
