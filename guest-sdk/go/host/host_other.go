//go:build !wasip1

package host

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Stat implements policy.Services. Its errors are of package io/fs to errors.Is.
func (Services) Stat(ctx context.Context, path string) (policy.Entry, error) {
	if w := guest.Found(); w != nil {
		return w.Services.Stat(ctx, path)
	}
	return policy.Entry{}, abi.ErrnoDenied
}

// Verify implements policy.Services.
func (Services) Verify(ctx context.Context, hash string) (bool, error) {
	if w := guest.Found(); w != nil {
		return w.Services.Verify(ctx, hash)
	}
	return false, abi.ErrnoDenied
}

// Digest implements policy.Services.
func (Services) Digest(ctx context.Context, algorithm string) ([]byte, error) {
	if w := guest.Found(); w != nil {
		return w.Services.Digest(ctx, algorithm)
	}
	return nil, abi.ErrnoDenied
}
