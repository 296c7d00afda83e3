package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/identity"
	"github.com/edgeftp/edgeftp/guest-sdk/go/manifest"
)

// snapshot is what there is: the files below a directory, with their digests, modes and times.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	list := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := fmt.Sprint(info.Mode(), info.ModTime())
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %x", sha256.Sum256(data))
		}
		list[path] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

const policyConfig = smallConfig + `policies: { modules: [{ name: guard, source: guard.wasm, settings: { on: true }, grants: { kv: true, fetch: ["https://idp.example.org"] } }] }
events: { file: logs/events }
limits: { commands_per_second: 50 }
users: { list: [{ name: alice, password_hash: "` + hashed + `", perm: elrw, quota: { bytes: 1GB } }] }
`

// policed is a workplace with a policy module and a directory for logs.
func policed(t *testing.T, files map[string]string) string {
	t.Helper()
	module, err := os.ReadFile("testdata/guard.wasm")
	if err == nil {
		module, err = manifest.Append(module, []byte(`{"name":"guard","version":"0.1.0","abi":"1.2","capabilities":["kv","fetch:idp.example.org"],
			"settings":{"type":"object","additionalProperties":false,"properties":{"on":{"type":"boolean"}}}}`))
	}
	if err != nil {
		t.Fatal(err)
	}
	temporary := t.TempDir()
	dir := workplace(t, files)
	t.Setenv("TMPDIR", temporary)
	if err := os.WriteFile("guard.wasm", module, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("logs", 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What is in order is told to be, and nothing has changed afterwards.
func TestValidateChangesNothing(t *testing.T) {
	text := strings.Replace(policyConfig, "users: { list: [{ name: alice, password_hash: \""+hashed+"\" }] }\n", "", 1)
	if identity.IsRoot() { // who is warned otherwise: see TestRootIsTold
		text = strings.Replace(text, "version: 1\n", "version: 1\ninstance: { allow_root: true }\n", 1)
	}
	dir := policed(t, map[string]string{"c.yaml": text})
	before := snapshot(t, dir)
	code, out, errs := commanded(t, "config", "validate", "c.yaml")
	if code != exitOK || out != "c.yaml is in order\n" || errs != "" {
		t.Errorf("%d, %s%s", code, out, errs)
	}
	if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
		t.Errorf("the disk has changed (-before +after):\n%s", diff)
	}
	if left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// All that shows only when it is put to use is told at once, at the key that is about
// it.
func TestValidateProvisions(t *testing.T) {
	policed(t, map[string]string{"c.yaml": `version: 1
instance:
  state_dir: c.yaml/state
  user: no-such-user
listeners:
  - name: a
    address: "127.0.0.1:2121"
    tls: { certificate: files }
  - name: b
    address: "127.0.0.1:2122"
    tls: { client_certs: required, client_ca: c.yaml }
certificates: { files: [{ cert: c.yaml }] }
storage: [{ root: root }]
users: { anonymous: { enabled: true } }
policies:
  modules:
    - { name: broken, source: c.yaml }
    - { name: guard, source: guard.wasm, settings: { on: 1 }, grants: { kv: true, fetch: ["https://idp.example.org"] } }
    - { name: source, source: logs }
admin: { socket: nowhere/admin.sock }
`})
	code, out, errs := commanded(t, "config", "validate", "c.yaml")
	if code != exitConfig || out != "" {
		t.Fatalf("%d, %s", code, out)
	}
	for _, want := range []string{
		"instance.state_dir: the directory that the state directory is made in",
		"--> c.yaml:3:14",
		`instance.user: there is no user "no-such-user"`,
		"--> c.yaml:4:9",
		"listeners[0].tls: ", "--> c.yaml:8:5",
		"listeners[1].tls: ", "--> c.yaml:11:5",
		`policies.modules[0].source: policy "broken"`, "--> c.yaml:17:31",
		`policies.modules[1].source: policy "guard"`, "settings.on must be true or false", "--> c.yaml:18:30",
		`policies.modules[2].source: policy "source"`,
		"admin.socket: the directory of the admin socket cannot be used", "--> c.yaml:20:18",
		"c.yaml: 8 errors; nothing was applied",
	} {
		if !strings.Contains(errs, want) {
			t.Errorf("%q is not told", want)
		}
	}
	if t.Failed() {
		t.Log(errs)
	}
}

// A sandbox that is required is tried, on another process.
func TestValidateTriesTheSandbox(t *testing.T) {
	policed(t, map[string]string{"c.yaml": smallConfig + "sandbox: { landlock: required }\n", "doctor.yaml": smallConfig})
	code, _, errs := commanded(t, "config", "validate", "c.yaml")
	var lacks string
	switch code {
	case exitOK:
	case exitConfig:
		if lacks = "sandbox.landlock: the sandbox is required, and "; !strings.Contains(errs, lacks) {
			t.Error(errs)
		}
	default:
		t.Errorf("%d, %s", code, errs)
	}
}

func TestMayAppend(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "log")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"": "", file: "", filepath.Join(dir, "new"): "", dir: "is a directory", "/dev/null": "",
		filepath.Join(dir, "none", "log"): "create it", filepath.Join(file, "log"): "not a directory"} {
		err := mayAppend(path)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "x" {
		t.Errorf("%q, %v", data, err)
	}
}
