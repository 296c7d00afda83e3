package edge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// asThemselves serves each user a directory of his own, "/" followed by his name,
// with the rights of a user of the host (the model's run_as_current_user).
func asThemselves(disk *vfs.Disk, ids map[string]vfs.Credentials) pi.Home {
	return func(_ context.Context, who policy.Session, _ policy.Identity) (vfs.FS, func(), error) {
		id, known := ids[who.User]
		if !known {
			return nil, nil, errors.New("nobody on this host has that name")
		}
		own, err := disk.Sub(vfs.Root.Join(who.User)) // opened with the server's rights
		if err != nil {
			return nil, nil, err
		}
		release := func() { _ = own.(*vfs.Disk).Close() }
		files, err := vfs.AsUser(own, id) // everything below, with the user's
		if err != nil {
			release()
			return nil, nil, err
		}
		return files, release, nil
	}
}

// On Linux, a server with CAP_SETUID and CAP_SETGID can do to files what a user of
// the host may do to them. Disk.AsUser says what that is worth.
func Example_asUser() {
	top := must(os.MkdirTemp("", "edge"))
	defer os.RemoveAll(top)
	check(os.Mkdir(top+"/anna", 0o755))
	check(os.Chown(top+"/anna", 2001, 2001))
	check(os.WriteFile(top+"/anna/root.txt", []byte("of root's"), 0o600))

	disk := must(vfs.OpenDisk(vfs.DiskConfig{Root: top}))
	conf := basic()
	conf.FS, conf.Home = disk, asThemselves(disk, map[string]vfs.Credentials{"anna": {UID: 2001, GID: 2001}})
	serve(must(edge.New(conf)), func(c *client) {
		c.login()
		c.put("STOR mine.txt", "hello")
		must(c.Must("EPSV", 229))
		c.say("RETR root.txt", "PWD")
	})
	info := must(disk.Stat("/anna/mine.txt"))
	fmt.Println("mine.txt is of", info.UID)
	check(disk.Close())
	// With these rights, it prints:
	// > STOR mine.txt
	// < 226 Transfer complete.
	// > RETR root.txt
	// < 550 The server may not do that to the file.
	// > PWD
	// < 257 "/" is the working directory.
	// mine.txt is of 2001
}

// TestExampleAsUser runs the example where it can be run.
func TestExampleAsUser(t *testing.T) {
	if err := vfs.RunAs(vfs.Credentials{UID: 2001, GID: 2001}, func() error { return nil }); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	code, _, err := excerpt("edge/example_asuser_linux_test.go", []string{"Example_asUser"})
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(code, "it prints:\n")
	want = strings.TrimSuffix(strings.ReplaceAll(want, "\t// ", ""), "}")

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = w
	Example_asUser()
	os.Stdout = stdout
	_ = w.Close()
	if got, err := io.ReadAll(r); err != nil || want == "" || string(got) != want {
		t.Errorf("it prints\n%s%v, want\n%s", got, err, want)
	}
}
