package blackbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

func pathAttacks() []attack {
	return []attack{
		{name: "path-up-read", row: 67, correct: "no spelling of .. reads what is outside", try: pathUpRead},
		{name: "path-up-list", row: 67, correct: "nor lists it", try: pathUpList},
		{name: "path-up-write", row: 67, correct: "nor writes there", try: pathUpWrite},
		{name: "symlink-out-read", row: 68, correct: "links out of the tree are not read", try: linkRead},
		{name: "symlink-out-write", row: 68, correct: "nor written", try: linkWrite},
		{name: "symlink-race", row: 69, correct: "a link that is swapped in is not followed", try: linkRace},
		{name: "symlink-loop", row: 71, correct: "loops of links end", try: linkLoop},
		{name: "special-fifo-read", row: 73, correct: "RETR of a FIFO is refused at once", try: func(t *trial) { special(t, "fifo", "RETR") }},
		{name: "special-fifo-write", row: 73, correct: "STOR and APPE to a FIFO block nobody", try: fifoWrite},
		{name: "special-device-read", row: 73, correct: "RETR of a device is refused", try: func(t *trial) { special(t, "device", "RETR") }},
		{name: "special-socket", row: 73, correct: "RETR of a socket is refused", try: func(t *trial) { special(t, "socket", "RETR") }},
		{name: "special-size", row: 73, correct: "SIZE, MDTM, MLST of a FIFO block nobody", try: specialSize},
		{name: "rename-across-mounts", row: 74, correct: "a file is moved whole or stays", try: acrossMounts},
		{name: "rename-across-mounts-symlink", row: 74, correct: "and follows no link there", try: acrossMountsLink},
		{name: "rename-order", row: 75, correct: "what makes no sense is refused", try: renameOrder},
		{name: "name-lengths", row: 76, correct: "long names are exact or refused", try: nameLengths},
		{name: "name-odd-bytes", row: 77, correct: "odd names are kept byte for byte or refused", try: oddNames},
		{name: "name-on-disk-odd", row: 77, correct: "odd names on disk are that file or refused", try: oddOnDisk},
		{name: "listing-not-forged", row: 78, correct: "names forge no lines", try: notForged},
		{name: "pwd-quotes-doubled", row: 79, correct: "quotes in 257 are doubled", try: quotes},
		{name: "site-abuse", row: 81, correct: "SITE opens no back door", try: siteAbuse},
		{name: "chmod-no-setuid", row: 81, correct: "setuid bits are never set", try: noSetuid},
		{name: "time-garbage", row: 82, correct: "times that are none change nothing", try: timeGarbage},
	}
}

// secret is a file beside the served directory.
const (
	secret      = "outside-secret.txt"
	treasure    = "the treasure outside"
	neverListed = "outside-only-marker"
)

// beside is the directory that holds the served one.
func (t *trial) beside() string { return filepath.Dir(t.Root) }

// ups are spellings of the directory above the root.
func ups() []string {
	return []string{"..", "../..", "/..", "/../..", "../../../../../../..", "./../..", "..//..", "/./..", "x/../../..", "...", "....//..", "..\\..", "..\\", "%2e%2e", "%2e%2e%2f%2e%2e", "..%2f..",
		"\xc0\xae\xc0\xae", "\xe0\x80\xae\xe0\x80\xae", "\uff0e\uff0e", "..;", "..\xff", "\xff\xf1..", "~/..", "~root", "~", "-/..", "..\t", " ..", ".. ", "/proc/self/root", "/proc/self/cwd/..", "..\x00"}
}

func pathUpRead(t *trial) {
	t.plantDir("x")
	c := t.login(0)
	for _, up := range append(ups(), t.beside(), "/") {
		for _, line := range []string{"RETR " + up + "/" + secret, "RETR " + t.cwd + "/" + up + "/" + secret, "RETR " + up + "\\" + secret} {
			text, err := t.get(c, line)
			t.check(!strings.Contains(text, treasure), "%q reads it", line)
			c = t.alive(c, err)
		}
		r, err := c.Do("SIZE " + up + "/" + secret)
		t.check(err != nil || r.Code >= 400, "SIZE %q was answered %q", up, r)
		c = t.alive(c, err)
	}
}

