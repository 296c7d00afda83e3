package policy

import "context"

// Services is what a policy may ask of the server while it answers a question. They
// come with the question's context, see [ServicesOf]: a session's own for
// everything that a session asks, none for events. They are safe for concurrent
// use, and of no use after the question was answered.
type Services interface {
	// Stat describes what lies at a canonical virtual path, as the session itself
	// would see it: nothing outside its root, links followed. It fails with an
	// error of io/fs.
	Stat(ctx context.Context, path string) (Entry, error)
	// Verify reports whether a stored hash (PHC argon2id or bcrypt) is that of the
	// password that the login brought (stage auth). It takes its turn among all
	// verifications of the server. It fails at other stages, and for a hash that
	// is none.
	Verify(ctx context.Context, hash string) (bool, error)
	// Digest returns the digest of the question's file: of the upload that is
	// about to become visible (OpCommit), else of the file at the action's path.
	// Algorithms are named as HASH names them ("SHA-256"). It reads the whole file.
	Digest(ctx context.Context, algorithm string) ([]byte, error)
}

type servicesKey struct{}

// WithServices returns a context that carries s.
func WithServices(ctx context.Context, s Services) context.Context {
	return context.WithValue(ctx, servicesKey{}, s)
}

// ServicesOf returns the services that a question came with, nil if it came with
// none.
func ServicesOf(ctx context.Context) Services {
	s, _ := ctx.Value(servicesKey{}).(Services)
	return s
}
