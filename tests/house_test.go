// Package tests holds the house rules that a machine can check: which package may
// import which, what the words are, what every exported name must have.
package tests

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/edgeftp/edgeftp"

// pkg is what the go tool says of a package.
type pkg struct {
	ImportPath string
	Dir        string
	Imports    []string
	Deps       []string
	GoFiles    []string
	Standard   bool
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-pgo=off", "-json=ImportPath,Dir,Imports,Deps,GoFiles,Standard"}, args...)...)
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// allowed says what each package may import beside the standard library. A name
// without a dot is a package of this module; a trailing "/" stands for everything
// below. A new entry is a change of design: RATIONALE.md explains it.
func allowed() map[string][]string {
	return map[string][]string{
		"":                            {}, // the sources that policy init hands out
		"edge/policy":                 {},
		"edge/policy/policytest":      {"edge/policy"},
		"edge/wire":                   {},
		"edge/vfs":                    {"golang.org/x/sys/unix"},
		"edge/vfs/vfstest":            {"edge/vfs"},
		"edge/kv":                     {"edge/policy", "go.etcd.io/bbolt", "go.etcd.io/bbolt/errors"},
		"edge/kv/kvtest":              {"edge/policy"},
		"edge/lang":                   {},
		"edge/outbound":               {},
		"edge/internal/nvt":           {},
		"edge/internal/charset":       {"golang.org/x/text/encoding", "golang.org/x/text/encoding/ianaindex", "golang.org/x/text/encoding/unicode", "golang.org/x/text/transform"},
		"edge/internal/throttle":      {},
		"edge/internal/budget":        {},
		"edge/internal/idle":          {"golang.org/x/sys/unix"},
		"edge/internal/spool":         {},
		"edge/internal/defender":      {},
		"edge/internal/secret":        {"golang.org/x/crypto/argon2", "golang.org/x/crypto/bcrypt"},
		"edge/internal/chain":         {"edge/policy"},
		"edge/internal/listing":       {"edge/vfs"},
		"edge/dtp":                    {"edge/internal/nvt", "golang.org/x/sys/unix"},
		"edge/dtp/dtptest":            {"edge/dtp"},
		"edge/quicnet":                {"edge/dtp", "github.com/quic-go/quic-go", "github.com/quic-go/quic-go/http3"},
		"edge/delivery":               {"edge", "edge/wire", "edge/vfs", "edge/policy", "edge/pi", "edge/dtp"},
		"edge/proxied":                {"edge/dtp", "github.com/pires/go-proxyproto"},
		"edge/pi":                     {"edge/wire", "edge/policy", "edge/vfs", "edge/dtp", "edge/lang", "edge/internal/chain", "edge/internal/charset", "edge/internal/listing", "edge/internal/throttle", "golang.org/x/net/idna"},
		"edge":                        {"edge/wire", "edge/policy", "edge/vfs", "edge/dtp", "edge/pi", "edge/lang", "edge/internal/budget", "edge/internal/chain", "edge/internal/charset", "edge/internal/defender", "edge/internal/idle", "edge/internal/secret", "edge/internal/spool", "edge/internal/throttle"},
		"wasmhost/abi":                {"edge/policy"},
		"wasmhost/abi/cases":          {"edge/policy", "wasmhost/abi"},
		"wasmhost/refusal":            {},
		"wasmhost/trust":              {"wasmhost/refusal", "aead.dev/minisign"},
		"wasmhost/ledger":             {"wasmhost/trust"},
		"wasmhost/record":             {"edge/policy", "wasmhost", "wasmhost/abi"},
		"wasmhost/internal/module":    {},
		"wasmhost/internal/meter":     {"wasmhost/internal/module"},
		"wasmhost/internal/fetch":     {"edge/outbound"},
		"wasmhost":                    {"edge/policy", "wasmhost/abi", "wasmhost/abi/cases", "wasmhost/refusal", "wasmhost/internal/", "github.com/tetratelabs/wazero/"},
		"guest-sdk/build":             {"guest-sdk/go/manifest", "wasmhost/abi"},
		"guest-sdk/vectors":           {},
		"guest-sdk/go/":               {"edge/policy", "wasmhost/abi", "guest-sdk/go/"},
		"guest-sdk/go/guesttest":      {"edge/policy", "wasmhost/abi", "wasmhost/abi/cases", "guest-sdk/go", "guest-sdk/go/"},
		"policies/":                   {"edge/policy", "policies/logfile"},
		"acme":                        {"github.com/caddyserver/certmagic", "github.com/mholt/acmez/v3", "github.com/mholt/acmez/v3/acme", "go.uber.org/zap", "go.uber.org/zap/zapcore", "golang.org/x/net/idna", "golang.org/x/time/rate"},
		"acme/acmetest":               {"acme"},
		"acme/providers":              {"acme", "github.com/agnivade/levenshtein", "github.com/aws/aws-sdk-go-v2/", "github.com/aws/smithy-go", "github.com/libdns/", "github.com/nrdcg/goacmedns"},
		"acme/check":                  {"acme", "github.com/libdns/libdns", "github.com/mholt/acmez/v3/acme", "github.com/miekg/dns", "golang.org/x/sys/unix"},
		"cmd/edgeftp/internal/userdb": {"edge/kv", "go.etcd.io/bbolt", "go.etcd.io/bbolt/errors"},
		"cmd/":                        {"edge", "edge/", "acme", "acme/", "wasmhost", "wasmhost/", "policies/", "guest-sdk/build", "guest-sdk/vectors", "guest-sdk/go/manifest", "cmd/", "github.com/", "golang.org/", "go.yaml.in/", "kernel.org/pub/linux/libs/security/libcap/psx", "oras.land/oras-go/"},
		"examples/embed":              {"edge", "edge/", "wasmhost", "policies/"},
		"examples/":                   {"edge/policy", "guest-sdk/go/", "guest-sdk/go"},
		"examples/wasm/live":          {"guest-sdk/build"},
		"tests/bench/policy":          {"edge", "edge/", "tests/", "wasmhost", "wasmhost/record"},
		"tests/bench/load":            {"edge", "tests/", "golang.org/x/sys/unix"},
		"tests/bench/load/account":    {"golang.org/x/sys/unix"},
		"tests/bench/load/client":     {"golang.org/x/sys/unix"},
		"tests/bench/link":            {"tests/", "golang.org/x/sys/unix"},
		"tests/":                      {"edge", "edge/", "tests/"},
		"tests/authority":             {"github.com/letsencrypt/", "github.com/miekg/dns"},

		// The second form of policies: what their names say, and the SDK.
		"policies/accesslog/module": {"edge/policy", "policies/accesslog", "guest-sdk/go", "guest-sdk/go/"},
		"policies/anonymous/module": {"edge/policy", "policies/anonymous", "guest-sdk/go", "guest-sdk/go/", "wasmhost/abi"},
		"policies/antiflood/module": {"edge/policy", "policies/antiflood", "guest-sdk/go", "guest-sdk/go/"},
		"policies/logfile":          {},
		"policies/metrics":          {"edge/policy", "github.com/prometheus/client_golang/"},
		"policies/quota/module":     {"edge/policy", "policies/quota", "guest-sdk/go", "guest-sdk/go/"},
		"policies/webhook":          {"edge/policy", "edge/outbound", "policies/eventlog"},
		"policies/users/module":     {"edge/policy", "policies/users", "guest-sdk/go", "guest-sdk/go/", "wasmhost/abi"},
	}
}

func matches(rules []string, path string) bool {
	return slices.ContainsFunc(rules, func(rule string) bool {
		dir, below := strings.CutSuffix(rule, "/")
		return path == dir || below && strings.HasPrefix(path, rule)
	})
}

// Imports run down, and only where the plan has an arrow.
func TestImports(t *testing.T) {
	rules := allowed()
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		may, found := rules[name]
		for dir, r := range rules {
			if !found && strings.HasSuffix(dir, "/") && matches([]string{dir}, name) {
				may, found = r, true
			}
		}
		if !found {
			if len(p.GoFiles) > 0 {
				t.Errorf("%s is not in the plan: add it to allowed, and explain it in RATIONALE.md", name)
			}
			continue
		}
		for _, imp := range p.Imports {
			if !strings.Contains(imp, ".") { // the standard library
				continue
			}
			if imp = strings.TrimPrefix(imp, module+"/"); !matches(may, imp) {
				t.Errorf("%s imports %s: a new arrow is a change of design, to be added here and explained in RATIONALE.md", name, imp)
			}
		}
	}
}

