package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// FuzzParse: no bytes make the reader panic; what is refused is refused with
// problems that can be shown; what is accepted can be written and read again.
func FuzzParse(f *testing.F) {
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
