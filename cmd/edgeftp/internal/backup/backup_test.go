package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// put makes files of a directory.
func put(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

// files are those of a directory.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			text, _ := os.ReadFile(path)
			rel, _ := filepath.Rel(dir, path)
			out[filepath.ToSlash(rel)] = string(text)
			if info, _ := d.Info(); info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", rel, info.Mode())
			}
		}
		return nil
	})
	return out
}

func archive(t *testing.T) ([]byte, string) {
	t.Helper()
	dir := t.TempDir()
	state, certs := filepath.Join(dir, "state"), filepath.Join(dir, "certs")
	put(t, state, map[string]string{"ca.key": "key", "policies/index.json": "{}", "policies/sha256-1.wasm": "module", "state.db": "torn", "users.db": "torn",
		"cache/modules/x": "1", "crashes/x": "1", "spool/x": "1", "webhooks/ops/1.spool": "waits", "audit.jsonl": "1", "audit-00000000000000000001.jsonl": "1", "audit.head": "1", ".gitignore": "*\n"})
	put(t, certs, map[string]string{"a/b.pem": "certificate"})
	if err := os.Symlink("/etc/passwd", filepath.Join(state, "link")); err != nil {
		t.Fatal(err)
	}
	database := func(text string) func(context.Context, io.Writer) error {
		return func(_ context.Context, w io.Writer) error { _, err := io.WriteString(w, text); return err }
	}
	var out bytes.Buffer
	s := &Source{Head: Head{Version: "1", Time: time.Unix(1e9, 0), Instance: "a", Audit: &AuditHead{7, "ab"}, Outside: []string{"/etc/c.pem"}},
		State: state, Certificates: certs, Config: map[string][]byte{"edgeftp.yaml": []byte("version: 1\n")},
		Databases: []Database{{"state.db", database("state")}, {"users.db", database("users")}}}
	if err := Write(t.Context(), &out, s); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(state, tempPrefix+"*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	put(t, state, map[string]string{"other.db": "x"})
	if err := Write(t.Context(), io.Discard, s); err == nil || !strings.Contains(err.Error(), "other.db") {
		t.Errorf("a database that nobody knows: %v", err)
	}
	return out.Bytes(), dir
}

func wantState() map[string]string {
	return map[string]string{"ca.key": "key", "policies/index.json": "{}", "policies/sha256-1.wasm": "module", "state.db": "state", "users.db": "users", "webhooks/ops/1.spool": "waits", ".gitignore": "*\n"}
}

func TestBackAndForth(t *testing.T) {
	tar, _ := archive(t)
	got, err := Read(bytes.NewReader(tar), MaxSize, nil)
	if err != nil || got.Audit.Seq != 7 || len(got.Members) != 9 || got.Outside[0] != "/etc/c.pem" {
		t.Fatalf("%+v, %v", got, err)
	}
	dir := t.TempDir()
	to := Target{State: filepath.Join(dir, "state"), Certificates: filepath.Join(dir, "certs"), Config: filepath.Join(dir, "etc"), MaxSize: MaxSize}
	if r, err := Restore(bytes.NewReader(tar), to, true); err != nil || len(r.Put) != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Fatalf("dry, and there is %v", entries)
	}
	if _, err := Restore(bytes.NewReader(tar), to, false); err != nil {
		t.Fatal(err)
	}
	if got := files(t, to.State); !maps.Equal(got, wantState()) {
		t.Errorf("%v", got)
	}
	if got := files(t, dir); got["certs/a/b.pem"] != "certificate" || got["etc/edgeftp.yaml"] != "version: 1\n" || len(got) != 9 {
		t.Errorf("%v", got)
	}
	if info, _ := os.Stat(to.State); info.Mode().Perm() != 0o700 {
		t.Errorf("%v", info.Mode())
	}
	// What is there stays, but with force, and then it is beside.
	put(t, to.State, map[string]string{"ca.key": "another"})
	for _, only := range []Target{{State: to.State}, {Certificates: to.Certificates}, {Config: to.Config}} {
		only.MaxSize = MaxSize
		if _, err := Restore(bytes.NewReader(tar), only, false); !errors.Is(err, ErrThere) {
			t.Errorf("%+v: %v", only, err)
		}
	}
	to.Force = true
	r, err := Restore(bytes.NewReader(tar), to, false)
	if err != nil || len(r.Aside) != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	if text, _ := os.ReadFile(filepath.Join(r.Aside[0], "ca.key")); string(text) != "another" {
		t.Errorf("what was there is %q", text)
	}
	if text, _ := os.ReadFile(filepath.Join(to.State, "ca.key")); string(text) != "key" {
		t.Errorf("%q", text)
	}
}

