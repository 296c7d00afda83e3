package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// What a running server cannot take is refused as a whole, by the names of the keys.
func TestReloadNeedsUpgrade(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.serve(t, listener("banner: first"))
	other := t.TempDir()
	for _, c := range []struct{ keys, text, want string }{
		{"", "sandbox: { landlock: off }\n", "sandbox.landlock"},
		{"", "admin: { socket: other.sock }\n", "admin.socket"},
		{"", "policies: { strict: true }\n", "policies.strict"},
		{"", fmt.Sprintf("events: { file: %q }\n", other+"/events"), other},
		{"", fmt.Sprintf("policies: { watch: %q }\n", other), other},
		{"", "users: { list: [{ name: dev, password_hash: @HASH@, root: " + other + " }] }\n", other},
		{"", "users: { list: [{ name: dev, password_hash: @HASH@, folders: [{ path: /pub, root: " + other + " }] }] }\n", other},
		{"", "users: { defaults: { folders: [{ path: /pub, root: \"" + other + "/${user}\" }] }, list: [{ name: dev, password_hash: @HASH@ }] }\n", other},
		{"active: { enabled: true }", "", "TCP connections to others"},
		{"passive: { ports: 2100-2109 }", "", "ports 2100 to 2109"},
	} {
		if landlock() < 4 && !strings.Contains(c.want, ".") {
			continue
		}
		p.again(t, listener("banner: second", c.keys)+c.text)
		r := s.admin(t, "reload")
		if r.code != 1 || !strings.Contains(r.stderr, "needs an upgrade") || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%+v: exit code %d\n%s", c, r.code, r.both())
		}
		if r := s.admin(t, "reload", "--dry-run"); r.code != 1 || !strings.Contains(r.stderr, c.want) || !strings.Contains(r.stdout, "listeners[main].banner") {
			t.Errorf("%+v, dry: exit code %d\n%s", c, r.code, r.both())
		}
	}
	if _, r := s.raw(t); !strings.Contains(r.Text(), "first") {
		t.Errorf("something has changed: %v", r)
	}
	if entries := must(os.ReadDir(other))(t); len(entries) > 0 {
		t.Errorf("%v was made", entries)
	}
	s.stop(t)
}
