package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	yaml "go.yaml.in/yaml/v4"
)

// plainKeys are the keys of the schema that are built and hold a value.
func plainKeys(t *testing.T) []string {
	t.Helper()
	r, err := newReference()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, k := range r.keys(r.root, "", false, "")[1:] {
		if !k.section && !k.reserved() {
			out = append(out, k.path)
		}
	}
	return out
}

// given are the keys that a file gives, in the reference's form.
func given(n *yaml.Node, path string, found map[string]bool) {
	found[path] = true
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i].Value
			if path == "bandwidth.listener" {
				name = "NAME"
			}
			given(n.Content[i+1], strings.TrimPrefix(path+"."+name, "."), found)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			given(item, path+"[]", found)
		}
	case yaml.DocumentNode:
		given(n.Content[0], path, found)
	}
}

// The full file gives every key, so that each is read and written back.
func TestFullFileIsFull(t *testing.T) {
	data, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Load(data, &doc); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	given(&doc, "", found)
	for _, key := range plainKeys(t) {
		if !found[key] {
			t.Errorf("%s is not in testdata/full.yaml", key)
		}
	}
}

// Every key is refused, in one of the broken files, with a value that it cannot
// hold.
func TestEveryKeyIsRefused(t *testing.T) {
	names, err := filepath.Glob("testdata/broken/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]bool{}
	errors := regexp.MustCompile(`(?m)^error: ([^ ]+): `)
	number := regexp.MustCompile(`\[\d+\]`)
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range errors.FindAllStringSubmatch(string(data), -1) {
			path := number.ReplaceAllString(m[1], "[]")
			if rest, below := strings.CutPrefix(path, "bandwidth.listener."); below {
				_, rest, _ = strings.Cut(rest, ".")
				path = "bandwidth.listener.NAME." + rest
			}
			refused[path] = true
			refused[strings.TrimSuffix(path, "[]")] = true // an entry of a list
			for _, m := range []string{"advertise_local", "advertise_for"} {
				if at, _, below := strings.Cut(path, "."+m+"."); below {
					refused[at+"."+m] = true
				}
			}
		}
	}
	for _, key := range plainKeys(t) {
		if same, of := strings.CutPrefix(key, "hosts[]."); of && strings.HasPrefix(same, "users.") {
			key = same // one schema and one checker have both: see TestBrokenFiles/hosts.yaml
		}
		if !refused[key] {
			t.Errorf("%s is not refused in any of testdata/broken", key)
		}
	}
}
