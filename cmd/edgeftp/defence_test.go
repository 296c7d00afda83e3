package main

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// What the defence knows is written to a file of its own, whatever lies in the way of it,
// and is read as far as it can be long.
func TestDefenceFile(t *testing.T) {
	dir := t.TempDir()
	other, name := filepath.Join(dir, "other"), filepath.Join(dir, "defender")
	f := defenceFile(name)
	if b, err := f.Load(); b != nil || err != nil {
		t.Errorf("nothing yet: %q, %v", b, err)
	}
	if err := os.WriteFile(other, []byte("another's"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{name + ".new", name} {
		if err := os.Symlink(other, link); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"known", "more"} {
		if err := f.Save([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := f.Load(); string(b) != text || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	}
	if b, err := os.ReadFile(other); string(b) != "another's" || err != nil {
		t.Errorf("a link was followed: %q, %v", b, err)
	}
	if info, err := os.Lstat(name); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(name+".new", nil, 0o644); err != nil { // of one that was killed
		t.Fatal(err)
	}
	if err := f.Save(nil); err != nil {
		t.Error(err)
	}
	if err := os.Truncate(name, 1<<28); err != nil {
		t.Fatal(err)
	}
	if b, err := f.Load(); len(b) > maxDefence+1 || err != nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if err := errors.Join(os.Remove(name), os.Mkdir(name, 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Load(); err == nil {
		t.Error("a directory was read")
	}
}

// Everybody is not banned, in whatever words.
func TestNobodyBansEverybody(t *testing.T) {
	root, err := vfs.OpenDisk(vfs.DiskConfig{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	s, err := edge.New(edge.Config{FS: root, Listeners: []edge.Listener{{Address: "127.0.0.1:0"}}})
	if err != nil {
		t.Fatal(err)
	}
	w := warden{server: s, score: func() int { return 150 }}
	for who, all := range map[string]bool{"0.0.0.0/0": true, "::/0": true, "::ffff:0.0.0.0/96": true, "::ffff:0.0.0.0/97": false, "192.0.2.0/24": false} {
		_, err := w.Ban(control.NewBan{Who: netip.MustParsePrefix(who)})
		if (err != nil) != all || all && !strings.Contains(err.Error(), "everybody") {
			t.Errorf("%s: %v", who, err)
		}
	}
}
