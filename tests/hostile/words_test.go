package hostile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// words sends what clients say of themselves, at great length and in all bytes.
func words(t *testing.T) {
	r := serve(t, plain)
	for _, verb := range []string{"LANG", "CSID", "CLNT", "HOST", "OPTS HASH", "OPTS UTF8", "OPTS MLST", "SITE HELP", "HELP", "MFF", "AUTH", "USER"} {
		c := r.meet()
		before := spent()
		go fill(c.Raw(), []byte(verb+" "+strings.Repeat("\u202ex=\xff;", 200_000)+"\r\nNOOP\r\n"))
		r.expect(c, verb+" of a mebibyte", 500)
		r.must(c.Closed()) // there was no end in sight
		c = r.meet()
		for range 2 {
			r.do(c, verb+" "+strings.Repeat("a", 10_000), 500)
		}
		r.do(c, "NOOP", 200)
		r.bounded("memory for "+verb, spent()-before, 16<<20)
	}
	for _, text := range []string{strings.Repeat("x", 8000), strings.Repeat("\u00e4\u202e", 1000), strings.Repeat("\xff\xff\xfe", 2000), strings.Repeat("\x1b[31m", 1000),
		strings.Repeat("a-", 4000), strings.Repeat("a.", 4000), strings.Repeat("[", 8000), strings.Repeat("a=b;", 2000), "Name=" + strings.Repeat(";Name=", 1000)} {
		c := r.login()
		r.do(c, "CLNT "+text, 200)
		r.do(c, "CSID Name="+text+";Version="+text[:len(text)/2]+";", 200, 500, 501)
		r.do(c, "LANG "+text, 501, 504)
		r.do(c, "OPTS HASH "+text, 504)
		r.do(c, "OPTS MLST "+text, 200, 501)
		r.do(c, "OPTS MODE "+text, 501, 504)
		r.do(c, "HOST "+text, 503)
		r.do(c, "FEAT", 211)
		r.must(c.Quit())
	}
	r.until("the observers are told of all", func() bool { return r.porter.heard(policy.EventLogout) >= 9 })
	r.porter.mu.Lock()
	defer r.porter.mu.Unlock()
	for _, e := range r.porter.events {
		client := e.Session.Client
		if len(client) > 128 || !utf8.ValidString(client) || strings.ContainsFunc(client, func(c rune) bool { return c < ' ' || c >= 0x7f && c < 0xa0 }) {
			t.Errorf("the observers are told of the client %q", client)
		}
	}
}

// algorithms chooses digests that are not offered.
func algorithms(t *testing.T) {
	r := serve(t, func(s *setup) { s.Transfer.Hashes = []pi.Digest{pi.SHA512} })
	c := r.login()
	r.put(c, "STOR file", "x")
	for _, name := range []string{"MD5", "md5", "SHA-256", "CRC32", "SHA-512;MD5", "SHA-512 MD5", "*", "SHA-512*", "\xff"} {
		r.do(c, "OPTS HASH "+name, 504)
		if got := r.do(c, "HASH file", 213).Text(); !strings.HasPrefix(got, "SHA-512 0-1 ") && !strings.HasPrefix(got, "SHA-512 0-0 ") {
			t.Errorf("after OPTS HASH %s: %q", name, got)
		}
	}
	for _, verb := range []string{"XCRC", "XMD5", "XSHA1", "XSHA256"} {
		r.do(c, verb+" file", 502)
	}
	r.do(c, "XSHA512 file", 250)
	r.do(c, "OPTS HASH sha-512", 200)
}

