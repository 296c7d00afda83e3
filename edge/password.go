package edge

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/edgeftp/edgeftp/edge/internal/secret"
	"github.com/edgeftp/edgeftp/edge/pi"
)

// HashPassword returns the argon2id hash of a password in PHC form, for
// policy.Identity.PasswordHash and configuration files. It takes some tens of
// milliseconds and 19 MiB.
func HashPassword(password string) (string, error) { return secret.Hash(password) }

// CheckHash reports whether a stored hash is one that the server can verify:
// argon2id in PHC form or bcrypt, with parameters within bounds. The error says
// what is wrong with it.
func CheckHash(hash string) error { return secret.Check(hash) }

// verifier says in the words of package pi that too many wait.
type verifier struct{ *secret.Verifier }

var (
	_ pi.Verifier  = verifier{}
	_ pi.TurnTaker = verifier{}
	_ pi.Debtor    = verifier{}
)

// Of implements [pi.TurnTaker].
func (v verifier) Of(who netip.Addr) pi.Verifier { return verifier{v.Verifier.Of(who)} }

func (v verifier) Verify(ctx context.Context, hash, password string) (bool, error) {
	ok, err := v.Verifier.Verify(ctx, hash, password)
	return ok, late(err)
}

func (v verifier) VerifyNobody(ctx context.Context, password string) error {
	return late(v.Verifier.VerifyNobody(ctx, password))
}

// Pay implements [pi.Debtor].
func (v verifier) Pay(ctx context.Context, password string) error {
	return late(v.Verifier.Pay(ctx, password))
}

func late(err error) error {
	if errors.Is(err, secret.ErrBusy) {
		return fmt.Errorf("edge: %w", pi.ErrBusy)
	}
	return err
}

// VerifyHash reports whether a stored hash is that of the password, as a login finds it
// out, outside of any session: for trials of policies. It fails for what [CheckHash]
// refuses, and with ctx's error before it begins.
func VerifyHash(ctx context.Context, hash, password string) (bool, error) {
	return secret.NewVerifier(1).Verify(ctx, hash, password)
}
