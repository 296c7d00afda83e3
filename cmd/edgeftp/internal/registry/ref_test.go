package registry_test

import (
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/registry"
)

const someDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestParseRef(t *testing.T) {
	for text, want := range map[string]struct {
		host, tag, base string
		loopback        bool
	}{
		"oci://localhost:5000/guard:1.0.0":                    {"localhost:5000", "1.0.0", "guard", true},
		"oci://127.9.8.7/a/b/c-d:x":                           {"127.9.8.7", "x", "c-d", true},
		"oci://[::1]:5000/guard:1":                            {"[::1]:5000", "1", "guard", true},
		"oci://[::1]/guard:1":                                 {"[::1]", "1", "guard", true},
		"oci://registry.example.org/edge/guard@" + someDigest: {"registry.example.org", "", "guard", false},
		"oci://registry.example.org/guard:1.0@" + someDigest:  {"registry.example.org", "1.0", "guard", false},
		"oci://localhost.example.org/guard:1":                 {"localhost.example.org", "1", "guard", false},
		"oci://10.0.0.1:80/guard:1":                           {"10.0.0.1:80", "1", "guard", false},
	} {
		r, err := registry.ParseRef(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if r.String() != text || r.Host() != want.host || r.Tag() != want.tag || r.Base() != want.base || r.Loopback() != want.loopback {
			t.Errorf("%s: %s, host %s, tag %s, base %s, loopback %v", text, r, r.Host(), r.Tag(), r.Base(), r.Loopback())
		}
	}
}

func TestParseRefRefusals(t *testing.T) {
	for _, text := range []string{"", "oci://", "guard:1", "https://h/guard:1", "oci://h", "oci://h/", "oci:///guard:1", "oci://h/guard", "oci://h/guard:",
		"oci://h/guard@", "oci://h/guard:@" + someDigest, "oci://h/guard@sha256:12", "oci://h/guard@md5:d41d8cd98f00b204e9800998ecf8427e", "oci://h/Guard:1",
		"oci://h/guard:a:b", "oci://h/guard:a b", "oci://h/../guard:1", "oci://h/guard:1\x1b[2J", "oci://h:x/guard:1", "oci://h/guard:a%20b@" + someDigest,
		"oci://h?x/guard:1", "OCI://h/guard:1"} {
		r, err := registry.ParseRef(text)
		if err == nil {
			t.Errorf("%q is taken as %s", text, r)
			continue
		}
		if strings.Contains(err.Error(), "\x1b") || !strings.Contains(err.Error(), "needs:  oci://HOST") {
			t.Errorf("%q: %q", text, err)
		}
	}
	if _, err := registry.ParseRef("oci://me:hunter2@h/guard:1"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a login: %v", err)
	}
}

func FuzzParseRef(f *testing.F) {
	f.Add("oci://localhost:5000/guard:1.0.0")
	f.Add("oci://[::1]:5000/a/b:1@" + someDigest)
	f.Add("oci://registry.example.org/edge/guard@" + someDigest)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := registry.ParseRef(text)
		if err != nil {
			return
		}
		if r.String() != text {
			t.Errorf("%q comes back as %q", text, r)
		}
		if r.Base() == "" || strings.ContainsAny(r.Base(), "/\\:@") || strings.HasPrefix(r.Base(), ".") {
			t.Errorf("%q has the base %q", text, r.Base())
		}
		if again, err := registry.ParseRef(r.Pinned(someDigest).String()); err != nil || again != r.Pinned(someDigest) {
			t.Errorf("%q pinned: %v", text, err)
		}
	})
}
