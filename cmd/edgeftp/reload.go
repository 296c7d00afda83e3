package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// order is a configuration that is to come into force.
type order struct {
	text  []byte // nil: that of the file
	by    string // who has said so: SIGHUP, command, rollback to N
	match string // ETag of what is in force; empty: whatever is
	dry   bool   // say what would happen
}

// reload puts a configuration in force, all of it, or changes nothing.
func (in *instance) reload(ctx context.Context, o order) (control.ConfigResult, error) {
	in.reloading.Lock()
	defer in.reloading.Unlock()
	if !o.dry {
		in.manager.Reloading()
		defer in.settled()
	}
	now := in.now.Load()
	result := control.ConfigResult{Generation: now.number}
	if o.match != "" && o.match != now.etag() && o.match != "*" {
		return result, &control.Refusal{Code: control.CodeConfigMoved, Message: fmt.Sprintf("generation %d is in force, which is another one than you have seen", now.number),
			Help: "look at what has changed, and try again"}
	}
	if in.work.working.Err() != nil {
		return result, &control.Refusal{Code: control.CodeConfigFailed, Message: "the server is shutting down, and takes no other configuration"}
	}
	text, err := o.text, error(nil)
	if text == nil {
		text, err = in.origin.read()
	}
	if err != nil {
		return result, in.rejected(o, in.unread(err))
	}
	conf, source, err := in.origin.parse(text)
	if err != nil {
		return result, in.rejected(o, &control.Refusal{Code: control.CodeConfigInvalid, Message: err.Error()})
	}
	next := in.next(conf, source)
	if result.Changes, result.Blocked = in.judged(now, next, config.Diff(now.conf, conf)); o.dry {
		return result, nil
	}
	if len(result.Blocked) > 0 {
		return result, in.rejected(o, needsUpgrade(result.Blocked))
	}
	if err := next.install(ctx, now); err != nil {
		return result, in.rejected(o, &control.Refusal{Code: control.CodeConfigFailed, Message: err.Error()})
	}
	next.adopt(now, o, result.Changes)
	result.Generation, result.Applied = next.number, true
	if o.text != nil && in.origin.file != "" {
		if b, err := in.origin.read(); err != nil || string(b) != string(text) {
			result.Notes = append(result.Notes, "the file "+in.origin.file+" holds something else: SIGHUP and a restart take that")
		}
	}
	return result, nil
}

// settled tells the service manager that a reload is over. One that drains is told no more.
func (in *instance) settled() {
	if standing := in.standing(); !in.server.Status().Draining {
		in.manager.Ready(standing)
	}
}

// unread says why the file cannot be read.
func (in *instance) unread(err error) error {
	r := &control.Refusal{Code: control.CodeConfigInvalid, Message: err.Error()}
	if errors.Is(err, errFlags) {
		r.Code, r.Help = control.CodeConfigNone, "edgeftp serve --print-config with the same flags writes one; start the server with --config, or give a file to edgeftp reload --config"
	}
	return r
}

// etag names what is in force.
func (in *generation) etag() string {
	sum := "flags"
	if in.text != nil {
		sum = digestOf(in.text.Text)[:12]
	}
	return fmt.Sprintf(`"%d-%s"`, in.number, sum)
}

// rejected tells that a configuration was not taken, and why, and returns the error.
func (in *instance) rejected(o order, err error) error {
	if o.dry {
		return err
	}
	now := in.now.Load()
	in.log.Error("configuration rejected", "event", policy.EventConfigRejected.String(), "by", o.by, "generation", now.number, "error", lines(err.Error()+
		fmt.Sprintf("\n   = generation %d stays in force", now.number)))
	first, _, _ := strings.Cut(err.Error(), "\n")
	in.server.Tell(policy.Event{Kind: policy.EventConfigRejected, Text: oneLine(o.by + ": " + first)})
	return err
}

