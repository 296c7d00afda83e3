package quickstart

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
)

// Step is something that is left to do, with the commands or lines for it.
type Step struct {
	Text  string   `json:"text"`
	Lines []string `json:"lines"`
}

// installed is where the units want the program.
const installed = "/usr/bin/edgeftp"

// Next is what is left to do when the files are there. program is the path of this one.
func (p *Plan) Next(program string) []Step {
	steps := []Step{{"Where the names do not lead here yet, make these DNS records:", p.records()}, {"Open these ports in the firewall, and lead them here where there is a router:", []string{p.firewall()}}}
	if p.Systemd {
		steps = append(steps, Step{"Install the program and its units, and start it:", p.units(program)})
	} else {
		steps = append(steps, Step{"Start it, as root if a port is below 1024; --systemd writes units that need no root:", []string{program + " serve --config " + p.Config()}})
	}
	asks := []string{"edgeftp status --ready --wait 2m --state-dir " + p.StateDir, "edgeftp cert list --state-dir " + p.StateDir, "edgeftp doctor --state-dir " + p.StateDir}
	steps = append(steps, Step{"See whether it stands, as root or as " + p.Account + ":", asks})
	if len(p.Domains) > 0 {
		user := "NAME"
		if len(p.Users) > 0 {
			user = p.Users[0]
		}
		steps = append(steps, Step{"Try it from elsewhere:", []string{fmt.Sprintf("curl --ssl-reqd -u %s ftp://%s/", user, p.host())}})
	}
	if len(p.Users) == 0 {
		steps = append(steps, Step{"Make users, each with a directory that belongs to " + p.Account + ":",
			[]string{"install -d -o " + p.Account + " -g " + p.Account + " -m 0750 " + p.home("anna"), "edgeftp user add anna --generate --perm elradfmwMT --state-dir " + p.StateDir}})
	}
	return steps
}

// host is where clients connect to.
func (p *Plan) host() string {
	host := strings.Replace(p.Domains[0], "*.", "ftp.", 1)
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = "[" + host + "]"
	}
	if ports := p.ports(); len(ports) > 0 && ports[0] != "21" {
		host += ":" + ports[0]
	}
	return host
}

// records are those of the names.
func (p *Plan) records() (lines []string) {
	for _, name := range p.Domains {
		if _, err := netip.ParseAddr(name); err == nil {
			continue
		}
		if len(p.IPs) == 0 {
			lines = append(lines, name+".  A  ADDRESS")
		}
		for _, ip := range p.IPs {
			kind := "AAAA"
			if ip.Is4() {
				kind = "A"
			}
			lines = append(lines, fmt.Sprintf("%s.  %s  %s", name, kind, ip))
		}
	}
	return lines
}

// firewall are the ports, as a line.
func (p *Plan) firewall() string {
	ports := slices.Clone(p.ports())
	for _, c := range []struct{ challenge, port string }{{"http-01", "80"}, {"tls-alpn-01", "443"}} {
		if p.Challenges == nil || slices.Contains(p.Challenges, c.challenge) {
			ports = append(ports, c.port)
		}
	}
	return "tcp  " + strings.Join(append(ports, p.PassivePorts), ", ")
}

// units are the commands that put the units in force.
func (p *Plan) units(program string) []string {
	at := filepath.Join(p.Dir, "systemd")
	var lines []string
	if program != installed {
		lines = append(lines, "install -m 0755 "+program+" "+installed)
	}
	now := "edgeftp.service"
	if slices.ContainsFunc(p.ports(), low) {
		now = "edgeftp.socket " + now
	}
	return append(lines, "cp -r "+at+"/. /etc/systemd/system/", "systemctl daemon-reload", "systemctl enable --now "+now)
}