// alive is the session, or a new one where the server has ended it.
func (t *trial) alive(c *userpi.Client, err error) *userpi.Client {
	var refused *userpi.Unexpected
	if err == nil || errors.As(err, &refused) {
		return c
	}
	if r, err := c.Do("NOOP"); err == nil && r.Code == 200 {
		return c
	}
	c.Close()
	return t.login(0)
}

func pathUpList(t *trial) {
	t.plantDir("x")
	c := t.login(0)
	for _, up := range append(ups(), t.beside()) {
		for _, verb := range []string{"LIST ", "NLST ", "MLSD "} {
			text, err := t.get(c, verb+up)
			t.check(!strings.Contains(text, neverListed), "%s%q lists it", verb, up)
			c = t.alive(c, err)
		}
		r, err := c.Do("STAT " + up)
		t.check(err != nil || !strings.Contains(r.String(), neverListed), "STAT %q lists it", up)
		c = t.alive(c, err)
		if r, err := c.Do("CWD " + up); err == nil && r.Code == 250 {
			text, err := t.get(c, "NLST")
			t.check(!strings.Contains(text, neverListed), "CWD %q leads there", up)
			c = t.alive(c, err)
			t.do(c, "CWD "+t.cwd, 250)
		}
	}
}

func pathUpWrite(t *trial) {
	t.plantDir("x")
	t.plant("file", "x")
	before, err := os.ReadDir(t.beside())
	t.must(err)
	c := t.login(0)
	for i, up := range append(ups(), t.beside()) {
		name := fmt.Sprintf("%s/written-%d", up, i)
		c = t.alive(c, t.put(c, "STOR "+name, "x"))
		for _, line := range []string{"MKD " + name + "d", "DELE " + up + "/" + secret, "RMD " + up + "/" + neverListed, "SITE CHMOD 755 " + up + "/" + secret} {
			_, err = c.Do(line)
			c = t.alive(c, err)
		}
		if r, err := c.Do("RNFR file"); err == nil && r.Code == 350 {
			_, err = c.Do("RNTO " + name + "r")
			c = t.alive(c, err)
			if !t.has("file") {
				t.plant("file", "x")
			}
		}
	}
	after, err := os.ReadDir(t.beside())
	t.must(err)
	for _, e := range after {
		t.check(!strings.HasPrefix(e.Name(), "written-"), "there is %s outside", e.Name())
	}
	t.check(len(after) >= len(before), "something outside is gone")
	t.untouched()
}

// untouched holds that the secret is as it was.
func (t *trial) untouched() {
	text, err := os.ReadFile(filepath.Join(t.beside(), secret))
	t.check(err == nil && string(text) == treasure, "the file outside is %q, %v", text, err)
	info, err := os.Lstat(filepath.Join(t.beside(), secret))
	t.check(err == nil && info.Mode() == 0o666, "the file outside is %v, %v", info, err)
}

// links makes links to the outside of every kind and returns names by which the secret
// might be reached.
func (t *trial) links() (files, dirs []string) {
	depth := strings.Repeat("../", strings.Count(t.cwd, "/")+1)
	t.plantDir("in")
	t.link(filepath.Join(t.beside(), secret), "absolute")
	t.link(depth+secret, "relative")
	t.link("absolute", "chained")
	t.link("in/../"+depth+secret, "through")
	t.link(t.beside(), "dir")
	t.link(depth, "up")
	t.link("dir", "chain")
	t.link("/proc/self/root"+t.beside(), "magic")
	files = []string{"absolute", "relative", "chained", "through", "absolute/", "absolute/."}
	for _, d := range []string{"dir", "up", "chain", "magic", "dir/.", "dir/./in/.."} {
		files = append(files, d+"/"+secret)
		dirs = append(dirs, d, d+"/", d+"/.")
	}
	return files, dirs
}

