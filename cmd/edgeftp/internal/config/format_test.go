package config

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFormat(t *testing.T) {
	const messy = `# yaml-language-server: $schema=./edgeftp.schema.json

users:
    # nobody else
    anonymous: {enabled: true}   # for now
    list:
    # the first
    - password_hash: "${file:alice.hash}"
      name: alice # she
storage: [ {root: /srv} ]
# clients come here
listeners:
- {name: a,
   address: ":21"}
- { address: ':22', name: b, banner: "a rather long text that would not look well in one line with all the others of it", tls: { control: required } }

bandwith: 1
instance: {name: "${env:NAME}"}
version: 1
# the end
`
	const neat = `# yaml-language-server: $schema=./edgeftp.schema.json

version: 1
# the end

instance: {name: "${env:NAME}"}

# clients come here
listeners:
  - {name: a, address: ":21"}
  - name: b
    address: ':22'
    tls: {control: required}
    banner: "a rather long text that would not look well in one line with all the others of it"

users:
  list:
    # the first
    - name: alice # she
      password_hash: "${file:alice.hash}"
  # nobody else
  anonymous: {enabled: true} # for now

storage: [{root: /srv}]
bandwith: 1
`
	got, err := Format("c.yaml", []byte(messy))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(neat, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The full file, its written form and the sample are the same configuration when they
// are laid out.
func TestFormatKeepsTheConfiguration(t *testing.T) {
	for _, name := range []string{"testdata/full.yaml", "testdata/full.written.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		neat, err := Format(name, data)
		if err != nil {
			t.Fatal(err)
		}
		machine := fullMachine().with(full().unwritten())
		before, err := parse(name, "/etc", data, machine)
		if err != nil {
			t.Fatal(err)
		}
		after, err := parse(name, "/etc", neat, machine)
		if err != nil {
			t.Fatalf("%v\n%s", err, neat)
		}
		if diff := cmp.Diff(before, after, alike()); diff != "" {
			t.Errorf("%s (-before +after):\n%s", name, diff)
		}
		if strings.Count(string(neat), "${") != strings.Count(string(data), "${") {
			t.Errorf("%s: ${...} was lost:\n%s", name, neat)
		}
	}
}

func TestFormatRefuses(t *testing.T) {
	for _, text := range []string{"", "a: 1\na: 2\n", "a: &x 1\nb: *x\n", "\ta: 1\n", "[1]\n"} {
		var e *Error
		if got, err := Format("c.yaml", []byte(text)); !errors.As(err, &e) || got != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	// A section without a value is no reason not to lay out the rest.
	if got, err := Format("c.yaml", []byte("instance:\nversion: 1\n")); err != nil || string(got) != "version: 1\ninstance:\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzFormat: what is laid out once stays as it is, says the same, and keeps its
// comments.
func FuzzFormat(f *testing.F) {
	addFiles(f)
	f.Add([]byte("# a\n\nusers: # b\n  # c\n  list: [] # d\n\n# e\n\nversion: 1 # f\n# g\n"))
	machine := fullMachine()
	s, err := newSchema()
	r, err2 := newReference()
	if err != nil || err2 != nil {
		f.Fatal(err, err2)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		neat, err := r.format("c.yaml", data)
		if err != nil {
			return
		}
		again, err := r.format("c.yaml", neat)
		if err != nil || string(again) != string(neat) {
			t.Errorf("%q became %q, and then %q, %v", data, neat, again, err)
		}
		before, err := s.parse("c.yaml", "/etc", data, machine)
		after, err2 := s.parse("c.yaml", "/etc", neat, machine)
		if diff := cmp.Diff(before, after, alike()); diff != "" || (err == nil) != (err2 == nil) {
			t.Errorf("%q became %q: %v, %v\n%s", data, neat, err, err2, diff)
		}
	})
}
