package main

import (
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// TestUnknownOperation holds what tests.json cannot say: an operation that this
// version has no name for.
func TestUnknownOperation(t *testing.T) {
	got, err := readonly{}.Authorize(t.Context(), &policy.Action{Op: policy.OpSymlink + 1, Path: "/a"})
	if err != nil || got.Verdict != policy.Deny {
		t.Errorf("got %+v, %v", got, err)
	}
}
