package guest

import (
	"context"
	"errors"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// unlinked are the services of a module without package host: they say so, where nil
// would end the instance without a word about what is missing.
type unlinked struct{}

var errUnlinked = errors.New("the SDK: policy.ServicesOf needs import _ \"github.com/edgeftp/edgeftp/guest-sdk/go/host\"")

// Stat fails.
func (unlinked) Stat(context.Context, string) (policy.Entry, error) {
	return policy.Entry{}, errUnlinked
}

// Verify fails.
func (unlinked) Verify(context.Context, string) (bool, error) { return false, errUnlinked }

// Digest fails.
func (unlinked) Digest(context.Context, string) ([]byte, error) { return nil, errUnlinked }
