package workbench

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/edgeftp/edgeftp"
)

const top = "../../../.." // of the module

// TestSources: what an SDK consists of on disk is in the program, and only that is
// handed out.
func TestSources(t *testing.T) {
	src := edgeftp.Sources()
	known := Languages(src)
	dirs, err := os.ReadDir(filepath.Join(top, "guest-sdk"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if _, err := os.Stat(filepath.Join(top, "guest-sdk", d.Name(), "template")); err == nil && !slices.Contains(known, d.Name()) {
			t.Errorf("guest-sdk/%s has a template that is not in sources.go", d.Name())
		}
	}
	for _, language := range known {
		files, err := Files(src, language, "a-name")
		if err != nil {
			t.Fatal(err)
		}
		want := onDisk(t, path.Join("guest-sdk", language))
		for _, file := range want {
			inner, name := strings.CutPrefix(file, "template/")
			if !name && language == "wat" {
				continue // the text format has no SDK
			}
			inPolicy := strings.TrimSuffix(inner, ".template")
			if !name {
				inPolicy = path.Join("sdk", file)
				if language == "go" {
					inPolicy = path.Join("sdk/guest-sdk/go", file)
				}
			}
			if _, there := files[inPolicy]; !there {
				t.Errorf("%s: %s is not handed out as %s: is it in sources.go?", language, file, inPolicy)
			}
		}
		for name, text := range files {
			base := path.Base(name)
			if strings.Contains(name, "testdata") || strings.HasPrefix(name, "sdk/") && strings.HasSuffix(base, "_test.go") || strings.HasSuffix(name, ".template") ||
				strings.HasSuffix(name, ".wasm") || len(text) == 0 {
				t.Errorf("%s: %s is handed out (%d bytes)", language, name, len(text))
			}
		}
		for _, name := range []string{"README.md", "manifest.json", "tests.json"} {
			if files[name] == nil {
				t.Errorf("%s: no %s", language, name)
			}
		}
		t.Logf("%s: %d files", language, len(files))
	}
}

// onDisk lists the files of a language's folder that are for guests, and its template.
func onDisk(t *testing.T, dir string) (all []string) {
	t.Helper()
	root := filepath.Join(top, dir)
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if rel = filepath.ToSlash(rel); forGuests(rel) || strings.HasPrefix(rel, "template/") {
			all = append(all, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestFiles(t *testing.T) {
	src := fstest.MapFS{}
	for name, text := range map[string]string{
		"LICENSE": "free", "guest-sdk/ABI.md": "abi", "go.mod": "module example.org/m\n\ngo 1.26.5\n\nrequire x v1\n", "edge/policy/a.go": "p", "edge/policy/a_test.go": "t", "wasmhost/abi/b.go": "b",
		"guest-sdk/go/c.go": "c", "guest-sdk/go/manifest/m.go": "m", "guest-sdk/go/template/go.mod.template": "module {{name}}", "guest-sdk/go/template/x/y.json": "{{name}} {{name}}",
		"guest-sdk/c/edgeftp.h": "h", "guest-sdk/c/fake_test.h": "h", "guest-sdk/c/edgeftp_test.c": "t", "guest-sdk/c/tests/x.c": "t", "guest-sdk/c/testdata/x.c": "t", "guest-sdk/c/template/policy.c": "// {{name}}",
		"guest-sdk/wat/template/policy.wat": ";; {{name}}", "guest-sdk/vectors/x.json": "{}",
	} {
		src[name] = &fstest.MapFile{Data: []byte(text)}
	}
	if got := Languages(src); !slices.Equal(got, []string{"c", "go", "wat"}) {
		t.Errorf("%q", got)
	}
	for language, want := range map[string]map[string]string{
		"go": {"go.mod": "module n", "x/y.json": "n n", "sdk/LICENSE": "free", "sdk/ABI.md": "abi", "sdk/go.mod": "module example.org/m\n\ngo 1.26\n", "sdk/edge/policy/a.go": "p",
			"sdk/wasmhost/abi/b.go": "b", "sdk/guest-sdk/go/c.go": "c"},
		"c":   {"policy.c": "// n", "sdk/LICENSE": "free", "sdk/ABI.md": "abi", "sdk/edgeftp.h": "h", "sdk/fake_test.h": "h"},
		"wat": {"policy.wat": ";; n", "ABI.md": "abi"},
	} {
		files, err := Files(src, language, "n")
		got := map[string]string{}
		for name, text := range files {
			got[name] = string(text)
		}
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v", language, got, err)
		}
	}
	if _, err := Files(src, "vectors", "n"); err == nil || !strings.Contains(err.Error(), "c, go, wat") {
		t.Error(err)
	}
}

// What cannot be written to its end leaves nothing, and what was there stays.
func TestWriteUndoes(t *testing.T) {
	dir := t.TempDir()
	bad := map[string][]byte{"a/b/c": []byte("x"), "a/d": []byte("x"), "z": []byte("x"), "z/below": []byte("x")} // z cannot be both
	if err := Write(filepath.Join(dir, "new", "one"), bad); err == nil {
		t.Fatal("no error")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), link); err != nil {
		t.Fatal(err)
	}
	if err := Write(link, map[string][]byte{"a": nil}); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
		t.Errorf("through a link to nowhere: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("the link was followed")
	}
	if err := Write(filepath.Join(dir, "good"), map[string][]byte{"a/b": []byte("x")}); err != nil {
		t.Error(err)
	}
}
