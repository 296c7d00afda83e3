package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"slices"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/acme/providers"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// acmeConfig turns the configuration's certificates.acme, which is there, into acme's,
// but for who decides and is told.
func acmeConfig(conf *config.Config, log *slog.Logger) (acme.Config, error) {
	c, err := conf.ACME.Config()
	if err != nil {
		return acme.Config{}, err
	}
	c.Log = log
	if d := conf.ACME.Challenges.DNS; d != nil {
		if c.Challenges.DNS.Provider, err = providers.Open(d.Provider, d.Values()); err != nil {
			return acme.Config{}, err
		}
	}
	c.Storage, err = acme.OpenStorage(conf.ACME.Storage)
	return c, err
}

// autoCertificates are those of authorities.
func (in *generation) autoCertificates(ctx context.Context) (certSource, error) {
	c, err := acmeConfig(in.conf, in.log)
	if err != nil {
		return nil, err
	}
	for _, err := range c.Challenges.Closed(ctx) {
		in.log.Warn(err.Error(), "help", acme.Advice(err))
	}
	c.Event = in.certificateChanged
	if c.OnDemand != nil {
		c.OnDemand.Ask = in.mayCertify
	}
	m, err := acme.NewManager(c)
	if err != nil {
		return nil, err
	}
	if err := m.Load(ctx); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// mayCertify asks the policies whether a name may have a certificate, for a client that
// shakes hands, or without one before a renewal.
func (in *instance) mayCertify(ctx context.Context, name string, hello *tls.ClientHelloInfo) error {
	var who policy.Session
	if hello != nil && hello.Conn != nil {
		who.Peer, who.Local = dtp.AddrPort(hello.Conn.RemoteAddr()), dtp.AddrPort(hello.Conn.LocalAddr())
		who.Listener = in.now.Load().listenerAt(hello.Conn.LocalAddr())
	}
	server := in.told.Load()
	if server == nil {
		return errors.New("the server is not there yet")
	}
	return server.MayCertify(ctx, name, who)
}

// warnOnDemand tells that nothing will be issued on demand while no policy decides on
// it.
func (in *generation) warnOnDemand() {
	if in.conf.ACME == nil || in.conf.ACME.OnDemand == nil {
		return
	}
	for _, p := range in.modules.Status().Policies {
		if slices.Contains(p.Hooks, policy.StageCert.String()) {
			return
		}
	}
	in.log.Warn("no policy decides on certificates on demand, so none is issued", "help", "load a policy with the hook cert, or remove certificates.acme.on_demand")
}

// listenerAt is the name of the listener to which a client has come, if there is one on
// that port alone.
func (in *generation) listenerAt(local net.Addr) string {
	_, port, err := net.SplitHostPort(local.String())
	if err != nil {
		return ""
	}
	var names []string
	for _, l := range in.addresses() {
		if _, p, err := net.SplitHostPort(l.Address); err == nil && p == port && !slices.Contains(names, l.Name) {
			names = append(names, l.Name)
		}
	}
	if len(names) != 1 {
		return ""
	}
	return names[0]
}
