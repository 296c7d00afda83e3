package redact

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
)

// Handler returns a handler that hands records without what is redacted to inner.
func (r *Redactor) Handler(inner slog.Handler) slog.Handler {
	if r == nil {
		return inner
	}
	return handler{Handler: inner, redactor: r}
}

// handler redacts. The values of a session's attributes are known in what it logs later.
type handler struct {
	slog.Handler
	redactor *Redactor
	known    values
}

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, in slog.Record) error {
	known := h.known
	in.Attrs(func(a slog.Attr) bool {
		known = h.redactor.learn(known, a)
		return true
	})
	out := slog.NewRecord(in.Time, in.Level, known.within(in.Message), in.PC)
	in.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(h.redactor.attr(a, known))
		return true
	})
	return h.Handler.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		h.known = h.redactor.learn(h.known, a)
	}
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = h.redactor.attr(a, h.known)
	}
	h.Handler = h.Handler.WithAttrs(out)
	return h
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}

// learn adds what an attribute tells of what must not stand elsewhere.
func (r *Redactor) learn(known values, a slog.Attr) values {
	if instead, is := r.field(a); is {
		known = known.with(a.Value.Resolve().String(), instead)
	}
	if err, is := a.Value.Any().(error); is && r.path {
		var one *fs.PathError
		var two *os.LinkError
		if errors.As(err, &one) {
			known = known.with(one.Path, r.name(Path, one.Path))
		}
		if errors.As(err, &two) {
			known = known.with(two.Old, r.name(Path, two.Old)).with(two.New, r.name(Path, two.New))
		}
	}
	return known
}

// field is what stands in the place of the value of a field that is redacted.
func (r *Redactor) field(a slog.Attr) (instead string, is bool) {
	text := a.Value.Resolve().String()
	switch a.Key {
	case "user":
		return r.name(User, text), r.user
	case "peer", "remote", "address":
		return r.addresses(text), r.peer
	case "path", "path2", "home":
		return r.name(Path, text), r.path
	case "argument":
		return r.name("argument", text), r.path || r.user
	}
	return "", false
}

// attr is an attribute as the log is to have it.
func (r *Redactor) attr(a slog.Attr, known values) slog.Attr {
	if instead, is := r.field(a); is {
		return slog.String(a.Key, instead)
	}
	v := a.Value.Resolve()
	if v.Kind() == slog.KindString {
		return slog.String(a.Key, known.within(v.String()))
	}
	switch v.Any().(type) {
	case error, interface{ String() string }:
		if text := v.String(); known.within(text) != text {
			return slog.String(a.Key, known.within(text))
		}
	}
	return a
}
