package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// addFiles has a fuzzer begin with the files of testdata.
func addFiles(f *testing.F) {
	f.Helper()
	names, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(names, "testdata/full.yaml", "testdata/full.written.yaml") {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

// FuzzParse: no bytes make the reader panic; what is refused is refused with
// problems that can be shown; what is accepted can be written and read again.
func FuzzParse(f *testing.F) {
	addFiles(f)
	f.Add([]byte("version: 1\nlisteners: [{ name: a, address: \":21\" }]\nstorage: [{ root: /srv }]\nusers: { anonymous: { enabled: true } }\n"))
	f.Add([]byte("? [a]: b\n"))
	machine := fullMachine()
	s, err := newSchema()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		conf, err := s.parse("c.yaml", "/etc", data, machine)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || len(e.Problems) == 0 {
				t.Fatalf("%q: %v", data, err)
			}
			if text := err.Error(); !utf8.ValidString(text) {
				t.Errorf("%q: %q", data, text)
			}
			return
		}
		written, err := conf.YAML()
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		got, err := s.parse("w.yaml", "/elsewhere", written, machine.with(conf.unwritten()))
		if err != nil {
			t.Fatalf("%q became %q: %v", data, written, err)
		}
		if diff := cmp.Diff(conf, got, alike()); diff != "" {
			t.Errorf("%q (-read +again):\n%s", data, diff)
		}
	})
}

// FuzzNames: what is taken for a name, an authority, a DNS server or a key has one
// form, which is taken again and is the same.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"ftp.example.org", "*.Files.example.org.", "bücher.example", "[2001:DB8::1]", "::ffff:10.0.0.1", "203.0.113.5:21", "https://[::1]:14000/dir",
		"http://127.0.0.1/", "letsencrypt", "192.0.2.53:5353", "YWJj==", "*.*.x", "xn--", "1.2.3.4.", "a..b", "%", "\xbc0", strings.Repeat("ü", 2000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if checkSubject(s) == nil {
			plain := subject(s)
			if plain == "" || checkSubject(plain) != nil || subject(plain) != plain {
				t.Errorf("%q became %q, which becomes %q: %v", s, plain, subject(plain), checkSubject(plain))
			}
			_ = notPublic(plain)
			_ = tooWide(plain, true)
		}
		for name, parse := range map[string]func(string) (string, error){"authority": parseCA, "resolver": parseResolver, "mac": parseMAC} {
			plain, err := parse(s)
			if err != nil {
				continue
			}
			if again, err := parse(plain); err != nil || again != plain {
				t.Errorf("%s: %q became %q, which becomes %q, %v", name, s, plain, again, err)
			}
		}
		_, _ = isPublic(s), checkEmail(s)
		_ = overlap(s, s)
	})
}
