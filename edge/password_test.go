package edge_test

import (
	"context"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
)

func TestVerifyHash(t *testing.T) {
	hash, err := edge.HashPassword("secret")
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{"secret": true, "Secret": false, "": false} {
		if got, err := edge.VerifyHash(t.Context(), hash, password); err != nil || got != want {
			t.Errorf("%q: %v, %v", password, got, err)
		}
	}
	if ok, err := edge.VerifyHash(t.Context(), "plain:secret", "secret"); err == nil || ok {
		t.Errorf("a hash that is none: %v, %v", ok, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, err := edge.VerifyHash(ended, hash, "secret"); err == nil || ok {
		t.Errorf("after the end: %v, %v", ok, err)
	}
}
