// Package workbench makes the folders that policies are written in: a template of the
// language, and the SDK, all from the program itself.
package workbench

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const (
	sdks      = "guest-sdk"
	templates = "template"
	// hidden ends the names of template files that the Go tool, or the embedding of
	// the sources, must not take for their own.
	hidden = ".template"
	// placeholder stands for the policy's name in the files of a template.
	placeholder = "{{name}}"
	// golang is the language whose SDK is a module with packages from elsewhere.
	golang = "go"
	// contract is what guest and host agree on; help texts name its sections.
	contract = "ABI.md"
)

// Languages lists those that src has a template for, in order.
func Languages(src fs.FS) []string {
	var all []string
	found, _ := fs.Glob(src, path.Join(sdks, "*", templates)) // the pattern is in order
	for _, f := range found {
		all = append(all, path.Base(path.Dir(f)))
	}
	return all
}

// Files returns what the folder of a policy with a name consists of, by path: the
// language's template, the contract, and in sdk/ its SDK if it has one. src holds the sources of
// this module under their paths; the name is one that a slot can have.
func Files(src fs.FS, language, name string) (map[string][]byte, error) {
	if all := Languages(src); !slices.Contains(all, language) {
		return nil, fmt.Errorf("no policy is written in %q here\n   = help: the languages are %s", language, strings.Join(all, ", "))
	}
	files := map[string][]byte{}
	home := path.Join(sdks, language)
	err := each(src, path.Join(home, templates), func(p string, text []byte) {
		files[strings.TrimSuffix(p, hidden)] = bytes.ReplaceAll(text, []byte(placeholder), []byte(name))
	})
	if err != nil {
		return nil, err
	}
	roots := []string{home}
	if language == golang {
		roots = append(roots, "edge/policy", "wasmhost/abi")
	}
	any := false
	for _, root := range roots {
		err := each(src, root, func(p string, text []byte) {
			if !forGuests(p) {
				return
			}
			if language == golang {
				p = path.Join(root, p)
			}
			files[path.Join("sdk", p)] = text
			any = true
		})
		if err != nil {
			return nil, err
		}
	}
	abi, err := fs.ReadFile(src, path.Join(sdks, contract))
	if err != nil {
		return nil, err
	}
	if !any { // only a template: the language needs no SDK
		files[contract] = abi
		return files, nil
	}
	files[path.Join("sdk", contract)] = abi
	if language == golang {
		if files["sdk/go.mod"], err = goMod(src); err != nil {
			return nil, err
		}
	}
	files["sdk/LICENSE"], err = fs.ReadFile(src, "LICENSE")
	return files, err
}

// each visits the files below a folder by their path in it.
func each(src fs.FS, root string, visit func(p string, text []byte)) error {
	return fs.WalkDir(src, root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(src, p)
		visit(strings.TrimPrefix(p, root+"/"), text)
		return err
	})
}

// forGuests reports whether a file of an SDK is of use to a policy: it is none of its
// tests, none of the template's, and not what only builds policies.
func forGuests(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	if first == templates || first == "manifest" {
		return false
	}
	for dir := range strings.SplitSeq(path.Dir(p), "/") {
		if dir == "testdata" || dir == "tests" {
			return false
		}
	}
	ext := path.Ext(p)
	base := strings.TrimSuffix(path.Base(p), ext)
	return ext == ".h" || !strings.HasSuffix(base, "_test") && base != "tests"
}

// goMod makes the module of the SDK: that of this program, without requirements, and
// for every release of its version of Go: the template's module asks for no more.
func goMod(src fs.FS) ([]byte, error) {
	text, err := fs.ReadFile(src, "go.mod")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for line := range strings.Lines(string(text)) {
		switch word, rest, _ := strings.Cut(strings.TrimSpace(line), " "); word {
		case "module":
			fmt.Fprintf(&b, "module %s\n\n", rest)
		case "go":
			major, minor, _ := strings.Cut(rest, ".")
			minor, _, _ = strings.Cut(minor, ".")
			fmt.Fprintf(&b, "go %s.%s\n", major, minor)
		}
	}
	return b.Bytes(), nil
}

// Write makes the folder dir with the files in it. It fails if something is in there
// already, and leaves nothing behind when it fails.
func Write(dir string, files map[string][]byte) (err error) {
	if err := empty(dir); err != nil {
		return err
	}
	var w writer
	defer func() {
		if err != nil {
			w.undo()
		}
	}()
	if err := w.folder(dir); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := w.folder(filepath.Dir(file)); err != nil {
			return err
		}
		if err := w.file(file, files[name]); err != nil {
			return err
		}
	}
	return nil
}

// writer remembers what it has made.
type writer struct{ made []string }

// undo removes what was made.
func (w *writer) undo() {
	for _, p := range slices.Backward(w.made) {
		_ = os.Remove(p) // the error that led here is the one to tell
	}
}

// folder makes a folder, and those that it lies in.
func (w *writer) folder(dir string) error {
	if exists(dir) {
		return nil
	}
	if up := filepath.Dir(dir); up != dir {
		if err := w.folder(up); err != nil {
			return err
		}
	}
	err := os.Mkdir(dir, 0o755)
	if err == nil {
		w.made = append(w.made, dir)
	}
	return err
}

// file makes a file that is not there.
func (w *writer) file(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	w.made = append(w.made, path)
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// empty fails if dir is there and no empty folder.
func empty(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) && !exists(dir) {
		return nil
	} else if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is there already, and no folder\n   = help: give another name, or another folder with --dir", dir)
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is there already, and not empty\n   = help: give another name, or another folder with --dir", dir)
	}
	return err
}