// Whatever is cut off or changed of an archive, it is refused, and nothing is there then.
func TestBroken(t *testing.T) {
	whole, _ := archive(t)
	refused := func(what string, text []byte) {
		t.Helper()
		dir := t.TempDir()
		put(t, dir, map[string]string{"state/precious": "1"})
		_ = os.Chmod(filepath.Join(dir, "state/precious"), 0o600)
		_, err := Restore(bytes.NewReader(text), Target{State: filepath.Join(dir, "state"), Certificates: filepath.Join(dir, "c"), Config: filepath.Join(dir, "e"), MaxSize: MaxSize, Force: true}, false)
		if err == nil {
			t.Errorf("%s is taken", what)
		}
		if got := files(t, dir); len(got) != 1 || got["state/precious"] != "1" {
			t.Errorf("%s: there is %v", what, got)
		}
	}
	for n := 0; n < len(whole)-1024-512; n += 511 { // behind that is padding
		refused("cut off", whole[:n])
	}
	for n := 512; n < len(whole)-2048; n += 300 { // behind the first header
		changed := bytes.Clone(whole)
		changed[n] ^= 1
		if _, err := Read(bytes.NewReader(changed), MaxSize, nil); err == nil && n > 2048 && changed[n] != 1 {
			t.Errorf("byte %d is another one, and nobody sees it: %q", n, changed[n])
		}
	}
	refused("with more behind it", append(bytes.Clone(whole), "x"...))
	refused("nothing", nil)
}

// member is one of a hostile archive.
type member struct {
	tar.Header
	text string
}

// hostile makes an archive whose manifest is right about everything.
func hostile(t testing.TB, members ...member) []byte {
	t.Helper()
	var out bytes.Buffer
	w := &writer{ctx: context.Background(), tar: tar.NewWriter(&out)}
	head, _ := json.Marshal(Head{Format: Format})
	if err := w.bytes(headName, head); err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		m.Mode, m.Size = 0o600, int64(len(m.text))
		if err := w.tar.WriteHeader(&m.Header); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w.tar, m.text)
		w.list = append(w.list, Member{m.Name, m.Size, ""})
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestHostile(t *testing.T) {
	file := func(name string) member {
		return member{Header: tar.Header{Typeflag: tar.TypeReg, Name: name}, text: "x"}
	}
	for what, members := range map[string][]member{
		"is no name":    {file("state/../../x")},
		"no name of a":  {file("/state/x")},
		"no name of":    {file("state//x")},
		"no name":       {file(`state/..\x`)},
		"is in none of": {file("etc/passwd")},
		"twice":         {file("state/x"), file("state/x")},
		"below a file":  {file("state/x"), file("state/x/y")},
		"is there":      {file("state/x/y"), file("state/x")},
		"is no file":    {{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: "state/x", Linkname: "/etc"}}},
		"no file":       {{Header: tar.Header{Typeflag: tar.TypeLink, Name: "state/x", Linkname: "state/y"}}},
		"file":          {{Header: tar.Header{Typeflag: tar.TypeChar, Name: "state/x"}}},
		"SHA-256":       {file("state/x")}, // the sum is empty
	} {
		dir := t.TempDir()
		_, err := Restore(bytes.NewReader(hostile(t, members...)), Target{State: filepath.Join(dir, "state"), MaxSize: MaxSize}, false)
		if !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			t.Errorf("%s: there is %v", what, entries)
		}
	}
	huge, _ := archive(t)
	if _, err := Read(bytes.NewReader(huge), 10, nil); err == nil || !strings.Contains(err.Error(), "--max-size") {
		t.Errorf("too large: %v", err)
	}
	other := bytes.Replace(huge, []byte(`"format": 1`), []byte(`"format": 2`), 1)
	if _, err := Read(bytes.NewReader(other), MaxSize, nil); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("another format: %v", err)
	}
}

// Whatever an archive is, nothing lies outside of where it belongs.
func FuzzRead(f *testing.F) {
	f.Add(hostile(f, member{Header: tar.Header{Typeflag: tar.TypeReg, Name: "state/a/b"}, text: "x"}))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var names []string
		got, err := Read(bytes.NewReader(text), 1<<20, func(name string, size int64, _ io.Reader) error {
			if !filepath.IsLocal(name) || size > 1<<20 || slices.Contains(names, name) {
				t.Errorf("%q, %d bytes", name, size)
			}
			names = append(names, name)
			return nil
		})
		if err == nil && len(got.Members) != len(names) {
			t.Errorf("%d members of %d", len(got.Members), len(names))
		}
	})
}
