package vfs_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

func stateOf(d linkedDisk) string { return filepath.Join(filepath.Dir(d.host), "state") }

// letter is the whole content of an uploaded file: it says itself whether it is
// whole.
func letter(n int) []byte {
	body := bytes.Repeat([]byte{byte('a' + n%26)}, 1000+n*37%60000)
	return fmt.Appendf(nil, "%08x %s.", crc32.ChecksumIEEE(body), body)
}

// whole reports whether data is one letter.
func whole(data []byte) bool {
	var sum uint32
	body, found := bytes.CutSuffix(data, []byte("."))
	if _, err := fmt.Sscanf(string(data[:min(9, len(data))]), "%08x ", &sum); err != nil || !found {
		return false
	}
	return crc32.ChecksumIEEE(body[9:]) == sum
}

// childUploads uploads for ever, in all ways at once, and says each time what
// was committed. Arguments: root, state, and "names" for hidden names.
func childUploads(args []string) error {
	d, err := vfs.OpenDisk(vfs.DiskConfig{Root: args[0], State: args[1]})
	if err != nil {
		return err
	}
	if len(args) > 2 {
		d.StageUnderNames()
	}
	failed := make(chan error)
	for worker := range 4 {
		go func() {
			for i := 0; ; i++ {
				if err := uploadOnce(d, worker, i); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

// uploadOnce makes one upload, which is whole in pieces, and reports it.
func uploadOnce(d *vfs.Disk, worker, i int) error {
	p := vfs.Path(fmt.Sprintf("/%d-%d", worker, i%3))
	var opt vfs.StageOptions
	switch i % 5 {
	case 1:
		p, opt.Append = vfs.Path(fmt.Sprintf("/log%d", worker)), true
	case 2:
		p, opt.Unique = "/u", true
	case 3:
		p = vfs.Path(fmt.Sprintf("/new%d-%d", worker, i))
	}
	s, err := d.Stage(p, opt)
	if err != nil {
		return err
	}
	for data := letter(i); len(data) > 0; {
		n, err := s.Write(data[:min(len(data), 5000)])
		if err != nil {
			return err
		}
		data = data[n:]
	}
	if err := s.Commit(context.Background()); err != nil {
		return err
	}
	_, err = fmt.Printf("%s %d\n", s.Path(), i)
	return err
}

// A killed server leaves whole files: each as it was before an upload or after
// it, nothing of what was not committed, and nothing hidden once the Disk was
// opened again.
func TestKilled(t *testing.T) {
	for _, names := range []bool{false, true} {
		d := newDisk(t, nil)
		promised := make(map[vfs.Path]bool)
		for range 8 {
			args := []string{d.host, stateOf(d)}
			if names {
				args = append(args, "names")
			}
			killAfter(t, 1+rand.IntN(40), args, promised)
			again := reopen(t, configOf(d))
			checkWhole(t, again, promised)
		}
	}
}

// killAfter lets a child upload until it has reported n commits, and kills it.
func killAfter(t *testing.T, n int, args []string, promised map[vfs.Path]bool) {
	t.Helper()
	cmd := child(t, "uploads", args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 0; lines.Scan(); i++ {
		if name, _, whole := strings.Cut(lines.Text(), " "); whole {
			promised[vfs.Path(name)] = true
		}
		if i == n {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
}

// checkWhole looks at everything that is on the disk.
func checkWhole(t *testing.T, d linkedDisk, promised map[vfs.Path]bool) {
	t.Helper()
	if hidden := hiddenFiles(t, d.host); len(hidden) > 0 {
		t.Errorf("hidden files are left: %q", hidden)
	}
	files, err := os.ReadDir(d.host)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[vfs.Path]bool)
	for _, file := range files {
		p := vfs.Root.Join(file.Name())
		seen[p] = true
		data, err := os.ReadFile(d.at(p))
		if err != nil {
			t.Fatal(err)
		}
		if info, err := file.Info(); err != nil || info.Mode() != 0o644 {
			t.Errorf("%s has mode %v, %v", p, info.Mode(), err)
		}
		letters := [][]byte{data}
		if strings.HasPrefix(file.Name(), "log") {
			letters = bytes.SplitAfter(data, []byte("."))
			letters = letters[:len(letters)-1]
		}
		for i, each := range letters {
			if !whole(each) {
				t.Fatalf("letter %d of %d in %s (%d bytes) is torn", i, len(letters), p, len(data))
			}
		}
		if len(letters) > 0 && len(data) != len(bytes.Join(letters, nil)) {
			t.Fatalf("%s ends in the middle of a letter", p)
		}
	}
	for p := range promised {
		if !seen[p] {
			t.Errorf("%s was committed and is not there", p)
		}
	}
	if journals, _ := filepath.Glob(filepath.Join(stateOf(d), "journal-*")); len(journals) == 0 {
		t.Error("there is no journal")
	}
}

// childAppend appends half a line, says so, and waits to be killed. Arguments:
// root, state, path.
func childAppend(args []string) error {
	d, err := vfs.OpenDisk(vfs.DiskConfig{Root: args[0], State: args[1]})
	if err != nil {
		return err
	}
	s, err := d.Stage(vfs.Path(args[2]), vfs.StageOptions{Append: true, Owner: "ann"})
	if err != nil {
		return err
	}
	if _, err := s.Write([]byte("half a li")); err != nil {
		return err
	}
	fmt.Println("written")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// beside starts a child that appends half a line to p, and returns what kills it.
func beside(t *testing.T, d linkedDisk, p vfs.Path) (kill func()) {
	t.Helper()
	cmd := child(t, "append", d.host, stateOf(d), string(p))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "written\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		in.Close()
	}
}