func linkRead(t *trial) {
	files, dirs := t.links()
	c := t.login(0)
	for _, f := range files {
		text, err := t.get(c, "RETR "+f)
		t.check(!strings.Contains(text, treasure), "RETR %s reads it", f)
		c = t.alive(c, err)
	}
	for _, d := range dirs {
		for _, verb := range []string{"LIST ", "NLST ", "MLSD "} {
			text, err := t.get(c, verb+d)
			t.check(!strings.Contains(text, neverListed), "%s%s lists it", verb, d)
			c = t.alive(c, err)
		}
		if r, err := c.Do("CWD " + d); err == nil && r.Code == 250 {
			text, err := t.get(c, "NLST")
			t.check(!strings.Contains(text, neverListed), "CWD %s leads there", d)
			c = t.alive(c, err)
			t.do(c, "CWD "+t.cwd, 250)
		}
	}
}

func linkWrite(t *trial) {
	files, dirs := t.links()
	t.link(filepath.Join(t.beside(), "written-new"), "dangling")
	t.plant("file", "x")
	c := t.login(0)
	for _, f := range append(files, "dangling") {
		c = t.alive(c, t.put(c, "STOR "+f, "overwritten"))
		c = t.alive(c, t.put(c, "APPE "+f, "appended"))
		for _, line := range []string{"SITE CHMOD 755 " + f, "MFMT 20010101000000 " + f} {
			_, err := c.Do(line)
			c = t.alive(c, err)
		}
		t.untouched()
	}
	for _, d := range dirs {
		c = t.alive(c, t.put(c, "STOR "+d+"/written-file", "x"))
		for _, line := range []string{"MKD " + d + "/written-dir", "DELE " + d + "/" + secret, "RMD " + d + "/" + neverListed, "RNFR file", "RNTO " + d + "/written-name"} {
			_, err := c.Do(line)
			c = t.alive(c, err)
		}
		t.untouched()
	}
	t.check(t.outside("written-*") == 0, "something was written outside")
}

// outside is how many names beside the root are of a pattern.
func (t *trial) outside(pattern string) int {
	found, err := filepath.Glob(filepath.Join(t.beside(), pattern))
	t.must(err)
	return len(found)
}

func linkRace(t *trial) {
	t.plantDir("real")
	t.plant("real/"+secret, "inside")
	t.link(t.beside(), "evil")
	t.must(os.Symlink("real", t.host("spare")))
	quit := make(chan struct{})
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-quit:
				return
			default:
			}
			_ = os.Rename(t.host("real"), t.host("swap"))
			_ = os.Rename(t.host("evil"), t.host("real"))
			_ = os.Rename(t.host("real"), t.host("evil"))
			_ = os.Rename(t.host("swap"), t.host("real"))
		}
	})
	defer swapper.Wait()
	defer close(quit)
	span := 500 * time.Millisecond
	if t.full {
		span = 5 * time.Second
	}
	c := t.login(0)
	for end := time.Now().Add(span); time.Now().Before(end); {
		text, err := t.get(c, "RETR real/"+secret)
		t.check(!strings.Contains(text, treasure), "the file outside was read")
		c = t.alive(c, err)
		c = t.alive(c, t.put(c, "STOR real/written-race", "x"))
	}
	t.check(t.outside("written-*") == 0, "something was written outside")
}

func linkLoop(t *trial) {
	t.link("b", "a")
	t.link("a", "b")
	t.link(".", "loop")
	c := t.login(0)
	c.Timeout = 5 * time.Second
	for _, line := range []string{"CWD a", "SIZE a", "CWD a/b", "DELE a/b"} {
		t.refused(c, line)
	}
	_, err := t.get(c, "RETR a")
	t.check(err != nil, "a loop was read")
	began := time.Now()
	text, err := t.get(c, "LIST -R")
	c = t.alive(c, err)
	t.check(len(text) < 1<<20 && time.Since(began) < 5*time.Second, "LIST -R has %d bytes after %v", len(text), time.Since(began))
	t.inStep(c, "LIST -R")
}

