package acme

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	rfc8555 "github.com/mholt/acmez/v3/acme"
)

func (c *Challenges) none() bool {
	return len(c.HTTP)+len(c.TLSALPN) == 0 && !c.TLSALPNServed && c.DNS == nil && c.Persist == nil
}

// prove says why a name cannot be proven by any of the challenges, or nil.
func (c *Challenges) prove(name string) error {
	byPort, byDNS := len(c.HTTP)+len(c.TLSALPN) > 0 || c.TLSALPNServed, c.DNS != nil || c.Persist != nil
	if _, err := netip.ParseAddr(name); err == nil && !byPort {
		return fmt.Errorf("the address %s can be proven by http-01 or tls-alpn-01 alone (RFC 8738 §4)", name)
	}
	if strings.HasPrefix(name, "*.") && !byDNS {
		return fmt.Errorf("the wildcard %s can be proven by dns-01 or dns-persist-01 alone (RFC 8555 §8.4)", name)
	}
	return nil
}

// challenges answers authorities that want a name proven. Nothing else is answered.
type challenges struct {
	conf  *Config
	log   *slog.Logger
	known []*directory // all that may have something pending
	http  *door
	alpn  *door
	dns   *certmagic.DNS01Solver // nil without Challenges.DNS

	mu      sync.Mutex
	pending []pending
}

// pending is what an authority will ask for.
type pending struct {
	Directory string            `json:"-"` // its key in the storage
	Challenge rfc8555.Challenge `json:"challenge"`
}

const (
	stale     = time.Hour        // no order takes so long
	reopen    = time.Minute      // until a port that was taken is tried again
	lookInto  = 3 * time.Second  // the storage, for another node's challenge
	cleanTime = 10 * time.Second // to remove one, or to release a lock
)

func newChallenges(conf *Config, log *slog.Logger) *challenges {
	c := &challenges{conf: conf, log: log, http: httpDoor(&conf.Challenges), alpn: alpnDoor(&conf.Challenges)}
	c.http.serve, c.alpn.serve = c.serveHTTP, c.serveTLS
	if conf.Challenges.DNS != nil {
		c.dns = newDNSSolver(conf.Challenges.DNS, log)
	}
	return c
}

// know is told of all directories before anything is asked of them.
func (c *challenges) know(d *directory) {
	c.known = append(c.known, d)
}

// begin opens the listeners of a fleet's node. Goroutines are counted in jobs and end
// with ctx.
func (c *challenges) begin(ctx context.Context, jobs *sync.WaitGroup) {
	jobs.Go(func() { c.sweep(ctx) })
	if c.conf.Fleet {
		for _, d := range []*door{c.http, c.alpn} {
			jobs.Go(func() { c.stay(ctx, d) })
		}
	}
	jobs.Go(func() {
		<-ctx.Done()
		for _, d := range c.known {
			d.web.close()
		}
	})
}

// stay keeps a door open until ctx ends.
func (c *challenges) stay(ctx context.Context, d *door) {
	wait := time.NewTicker(reopen)
	defer wait.Stop()
	for told := false; ; told = true {
		err := d.enter(ctx)
		if err == nil {
			break
		}
		if !told {
			c.log.Error("this node cannot answer challenges of other nodes' orders; it is tried again", "error", err, "help", Advice(err))
		}
		select {
		case <-wait.C:
		case <-ctx.Done():
			return
		}
	}
	<-ctx.Done()
	d.leave()
}

// sweep removes what a process that has died in the middle of an order has left in the
// storage.
func (c *challenges) sweep(ctx context.Context) {
	for _, d := range c.known {
		keys, err := c.conf.Storage.List(ctx, d.path("challenge_tokens"), false)
		if err != nil {
			continue // there are none
		}
		for _, key := range keys {
			info, err := c.conf.Storage.Stat(ctx, key)
			if err != nil || time.Since(info.Modified) < stale {
				continue
			}
			if err := c.conf.Storage.Delete(ctx, key); err != nil {
				c.log.Warn("an old challenge cannot be removed from the storage", "key", key, "error", err)
			}
		}
	}
}

