package build

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/guest-sdk/go/manifest"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

var errGoCut = errors.New("the module ends inside a name")

// checkGo refuses what the host would refuse, with the line of the author's that leads
// to it: after the build only the names of imports are left.
func (j *job) checkGo(module []byte) error {
	imports := goImports(module)
	var files []string
	for _, name := range imports["wasi_snapshot_preview1"] {
		if strings.HasPrefix(name, "path_") || strings.HasPrefix(name, "sock_") || name == "fd_read" {
			files = append(files, name)
		}
	}
	if len(files) > 0 {
		return j.fail("it wants files or connections, which policies never get: "+strings.Join(files, ", "),
			j.importers("os", "os/*", "net", "net/*", "io/ioutil", "log/syslog"),
			"settings come through guest-sdk/go/settings, HTTP goes through guest-sdk/go/fetch, lines for the log through edgeftp.Log", nil)
	}
	text, err := j.beside(manifest.File)
	if err != nil {
		return err
	}
	var m struct{ Capabilities []string }
	if text != nil && json.Unmarshal(text, &m) != nil {
		return nil // the host has better words for a manifest that is none
	}
	capabilities, packages := map[string]string{}, map[string]string{}
	for _, name := range imports["edgeftp"] {
		if need, example := capabilityOf(name); need != "" && !declares(m.Capabilities, need) {
			pkg := goPackage(name, need)
			capabilities[example], packages[pkg] = name, pkg
		}
	}
	if len(capabilities) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(capabilities))
	var paths []string
	for pkg := range packages {
		paths = append(paths, "github.com/edgeftp/edgeftp/guest-sdk/go/"+pkg)
	}
	return j.fail(fmt.Sprintf("%s lacks what the source needs: %s", manifest.File, strings.Join(names, ", ")), j.importers(paths...),
		fmt.Sprintf("add to %s: \"capabilities\": [%q]", manifest.File, strings.Join(names, `", "`)), nil)
}

// goPackage is the package of the SDK that has an import of the host.
func goPackage(name, capability string) string {
	switch capability {
	case abi.CapVerify, abi.CapStat, abi.CapDigest:
		return "host"
	case abi.CapKV, abi.CapFetch:
		return capability
	}
	return name
}

// importers are the lines of the folder's source that import one of the packages; a
// name may end in "/*".
func (j *job) importers(packages ...string) string {
	files, _ := filepath.Glob(filepath.Join(j.dir, "*.go")) // a bad pattern is the only error
	var lines []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, file, nil, parser.ImportsOnly)
		if err != nil {
			continue // it has been compiled
		}
		for _, spec := range f.Imports {
			path, _ := strconv.Unquote(spec.Path.Value) // as above
			for _, p := range packages {
				if below, ok := strings.CutSuffix(p, "*"); path == p || ok && strings.HasPrefix(path, below) {
					at := set.Position(spec.Pos())
					lines = append(lines, fmt.Sprintf("./%s:%d:%d: imports %s", filepath.Base(file), at.Line, at.Column, path))
				}
			}
		}
	}
	return strings.Join(lines, "\n")
}

// goImports lists the functions that a module imports, by the name of the module
// they are of (core specification §5.5.5). What follows a form that it does not know,
// it leaves out: the host reads all of it.
func goImports(module []byte) map[string][]string {
	list := map[string][]string{}
	r := bytes.NewReader(module)
	if _, err := r.Seek(8, 0); err != nil {
		return list
	}
	for {
		id, err := r.ReadByte()
		size, err2 := binary.ReadUvarint(r)
		if err != nil || err2 != nil || size > uint64(r.Len()) {
			return list
		}
		if id == 2 {
			break
		}
		if _, err := r.Seek(int64(size), 1); err != nil {
			return list
		}
	}
	n, err := binary.ReadUvarint(r)
	for ; err == nil && n > 0; n-- {
		from, err1 := goWord(r)
		name, err2 := goWord(r)
		kind, err3 := r.ReadByte()
		_, err4 := binary.ReadUvarint(r)
		if err1 != nil || err2 != nil || err3 != nil || err4 != nil || kind != 0 {
			return list
		}
		list[from] = append(list[from], name)
	}
	return list
}

// goWord reads a name with its length.
func goWord(r *bytes.Reader) (string, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil || n > uint64(r.Len()) {
		return "", errGoCut
	}
	b := make([]byte, n)
	_, err = r.Read(b)
	return string(b), err
}