// Each of the large libraries is imported by one package, and an embedder of
// edge gets none of them.
func TestLargeLibraries(t *testing.T) {
	libraries := []string{"github.com/tetratelabs/wazero", "github.com/quic-go/quic-go", "github.com/caddyserver/certmagic"}
	importers := map[string][]string{}
	for _, p := range list(t, "./...") {
		for _, lib := range libraries {
			if slices.ContainsFunc(p.Imports, func(i string) bool { return i == lib || strings.HasPrefix(i, lib+"/") }) {
				importers[lib] = append(importers[lib], p.ImportPath)
			}
		}
	}
	for lib, by := range importers {
		if len(by) > 1 {
			t.Errorf("%s is imported by %v; one package is to know it", lib, by)
		}
	}
	for _, dep := range list(t, "./edge")[0].Deps {
		for _, lib := range libraries {
			if strings.HasPrefix(dep, lib) {
				t.Errorf("edge pulls in %s", dep)
			}
		}
	}
}

// sources parses every file of the module that is not a test.
func sources(t *testing.T, visit func(path string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && d.Name() != ".."):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator))), file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Every package says what it is, every exported name what it means.
func TestDocumented(t *testing.T) {
	documented := map[string]bool{}
	sources(t, func(path string, file *ast.File) {
		dir := filepath.Dir(path)
		documented[dir] = documented[dir] || file.Doc != nil
		for _, d := range file.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s: %s is exported and has no comment", path, name)
			}
		}
	})
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no comment", dir)
		}
	}
}