// latin1 has a byte that begins Telnet's commands and is a letter, too.
func latin1(t *testing.T) {
	mem := vfs.NewMem()
	r := serve(t, func(s *setup) {
		s.FS, s.Listeners[0].Encoding = mem, edge.Encoding{Name: "ISO-8859-1"}
	})
	c := r.login()
	for line, name := range map[string]string{
		"MKD a\xff\xffb": "/a\u00ffb", "MKD c\xffd": "/c\u00ffd", "MKD \xff\xff": "/\u00ff", "MKD e\xff\xff\xff\xff": "/e\u00ff\u00ff", "MKD \xe4": "/\u00e4", "MKD ..\xff\xff": "/..\u00ff",
	} {
		r.do(c, line, 257)
		if _, err := mem.Lstat(vfs.Path(name)); err != nil {
			t.Errorf("%q makes no %q: %v", line, name, err)
		}
	}
	for _, line := range []string{"MKD x\xff\xf4", "MKD x\xff\xfb\x01y", "MKD x\xff\xfay\xff\xf0", "MKD \xff\xf2x", "CWD a\xff\xf1\xff\xffb"} {
		r.do(c, line, 501)
	}
	if got := r.do(c, "CWD a\xff\xffb", 250).String(); !strings.Contains(got, "a\xff\xffb") {
		t.Errorf("the reply does not double the byte: %q", got)
	}
	r.do(c, "CWD /", 250)
	if got := r.get(c, "NLST"); !strings.Contains(got, "a\xffb\r\n") || strings.Contains(got, "\xff\xff\r\n") && !strings.Contains(got, "e\xff\xff\r\n") {
		t.Errorf("the listing is %q", got)
	}
	_, err := c.Write([]byte("\xff\xf4\xff\xf2ABOR\r\nNO\xff\xf1OP\r\n"))
	r.must(err)
	r.expect(c, "ABOR", 225, 226)
	r.expect(c, "NOOP", 200)
	// What cannot be written in Latin-1 is not another file's name.
	r.must(mem.WriteFile("/\u65e5", []byte("day")))
	r.must(mem.WriteFile("/?", []byte("question")))
	if got := r.get(c, "RETR ?"); got != "question" {
		t.Errorf("? is %q", got)
	}
	r.do(c, "MLST \u65e5", 550) // three letters, in Latin-1
}

// links makes symbolic links that lead out of the tree, or would.
func links(t *testing.T) {
	set := func(s *setup) { s.Commands = pi.Standard().With(pi.Optional()...) }
	if _, can := any((*vfs.Disk)(nil)).(vfs.Symlinker); !can {
		r := serve(t, func(s *setup) { set(s); s.onDisk = true })
		r.do(r.login(), "SITE SYMLINK a b", 502)
		return
	}
	t.Run("memory", func(t *testing.T) { tryLinks(serve(t, set)) })
	t.Run("disk", func(t *testing.T) {
		r := serve(t, func(s *setup) { set(s); s.onDisk = true })
		tryLinks(r)
		r.must(filepath.WalkDir(r.root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.Type()&os.ModeSymlink == 0 || d.Name() == "top" { // which was moved
				return err
			}
			to, err := os.Readlink(path)
			if at := filepath.Join(filepath.Dir(path), to); err == nil && (filepath.IsAbs(to) || at != r.root && !strings.HasPrefix(at, r.root+"/")) {
				t.Errorf("%s leads to %s", path, to)
			}
			return err
		}))
	})
}

func tryLinks(r *rig) {
	r.Helper()
	c := r.login()
	for _, dir := range []string{"a", "a/b", "a/b/c"} {
		r.do(c, "MKD "+dir, 257)
	}
	r.put(c, "STOR a/file", "x")
	r.do(c, "SITE SYMLINK ../.. a/b/top", 200) // the root, by another name
	for _, line := range []string{
		"../x x", "../../../../../etc/passwd a/b/c/x", "a/../../x x", "a/b/../../../x x", "../../../x a/b/x", "./../x x",
		"../../x a/b/top/x", "../x a/b/top/x", "a/b/top/../x x", // by way of a link that shortens the path
	} {
		reply, err := c.Do("SITE SYMLINK " + line)
		r.must(err)
		if reply.Code < 500 {
			at := line[strings.LastIndexByte(line, ' ')+1:]
			r.Errorf("SITE SYMLINK %s: %q", line, reply)
			r.do(c, "DELE "+at, 250)
		}
	}
	// An absolute target is one of the tree.
	for _, line := range []string{"loop loop", "two one", "one two", "missing dangling", ". dot", "a/b/top/a/b/top/a long", "/etc/passwd passwd", "/../../../etc/passwd passwd2", "/a a/b/again"} {
		r.do(c, "SITE SYMLINK "+line, 200)
	}
	for _, name := range []string{"loop", "one", "two", "dangling", "passwd", "passwd2"} {
		r.do(c, "SIZE "+name, 550)
		r.do(c, "CWD "+name, 550)
	}
	r.do(c, "SITE SYMLINK \x1b]0;x a\\", 200, 501)
	r.do(c, "SITE SYMLINK "+strings.Repeat("x/", 2500)+" deep", 200, 501, 550, 553)
	r.do(c, "RNFR a/b/top", 350) // a link that moves up leads out, and is not followed
	r.do(c, "RNTO top", 250)
	r.do(c, "CWD top", 550)
	if r.porter.count(policy.OpSymlink) == 0 {
		r.Error("the policies were not asked")
	}
}
