package pi

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// greet opens the session: TLS first on an implicit listener, then 220 (RFC 959
// §5.4).
func (s *Session) greet(ctx context.Context) {
	s.link.greeted = true
	if c := s.carrier(); c != nil {
		s.board(c)
	} else if s.conf.Implicit {
		if s.secure(ctx); s.link.closed {
			return
		}
	}
	s.link.told = true
	s.event(policy.Event{Kind: policy.EventConnect})
	s.say(message(wire.CodeReady, s.conf.Banner))
}

// message is a reply whose text the operator wrote: it may have several lines. A
// single long one is put above an empty closing line, as the model does: some
// clients show the last line alone in a narrow field.
func message(code wire.Code, text string) wire.Reply {
	const wide = 75
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) == 1 && len(text) > wide {
		lines = append(lines, "")
	}
	return wire.Multi(code, lines...)
}

// user answers alike for names that exist and those that do not.
func user(s *Session, a Args) Outcome {
	if needs := s.conf.NeedsTLS; needs != nil && !s.who.TLS.Enabled() && needs(a.Text) {
		s.left.user = ""
		return Say(wire.CodePolicyDenied, "Logging in by that name needs TLS: send AUTH TLS first.")
	}
	text := wire.Say(wire.CodeNeedPassword, "Send the password.")
	if s.rank.in {
		s.logout()
		text = wire.Say(wire.CodeNeedPassword, "You were logged out; send the password of the new user.")
	}
	s.left.user = a.Text
	if s.who.TLS.ClientSHA256 != "" {
		return s.vouched(text)
	}
	return Outcome{Reply: text}
}

// vouched asks whether the client's certificate alone makes it the user that it
// names: then no password is needed (232, RFC 4217 §11). Whoever is not known by
// it is asked for the password.
func (s *Session) vouched(otherwise wire.Reply) Outcome {
	name := s.left.user
	s.who.User = name
	q := &policy.Login{Meta: s.meta(), Early: true, Binding: s.binding()}
	who, lease, conf, began := s.who, s.lease, s.conf, time.Now()
	return Outcome{Job: &Job{Title: "Logging in", Alone: true, Run: func(ctx context.Context) Settle {
		cred, denial := lease.Authenticate(policy.WithServices(ctx, &services{}), q)
		if denial == nil && len(cred.Hashes) == 0 {
			if home, err := conf.home(ctx, who, cred.Identity); err == nil {
				took := time.Since(began)
				return func(s *Session) Outcome { return s.admit(name, cred, home, wire.CodeLoggedInSecure, took) }
			}
		}
		return func(s *Session) Outcome {
			s.who.User = ""
			return Outcome{Reply: otherwise}
		}
	}}}
}

// pass verifies in a helper goroutine: policies, hashing and the delay after a
// failure take their time, and nobody else's.
func pass(s *Session, a Args) Outcome {
	if s.rank.in {
		return Say(wire.CodeBadSequence, "You are logged in already.")
	}
	name := s.left.user
	s.left.user = "" // after a failure USER must come again
	s.who.User = name
	q := &policy.Login{Meta: s.meta(), Password: a.Text, Binding: s.binding()}
	who, lease, conf, began := s.who, s.lease, s.conf, time.Now()
	return Outcome{Job: &Job{Title: "Logging in", Alone: true, Run: func(ctx context.Context) Settle {
		defer hiding(q.Password)
		if r := conf.defence().Attempt(ctx, who.Peer.Addr(), conf.person(name)); !r.IsZero() {
			return func(s *Session) Outcome { return s.unheard(r) }
		}
		verifier := conf.verifier(who.Peer.Addr())
		cred, denial := check(ctx, verifier, lease, q)
		if denial != nil && errors.Is(denial, ErrBusy) {
			return func(s *Session) Outcome { return s.unheard(busy()) }
		}
		if denial == nil && !conf.defence().Welcome(who.Peer.Addr()) {
			denial = &policy.Denial{} // else whoever guesses on many connections at once learns what he guessed beyond his ban
			pay(ctx, verifier, q.Password)
		}
		if denial == nil {
			home, err := conf.home(ctx, who, cred.Identity)
			if err != nil {
				return func(s *Session) Outcome { return s.homeless(cred.Home, err) }
			}
			took := time.Since(began)
			return func(s *Session) Outcome { return s.admit(name, cred, home, wire.CodeLoggedIn, took) }
		}
		took := time.Since(began)
		banned := conf.failed(ctx, who, denial)
		known := len(cred.Hashes) > 0 // by a policy, and it was the password
		return func(s *Session) Outcome { return s.reject(name, known, denial, banned, took) }
	}}}
}

