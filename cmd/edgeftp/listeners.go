package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/proxied"
)

// listeners turns the configuration's listeners into edge's, one for each
// address; those of one listener share its name, and what is limited by it.
func (in *generation) listeners(ctx context.Context) ([]edge.Listener, error) {
	var out []edge.Listener
	for i := range in.conf.Listeners {
		l := &in.conf.Listeners[i]
		if l.Protocol != config.ProtocolFTP {
			more, err := in.front(ctx, l)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
			continue
		}
		e := edge.Listener{Implicit: l.Implicit, Hosts: l.Hosts, Host: l.Host, StrictHosts: l.StrictHosts, Banner: l.Banner, Encoding: l.Encoding, Advertise: l.Passive.Advertise,
			Passive: pi.Passive{AnyPeer: !l.Passive.SamePeer, Fresh: !l.Passive.Reuse, Wait: unlimited(l.Passive.Timeout), Backlog: l.Passive.Backlog, Ephemeral: in.ephemeral},
			Active: pi.Active{Off: !l.Active.Enabled, Privileged: l.Active.PrivilegedPorts, Foreign: l.Active.ForeignAddresses,
				Unmask: l.Active.ReplacePrivate, Wait: unlimited(l.Active.Timeout)},
			Proxies: proxies(&l.Proxy), Commands: in.commands(l), Congestion: l.Congestion}
		if l.LocalTime {
			e.Zone = time.Local
		}
		for _, span := range l.Passive.Ports {
			e.Passive.Ports = append(e.Passive.Ports, dtp.PortSpan(span))
		}
		if err := in.protect(ctx, &e, l); err != nil {
			return nil, err
		}
		for _, address := range l.Addresses {
			e.Address, e.Name, e.Socket = address, l.Name, in.sockets[socket{l.Name, address}]
			out = append(out, e)
		}
	}
	return out, nil
}

// front turns a listener into edge's that is none of FTP over TCP, one for each address: the
// server hands the connections of HTTP on, and accepts those of QUIC from a side.
func (in *generation) front(ctx context.Context, l *config.Listener) (out []edge.Listener, err error) {
	if l.TLS.Control != "off" {
		if in.fronts.tls[l.Name], err = in.tls(ctx, l); err != nil {
			return nil, err
		}
	}
	e := edge.Listener{Name: l.Name, Host: l.Host, Hosts: l.Hosts, Banner: l.Banner, Encoding: l.Encoding, Commands: in.commands(l)}
	if l.LocalTime {
		e.Zone = time.Local
	}
	for _, address := range l.Addresses {
		if l.Protocol == config.ProtocolQUIC {
			e.Address, e.Socket = "udp "+address, in.side(l, address) // it is no address of TCP
			out = append(out, e)
			continue
		}
		e.Proxies, e.Congestion, e.HandOn = proxies(&l.Proxy), l.Congestion, in.handOn(l.Name)
		e.Address, e.Socket = address, in.sockets[socket{l.Name, address}]
		out = append(out, e)
	}
	return out, nil
}

// proxies are what a listener's connections come through.
func proxies(p *config.Proxy) *dtp.Proxies {
	if p.Mode == "off" {
		return nil
	}
	return &dtp.Proxies{Trusted: p.Trusted, Optional: p.Mode == "optional", Within: p.Timeout, Data: p.Data, Read: proxied.Read}
}

// protect says how a listener's connections are protected.
func (in *generation) protect(ctx context.Context, e *edge.Listener, l *config.Listener) (err error) {
	e.Binding = map[string]dtp.Binding{"require": dtp.BindRequire, "prefer": dtp.BindPrefer, "off": dtp.BindOff}[l.TLS.SessionReuse]
	if l.TLS.Control == "required" {
		e.Require |= edge.TLSControl
	}
	if l.TLS.Data == "required" {
		e.Require |= edge.TLSData
	}
	if l.TLS.Control != "off" || l.Implicit {
		if e.TLS, err = in.tls(ctx, l); err != nil {
			return err
		}
		if m, ok := in.certs.sources[l.TLS.Certificate].(*acme.Manager); ok {
			e.Ready = m.Ready
		}
	}
	return nil
}

// commands is the table of a listener's commands.
func (in *generation) commands(l *config.Listener) *pi.Table {
	table := pi.Standard()
	if !in.conf.Languages.Negotiate {
		table = table.Without("LANG")
	}
	if len(in.conf.Transfer.Checksums) == 0 {
		table = table.Without("HASH", "OPTS HASH", "XCRC", "XMD5", "XSHA1", "XSHA256", "XSHA512")
	}
	for _, row := range pi.Optional() {
		if slices.Contains(l.Optional, row.Verb) {
			table = table.With(row)
		}
	}
	var gone []string
	for _, row := range table.Rows() {
		group, _, _ := strings.Cut(row.Verb, " ")
		if slices.Contains(l.Unlisted, row.Verb) || slices.Contains(l.Unlisted, group) {
			gone = append(gone, row.Verb)
		}
	}
	return table.Without(gone...)
}