// ready prepares all challenges that can prove a name, so that none is tried whose port
// is taken. The solvers are by the challenge's kind; done closes what was opened.
func (c *challenges) ready(ctx context.Context, d *directory, account rfc8555.Account, name string) (solvers map[string]acmez.Solver, done func(), err error) {
	solvers = map[string]acmez.Solver{}
	var undo []func()
	done = func() {
		for _, f := range undo {
			f()
		}
	}
	var errs []error
	_, isName := netip.ParseAddr(name)
	star := strings.HasPrefix(name, "*.")
	for _, door := range []*door{c.http, c.alpn} {
		served := door == c.alpn && c.conf.Challenges.TLSALPNServed
		if star || len(door.addrs) == 0 && !served {
			continue
		}
		if err := door.enter(ctx); err != nil {
			errs = append(errs, err)
			continue
		}
		undo = append(undo, door.leave)
		solvers[door.kind] = &presenter{c, d.key}
	}
	if c.dns != nil && isName != nil {
		solvers[rfc8555.ChallengeTypeDNS01] = c.dns
	}
	if c.conf.Challenges.Persist != nil && isName != nil {
		if err := c.recorded(ctx, d, account, name); err != nil {
			errs = append(errs, err)
		} else {
			solvers[rfc8555.ChallengeTypeDNSPersist01] = recorded{}
		}
	}
	switch {
	case len(solvers) == 0 && len(errs) == 0:
		err = fmt.Errorf("no challenge of the configuration can prove %s", name)
	case len(solvers) == 0:
		err = errors.Join(errs...)
	case len(errs) > 0:
		err := errors.Join(errs...)
		c.log.Warn("not every challenge can be used", "name", name, "error", brief(err), "help", Advice(err))
	}
	return solvers, done, err
}

// presenter is the solver of challenges that are answered on a port.
type presenter struct {
	c         *challenges
	directory string
}

// Present implements acmez.Solver.
func (a *presenter) Present(ctx context.Context, challenge rfc8555.Challenge) error {
	p := pending{a.directory, challenge}
	a.c.mu.Lock()
	a.c.pending = append(a.c.pending, p)
	a.c.mu.Unlock()
	if !a.c.conf.Fleet {
		return nil
	}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := a.c.conf.Storage.Store(ctx, p.path(), text); err != nil {
		a.c.log.Warn("a challenge cannot be stored, other nodes will not answer it", "error", err, "help", Advice(err))
	}
	return nil
}

// CleanUp implements acmez.Solver.
func (a *presenter) CleanUp(ctx context.Context, challenge rfc8555.Challenge) error {
	a.c.mu.Lock()
	a.c.pending = slices.DeleteFunc(a.c.pending, func(p pending) bool {
		return p.Directory == a.directory && p.Challenge.Type == challenge.Type && p.Challenge.Token == challenge.Token
	})
	a.c.mu.Unlock()
	if !a.c.conf.Fleet {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	return a.c.conf.Storage.Delete(ctx, pending{a.directory, challenge}.path())
}

func (p pending) path() string {
	return tokenPath(p.Directory, p.Challenge.Identifier.Value)
}

func tokenPath(directory, identifier string) string {
	return path.Join("acme", directory, "challenge_tokens", certmagic.StorageKeys.Safe(identifier)+".json")
}

// find returns a pending challenge for an identifier: of this process, in a fleet also
// of another node. An empty token stands for any.
func (c *challenges) find(ctx context.Context, kind, identifier, token string) (rfc8555.Challenge, bool) {
	fits := func(p pending) bool {
		return p.Challenge.Type == kind && p.Challenge.Identifier.Value == identifier &&
			(token == "" || p.Challenge.Token == token) && strings.HasPrefix(p.Challenge.KeyAuthorization, p.Challenge.Token+".")
	}
	c.mu.Lock()
	at := slices.IndexFunc(c.pending, fits)
	if at >= 0 {
		defer c.mu.Unlock()
		return c.pending[at].Challenge, true
	}
	c.mu.Unlock()
	if !c.conf.Fleet || !c.ours(identifier) {
		return rfc8555.Challenge{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, lookInto)
	defer cancel()
	for _, d := range c.known {
		var p pending
		text, err := c.conf.Storage.Load(ctx, tokenPath(d.key, identifier))
		if err == nil && json.Unmarshal(text, &p) == nil && fits(p) {
			return p.Challenge, true
		}
	}
	return rfc8555.Challenge{}, false
}

// ours reports whether an order for a name may be pending at all, so that strangers
// cannot make the storage be read.
func (c *challenges) ours(name string) bool {
	if slices.Contains(c.conf.Names, name) {
		return true
	}
	return c.conf.OnDemand != nil && c.conf.OnDemand.allows(name)
}
