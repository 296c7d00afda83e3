package edge

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/internal/secret"
)

// HashPassword returns the argon2id hash of a password in PHC form, for
// policy.Identity.PasswordHash and configuration files. It takes some tens of
// milliseconds and 19 MiB.
func HashPassword(password string) (string, error) { return secret.Hash(password) }

// CheckHash reports whether a stored hash is one that the server can verify:
// argon2id in PHC form or bcrypt, with parameters within bounds. The error says
// what is wrong with it.
func CheckHash(hash string) error { return secret.Check(hash) }

// VerifyHash reports whether a stored hash is that of the password, as a login finds it
// out, outside of any session: for trials of policies. It fails for what [CheckHash]
// refuses, and with ctx's error before it begins.
func VerifyHash(ctx context.Context, hash, password string) (bool, error) {
	return secret.NewVerifier(1).Verify(ctx, hash, password)
}
