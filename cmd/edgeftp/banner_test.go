package main

import "testing"

// Digests are cut between bytes, in the form of modules and in that of certificates.
func TestShort(t *testing.T) {
	for digest, want := range map[string]string{
		"sha256:0123456789abcdef0123": "sha256:0123456789ab",
		"64:a7:b0:39:41:ff:00:11":     "64:a7:b0:39:41",
		"0123456789abcdef":            "0123456789ab",
		"":                            "",
	} {
		if got := short(digest); got != want {
			t.Errorf("%s: %q, want %q", digest, got, want)
		}
	}
}
