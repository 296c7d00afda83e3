package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
)

// Bandwidth implements control.Controller.
func (m *modules) Bandwidth() control.Bandwidth {
	named := func(list []edge.BandwidthLimit) (out []control.NamedRate) {
		for _, l := range list {
			out = append(out, control.NamedRate{Name: l.Name, Rates: control.Rates(l.Rates), Sessions: l.Sessions, Set: l.Set})
		}
		return out
	}
	b := m.server.Bandwidth()
	return control.Bandwidth{Global: control.Rates(b.Server), UserDefault: control.Rates(b.User), SessionDefault: control.Rates(b.Session),
		Listeners: named(b.Listeners), Hosts: named(b.Hosts), Users: named(b.Users)}
}

// Limit implements control.Controller.
func (m *modules) Limit(l control.Limit) error {
	if !slices.Contains(control.Scopes(), l.Scope) {
		return &control.Refusal{Code: control.CodeScope, Message: fmt.Sprintf("there is no scope %q", l.Scope), Help: "one of " + strings.Join(control.Scopes(), ", ")}
	}
	if named := l.Scope == "user" || l.Scope == "listener" || l.Scope == "host"; named != (l.Name != "") || l.Clear && l.Scope != "user" {
		return &control.Refusal{Code: control.CodeScopeName, Message: "a listener, a host and a user have a name, the other scopes have none; only a user's limit can be cleared"}
	}
	if l.Scope == "listener" && !m.listens(l.Name) {
		return &control.Refusal{Code: control.CodeNoPlace, Message: fmt.Sprintf("there is no listener %q", l.Name), Help: "edgeftp status lists them"}
	}
	if l.Scope == "host" && !slices.Contains(m.server.Hosts(), l.Name) {
		return &control.Refusal{Code: control.CodeNoPlace, Message: fmt.Sprintf("there is no virtual host %q", l.Name), Help: "hosts[].name in the configuration names them"}
	}
	if l.Down != nil && *l.Down < 0 || l.Up != nil && *l.Up < 0 {
		return &control.Refusal{Code: control.CodeNegative, Message: "a rate is negative", Help: "0 is no limit"}
	}
	m.limiting.Lock()
	defer m.limiting.Unlock()
	now := m.server.Bandwidth()
	switch l.Scope {
	case "global":
		m.server.LimitServer(changed(now.Server, l))
	case "user-default":
		m.server.LimitDefaults(changed(now.User, l), now.Session)
	case "session-default":
		m.server.LimitDefaults(now.User, changed(now.Session, l))
	case "listener":
		m.server.LimitListener(l.Name, changed(ratesOf(now.Listeners, l.Name), l))
	case "host":
		m.server.LimitHost(l.Name, changed(ratesOf(now.Hosts, l.Name), l))
	case "user":
		if l.Clear {
			m.server.FreeUser(l.Name)
			return nil
		}
		m.server.LimitUser(l.Name, changed(ratesOf(now.Users, l.Name), l))
	}
	return nil
}

func ratesOf(list []edge.BandwidthLimit, name string) edge.Rates {
	for _, l := range list {
		if l.Name == name {
			return l.Rates
		}
	}
	return edge.Rates{}
}

// changed is r with what a change names.
func changed(r edge.Rates, l control.Limit) edge.Rates {
	if l.Down != nil {
		r.Down = *l.Down
	}
	if l.Up != nil {
		r.Up = *l.Up
	}
	return r
}

func bandwidthCommand() *cobra.Command {
	a := new(admin)
	show := func(w io.Writer, got any) { printBandwidth(w, got.(control.Bandwidth)) }
	cmd := &cobra.Command{Use: "bandwidth", Short: "Show and change the limits on rates of a running server", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.Bandwidth(ctx) }, show)
		}}
	a.flags(cmd)
	var down, up string
	set := &cobra.Command{Use: "set SCOPE [NAME]", Args: cobra.RangeArgs(1, 2),
		Short: "Limit global, user-default, session-default, listener NAME, host NAME or user NAME (USER@HOST of a virtual host's); running transfers follow at once",
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := limit(args, down, up)
			if err != nil {
				return exitWith(exitUsage, err)
			}
			return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.Limit(ctx, l) }, show)
		}}
	set.Flags().StringVar(&down, "down", "", "rate from the server, such as 10MB for ten million bytes a second; 0 is no limit")
	set.Flags().StringVar(&up, "up", "", "rate to the server")
	clearUser := &cobra.Command{Use: "clear NAME", Short: "Give a user back what its login brings", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l := control.Limit{Scope: "user", Name: args[0], Clear: true}
			return a.do(cmd, func(ctx context.Context, c control.Client) (any, error) { return c.Limit(ctx, l) }, show)
		}}
	cmd.AddCommand(set, clearUser)
	return cmd
}

// limit makes a change of the words of a command line.
func limit(args []string, down, up string) (l control.Limit, err error) {
	l.Scope = args[0]
	if len(args) > 1 {
		l.Name = args[1]
	}
	if down == "" && up == "" {
		return l, errors.New("bandwidth set needs --down, --up or both")
	}
	return l, asRates(down, up, &l.Down, &l.Up)
}

// asRates reads the rates of --down and --up; one that is not given stays as it is.
func asRates(down, up string, toDown, toUp **int64) error {
	for _, r := range []struct {
		flag, text string
		to         **int64
	}{{"--down", down, toDown}, {"--up", up, toUp}} {
		if r.text == "" {
			continue
		}
		n, err := config.ParseRate(r.text)
		if err != nil {
			return fmt.Errorf("%s: %w", r.flag, err)
		}
		*r.to = &n
	}
	return nil
}

func printBandwidth(w io.Writer, b control.Bandwidth) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SCOPE\tNAME\tDOWN\tUP\tSESSIONS\tSET BY")
	for _, d := range []struct {
		scope string
		control.Rates
	}{{"global", b.Global}, {"user-default", b.UserDefault}, {"session-default", b.SessionDefault}} {
		fmt.Fprintf(t, "%s\t-\t%s\t%s\t-\t-\n", d.scope, config.FormatRate(d.Down), config.FormatRate(d.Up))
	}
	for _, l := range b.Listeners {
		fmt.Fprintf(t, "listener\t%s\t%s\t%s\t-\t-\n", l.Name, config.FormatRate(l.Down), config.FormatRate(l.Up))
	}
	for _, h := range b.Hosts {
		fmt.Fprintf(t, "host\t%s\t%s\t%s\t-\t-\n", h.Name, config.FormatRate(h.Down), config.FormatRate(h.Up))
	}
	for _, u := range b.Users {
		by := "login"
		if u.Set {
			by = "operator"
		}
		fmt.Fprintf(t, "user\t%s\t%s\t%s\t%d\t%s\n", u.Name, config.FormatRate(u.Down), config.FormatRate(u.Up), u.Sessions, by)
	}
	t.Flush()
}
