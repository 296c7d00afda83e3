package pi

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Prefix is a template of what stands before the messages about a session (the
// model's log_prefix). It is made by ParsePrefix.
type Prefix struct {
	texts []string // around the names: one more than there are
	names []string
}

// PrefixNames returns the names that a prefix may hold, sorted.
func PrefixNames() []string {
	return []string{"asctime", "client", "group", "listener", "local_ip", "local_port", "remote_ip", "remote_port", "session", "tls", "username"}
}

// ParsePrefix reads a template in which "%(name)s" stands for a value of the
// session and "%%" for a percent sign:
//
//	[%(asctime)s] %(remote_ip)s:%(remote_port)s-[%(username)s]
//
// The names are those of PrefixNames: asctime (local time, "2006-01-02
// 15:04:05"), client (what CLNT said), group, listener, local_ip, local_port,
// remote_ip, remote_port, session (its number), tls (version, or "clear") and
// username. The error says what is wrong with the template and where.
func ParsePrefix(template string) (*Prefix, error) {
	p := &Prefix{}
	var text strings.Builder
	for i := 0; i < len(template); {
		if template[i] != '%' {
			text.WriteByte(template[i])
			i++
			continue
		}
		rest := template[i+1:]
		if strings.HasPrefix(rest, "%") {
			text.WriteByte('%')
			i += 2
			continue
		}
		name, _, closed := strings.Cut(strings.TrimPrefix(rest, "("), ")s")
		if !strings.HasPrefix(rest, "(") || !closed {
			return nil, fmt.Errorf("at byte %d: a %% is followed by (name)s, or by another %%", i+1)
		}
		if !slices.Contains(PrefixNames(), name) {
			return nil, fmt.Errorf("at byte %d: %q is not one of %s", i+1, name, strings.Join(PrefixNames(), ", "))
		}
		p.texts, p.names = append(p.texts, text.String()), append(p.names, name)
		text.Reset()
		i += len("%()s") + len(name)
	}
	p.texts = append(p.texts, text.String())
	return p, nil
}

// text is the prefix of one message.
func (p *Prefix) text(who *policy.Session, now time.Time) string {
	var b strings.Builder
	for i, name := range p.names {
		b.WriteString(p.texts[i])
		b.WriteString(harmless(prefixValue(name, who, now)))
	}
	b.WriteString(p.texts[len(p.texts)-1])
	return b.String()
}

// harmless is a value, parts of which the client may have chosen, without what could
// steer a terminal: not every log escapes its messages.
func harmless(value string) string {
	if utf8.ValidString(value) && !strings.ContainsFunc(value, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return value
	}
	quoted := strconv.Quote(value)
	return quoted[1 : len(quoted)-1]
}

func prefixValue(name string, who *policy.Session, now time.Time) string {
	switch name {
	case "asctime":
		return now.Format(time.DateTime)
	case "client":
		return who.Client
	case "group":
		return who.Group
	case "listener":
		return who.Listener
	case "local_ip":
		return who.Local.Addr().String()
	case "local_port":
		return strconv.Itoa(int(who.Local.Port()))
	case "remote_ip":
		return who.Peer.Addr().String()
	case "remote_port":
		return strconv.Itoa(int(who.Peer.Port()))
	case "session":
		return strconv.FormatUint(who.ID, 10)
	case "tls":
		if who.TLS.Enabled() {
			return who.TLS.Version
		}
		return "clear"
	}
	return who.User
}

// prefixed puts a prefix before each message of a log.
type prefixed struct {
	slog.Handler
	prefix string
}

func (h prefixed) Handle(ctx context.Context, r slog.Record) error {
	r = r.Clone()
	r.Message = h.prefix + " " + r.Message
	return h.Handler.Handle(ctx, r)
}

func (h prefixed) WithAttrs(a []slog.Attr) slog.Handler {
	return prefixed{h.Handler.WithAttrs(a), h.prefix}
}

func (h prefixed) WithGroup(name string) slog.Handler {
	return prefixed{h.Handler.WithGroup(name), h.prefix}
}

// whose is what is known of the session, for others than its owner. Before the login no
// name stands in it: people type their password where the name belongs.
func (s *Session) whose() *policy.Session {
	if s.rank.in {
		return s.shown()
	}
	who := s.who
	who.User = ""
	return &who
}

// log returns the logger for what concerns the session, by its whose.
func (s *Session) log() *slog.Logger { return s.conf.logOf(s.whose()) }

// logOf returns the logger for what concerns a session.
func (c *Config) logOf(who *policy.Session) *slog.Logger {
	log := c.Log
	if p := c.LogPrefix; p != nil {
		log = slog.New(prefixed{log.Handler(), p.text(who, time.Now())})
	}
	log = log.With("sess", who.ID, "user", who.User, "remote", who.Peer.String())
	if who.VHost != "" {
		log = log.With("host", who.VHost)
	}
	if who.Protocol != "" {
		log = log.With("protocol", who.Protocol)
	}
	return log
}

// inform logs one message about a session whose user is logged in. It is the same as by
// log, at a third of the cost: a logger that is made for one message formats what it is
// with apart, and a session has few to log.
func (s *Session) inform(message string, what ...slog.Attr) {
	ctx := context.Background()
	if !s.conf.Log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	if p := s.conf.LogPrefix; p != nil {
		message = p.text(&s.who, time.Now()) + " " + message
	}
	attrs := append(make([]slog.Attr, 0, 12), slog.Uint64("sess", s.who.ID), slog.String("user", s.who.User),
		slog.String("remote", s.who.Peer.String()))
	if s.who.VHost != "" {
		attrs = append(attrs, slog.String("host", s.who.VHost))
	}
	if s.who.Protocol != "" {
		attrs = append(attrs, slog.String("protocol", s.who.Protocol))
	}
	s.conf.Log.LogAttrs(ctx, slog.LevelInfo, message, append(attrs, what...)...)
}