// undocumented returns the exported names of a declaration that nothing is said
// about. A constant or variable may be told of by the comment of its block.
func undocumented(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}

// exportedReceiver is false for methods that nobody outside can name.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if index, ok := typ.(*ast.IndexExpr); ok {
		typ = index.X
	}
	name, ok := typ.(*ast.Ident)
	return ok && name.IsExported()
}

// There is no code that runs by itself, and no state that belongs to nobody.
func TestNoHiddenState(t *testing.T) {
	// A guest is one policy in one sandbox; what it exports has nowhere else to be.
	exempt := func(path string) bool {
		return strings.HasPrefix(path, "guest-sdk/") || strings.HasPrefix(path, "examples/wasm/") ||
			strings.HasPrefix(path, "policies/") && strings.HasSuffix(path, "/module/main.go")
	}
	sources(t, func(path string, file *ast.File) {
		if exempt(path) {
			return
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s has an init function", path)
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR && !constant(d) {
					t.Errorf("%s has a package variable: %s", path, d.Specs[0].(*ast.ValueSpec).Names[0])
				}
			}
		}
	})
}

// constant reports whether a var declaration only holds errors, assertions of
// interfaces, or an embedded file.
func constant(d *ast.GenDecl) bool {
	if d.Doc != nil && strings.Contains(d.Doc.List[len(d.Doc.List)-1].Text, "go:embed") {
		return true
	}
	for _, s := range d.Specs {
		v := s.(*ast.ValueSpec)
		if v.Doc != nil && strings.Contains(v.Doc.List[len(v.Doc.List)-1].Text, "go:embed") {
			continue
		}
		for _, n := range v.Names {
			if n.Name != "_" && !strings.HasPrefix(n.Name, "Err") && !strings.HasPrefix(n.Name, "err") {
				return false
			}
		}
	}
	return true
}

// The session has one owner: nothing in edge/pi needs a lock. And what lies under
// edge does not know in what kind of sandbox a policy runs.
func TestWords(t *testing.T) {
	sources(t, func(path string, file *ast.File) {
		if strings.HasPrefix(path, "edge/pi/") {
			for _, imp := range file.Imports {
				if imp.Path.Value == `"sync"` {
					t.Errorf("%s imports sync: the session's owner needs no lock", path)
				}
			}
		}
	})
	err := filepath.WalkDir("../edge", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(bytes.ToLower(text), []byte("wasm")) {
			t.Errorf("%s names the technology of the sandbox", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Tests wait for what they test, not for time to pass.
func TestNoSleep(t *testing.T) {
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("time."+"Sleep(")) {
			t.Errorf("%s sleeps", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A program that a test writes itself is open for writing in what other tests fork
// meanwhile: package executable knows how to do without luck.
func TestProgramsWritten(t *testing.T) {
	runnable := regexp.MustCompile(`os\.(WriteFile|OpenFile)\([^\n]*?, 0o?([0-7]{3,4})\)`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, call := range runnable.FindAllSubmatch(text, -1) {
			if mode, _ := strconv.ParseUint(string(call[2]), 8, 12); mode&0o111 != 0 {
				t.Errorf("%s: %s: use executable.Write", path, call[0])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