// plantSpecial makes a file that is none.
func (t *trial) plantSpecial(kind string) {
	var err error
	switch kind {
	case "fifo":
		err = mknod(t.host(kind), fifo, 0)
	case "device":
		err = mknod(t.host(kind), device, 1<<8|5) // /dev/zero
		t.onlyRoot(err)
	case "socket":
		here, err := os.Getwd()
		t.must(err)
		at, err := filepath.Rel(here, t.host(kind)) // short enough for an address
		t.must(err)
		l, err := net.Listen("unix", at)
		t.must(err)
		t.later(func() { l.Close() })
	}
	t.must(err)
	t.must(os.Chmod(t.host(kind), 0o666))
	t.must(t.give(t.host(kind)))
}

func special(t *trial, kind, verb string) {
	t.plantSpecial(kind)
	c := t.login(0)
	c.Timeout = 3 * time.Second
	p, err := c.Prepare(userpi.EPSV)
	t.must(err)
	t.must(c.Send(verb + " " + kind))
	conn, err := p.Open()
	t.must(err)
	defer conn.Close()
	r, err := c.Reply()
	if err == nil && r.Code < 200 { // then it ends at once, and with nothing
		_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		data := make([]byte, 1)
		n, _ := conn.Read(data)
		t.check(n == 0, "%s of a %s sends something", verb, kind)
		r, err = c.Reply()
	}
	t.others(soon)
	t.check(err == nil && r.Code >= 400, "%s of a %s was answered %v, %v", verb, kind, r, err)
	t.inStep(c, verb)
}

func fifoWrite(t *trial) {
	t.plantSpecial("fifo")
	for i, verb := range []string{"STOR", "APPE"} {
		c := t.login(i)
		c.Timeout = 3 * time.Second
		p, err := c.Prepare(userpi.EPSV)
		t.must(err)
		t.must(c.Send(verb + " fifo"))
		conn, err := p.Open()
		t.must(err)
		_, _ = conn.Write([]byte("x"))
		conn.Close()
		r, err := c.Reply()
		if err == nil && r.Code < 200 {
			r, err = c.Reply()
		}
		t.others(soon)
		t.check(err == nil, "%s: %v", verb, err) // a refusal, or a file in its place
		t.inStep(c, verb)
	}
}

func specialSize(t *trial) {
	t.plantSpecial("fifo")
	c := t.login(0)
	c.Timeout = 3 * time.Second
	for _, verb := range []string{"SIZE", "MDTM", "MLST", "STAT", "HASH", "XCRC", "RNFR"} {
		_, err := c.Do(verb + " fifo")
		t.check(err == nil, "%s: %v", verb, err)
	}
	t.others(soon)
	t.inStep(c, "SIZE")
}

// small mounts a small file system in the case's directory.
func (t *trial) small(options string) {
	t.plantDir("small")
	t.onlyRoot(mount(t.host("small"), options))
	t.later(func() { unmount(t.host("small")) })
	t.must(os.Chmod(t.host("small"), 0o777))
	t.must(t.give(t.host("small")))
}

func acrossMounts(t *trial) {
	t.small("size=1m")
	text := strings.Repeat("whole", 1000)
	t.plant("file", text)
	c := t.login(0)
	t.do(c, "RNFR file", 350)
	r, err := c.Do("RNTO small/file")
	t.must(err)
	if r.Code == 250 {
		t.check(t.read("small/file") == text && !t.has("file"), "the file is not whole")
		return
	}
	t.check(t.read("file") == text && !t.has("small/file"), "%v, and the file is not as it was", r)
}

func acrossMountsLink(t *trial) {
	t.small("size=1m")
	t.plant("file", "attack")
	c := t.login(0)
	for _, name := range []string{"absolute", "relative"} {
		target := filepath.Join(t.beside(), secret)
		if name == "relative" {
			target = strings.Repeat("../", strings.Count(t.cwd, "/")+2) + secret
		}
		t.must(os.Symlink(target, t.host("small/"+name)))
		t.must(t.give(t.host("small/" + name)))
		t.do(c, "RNFR file", 350)
		r, err := c.Do("RNTO small/" + name)
		t.must(err)
		t.untouched()
		if r.Code == 250 {
			t.plant("file", "attack")
		}
	}
}