// install makes a generation beside the one in force, and has the server take it. After an
// error nothing has changed.
func (in *generation) install(ctx context.Context, now *generation) error {
	m := in.modules
	m.swapping.Lock()
	defer m.swapping.Unlock()
	rules := m.rules
	m.rules = in.conf.Policies.Rules()
	err := in.prepare(ctx)
	if err != nil {
		m.rules = rules
		return err
	}
	m.follow(in, in.baseStatus(m.base.Since))
	in.budgets.hold(os.Getenv("GOMEMLIMIT"))
	in.rates(now)
	return nil
}

// prepare makes everything, and puts it in force as its last step.
func (in *generation) prepare(ctx context.Context) (err error) {
	var settings edge.Config
	defer func() {
		if err != nil {
			in.discard(settings.Policies)
		}
	}()
	in.budgets = findBudget(in.conf, in.machine, os.Getenv("GOMEMLIMIT"))
	in.budgets.before = in.before.budgets.before
	in.people = in.accounts.under(in.conf)
	if in.homes, err = openHomes(in.conf, in.trees, in.people, in.log); err != nil {
		return err
	}
	if err = in.bindChosen(ctx); err != nil {
		return err
	}
	if settings, err = in.settings(ctx); err != nil {
		return err
	}
	if settings.Policies, err = in.policies(ctx); err != nil {
		return err
	}
	if err = in.listenMetrics(ctx); err != nil {
		return err
	}
	if err = in.openFronts(ctx); err != nil {
		return err
	}
	if err = in.server.Apply(ctx, settings); err != nil {
		if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EADDRNOTAVAIL) {
			return unbound(err)
		}
		return err
	}
	return nil
}

// discard gives up what was made of a generation that is not to be.
func (in *generation) discard(slots []edge.Slot) {
	in.closeSlots(slots)
	in.closeFronts()
	maps.DeleteFunc(in.sockets, func(at socket, l net.Listener) bool {
		fresh := !in.before.listensAt(at)
		if fresh {
			_ = l.Close() // nobody was let in
		}
		return fresh
	})
	in.certs.leave(in.before.certs)
	in.certs.detach(in.before.certs)
	if in.scraped != nil && in.scraped != in.before.scraped {
		_ = in.figuresAt.Close() // nobody has asked there
	}
}

// rates gives those who are logged in what the configuration has for them now.
func (in *generation) rates(now *generation) {
	was := map[string]edge.Rates{}
	for i := range now.conf.Users {
		u := &now.conf.Users[i]
		was[u.Name] = edge.Rates{Down: u.Limits.RateDown, Up: u.Limits.RateUp}
	}
	for i := range in.conf.Users {
		u := &in.conf.Users[i]
		if r := (edge.Rates{Down: u.Limits.RateDown, Up: u.Limits.RateUp}); r != was[u.Name] {
			in.server.LimitLogins(u.Name, r)
		}
	}
	if l := in.conf.Anonymous.Limits; l != now.conf.Anonymous.Limits {
		for _, name := range []string{"anonymous", "ftp"} {
			in.server.LimitLogins(name, edge.Rates{Down: l.RateDown, Up: l.RateUp})
		}
	}
}

// adopt has all that stands beside the server follow a generation that is in force.
func (in *generation) adopt(now *generation, o order, changes []control.ConfigChange) {
	in.before = nil
	in.number = now.number
	var keys []string
	for _, c := range changes {
		keys = append(keys, c.Key)
	}
	in.remember(o.by, keys)
	in.modules.number(in)
	in.now.Store(in)
	in.followLogs()
	in.showUsers()
	in.dismiss(now)
	_ = in.level.UnmarshalText([]byte(in.conf.Log.Level)) // checked by config
	in.showMetrics(now)
	in.showFronts(now)
	now.certs.leave(in.certs)
	if err := in.certs.start(in.work.ctx, now.certs); err != nil {
		in.log.Error("certificates cannot be renewed", "error", err)
	}
	select {
	case in.expiry <- struct{}{}:
	default:
	}
	in.attend()
	maps.DeleteFunc(in.sockets, func(at socket, _ net.Listener) bool { // the server has closed them
		return !in.listensAt(at)
	})
	what := briefly(changes)
	in.log.Info("configuration reloaded", "event", policy.EventConfigReloaded.String(), "by", o.by, "generation", in.number, "changes", len(changes), "what", what)
	in.server.Tell(policy.Event{Kind: policy.EventConfigReloaded, Text: fmt.Sprintf("generation %d by %s: %s", in.number, o.by, what)})
	in.advise(now.budgets)
}

