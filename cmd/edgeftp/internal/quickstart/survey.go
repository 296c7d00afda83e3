package quickstart

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/identity"
)

// Machine is what a survey asks of the machine.
type Machine struct {
	Bind    func(address string) error // whether it can be listened on
	Resolve func(ctx context.Context, name string) ([]netip.Addr, error)
	Own     func() []netip.Addr // the addresses of its interfaces
	Root    bool                // whether root asks
}

// This returns the machine that the program runs on.
func This() Machine {
	return Machine{Bind: bind, Own: own, Root: identity.IsRoot(), Resolve: func(ctx context.Context, name string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	}}
}

func bind(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

func own() (list []netip.Addr) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			list = append(list, prefix.Addr().Unmap())
		}
	}
	return list
}

// Finding is something that a survey has found, with what to do about it.
type Finding struct {
	Text string `json:"text"`
	Help string `json:"help,omitempty"`
}

// Findings are all of them: what is in order, what to look after before the first start,
// and what keeps the plan from being carried out.
type Findings struct {
	Fine   []string  `json:"fine"`
	Notes  []Finding `json:"notes"`
	Faults []Finding `json:"faults"`
}

func (f *Findings) fine(format string, args ...any) {
	f.Fine = append(f.Fine, fmt.Sprintf(format, args...))
}
func (f *Findings) note(text, help string)  { f.Notes = append(f.Notes, Finding{text, help}) }
func (f *Findings) fault(text, help string) { f.Faults = append(f.Faults, Finding{text, help}) }

// resolveTime is how long the names are asked for.
const resolveTime = 5 * time.Second

// Survey looks at the machine for a plan, and completes that.
func Survey(ctx context.Context, p *Plan, m Machine) (*Findings, error) {
	f := &Findings{Fine: []string{}, Notes: []Finding{}, Faults: []Finding{}}
	p.terms(f)
	p.account(f, m)
	p.people(f)
	p.places(f)
	p.entrances(f)
	p.homes(f)
	p.listeners(f, m)
	p.challenges(f, m)
	p.addresses(f, m)
	p.names(ctx, f, m)
	return f, p.values(f)
}

// values looks at what the configuration would have against its values. What is said
// already, of names and terms, is not said again.
func (p *Plan) values(f *Findings) error {
	problems, err := p.draft().Problems()
	for _, q := range problems {
		if q.Path == "certificates.acme.domains" && len(p.Domains) == 0 || q.Path == "certificates.acme.agree_to_terms" {
			continue
		}
		f.fault(q.Path+": "+q.Text, q.Help)
	}
	return err
}

func (p *Plan) terms(f *Findings) {
	if len(p.Domains) == 0 {
		f.fault("there is no name for the certificate", "--domain ftp.example.org says by which name clients come")
	}
	if !p.AgreeToTerms {
		f.fault("an authority issues certificates to those alone who agree to its terms of service", "read them (Let's Encrypt: https://letsencrypt.org/repository/), and add --agree-to-terms")
	}
}

// account looks whom the server is to be.
func (p *Plan) account(f *Findings, m Machine) {
	if !m.Root {
		f.note("the files will be those of the user that writes them, who is not root", "a server for others belongs to a user of its own: run edgeftp init as root, or give the files to that user")
		return
	}
	as, err := identity.Lookup(p.Account)
	if err != nil {
		text, _, _ := strings.Cut(err.Error(), "\n")
		f.fault(text, "useradd --system --user-group --home-dir "+p.StateDir+" --shell /usr/sbin/nologin "+p.Account)
		return
	}
	p.As = as
	f.fine("the server will be %s", as)
}

// people looks at the names of users, of which each is that of a directory.
func (p *Plan) people(f *Findings) {
	fit := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	for i, name := range p.Users {
		switch {
		case !fit.MatchString(name):
			f.fault(fmt.Sprintf("%q cannot be the name of a user here", name), "each has a directory of that name: letters, digits, and . _ - behind the first; edgeftp user add takes others")
		case slices.Contains(p.Users[:i], name):
			f.fault(fmt.Sprintf("the user %q is there twice", name), "give each a name of its own")
		}
	}
}

// places looks at what is to be written, none of which may be there.
func (p *Plan) places(f *Findings) {
	for _, file := range p.written() {
		if _, err := os.Lstat(file); err == nil {
			f.fault(file+" is there already, and nothing is overwritten", "edit it, or choose another directory with --dir; edgeftp config validate "+p.Config()+" checks it")
		}
	}
	for _, d := range []struct{ dir, flag, what string }{{p.Dir, "--dir", "the configuration"}, {p.Root, "--root", "the files"}, {p.StateDir, "--state-dir", "the state"}} {
		if err := usable(d.dir); err != nil {
			f.fault(fmt.Sprintf("%s cannot be kept in %s: %v", d.what, d.dir, err), "run edgeftp init as root, or choose another directory with "+d.flag)
		}
	}
	if name, below := strings.CutPrefix(p.StateDir, "/var/lib/"); p.Systemd && (!below || strings.Contains(name, "/")) {
		f.fault("the unit keeps its state in a directory of /var/lib, and not in "+p.StateDir, "leave --state-dir or --systemd out")
	}
	for _, d := range []string{p.StateDir, p.Dir} {
		if rel, err := filepath.Rel(p.Root, d); err == nil && filepath.IsLocal(rel) {
			f.fault(fmt.Sprintf("%s lies in %s: users could reach it", d, p.Root), "choose a directory for the files of its own, with --root")
		}
	}
}

