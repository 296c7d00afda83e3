package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// contents tells what a directory has, with the bytes and modes.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range list {
		if e.IsDir() {
			all[e.Name()] = "directory"
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

func TestPlaceModule(t *testing.T) {
	type files = map[string]string
	for name, c := range map[string]struct {
		before            files
		module, signature string
		after             files // nil: it fails, and all is as before
	}{
		"new":                      {files{}, "m", "s", files{"m.wasm": "m", "m.wasm.minisig": "s"}},
		"unsigned":                 {files{}, "m", "", files{"m.wasm": "m"}},
		"over another":             {files{"m.wasm": "old", "m.wasm.minisig": "old"}, "m", "s", files{"m.wasm": "m", "m.wasm.minisig": "s"}},
		"over an unsigned one":     {files{"m.wasm": "old"}, "m", "s", files{"m.wasm": "m", "m.wasm.minisig": "s"}},
		"unsigned over signed":     {files{"m.wasm": "old", "m.wasm.minisig": "old"}, "m", "", nil},
		"over a directory":         {files{"m.wasm": "directory"}, "m", "s", nil},
		"signature is a directory": {files{"m.wasm": "old", "m.wasm.minisig": "directory"}, "m", "s", nil},
	} {
		dir := t.TempDir()
		for n, b := range c.before {
			var err error
			if b == "directory" {
				err = os.Mkdir(filepath.Join(dir, n), 0o755)
			} else {
				err = os.WriteFile(filepath.Join(dir, n), []byte(b), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		err := placeModule(filepath.Join(dir, "m.wasm"), []byte(c.module), []byte(c.signature))
		if (err == nil) != (c.after != nil) {
			t.Errorf("%s: %v", name, err)
		}
		if c.after == nil {
			c.after = c.before
		}
		if got := contents(t, dir); fmt.Sprint(got) != fmt.Sprint(c.after) {
			t.Errorf("%s: %v, want %v", name, got, c.after)
		}
	}
}

// The signature is in its place when the module cannot follow.
func TestPlaceModuleTakesBack(t *testing.T) {
	for name, before := range map[string]map[string]string{"alone": {}, "over another": {"m.wasm": "old", "m.wasm.minisig": "sealed"}, "over an unsigned one": {"m.wasm": "old"}} {
		dir := t.TempDir()
		for n, b := range before {
			if err := os.WriteFile(filepath.Join(dir, n), []byte(b), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		no := func(string, string) error {
			if got := contents(t, dir)["m.wasm.minisig"]; got != "s" {
				t.Errorf("%s: the signature is not there first: %q", name, got)
			}
			return os.ErrPermission
		}
		if err := placeModuleBy(no, filepath.Join(dir, "m.wasm"), []byte("m"), []byte("s")); !errors.Is(err, os.ErrPermission) {
			t.Errorf("%s: %v", name, err)
		}
		if got := contents(t, dir); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Errorf("%s: %v, want %v", name, got, before)
		}
	}
}

func TestKeyFilesAreNotReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	if err := os.WriteFile(path+".pub", []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := makeKey(path, ""); err == nil {
		t.Error("a public key was overwritten")
	}
	if got := contents(t, dir); fmt.Sprint(got) != "map[key.pub:old]" {
		t.Errorf("%v", got)
	}
}

// The usual comment is one that can be signed, whatever the names are.
func TestUsualComment(t *testing.T) {
	k, err := trust.NewSecretKey()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 11, 0, 0, 0, time.FixedZone("", 3600))
	m := &wasmhost.Manifest{Name: "guard", Version: "1.4.0"}
	if got, want := usualComment(now, "/a/b/guard.wasm", m), "time:2026-11-22T10:00:00Z\tfile:guard.wasm\tname:guard\tversion:1.4.0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	m = &wasmhost.Manifest{Name: "x\tversion:9\n\x1b[2J", Version: strings.Repeat("1", 300)}
	for _, path := range []string{strings.Repeat("é", 120), "\xff\xfe", "a\nb"} {
		got := usualComment(now, path, m)
		if _, err := k.Sign([]byte("m"), got); err != nil || strings.Count(got, "\t") != 3 {
			t.Errorf("%q: %v", got, err)
		}
	}
}

func TestAboutModule(t *testing.T) {
	m := &wasmhost.Manifest{}
	a, err := aboutModule("x/guard.wasm", m, "")
	if err != nil || a.Title != "guard.wasm" || a.File != "guard.wasm" || !a.Created.IsZero() {
		t.Errorf("%v, %+v", err, a)
	}
	if a, err = aboutModule("guard.wasm", m, "1700000000"); err != nil || a.Created.Unix() != 1_700_000_000 {
		t.Errorf("%v, %+v", err, a)
	}
	for _, epoch := range []string{"-1", "x", "1e9", "99999999999999"} {
		if _, err := aboutModule("guard.wasm", m, epoch); err == nil {
			t.Errorf("%s = %q is taken", epochVar, epoch)
		}
	}
}
