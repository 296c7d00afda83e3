package build

import "context"

type namedKey struct{}

// WithNames returns a context in which builds keep the names of functions in the module
// where the language's builder can, so that a trace is readable. The code is the same,
// and the module is larger.
func WithNames(ctx context.Context) context.Context { return context.WithValue(ctx, namedKey{}, true) }

// named reports whether names are to be kept.
func named(ctx context.Context) bool { return ctx.Value(namedKey{}) != nil }