// check asks the policies and verifies the password. It does the same amount of
// hashing for names that exist and those that do not.
func check(ctx context.Context, verifier Verifier, lease chain.Lease, q *policy.Login) (chain.Credential, *policy.Denial) {
	var late atomic.Pointer[error]
	v := &services{verify: func(ctx context.Context, hash string) (bool, error) {
		ok, err := verifier.Verify(ctx, hash, q.Password)
		if errors.Is(err, ErrBusy) {
			late.Store(&err)
		}
		return ok, err
	}}
	cred, denial := lease.Authenticate(policy.WithServices(ctx, v), q)
	if err := late.Load(); err != nil && denial != nil { // whatever the policy has made of it
		return cred, &policy.Denial{Failed: true, Cause: *err}
	}
	if denial != nil {
		if v.verified.Load() { // that took the time already, or has to
			pay(ctx, verifier, q.Password)
			return cred, denial
		}
		if err := verifier.VerifyNobody(ctx, q.Password); err != nil {
			return cred, &policy.Denial{Failed: true, Cause: err}
		}
		return cred, denial
	}
	for _, hash := range cred.Hashes {
		ok, err := verifier.Verify(ctx, hash, q.Password)
		if err != nil {
			return cred, &policy.Denial{Failed: true, Cause: err}
		}
		if !ok {
			return cred, &policy.Denial{}
		}
	}
	return cred, nil
}

// pay has a refused login take the time that its verification was spared. Where there is
// no turn for that in time, it has taken longer than most.
func pay(ctx context.Context, v Verifier, password string) {
	if d, ok := v.(Debtor); ok {
		_ = d.Pay(ctx, password)
	}
}

// home finds what a login sees first: its filesystem and the directory in it.
func (c *Config) home(ctx context.Context, who policy.Session, id policy.Identity) (v view, err error) {
	v = view{fs: c.FS}
	if c.Home != nil {
		if v.fs, v.release, err = c.Home(ctx, who, id); err != nil {
			return v, err
		}
	}
	v.cwd, err = vfs.Clean(vfs.Root, id.Home)
	if err == nil && v.cwd != vfs.Root {
		var info vfs.Info
		if info, err = (nvfs{v.fs, c.Operations}).Stat(v.cwd); err == nil && !info.IsDir() {
			err = vfs.ErrNotDirectory
		}
	}
	if err != nil {
		v.giveBack()
	}
	return v, err
}

// giveBack releases the filesystem of a login that has ended.
func (v *view) giveBack() {
	if v.release != nil {
		v.release()
		v.release = nil
	}
}

func (s *Session) homeless(home string, err error) Outcome {
	s.log().Error("a user's home directory cannot be used", "home", home, "error", err)
	s.who.User = ""
	return Say(wire.CodeNotLoggedIn, "Your home directory is not available.")
}

// admit logs the user in.
func (s *Session) admit(name string, c chain.Credential, v view, code wire.Code, took time.Duration) Outcome {
	if !c.From(s.who.Peer.Addr()) { // the client has moved since the policies were asked
		v.giveBack()
		s.who.User = ""
		return Outcome{Reply: strayed(), Close: true}
	}
	if full := s.conf.enter(name, fewer(s.conf.PerUser, c.MaxSessions)); !full.IsZero() {
		v.giveBack()
		s.who.User = ""
		return Outcome{Reply: full}
	}
	perms := s.conf.Perms
	if c.Perms != nil {
		perms = *c.Perms
	}
	s.rank = identity{in: true, counted: true, id: c.Identity, home: v.cwd, perms: perms}
	s.word.Or(wordInside)
	s.left.user = ""
	s.view, s.asking = v, nil
	s.strikes = 0
	s.who.User, s.who.Anon, s.who.Group, s.who.State, s.who.Root = name, c.Anonymous, c.Group, c.State, string(v.cwd)
	s.entered()
	s.publish()
	s.event(policy.Event{Kind: policy.EventLogin, Took: took, Text: strings.Join(c.By, ",")})
	s.inform("logged in", slog.String("event", policy.EventLogin.String()), slog.String("by", strings.Join(c.By, ",")))
	if c.MsgLogin != "" {
		return Outcome{Reply: message(code, c.MsgLogin)}
	}
	return Say(code, "You are logged in.")
}

