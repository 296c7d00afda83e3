package vfs_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// upload stages, writes and ends an upload.
func upload(t *testing.T, d vfs.Writer, p vfs.Path, opt vfs.StageOptions, text string, end func(vfs.Stage) error) {
	t.Helper()
	s, err := d.Stage(p, opt)
	if err == nil {
		_, err = s.Write([]byte(text))
	}
	if err == nil {
		err = end(s)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func commit(s vfs.Stage) error { return s.Commit(context.Background()) }
func keep(s vfs.Stage) error   { return s.Discard(true) }

// withSum makes a line of the journal.
func withSum(text string) string {
	return fmt.Sprintf("%08x %s\n", crc32.ChecksumIEEE([]byte(text)), text)
}

// holds checks a file of the host.
func holds(t *testing.T, name, want string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil || string(data) != want {
		t.Errorf("%s holds %q, %v, want %q", filepath.Base(name), data, err, want)
	}
}

// What a killed process had added is taken back before anything is served, and
// only from the file that it was added to.
func TestUndo(t *testing.T) {
	d := newDisk(t, nil)
	if err := d.Mkdir("/dir"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what   string
		before func()
		want   string
	}{
		{"plain", func() {}, "whole lines\n"},
		{"replaced", func() {
			_ = os.WriteFile(d.at("/dir/other"), []byte("another file that is longer"), 0o644)
			_ = os.Rename(d.at("/dir/other"), d.at("/dir/log"))
		}, "another file that is longer"},
		{"shorter", func() { _ = os.Truncate(d.at("/dir/log"), 3) }, "who"},
	} {
		_ = os.Remove(d.at("/dir/log"))
		upload(t, d, "/dir/log", vfs.StageOptions{}, "whole lines\n", commit)
		kill := beside(t, d, "/dir/log")
		holds(t, d.at("/dir/log"), "whole lines\nhalf a li")
		kill()
		c.before()
		reopen(t, configOf(d))
		holds(t, d.at("/dir/log"), c.want)
	}
	// The directory was renamed by another process, or is no directory any more.
	kill := beside(t, d, "/dir/log")
	kill()
	if err := os.Rename(d.at("/dir"), d.at("/moved")); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteLink(filepath.Dir(d.host), "/dir"); err != nil {
		t.Fatal(err)
	}
	reopen(t, configOf(d))
	if files, err := filepath.Glob(filepath.Join(stateOf(d), "journal-*")); err != nil || len(files) > 7 {
		t.Errorf("journals are left: %q, %v", files, err)
	}
}

// Two processes serve one tree while one of them ends its last transfers: what is
// the other's is spared, and taken over when it is gone.
func TestTwoProcesses(t *testing.T) {
	d := newDisk(t, nil)
	upload(t, d, "/log", vfs.StageOptions{}, "whole lines\n", commit)
	kill := beside(t, d, "/log")
	successor := reopen(t, configOf(d))
	holds(t, d.at("/log"), "whole lines\nhalf a li")
	for _, each := range []linkedDisk{d, successor} {
		if _, err := each.Stage("/log", vfs.StageOptions{Append: true}); !errors.Is(err, vfs.ErrBusy) {
			t.Errorf("an append beside another process's: %v", err)
		}
	}
	kill()
	upload(t, successor, "/log", vfs.StageOptions{Append: true}, "another\n", commit)
	holds(t, d.at("/log"), "whole lines\nanother\n")
	reopen(t, configOf(d))
	holds(t, d.at("/log"), "whole lines\nanother\n")
}

func TestPartialsSurvive(t *testing.T) {
	d := newDisk(t, nil)
	cfg := configOf(d)
	for _, p := range []vfs.Path{"/d", "/d/\xff \"quoted\""} {
		if err := d.Mkdir(p); err != nil {
			t.Fatal(err)
		}
	}
	p := vfs.Path("/d/\xff \"quoted\"/part")
	upload(t, d, p, vfs.StageOptions{Owner: "ann \"b\"\n\xfe"}, "12345", keep)
	upload(t, d, "/second", vfs.StageOptions{Owner: "bob"}, "1", keep)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	again := reopenOnce(t, cfg)
	if info, err := again.Partial("ann \"b\"\n\xfe", p); err != nil || info.Size != 5 || info.Name != "part" {
		t.Errorf("after a restart: %+v, %v", info, err)
	}
	upload(t, again, p, vfs.StageOptions{Owner: "ann \"b\"\n\xfe", Append: true}, "678", commit)
	holds(t, d.at(p), "12345678")
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	again = reopenOnce(t, cfg)
	if _, err := again.Partial("ann \"b\"\n\xfe", p); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after it was published: %v", err)
	}
	if _, err := again.Partial("bob", "/second"); err != nil {
		t.Error(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	// Too old by the time it is opened again.
	cfg.PartialFor = time.Nanosecond
	again = reopenOnce(t, cfg)
	if _, err := again.Partial("bob", "/second"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after it expired: %v", err)
	}
	upload(t, again, "/third", vfs.StageOptions{Owner: "bob"}, "1", keep)
	if infos, err := again.Partials("bob", "/"); err != nil || len(infos) != 0 {
		t.Errorf("after it expired: %+v, %v", infos, err)
	}
	if hidden := hiddenFiles(t, d.host); len(hidden) > 0 {
		t.Errorf("hidden files are left: %q", hidden)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(cfg.State); err != nil || len(files) > 0 {
		t.Errorf("state is left: %v, %v", files, err)
	}
}

// reopenOnce opens a Disk that the test closes itself.
func reopenOnce(t *testing.T, cfg vfs.DiskConfig) linkedDisk {
	t.Helper()
	d, err := vfs.OpenDisk(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return linkedDisk{d, cfg.Root}
}

// A predecessor's partial uploads can be gone on with as soon as it is gone.
func TestPartialsOfPredecessor(t *testing.T) {
	d := newDisk(t, nil)
	old := reopenOnce(t, configOf(d))
	upload(t, old, "/f", vfs.StageOptions{Owner: "ann"}, "123", keep)
	successor := reopen(t, configOf(d))
	if _, err := successor.Partial("ann", "/f"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("while the predecessor lives: %v", err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	// An append looks at once; everything else within a second.
	upload(t, successor, "/log", vfs.StageOptions{}, "x", commit)
	upload(t, successor, "/log", vfs.StageOptions{Append: true}, "y", commit)
	upload(t, successor, "/f", vfs.StageOptions{Owner: "ann", Offset: 3}, "4", commit)
	holds(t, d.at("/f"), "1234")
}

// A process that was killed while it took over a journal has done no harm, and a
// partial upload stays where it is when a file of its name goes elsewhere.
func TestTakenOverTwice(t *testing.T) {
	d := newDisk(t, nil)
	for _, p := range []vfs.Path{"/a", "/b"} {
		if err := d.Mkdir(p); err != nil {
			t.Fatal(err)
		}
	}
	upload(t, d, "/a/f", vfs.StageOptions{Owner: "ann"}, "12345", keep)
	if err := os.WriteFile(d.at("/a/f"), []byte("published"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := d.Rename("/a/f", "/b/g"); err != nil {
		t.Fatal(err)
	}
	d.Settled()
	journal, err := os.ReadFile(filepath.Join(stateOf(d), d.JournalFile()))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(stateOf(d), "journal-again"), journal, 0o600); err != nil {
		t.Fatal(err)
	}
	again := reopenClosed(t, d)
	if info, err := again.Partial("ann", "/a/f"); err != nil || info.Size != 5 {
		t.Errorf("%+v, %v", info, err)
	}
}

// After a power cut, what of a partial upload is not known to be on the disk does
// not count.
func TestPowerCut(t *testing.T) {
	for _, c := range []struct {
		what       string
		durability vfs.Durability
		rebooted   bool
		want       int64
	}{
		{"process killed", vfs.DurabilityNone, false, 8}, {"not synced", vfs.DurabilityNone, true, -1},
		{"process killed, synced", vfs.DurabilityFull, false, 8}, {"synced", vfs.DurabilityFull, true, 5},
	} {
		d := newDisk(t, func(cfg *vfs.DiskConfig) { cfg.Durability = c.durability })
		upload(t, d, "/f", vfs.StageOptions{Owner: "ann"}, "12345", keep)
		d.Settled()
		hidden := hiddenFiles(t, d.host)
		f, err := os.OpenFile(hidden[0], os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString("678")
		}
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		journal := filepath.Join(stateOf(d), d.JournalFile())
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if c.rebooted {
			data, err := os.ReadFile(journal)
			if err != nil {
				t.Fatal(err)
			}
			head, rest, _ := strings.Cut(string(data), "\n")
			fields := strings.Fields(head)
			head = strings.Replace(strings.Join(fields[1:], " "), fields[5], `"another boot"`, 1)
			if err := os.WriteFile(journal, []byte(withSum(head)+rest), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		again := reopen(t, configOf(d))
		info, err := again.Partial("ann", "/f")
		if c.want < 0 && !errors.Is(err, fs.ErrNotExist) || c.want >= 0 && (err != nil || info.Size != c.want) {
			t.Errorf("%s: %+v, %v", c.what, info, err)
		}
	}
}

// Journals of other directories, foreign files and torn lines do no harm.
func TestOddState(t *testing.T) {
	d := newDisk(t, nil)
	other := filepath.Join(filepath.Dir(d.host), "other")
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	beside := reopenOnce(t, vfs.DiskConfig{Root: other, State: stateOf(d)})
	upload(t, beside, "/part", vfs.StageOptions{Owner: "ann"}, "123", keep)
	if err := beside.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"journal-empty": "", "journal-torn": "12345678 s 1 \"/", "journal-noise": strings.Repeat("\x00\xff\n", 5000), "new-left": "x",
	} {
		if err := os.WriteFile(filepath.Join(stateOf(d), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := reopen(t, configOf(d))
	if _, err := again.Partial("ann", "/part"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a partial upload of another directory: %v", err)
	}
	beside = reopen(t, vfs.DiskConfig{Root: other, State: stateOf(d)})
	if _, err := beside.Partial("ann", "/part"); err != nil {
		t.Errorf("a Disk forgot what another one left alone: %v", err)
	}
}

// A journal that was forged cannot make the Disk remove what clients can see.
func TestForgedJournal(t *testing.T) {
	d := newDisk(t, nil)
	check := outside(t, d)
	upload(t, d, "/seen", vfs.StageOptions{}, "seen", commit)
	own := filepath.Join(stateOf(d), d.JournalFile())
	head, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	text := string(head[:strings.IndexByte(string(head), '\n')+1])
	for i, r := range []string{`s %d "/" "seen" "" 0 0 0 0`, `s %d "/" "../outside/secret" "" 0 0 0 0`,
		`s %d "/../outside" "secret" "" 0 0 0 0`, `p %d "/seen" "seen" "ann" 0 0 0 0`, `u %d "/../outside/secret" "" "" 0 0 0 0`} {
		text += withSum(fmt.Sprintf(r, i+1))
	}
	if err := os.WriteFile(filepath.Join(stateOf(d), "journal-forged"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	reopen(t, configOf(d))
	holds(t, d.at("/seen"), "seen")
	check()
}

// The journal does not grow for ever, and forgets nothing when it is rewritten.
func TestJournalRewritten(t *testing.T) {
	d := newDisk(t, func(c *vfs.DiskConfig) { c.Durability = vfs.DurabilityNone })
	upload(t, d, "/part", vfs.StageOptions{Owner: "ann"}, "123", keep)
	upload(t, d, "/f", vfs.StageOptions{}, "x", commit)
	first := d.JournalFile()
	for i := 0; d.JournalFile() == first; i++ {
		if i > 10000 {
			t.Fatal("the journal was never rewritten")
		}
		upload(t, d, "/f", vfs.StageOptions{}, "x", commit)
	}
	if size, live := d.JournalLength(); size > 1000 || live != 1 {
		t.Errorf("the new journal has %d bytes and %d records", size, live)
	}
	again := reopenClosed(t, d)
	if info, err := again.Partial("ann", "/part"); err != nil || info.Size != 3 {
		t.Errorf("after a rewrite: %+v, %v", info, err)
	}
}

// reopenClosed closes d and opens it again.
func reopenClosed(t *testing.T, d linkedDisk) linkedDisk {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return reopen(t, configOf(d))
}

func TestOpenDiskRefuses(t *testing.T) {
	d := newDisk(t, nil)
	for what, cfg := range map[string]vfs.DiskConfig{
		"no root":       {Root: filepath.Join(d.host, "no")},
		"state inside":  {Root: d.host, State: filepath.Join(d.host, "state")},
		"state is root": {Root: d.host, State: d.host},
	} {
		if _, err := vfs.OpenDisk(cfg); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

// Without a state directory nothing is kept, and uploads work all the same.
func TestWithoutState(t *testing.T) {
	d := newDisk(t, func(c *vfs.DiskConfig) { c.State = "" })
	upload(t, d, "/f", vfs.StageOptions{Owner: "ann"}, "123", keep)
	if _, err := d.Partial("ann", "/f"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	upload(t, d, "/f", vfs.StageOptions{Owner: "ann"}, "123", commit)
	upload(t, d, "/f", vfs.StageOptions{}, "456", commit)
	upload(t, d, "/f", vfs.StageOptions{Append: true}, "789", commit)
	upload(t, d, "/f", vfs.StageOptions{Append: true}, "xxx", keep)
	upload(t, d, "/f", vfs.StageOptions{Offset: 1}, "x", commit)
	holds(t, d.at("/f"), "4x6789")
	if hidden := hiddenFiles(t, d.host); len(hidden) > 0 {
		t.Errorf("hidden files are left: %q", hidden)
	}
}
