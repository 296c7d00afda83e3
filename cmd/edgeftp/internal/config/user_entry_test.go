package config

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

func readEntries(t *testing.T, texts ...string) ([]Entry, error) {
	t.Helper()
	r, err := NewEntryReader()
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]json.RawMessage, len(texts))
	for i, s := range texts {
		raw[i] = json.RawMessage(s)
	}
	return r.Read(raw)
}

func TestEntry(t *testing.T) {
	got, err := readEntries(t,
		`{"name": "a/b", "password_hash": "`+bcryptHash+`", "home": "/", "note": null, "max_sessions": 0, "disabled": false}`,
		`{"name": "own", "password_hash": "`+bcryptHash+`", "perm": "elr", "root": "/somewhere/else", "quota": {}, "bandwidth": {"down": "5MB"}, "tls": {"close_notify": "lenient"}, "disabled": true}`)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		`{"name":"a/b","password_hash":"` + bcryptHash + `"}`,
		`{"bandwidth":{"down":"5MB"},"disabled":true,"name":"own","password_hash":"` + bcryptHash + `","perm":"elr","quota":{},"root":"/somewhere/else","tls":{"close_notify":"lenient"}}`,
	} {
		if text := string(got[i].Text()); text != want {
			t.Errorf("entry %d is kept as %s", i, text)
		}
		again, err := readEntries(t, string(got[i].Text()))
		if err != nil || string(again[0].Text()) != string(got[i].Text()) {
			t.Errorf("read again: %v, %v", again, err)
		}
	}
	conf := &Config{Defaults: Defaults{Perms: policy.PermAll, Root: "/srv/${user}"}}
	if _, err := got[0].User(conf); err == nil {
		t.Error("a/b names a directory")
	}
	conf.Defaults.Root = "/srv"
	if u, err := got[0].User(conf); err != nil || u.Perms != policy.PermAll || u.Root != "/srv" || u.Source != SourceStore {
		t.Errorf("with the defaults: %+v, %v", u, err)
	}
	if u, err := got[1].User(conf); err != nil || u.Perms != policy.PermReadOnly || u.Root != "/somewhere/else" || !u.Disabled || u.Limits.RateDown != 5e6 ||
		!u.Lenient.CloseNotify || u.Quota == nil || *u.Quota != (Quota{}) {
		t.Errorf("with his own: %+v, %v", u, err)
	}
}

func TestEntryRefused(t *testing.T) {
	hash := `"password_hash": "` + bcryptHash + `"`
	for entry, want := range map[string]string{
		`{"name": "a", ` + hash + `, "perms": "elr"}`: `user "a": perms: unknown key "perms"`,
		`{"name": "a"}`:  `"password_hash" is missing`,
		`{` + hash + `}`: `user 1: name: "name" is missing`,
		`{"name": "a", "password_hash": "hunter2"}`:                  `cannot be verified`,
		`{"name": "a", ` + hash + `, "root": "here"}`:                `"here" is no absolute path`,
		`{"name": "a\nb", ` + hash + `}`:                             `line end`,
		`{"name": "` + strings.Repeat("n", 256) + `", ` + hash + `}`: `256 bytes`,
		`{"name": "a", ` + hash + `, "max_file_size": 5}`:            `must be text`,
		`{"name": "a", ` + hash + `, "umask": "o22"}`:                `is no umask`,
		`7`:                         `must be a section with keys`,
		`{"name": 7, ` + hash + `}`: `user 1`,
	} {
		got, err := readEntries(t, entry)
		var e *Error
		if got != nil || !errors.As(err, &e) || !e.Usage() || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\n%v", entry, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the message shows what may be a password: %v", err)
		}
	}
	if _, err := readEntries(t, `{"name": "a", `+hash+`}`, `{"name": "a", `+hash+`}`); err == nil || !strings.Contains(err.Error(), "earlier user") {
		t.Errorf("a name twice: %v", err)
	}
	if _, err := readEntries(t, `{`); err == nil {
		t.Error("a broken text is an entry")
	}
}

// FuzzUsersFile: whatever a file of users holds, it is read or told of.
func FuzzUsersFile(f *testing.F) {
	f.Add(badUsers)
	f.Add("version: 1\nusers:\n  - { name: a, password_hash: \"" + bcryptHash + "\" }\n")
	f.Add("users: *a\n? [x]\n: y\n")
	f.Add("version: 1\nusers: [[a], {<<: b}, ~]\n")
	machine := testMachine(nil, nil)
	f.Fuzz(func(t *testing.T, text string) {
		users, problems, err := readUsers([]byte(text), "/etc", machine, new(Config), offers{tls: true})
		if err != nil || users != nil && problems != nil {
			t.Fatalf("%v, %v, %v", users, problems, err)
		}
		for _, u := range users {
			if u.Name == "" || u.PasswordHash == "" || u.Source != SourceFile {
				t.Errorf("%+v", u)
			}
		}
	})
}
