package edge

import (
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// Names of a Latin-1 client are UTF-8 in the filesystem, and come back as they
// were, in listings and in replies.
func TestLatin1(t *testing.T) {
	r := start(t, func(c *Config) { c.Listeners[0].Encoding.Name = "ISO-8859-1" })
	defer r.stop()
	c := r.login()
	if _, err := c.Put(userpi.EPSV, "STOR gr\xfc\xdfe.txt", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.fs.Stat(vfs.Path("/grüße.txt")); err != nil {
		t.Errorf("the name is not UTF-8: %v", err)
	}
	for line, want := range map[string]string{"NLST": "gr\xfc\xdfe.txt\r\n", "NLST gr\xfc*": "gr\xfc\xdfe.txt\r\n"} {
		if got, err := c.Get(userpi.EPSV, line); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
	r.do(c, "MKD \xfcber", 257)
	r.do(c, "CWD \xfcber", 250)
	if reply := r.do(c, "PWD", 257); !strings.Contains(reply.String(), "\"/\xfcber\"") {
		t.Errorf("PWD: %q", reply)
	}
	r.do(c, "OPTS UTF8 ON", 504)
	if reply := r.do(c, "FEAT", 211); strings.Contains(reply.String(), "UTF8") {
		t.Errorf("FEAT: %q", reply)
	}
}

// What is not of the charset is refused by default where two names could become
// one, and passes untouched where names are UTF-8.
func TestUndecodable(t *testing.T) {
	for _, c := range []struct {
		enc  Encoding
		code int
	}{
		{Encoding{}, 257},
		{Encoding{OnError: "keep"}, 257},
		{Encoding{OnError: "replace"}, 257},
		{Encoding{OnError: "ignore"}, 257},
		{Encoding{OnError: "strict"}, 501},
		{Encoding{Name: "us-ascii"}, 501},
	} {
		r := start(t, func(conf *Config) { conf.Listeners[0].Encoding = c.enc })
		r.do(r.login(), "MKD a\xfeb", c.code)
		for mode, name := range map[string]vfs.Path{"": "/a\xfeb", "replace": "/a\ufffdb", "ignore": "/ab"} {
			if _, err := r.fs.Stat(name); c.enc.OnError == mode && c.enc.Name == "" && err != nil {
				t.Errorf("%+v: %v", c.enc, err)
			}
		}
		r.stop()
	}
}

func TestEncodingsRefused(t *testing.T) {
	for _, enc := range []Encoding{{Name: "UTF-16"}, {Name: "no-such"}, {OnError: "sometimes"}, {Name: "ISO-8859-1", OnError: "keep"}} {
		conf := basic(newKeeper())
		conf.Listeners[0].Encoding = enc
		if _, err := New(conf); err == nil || !strings.Contains(err.Error(), "Encoding") {
			t.Errorf("%+v: %v", enc, err)
		}
	}
}
