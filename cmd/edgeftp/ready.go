package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// listen binds the listeners, all or none.
func (in *generation) listen(ctx context.Context) error {
	if err := in.server.Listen(ctx); err != nil {
		return unbound(err)
	}
	if err := in.openFronts(ctx); err != nil {
		return exitWith(exitFailed, err)
	}
	in.modules.base = in.baseStatus(time.Now().UTC().Truncate(time.Second))
	return exitWith(exitFailed, in.listenMetrics(ctx))
}

// addresses are the bound addresses with the names and TLS of their listeners.
func (in *generation) addresses() []control.Listener {
	bound := in.server.Addresses()
	var out []control.Listener
	for i := range in.conf.Listeners {
		l := &in.conf.Listeners[i]
		for _, a := range l.Addresses {
			told := control.Listener{Name: l.Name, Address: a, TLS: l.TLS.Control}
			if l.Implicit {
				told.TLS = "implicit"
			}
			if l.Protocol != config.ProtocolFTP {
				told.Protocol = l.Protocol
			}
			if len(bound) == 0 { // another configuration comes into force
				return out
			}
			told.Address, bound = bound[0].String(), bound[1:]
			out = append(out, told)
			if l.HTTP3 {
				told.Protocol = "http3"
				out = append(out, told)
			}
		}
	}
	return out
}

// greeting gathers what the operator is told.
func (in *generation) greeting(conf *config.Config) *greeting {
	g := &greeting{root: relative(conf.Root), listeners: in.addresses(), leaf: in.certs.leaf(), socket: relative(conf.Socket),
		anonymous: conf.Anonymous.Enabled, built: in.built, policies: in.modules.Status().Policies, password: conf.Password, sandbox: in.sandbox}
	g.anybody = "read-only"
	if changing := conf.Anonymous.Perms &^ policy.PermReadOnly; changing != 0 {
		g.anybody = "who may change files (" + changing.String() + ")"
		g.writable = g.writable || conf.Anonymous.Enabled
	}
	if ca := in.certs.ca; ca != nil {
		g.caFile, g.caName = relative(ca.CAFile()), ca.Name()
	}
	if m, ok := in.certs.sources["auto"].(*acme.Manager); ok {
		g.ordered = m.Certificates()
	}
	for _, u := range conf.Users {
		g.writable = g.writable || u.Perms&^policy.PermReadOnly != 0
	}
	if len(conf.Users) > 0 {
		g.user, g.passFile = conf.Users[0].Name, relative(conf.PasswordFile)
	}
	return g
}

// relative is a path as short as it can be said in the working directory. A service's is /,
// and there nobody reads paths without the first slash.
func relative(path string) string {
	dir, err := os.Getwd()
	if err != nil || path == "" || dir == "/" {
		return path
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return path
	}
	return rel
}
