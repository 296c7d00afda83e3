package hostile

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func onDisk(s *setup) { s.onDisk = true }

// sparse makes a file of which most is nowhere.
func (r *rig) sparse(name string, size int64) {
	r.Helper()
	path := filepath.Join(r.root, name)
	r.must(os.WriteFile(path, nil, 0o644))
	if err := os.Truncate(path, size); err != nil {
		r.cannot("there are no sparse files here: " + err.Error())
	}
}

// hashing computes digests of a tebibyte: ABOR ends that, and so does the end of the
// control connection, whatever commands wait.
func hashing(t *testing.T) {
	r := serve(t, onDisk)
	r.sparse("huge", 1<<40)
	c := r.login()
	for _, line := range []string{"HASH huge", "XCRC huge", "XMD5 huge 1 1099511627775", "XSHA512 \"huge\" 5", "HASH huge"} {
		r.must(c.Send(line))
		_, err := c.Write([]byte(strings.Repeat("NOOP\r\n", 10) + "\xff\xf4\xff\xf2ABOR\r\n"))
		r.must(err)
		r.expect(c, line, 426)
		r.expect(c, "ABOR", 226)
		for range 10 {
			r.expect(c, "NOOP", 200)
		}
	}
	var all []*userpi.Client
	for i, behind := range []string{"", "NOOP\r\n", strings.Repeat("NOOP\r\n", 100), "QUIT\r\n", "REIN\r\nNOOP\r\n", "PWD\r\nAUTH TLS\r\n"} {
		for range 2 {
			c := r.login()
			line := []string{"HASH huge", "XSHA1 huge"}[i%2]
			if i == 5 {
				line = "SITE CPFR huge\r\nSITE CPTO copy"
			}
			_, err := c.Write([]byte(line + "\r\n" + behind))
			r.must(err)
			all = append(all, c)
		}
	}
	r.until("they are at work", func() bool { return r.srv.Status().Transfers >= len(all) })
	for i, c := range all {
		if i%2 == 0 {
			reset(c.Raw())
		}
		_ = c.Close()
	}
	r.until("the work ends with the connections", func() bool { return r.srv.Status().Sessions <= 3 && r.srv.Status().Transfers <= 1 })
	r.meanwhile()
}

// hashCrowd has digests without end computed by more clients than there are turns: they
// are told no in time, an honest user of another name has a turn meanwhile, and what
// takes too long is ended.
func hashCrowd(t *testing.T) {
	r := serve(t, func(s *setup) {
		onDisk(s)
		s.Transfer.HashParallel, s.Transfer.HashTime = 2, 2*time.Second
	})
	r.sparse("huge", 1<<40)
	r.sparse("small", 1<<20)
	const n = 20
	var all []*userpi.Client
	for i := range n {
		c := r.login()
		r.must(c.Send([]string{"HASH huge", "XCRC huge", "XSHA512 huge"}[i%3]))
		all = append(all, c)
	}
	other := r.meet()
	other.Timeout = 2 * userpi.Timeout
	r.must(other.Identify("somebody", password))
	began := time.Now()
	r.do(other, "XMD5 small", 250)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a small digest of somebody else took %v", took)
	}
	r.expect(all[0], "a digest without end", 450)
	reset(all[1].Raw())
	r.expect(all[n-1], "one too many", 450) // at once: so many do not wait
	r.do(all[n-1], "NOOP", 200)
}