// entered tells the defence who has logged in.
func (s *Session) entered() {
	name := s.conf.person(s.who.User)
	if s.who.Anon {
		name = ""
	}
	s.conf.defence().Entered(s.who.Peer.Addr(), name)
}

// fewer returns the lower of two limits, of which 0 is none.
func fewer(a, b int) int {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// reject answers a failed login, in the same words whatever failed unless a
// policy chose its own.
func (s *Session) reject(name string, known bool, d *policy.Denial, banned bool, took time.Duration) Outcome {
	s.rank.attempts++
	e := policy.Event{Kind: policy.EventLoginFailed, Took: took, Text: d.Error(), Policy: d.Policy, Generation: d.Generation}
	who := s.whose()
	if known {
		who.User = name
	}
	s.conf.logOf(who).Warn("login failed", "event", e.Kind.String(), "reason", e.Text, "policy", d.Policy, "policy_gen", d.Generation)
	s.event(e)
	if d.Failed {
		s.event(policy.Event{Kind: policy.EventPolicyFailed, Text: d.Error(), Policy: d.Policy, Generation: d.Generation})
	}
	s.who.User = ""
	code, text := wire.CodeNotLoggedIn, "That name and password do not go together."
	switch {
	case d.Failed:
		text = "Logging in is not possible at the moment."
	case d.Text != "":
		text = d.Text
	}
	if d.Code != 0 {
		code = wire.Code(d.Code)
	}
	out := Say(code, "%s", text)
	if most := s.conf.Attempts; banned || most > 0 && s.rank.attempts >= most {
		out = Outcome{Reply: wire.Say(code, "%s Too many attempts; closing the control connection.", wire.Text(text)), Close: true}
	}
	if code == wire.CodeNotAvailable { // by which a policy says that it has seen enough
		out.Reply = LimitLogins.Refuses(out.Reply)
	}
	return out
}

// logout ends the login, if there is one, and what hangs on it.
func (s *Session) logout() {
	if s.rank.in {
		s.event(policy.Event{Kind: policy.EventLogout})
	}
	s.depart()
	s.closePort()
	s.closeSpare()
	s.reset()
	s.publish()
}

func reinitialize(s *Session, _ Args) Outcome {
	s.logout()
	s.who.Host = "" // RFC 7151 §3.2.1
	s.belong(s.unnamed())
	s.publish()
	s.rank.attempts = 0
	s.link.lang = s.conf.Languages.Default()
	return Say(wire.CodeReady, "Ready for a new user.")
}

func quit(s *Session, _ Args) Outcome {
	text := s.rank.id.MsgQuit
	if text == "" {
		text = "Goodbye."
	}
	if s.rank.in {
		s.event(policy.Event{Kind: policy.EventLogout})
	}
	return Outcome{Reply: message(wire.CodeGoodbye, text), Close: true}
}

func changeDirectory(s *Session, a Args) Outcome {
	if !a.Given {
		a.Text = string(vfs.Root)
	}
	g, err := s.Ask(Question{Op: policy.OpCwd, Perm: policy.PermCwd, Path: a.Path, Text: a.Text})
	if err != nil {
		return s.Fail(err)
	}
	info, err := s.files().Stat(vfs.Path(g.Path))
	if err == nil && !info.IsDir() {
		err = vfs.ErrNotDirectory
	}
	if err != nil {
		return s.Fail(err)
	}
	s.cwd = vfs.Path(g.Path)
	return Say(wire.CodeFileActionOK, "%s is the working directory.", wire.Quote(string(s.cwd)))
}

func changeUp(s *Session, _ Args) Outcome {
	return changeDirectory(s, Args{Given: true, Text: "..", Path: s.cwd.Dir()})
}