// entrances looks whether whom the server is to be gets to the directories, those that they
// lie in included. The state directory itself will be given to that user.
func (p *Plan) entrances(f *Findings) {
	if p.As == nil {
		return
	}
	told := map[string]bool{}
	for _, d := range []struct{ dir, flag string }{{p.Dir, "--dir"}, {p.Root, "--root"}, {filepath.Dir(p.StateDir), "--state-dir"}} {
		for at := d.dir; ; at = filepath.Dir(at) {
			if info, err := os.Stat(at); err == nil && !told[at] && !enters(info, p.As) {
				told[at] = true
				f.fault(fmt.Sprintf("%s may not enter %s", p.As, at), "chmod o+x "+at+", or chgrp "+p.Account+" "+at+" and chmod g+rx, or choose another directory with "+d.flag)
			}
			if at == filepath.Dir(at) {
				break
			}
		}
	}
}

// enters reports whether a directory's mode lets a user go through it.
func enters(info fs.FileInfo, as *identity.User) bool {
	uid, gid, known := identity.Owner(info)
	switch mode := info.Mode().Perm(); {
	case !known:
		return true
	case uid == as.UID:
		return mode&0o100 != 0
	case gid == as.GID || slices.Contains(as.Groups, gid):
		return mode&0o010 != 0
	default:
		return mode&0o001 != 0
	}
}

// homes looks whose those directories of users are that are there already.
func (p *Plan) homes(f *Findings) {
	for _, name := range p.Users {
		info, err := os.Stat(p.home(name))
		if err != nil || p.As == nil {
			continue
		}
		if uid, _, known := identity.Owner(info); known && uid != p.As.UID {
			f.note(p.home(name)+" is there, and does not belong to "+p.Account+": uploads may get 550", "chown -R "+p.Account+": "+p.home(name))
		}
	}
}

// usable says why nothing can be made in a directory that is there, or in the one that it
// would be made in.
func usable(dir string) error {
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && !info.IsDir():
			return fmt.Errorf("%s is not a directory", dir)
		case err == nil && !identity.MayWrite(dir):
			return fmt.Errorf("this user may not write to %s", dir)
		case err == nil:
			return nil
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		dir = filepath.Dir(dir)
	}
}

func (p *Plan) listeners(f *Findings, m Machine) {
	for _, address := range p.Listen {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			f.fault(fmt.Sprintf("--listen %s: %v", address, err), "write HOST:PORT, or :PORT for all addresses")
			continue
		}
		switch err := m.Bind(address); {
		case err == nil:
			f.fine("%s is free", address)
		case errors.Is(err, syscall.EADDRINUSE):
			f.fault("another program listens on "+address, "ss -ltnp 'sport = :"+port+"' tells which one; stop it, or choose another address with --listen")
		case errors.Is(err, syscall.EACCES):
			f.note("port "+port+" takes a privilege that this user lacks, so whether it is free was not tried", "systemd's socket opens it (--systemd), or root starts the server")
		default:
			f.fault(fmt.Sprintf("%s cannot be listened on: %v", address, err), "choose another address with --listen")
		}
	}
}

// challenges chooses those whose port nobody else has.
func (p *Plan) challenges(f *Findings, m Machine) {
	taken := func(address string) bool { return errors.Is(m.Bind(address), syscall.EADDRINUSE) }
	switch http, alpn := taken(":80"), taken(":443"); {
	case http && alpn:
		f.fault("other programs have ports 80 and 443, and the authority comes to one of them", "stop one of them, or prove the names by DNS: edgeftp help certificates")
	case http:
		p.Challenges = []string{"tls-alpn-01"}
		f.fine("another program has port 80: the names are proven on port 443")
	case alpn:
		p.Challenges = []string{"http-01"}
		f.fine("another program has port 443: the names are proven on port 80")
	}
}

// addresses finds out by which addresses clients reach the server.
func (p *Plan) addresses(f *Findings, m Machine) {
	mine := m.Own()
	if len(p.IPs) == 0 {
		for _, a := range mine {
			if a.IsGlobalUnicast() && !a.IsPrivate() {
				p.IPs = append(p.IPs, a)
			}
		}
		if len(p.IPs) == 0 {
			f.note("no interface of this machine has an address of the Internet", "behind NAT, --ip ADDRESS says which one clients reach; they are told it for passive transfers")
		}
		return
	}
	for _, a := range p.IPs {
		if slices.Contains(mine, a) {
			continue
		}
		if a.Is4() && p.Advertise == "" {
			p.Advertise = a.String()
		}
		f.note(fmt.Sprintf("%s is no address of this machine", a), "the router has to lead the ports of the firewall's list here, under the same numbers")
	}
}

// names asks where the names lead.
func (p *Plan) names(ctx context.Context, f *Findings, m Machine) {
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	here := slices.Concat(p.IPs, m.Own())
	for _, name := range p.Domains {
		if _, err := netip.ParseAddr(name); err == nil || strings.HasPrefix(name, "*") {
			continue
		}
		found, err := m.Resolve(ctx, name)
		for i := range found {
			found[i] = found[i].Unmap()
		}
		switch astray := slices.DeleteFunc(slices.Clone(found), func(a netip.Addr) bool { return slices.Contains(here, a) }); {
		case err != nil:
			f.note(name+" has no address yet", "make the record below, or there will be no certificate")
		case len(astray) > 0:
			f.note(fmt.Sprintf("%s leads to %s, which is not here", name, joined(astray)), "change the record, or say with --ip that the address is this server's")
		default:
			f.fine("%s leads here (%s)", name, joined(found))
		}
	}
}

func joined(list []netip.Addr) string {
	var texts []string
	for _, a := range list {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, ", ")
}