// copies tries to copy what lies outside, or to a place outside, or what belongs to
// somebody else's tree.
func copies(t *testing.T) {
	r := serve(t, onDisk)
	outside := filepath.Join(t.TempDir(), "secret")
	r.must(os.WriteFile(outside, []byte("not served"), 0o644))
	link := func(target, name string) {
		r.Helper()
		r.must(os.Symlink(target, filepath.Join(r.root, name)))
	}
	r.must(os.WriteFile(filepath.Join(r.root, "file"), []byte("served"), 0o644))
	r.must(os.Mkdir(filepath.Join(r.root, "dir"), 0o755))
	r.must(os.Link(filepath.Join(r.root, "file"), filepath.Join(r.root, "hard")))
	link("../../"+filepath.Base(filepath.Dir(outside))+"/secret", "out")
	link(outside, "absolute")
	link("..", "up")
	link("file", "soft")
	link("loop", "loop")
	link("/proc/self/root"+outside, "proc")
	c := r.login()
	for _, from := range []string{"out", "absolute", "up/root/file", "loop", "proc", "dir", "missing", "../../etc/passwd", "/proc/self/environ"} {
		r.do(c, "SITE CPFR "+from, 550)
		r.do(c, "SITE CPTO taken", 503)
	}
	for _, to := range []string{"out", "absolute", "up/planted", "loop", "proc", "dir", "missing/x", "dir/", "up", "."} {
		r.do(c, "SITE CPFR file", 350)
		r.do(c, "SITE CPTO "+to, 550, 553)
		r.do(c, "SITE CPTO again", 503)
	}
	for _, to := range []string{"soft", "hard", "dir/../file", "file"} { // itself, by other names
		r.do(c, "SITE CPFR file", 350)
		r.do(c, "SITE CPTO "+to, 250, 553)
		if got := r.get(c, "RETR file"); got != "served" {
			t.Errorf("after the copy onto %s the file holds %q", to, got)
		}
	}
	// The source becomes a link to the outside, between the two commands.
	r.do(c, "SITE CPFR hard", 350)
	r.must(os.Remove(filepath.Join(r.root, "hard")))
	link(outside, "hard")
	r.do(c, "SITE CPTO taken", 550)
	for _, between := range []string{"REIN", "USER " + user} { // somebody else, perhaps with another tree
		r.do(c, "SITE CPFR file", 350)
		r.do(c, between, 220, 331)
		r.must(c.Identify(user, password))
		r.do(c, "SITE CPTO taken", 503)
	}
	if got, err := os.ReadFile(outside); err != nil || string(got) != "not served" {
		t.Errorf("outside there is now %q, %v", got, err)
	}
	if _, err := os.Lstat(filepath.Join(r.root, "taken")); err == nil {
		t.Error("something was copied")
	}
}