func renameOrder(t *trial) {
	t.plantDir("d")
	t.plant("d/file", "x")
	c := t.login(0)
	t.refused(c, "RNTO somewhere")
	for _, pair := range [][2]string{{"/", "moved"}, {"d", "d/d"}, {"d", "d/e/f"}, {".", "moved"}, {"..", "moved"}, {"d/..", "moved"}, {"none", "moved"}} {
		r, err := c.Do("RNFR " + pair[0])
		t.must(err)
		if r.Code != 350 {
			continue
		}
		r, err = c.Do("RNTO " + pair[1])
		t.check(err == nil && r.Code >= 400, "%s to %s: %v, %v", pair[0], pair[1], r, err)
	}
	t.check(t.read("d/file") == "x", "the directory is not as it was")
	t.inStep(c, "RNTO")
}

func nameLengths(t *trial) {
	c := t.login(0)
	for _, n := range []int{255, 256, 300} {
		name := strings.Repeat("n", n)
		err := t.put(c, "STOR "+name, "x")
		entries, readErr := os.ReadDir(t.dir)
		t.must(readErr)
		t.check(len(entries) == 0 && err != nil || len(entries) == 1 && entries[0].Name() == name, "a name of %d bytes: %v, %v", n, entries, err)
		c = t.alive(c, err)
		_ = os.Remove(t.host(name))
	}
	for _, line := range []string{"CWD " + strings.Repeat("a/", 2100), "MKD " + strings.Repeat("a/", 2100) + "x", "SIZE " + strings.Repeat("./", 2040) + "x"} {
		t.refused(c, line)
		t.inStep(c, line)
	}
}

func oddNames(t *trial) {
	c := t.login(0)
	for _, name := range []string{"with space", "-la", "*star", "[x]", "caf\xe9", "\u202ereversed", "  lead", "trail ", "a\\b", "%00", "~tilde", "quote\"'", ";facts=1;", "?", "{a,b}", "$HOME", "\u00e9", "e\u0301", "#", "|pipe", ">out", "a\tb", "&", "CON", "..."} {
		err := t.put(c, "STOR "+name, "x")
		c = t.alive(c, err)
		entries, readErr := os.ReadDir(t.dir)
		t.must(readErr)
		t.check(len(entries) <= 1, "%q became %v", name, entries)
		for _, e := range entries {
			t.check(e.Name() == name, "%q became %q", name, e.Name())
			t.must(os.Remove(t.dir + "/" + e.Name()))
		}
		t.check(err != nil || len(entries) == 1, "%q is nowhere", name)
	}
}

func oddOnDisk(t *trial) {
	names := []string{"with space", "-la", "*", "[x]", "caf\xe9", "\u202ereversed", " lead", "trail ", "a\\b", "%41", "~", "a\x01b", "\x7f", "{a,b}", "?"}
	for _, name := range names {
		t.plant(name, "this is "+name)
	}
	t.plant("A", "another")
	c := t.login(0)
	for _, name := range names {
		text, err := t.get(c, "RETR "+name)
		t.check(err != nil || text == "this is "+name, "RETR %q sends %q", name, text)
		c = t.alive(c, err)
	}
	_, err := t.get(c, "NLST")
	t.must(err)
}

func notForged(t *trial) {
	forged := "-rw-r--r-- 1 0 0 0 Jan  1  2020 forged"
	for _, name := range []string{"a\r\n" + forged, "b\nforged", "c\r\ntype=file;size=1; forged", "d\n226 forged", "e\x00"[:1] + "\r226 forged"} {
		t.plant(name, "x")
	}
	c := t.login(0)
	for _, verb := range []string{"LIST", "NLST", "MLSD", "LIST -a"} {
		text, err := t.get(c, verb)
		c = t.alive(c, err)
		for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r", "\n"), "\n") {
			for _, begin := range []string{forged, "forged", "type=file;size=1; forged", "226 forged"} {
				t.check(!strings.HasPrefix(line, begin), "%s has the line %q", verb, line)
			}
		}
	}
	t.must(c.Send("STAT ."))
	t.must(c.Send("NOOP"))
	for range 3 {
		r, err := c.Reply()
		t.check(err == nil && !strings.HasPrefix(r.Text(), "forged"), "STAT: %v, %v", r, err)
		if r.Code == 200 {
			return
		}
	}
	t.fail("STAT has too many replies")
}