// remember keeps a configuration that comes into force, and numbers it. That it cannot be
// kept, as on a full disk, keeps nobody from serving.
func (in *generation) remember(by string, keys []string) {
	if in.text == nil {
		in.number = 1
		return
	}
	number, err := in.history.add(in.text.Text, by, keys, in.since, in.number)
	if err != nil {
		number = in.number + 1
		in.log.Error("the configuration is in force, and could not be kept: no rollback leads to it", "error", err)
	}
	in.number = number
}

// briefly is what has changed, in one line that is not too long.
func briefly(changes []control.ConfigChange) string {
	const most = 1000
	var b strings.Builder
	for i, c := range changes {
		one := fmt.Sprintf("%s: %s -> %s", c.Key, valued(c.From), valued(c.To))
		if i > 0 {
			b.WriteString("; ")
		}
		if b.Len()+len(one) > most {
			fmt.Fprintf(&b, "and %d more", len(changes)-i)
			break
		}
		b.WriteString(oneLine(one))
	}
	if b.Len() == 0 {
		return "nothing in the file"
	}
	return b.String()
}

func valued(value string) string {
	if value == "" {
		return "(none)"
	}
	return value
}

// reloads reads the file again at each signal, until ctx ends.
func (in *instance) reloads(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		in.guard(func() {
			in.reopen()
			_, _ = in.reload(ctx, order{by: "SIGHUP"}) // which the log tells of
		})
	}
}

// reopen opens log files anew that were moved away.
func (in *instance) reopen() { in.reopenLogs() }

// RunningConfig implements control.Configurer.
func (c controller) RunningConfig() control.RunningConfig {
	now := c.in.now.Load()
	out := control.RunningConfig{Generation: now.number, Since: now.since.UTC().Truncate(time.Second), ETag: now.etag(), File: c.in.origin.file}
	text, err := []byte(nil), error(nil)
	if now.text != nil {
		text = now.text.Text
	} else if text, err = now.conf.YAML(); err != nil {
		c.in.log.Log(context.Background(), slog.LevelError, "the configuration cannot be shown", "error", err)
	}
	out.Text, _ = config.Conceal(text) // it was parsed before
	return out
}

// CheckConfig implements control.Configurer.
func (c controller) CheckConfig(ctx context.Context, ask control.ConfigAsk) (control.ConfigResult, error) {
	return c.in.reload(ctx, order{text: ask.Text, by: "command", match: ask.Match, dry: true})
}

// ApplyConfig implements control.Configurer.
func (c controller) ApplyConfig(ctx context.Context, ask control.ConfigAsk) (control.ConfigResult, error) {
	return c.in.reload(context.WithoutCancel(ctx), order{text: ask.Text, by: "command", match: ask.Match})
}

// ConfigHistory implements control.Configurer.
func (c controller) ConfigHistory() ([]control.ConfigEntry, error) {
	return c.in.history.entries(c.in.now.Load().number), nil
}

// RollbackConfig implements control.Configurer.
func (c controller) RollbackConfig(ctx context.Context, to uint64) (control.ConfigResult, error) {
	text, number, err := c.in.history.text(to, c.in.now.Load().number)
	if err != nil {
		return control.ConfigResult{}, err
	}
	return c.in.reload(context.WithoutCancel(ctx), order{text: text, by: fmt.Sprintf("rollback to %d", number)})
}