// copiesBetweenRoots: each user has a tree of its own, and there is no way between
// them that leads over a login.
func copiesBetweenRoots(t *testing.T) {
	trees := map[string]*vfs.Mem{"anna": vfs.NewMem(), "bert": vfs.NewMem()}
	for name, tree := range trees {
		if err := tree.WriteFile("/mine", []byte("of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	r := serve(t, func(s *setup) {
		s.unwatched = true
		s.Home = func(_ context.Context, who policy.Session, _ policy.Identity) (vfs.FS, func(), error) {
			return trees[who.User], nil, nil
		}
	})
	for _, lines := range [][]string{{"SITE CPFR mine", "SITE CPTO got"}, {"RNFR mine", "RNTO got"}} {
		c := r.meet()
		r.must(c.Identify("anna", password))
		r.do(c, lines[0], 350)
		r.must(c.Identify("bert", password))
		r.do(c, lines[1], 503)
		r.do(c, lines[0], 350)
		r.do(c, lines[1], 250)
		if got := r.get(c, "RETR got"); got != "of bert" {
			t.Errorf("%s: bert has %q", lines[1], got)
		}
	}
	if _, err := trees["anna"].Lstat("/mine"); err != nil {
		t.Errorf("anna's file: %v", err)
	}
}

// numbers sends offsets and ranges at the ends of what 64 bits hold.
func numbers(t *testing.T) {
	r := serve(t, onDisk)
	c := r.login()
	r.put(c, "STOR file", "0123456789")
	for _, n := range []string{"-1", "+1", "9223372036854775808", "18446744073709551615", "18446744073709551616", "1e3", "0x10", "1 2", "1,5", "٣", "", "-9223372036854775808", "NaN"} {
		r.do(c, "REST "+n, 501)
		r.do(c, "RANG "+n+" 5", 501)
		r.do(c, "RANG 0 "+n, 501)
		r.do(c, "RANG "+n+" "+n, 501)
		r.do(c, "ALLO "+n+" R x", 501, 202)
	}
	const most = "9223372036854775807"
	for _, line := range []string{"RETR file", "STOR file", "STOR new"} { // one use of it
		r.do(c, "REST "+most, 350)
		r.do(c, "EPSV", 229)
		r.do(c, line, 554, 550)
		r.do(c, "ABOR", 225)
		if got := r.get(c, "RETR file"); got != "0123456789" {
			t.Errorf("after %s the next download is %q", line, got)
		}
	}
	for _, line := range []string{"APPE file", "STOU"} {
		r.do(c, "REST "+most, 350)
		r.do(c, "EPSV", 229)
		r.do(c, line, 450, 501, 554)
	}
	r.do(c, "RANG 0 "+most, 501)
	r.do(c, "RANG 4611686018427387902 4611686018427387903", 350)
	r.do(c, "EPSV", 229)
	r.do(c, "RETR file", 554)
	for line, want := range map[string]string{
		"RANG 0 4611686018427387903": "0123456789", "RANG 9 9": "9", "RANG 0 0": "0", "RANG 2 4": "234", "RANG 10 99": "",
		"REST 4\r\nRANG 2 4": "234", "RANG 2 4\r\nREST 4": "456789", "RANG 2 4\r\nRANG 1 0": "0123456789", "REST 3\r\nRANG 1 0": "3456789",
		"REST 0\r\nRANG 8 4611686018427387903": "89", "RANG 5 4": "0123456789",
	} {
		for part := range strings.SplitSeq(line, "\r\n") {
			r.do(c, part, 350, 501)
		}
		if got := r.get(c, "RETR file"); got != want {
			t.Errorf("%q brings %q, not %q", line, got, want)
		}
	}
	for _, sum := range []string{"XCRC file " + most + " 1", "XCRC file -1 5", "XMD5 file 5 4", "XSHA1 file 0 " + most, "XCRC file 11 12", "XCRC file 18446744073709551616", "XMD5 file 4611686018427387903"} {
		r.do(c, sum, 501, 550, 554)
	}
	r.do(c, "HASH file", 213)
	r.do(c, "SIZE file", 213)
	if info, err := os.Stat(filepath.Join(r.root, "file")); err != nil || info.Size() != 10 {
		t.Errorf("the file is now %v, %v", info, err)
	}
	r.do(c, "TYPE A", 200)
	r.do(c, "REST 5", 501)
	r.do(c, "RANG 1 5", 501)
	r.do(c, "SIZE file", 550)
}

// bombs sends, in MODE Z, what unpacks to a thousand times as much.
func bombs(t *testing.T) {
	r := serve(t, onDisk)
	bomb := deflated(make([]byte, 24<<20)) // some 24 KiB
	for _, line := range []string{"STOR bomb", "APPE bomb", "STOU", "STOR bomb"} {
		c := r.login()
		r.do(c, "MODE Z", 200)
		before := spent()
		conn, err := c.Begin(userpi.EPSV, line)
		r.must(err)
		r.keep(conn)
		_, _ = conn.Write(bomb)
		conn.Close()
		r.expect(c, line, 552)
		r.bounded("memory for "+line, spent()-before, 32<<20)
		r.do(c, "NOOP", 200)
	}
	entries, err := os.ReadDir(r.root)
	r.must(err)
	for _, e := range entries {
		if e.Name() != "honest" {
			t.Errorf("%s is left", e.Name())
		}
	}
}

// compressedListings: a listing in MODE Z is the listing.
func compressedListings(t *testing.T) {
	r := serve(t, onDisk)
	for i := range 3000 {
		r.must(os.WriteFile(filepath.Join(r.root, fmt.Sprintf("file%04d", i)), nil, 0o644))
	}
	c := r.login()
	for _, line := range []string{"NLST file0*", "LIST -R", "MLSD", "LIST file1*", "NLST missing*"} {
		r.do(c, "MODE S", 200)
		r.do(c, "EPSV", 229)
		r.must(c.Send("NOOP"))
		r.expect(c, "NOOP", 200)
		plain, err := c.Get(userpi.EPSV, line)
		var no *userpi.Unexpected
		if errors.As(err, &no) {
			continue
		}
		r.must(err)
		r.do(c, "MODE Z", 200)
		packed := r.get(c, line)
		z, err := zlib.NewReader(strings.NewReader(packed))
		r.must(err)
		got, err := io.ReadAll(z)
		r.must(err)
		if line == "LIST -R" || line == "MLSD" { // the honest client's file changes
			got, plain = withoutHonest(got), withoutHonest(plain)
		}
		if !bytes.Equal(got, plain) || len(packed) >= len(plain) {
			t.Errorf("%s: %d bytes, %d packed, %d unpacked", line, len(plain), len(packed), len(got))
		}
	}
}

func withoutHonest(listing []byte) []byte {
	var out []byte
	for line := range bytes.SplitAfterSeq(listing, []byte("\n")) {
		if !bytes.Contains(line, []byte("honest")) {
			out = append(out, line...)
		}
	}
	return out
}

// facts sets thousands of them in one line.
func facts(t *testing.T) {
	r := serve(t, onDisk)
	c := r.login()
	r.put(c, "STOR file", "x")
	for _, fact := range []string{"modify=20200101000000;", "unix.mode=644;", "UNIX.mode=600;", "Modify=20200101000000;"} {
		line := "MFF " + strings.Repeat(fact, 8000/len(fact)) + " file"
		before := r.porter.count(policy.OpChmod) + r.porter.count(policy.OpSetTime)
		r.do(c, line, 501)
		if asked := r.porter.count(policy.OpChmod) + r.porter.count(policy.OpSetTime) - before; asked > 1 {
			t.Errorf("one line of %.20s leads to %d questions", fact, asked)
		}
	}
	for _, line := range []string{"MFF modify=20200101000000;unix.mode=4777; file", "MFF unix.mode=777;owner=root; file", "MFF modify=99999999999999; file",
		"MFF " + strings.Repeat(";", 8000) + " file", "MFF " + strings.Repeat("=;", 4000) + " file", "MFF unix.mode=777;; file", "MFF x", "MFF ; file"} {
		r.do(c, line, 501, 504)
	}
	info, err := os.Stat(filepath.Join(r.root, "file"))
	r.must(err)
	if info.Mode().Perm() != 0o644 || info.ModTime().Year() == 2020 {
		t.Errorf("what was refused has set %v, %v", info.Mode(), info.ModTime())
	}
	r.do(c, "MFF modify=20200101000000;UNIX.mode=600; file", 213)
}

// inTheMiddle begins to write in the middle of a large file, which is copied for that:
// ABOR ends it, and so does the end of the control connection.
func inTheMiddle(t *testing.T) {
	r := serve(t, onDisk)
	r.sparse("huge", 16<<30)
	for i := range 4 {
		c := r.login()
		c.Timeout = 5 * time.Second
		r.do(c, "REST 5", 350)
		conn, err := c.Begin(userpi.EPSV, "STOR huge")
		r.must(err)
		_, err = r.keep(conn).Write([]byte("x"))
		r.must(err)
		r.do(c, "NOOP", 200)
		if i%2 == 0 {
			r.do(c, "ABOR", 426)
			r.expect(c, "ABOR", 226)
			continue
		}
		reset(c.Raw())
	}
	r.until("nothing is at work any more", func() bool { return r.srv.Status().Transfers <= 1 })
	c := r.login() // nothing to write, but to copy all the same
	r.do(c, "REST 5", 350)
	conn, err := c.Begin(userpi.EPSV, "STOR huge")
	r.must(err)
	conn.Close()
	r.must(c.Send("ABOR"))
	r.expect(c, "STOR", 426, 226)
	r.expect(c, "ABOR", 226, 225)
	if info, err := os.Stat(filepath.Join(r.root, "huge")); err != nil || info.Size() != 16<<30 {
		t.Errorf("the file is now %v, %v", info, err)
	}
}

// times sets times that are none, and those at the ends of what there is.
func times(t *testing.T) {
	r := serve(t, onDisk)
	c := r.login()
	r.put(c, "STOR file", "x")
	for _, bad := range []string{"20261301000000", "20260230000000", "20260101240000", "20260101006000", "20260101000061", "2026010100000", "202601010000000",
		"-0260101000000", "+2026010100000", "99999999999999", "20260101000000.5x", "2026010100000a", "\u0662026010100000", ""} {
		for _, verb := range []string{"MFMT %s file", "MDTM %s file", "MFCT %s file", "SITE UTIME %s file", "SITE UTIME file %[1]s %[1]s %[1]s UTC", "MFF modify=%s; file"} {
			r.do(c, fmt.Sprintf(verb, bad), 501, 504, 550, 500)
		}
	}
	for _, far := range []string{"99991231235959", "00000101000000", "00010101000000", "19691231235959", "19011213204551", "20380119031408", "21060207062816", "25540722000000", "16770921001243"} {
		for _, verb := range []string{"MFMT %s file", "MDTM %s file", "SITE UTIME %s file", "MFF modify=%s; file"} {
			if reply := r.do(c, fmt.Sprintf(verb, far), 200, 213, 253, 501, 550); reply.Code >= 500 {
				continue
			}
			for _, line := range []string{"LIST", "MLSD", "NLST -t"} {
				if got := r.get(c, line); !strings.Contains(got, "file\r\n") {
					t.Errorf("after %s, %s: %q", far, line, got)
				}
			}
			for _, line := range []string{"MDTM file", "MLST file", "STAT file"} {
				r.do(c, line, 211, 212, 213, 250)
			}
		}
	}
	r.do(c, "SIZE file", 213)
}

// deflated is a text as MODE Z has it.
func deflated(text []byte) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write(text)
	_ = z.Close()
	return b.Bytes()
}