func quotes(t *trial) {
	c := t.login(0)
	t.do(c, "MKD a\"b", 257)
	t.do(c, "CWD a\"b", 250)
	r := t.do(c, "PWD", 257)
	t.check(strings.Contains(r.Text(), `/a""b"`), "PWD: %v", r)
}

func siteAbuse(t *trial) {
	t.plant("file", "x")
	t.must(os.Chmod(t.host("file"), 0o644))
	c := t.login(0)
	up := strings.Repeat("../", 8)
	for _, line := range []string{"SITE EXEC id", "SITE EXEC /bin/id", "SITE EXEC %p%p%n", "SITE CHOWN 0 file", "SITE CHGRP 0 file", "SITE SYMLINK " + t.beside() + "/" + secret + " made", "SITE LINK " + up + secret + " made2",
		"SITE CPFR " + up + secret, "SITE CPTO stolen", "SITE CPFR " + t.beside() + "/" + secret, "SITE CPTO stolen2", "SITE CPFR /proc/self/environ", "SITE CPTO stolen3", "SITE RMDIR ..", "SITE MKDIR ../../../written-site", "SITE UTIME 99999999999999999999 file",
		"SITE CHMOD " + strings.Repeat("7", 4000) + " file", "SITE CHMOD -1 file", "SITE UMASK 0", "SITE SHUTDOWN", "SITE GROUP 0", "SITE INDEX x", "SITE PSWD a b", "SITE ADDUSER x y"} {
		r, err := c.Do(line)
		verb := strings.Fields(line)[1]
		never := verb == "EXEC" || verb == "CHOWN" || verb == "SHUTDOWN" || verb == "PSWD" || verb == "ADDUSER"
		t.check(err != nil || !never || r.Code >= 400, "%.60s was answered %q", line, r)
		c = t.alive(c, err)
	}
	for _, name := range []string{"stolen", "stolen2", "stolen3", "made", "made2"} {
		text, err := t.get(c, "RETR "+name)
		t.check(!strings.Contains(text, treasure) && !strings.Contains(text, "PATH="), "%s is from outside", name)
		c = t.alive(c, err)
	}
	t.check(t.outside("written-*") == 0, "something was made outside")
	t.check(t.Alive(), "the server has ended")
	t.others(soon)
}

func noSetuid(t *trial) {
	t.plant("file", "x")
	t.plantDir("d")
	c := t.login(0)
	for _, name := range []string{"file", "d"} {
		for _, line := range []string{"SITE CHMOD 4777 ", "SITE CHMOD 2777 ", "SITE CHMOD 7777 ", "SITE CHMOD u+s ", "MFF UNIX.mode=4777; ", "MFF unix.mode=06755; ", "SITE UMASK 7000 "} {
			_, err := c.Do(line + name)
			t.must(err)
			info, err := os.Lstat(t.host(name))
			t.must(err)
			t.check(info.Mode()&(os.ModeSetuid|os.ModeSetgid) == 0, "%s%s made it %v", line, name, info.Mode())
		}
	}
}

func timeGarbage(t *trial) {
	t.plant("file", "x")
	when := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	t.must(os.Chtimes(t.host("file"), when, when))
	c := t.login(0)
	for _, stamp := range []string{"99999999999999", "20240230000000", "20231301000000", "-1", "99999999999999999999999999", "20240101", "2024010100000x", "", "20240101250000", "00000000000000", "20240101000000.", "20240101000000+9999999999", "18446744073709551616"} {
		for _, verb := range []string{"MFMT ", "MFF modify=" + stamp + "; file #", "SITE UTIME file "} {
			line, _, _ := strings.Cut(verb+stamp+" file", " #")
			_, err := c.Do(line)
			t.check(err == nil, "%s: %v", line, err)
			info, err := os.Lstat(t.host("file"))
			t.check(err == nil && info.ModTime().Equal(when), "%s set it to %v", line, info.ModTime())
		}
	}
	t.inStep(c, "MFMT")
}
