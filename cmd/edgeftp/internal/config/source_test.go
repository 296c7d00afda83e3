package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A text is read as if it stood in the file, whether that is there or not, and what it names
// is told.
func TestParseText(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"banner.txt": "hello", "root/x": ""} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, "root"), 0o755), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	text := "version: 1\ninstance: { state_dir: state }\nstorage: [{ root: root }]\nusers: { anonymous: { enabled: true } }\n" +
		"listeners: [{ name: main, address: \"127.0.0.1:0\", tls: { control: off }, banner: \"${file:banner.txt}\" }]\n"
	path := filepath.Join(dir, "none.yaml")
	conf, source, err := Parse(path, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if conf.Root != filepath.Join(dir, "root") || conf.Listeners[0].Banner != "hello" || source.Path != path || string(source.Text) != text ||
		!slices.Equal(source.Files, []string{filepath.Join(dir, "banner.txt")}) {
		t.Errorf("%+v, %+v", conf, source)
	}
	var faults *Error
	if _, _, err := Parse(path, []byte(text+"nothing: 1\nlimits: 2\n")); !errors.As(err, &faults) || len(faults.Problems) != 2 {
		t.Errorf("%v", err)
	}
	if _, _, err := Parse(path, make([]byte, maxFile+1)); !errors.As(err, &faults) {
		t.Errorf("a long text: %v", err)
	}
	if _, err := Read(path); !errors.As(err, &faults) {
		t.Errorf("no file: %v", err)
	}
}

// Secrets are never shown, however they are written; the rest is as its author wrote it.
func TestConceal(t *testing.T) {
	const hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"
	for _, text := range []string{
		"users: { list: [{ name: dev, password_hash: \"" + hash + "\" }] }\n",
		"users:\n  list:\n    - name: dev\n      password_hash: '" + hash + "' # a hash\n",
		"users: { list: [{ password_hash: \"\\x24argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g\", name: dev }] }\n",
		"users:\n  list:\n    - password_hash: >-\n        " + hash + "\n      name: dev\n",
		"certificates: { acme: { account_binding: { key_id: a, mac: aGFzaGhhc2g } } }\nname: dev\n",
	} {
		got, err := Conceal([]byte(text))
		if err != nil || strings.Contains(got, "aGFzaGhhc2g") || strings.Contains(got, "c2FsdHNhbHQ") || !strings.Contains(got, "name: dev") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if got, err := Conceal([]byte("# mine\na: ${file:x}\n")); err != nil || got != "# mine\na: ${file:x}\n" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := Conceal([]byte("a: [")); err == nil {
		t.Error("no error")
	}
}
