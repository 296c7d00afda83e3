package main

import (
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/guesttest"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
)

// TestVectors asks tests.json natively, as the server does when it loads the module.
func TestVectors(t *testing.T) { guesttest.Run(t, "tests.json") }

func TestSettings(t *testing.T) {
	w := guesttest.New(t)
	g := new(guard)
	if err := settings.Read([]byte(`{"deny_extensions": ["iso"]}`), g); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]policy.Verdict{"/in/a.iso": policy.Deny, "/in/a.exe": policy.Pass, "/in/iso": policy.Pass} {
		got, err := g.Authorize(w.Context(path), &policy.Action{Meta: w.Meta("anna"), Op: policy.OpWrite, Path: path})
		if err != nil || got.Verdict != want {
			t.Errorf("%s: %v, %v, want %v", path, got.Verdict, err, want)
		}
	}
}
