package vfs_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Nothing in this package calls the operating system but through the gate: package os
// is used for constants, types and what changes nothing, and each call of package unix
// stands in a function that the gate is given.
func TestGate(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, name := range files {
		// A thread's identity is no file's; user_linux.go has its own tests. With a probe
		// there is no short way, and without one it falls back to the gate.
		if strings.HasSuffix(name, "_test.go") || slices.Contains([]string{"gate.go", "user_linux.go", "below_linux.go", "look_linux.go"}, name) {
			continue
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		gated := make(map[*ast.CallExpr]bool) // those in functions that the gate is given
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if selected(call.Fun, "", "at", "do", "open") && len(call.Args) == 2 {
				ast.Inspect(call.Args[1], func(n ast.Node) bool {
					if inner, ok := n.(*ast.CallExpr); ok {
						gated[inner] = true
					}
					return true
				})
			}
			return true
		})
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			harmless := selected(call.Fun, "unix", "Mkdev", "ParseDirent", "TimeToTimespec") ||
				selected(call.Fun, "os", "SameFile", "NewFile") ||
				name == "sys_unix.go" // setBlocking changes a descriptor; lockFile is called by the gate
			system := selected(call.Fun, "os") || selected(call.Fun, "unix") || selected(call.Fun, "syscall") ||
				selected(call.Fun, "filepath", "Glob", "EvalSymlinks", "Walk", "WalkDir")
			if system && gated[call] {
				calls++
			} else if system && !harmless {
				t.Errorf("%s calls the host itself", set.Position(call.Pos()))
			}
			return true
		})
	}
	if calls < 15 {
		t.Errorf("only %d calls are seen: the test has gone blind", calls)
	}
}

// selected reports whether fun is pkg.name, of any package or name if that is not
// given.
func selected(fun ast.Expr, pkg string, names ...string) bool {
	sel, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, isName := sel.X.(*ast.Ident)
	return (pkg == "" || isName && x.Name == pkg) && (len(names) == 0 || slices.Contains(names, sel.Sel.Name))
}

// Without a probe, what is opened is the *os.File, and the kernel moves the bytes of
// an upload.
func TestGateIsOpen(t *testing.T) {
	d := newDisk(t, nil)
	upload(t, d, "/f", vfs.StageOptions{}, "text", commit)
	f, err := d.Open("/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, bare := f.(*os.File); !bare {
		t.Errorf("Open returns a %T", f)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	data := strings.Repeat("x", 1<<17)
	if _, err := client.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	client.Close()
	s, err := d.Stage("/g", vfs.StageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	before := bytesRead(t)
	if n, err := s.ReadFrom(server); err != nil || n != 1<<17 {
		t.Errorf("%d, %v", n, err)
	}
	if read := bytesRead(t) - before; read > 1<<16 {
		t.Errorf("%d bytes went through this process", read)
	}
	if err := s.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	holds(t, d.at("/g"), data)
}

// bytesRead is how many bytes read(2) has given this process; what splice(2) moves is
// not among them.
func bytesRead(t *testing.T) (n int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err == nil {
		_, err = fmt.Sscanf(string(text), "rchar: %d", &n)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A journal that is being rewritten while an append runs must not leave a second
// record of it behind, whatever fails: played back later, that would take the append
// back after the client was told that it is there.
func TestRewriteFails(t *testing.T) {
	for _, fails := range []string{"write", "sync file", "rename", "open", "sync folder", "truncate", "unlink"} {
		for nth := 1; nth <= 2; nth++ {
			top := memoryDir(t)
			defer os.RemoveAll(top)
			cfg := vfs.DiskConfig{Root: filepath.Join(top, "root"), State: filepath.Join(top, "state"), Durability: vfs.DurabilityNone}
			if err := os.Mkdir(cfg.Root, 0o755); err != nil {
				t.Fatal(err)
			}
			rewriting, seen, failed := false, 0, 0
			d, err := vfs.OpenProbed(cfg, func(c vfs.Call) (func(*os.File, error), error) {
				name := c.Name
				if c.File != nil {
					name = c.File.Name()
				}
				if !strings.HasPrefix(name, cfg.State) {
					return nil, nil
				}
				if c.Op == "create" {
					rewriting = seen > 0 // not the first one
					seen++
				}
				op := c.Op
				if op == "sync" && name == cfg.State {
					op = "sync folder"
				} else if op == "sync" {
					op = "sync file"
				}
				if rewriting && op == fails {
					if failed++; failed == nth {
						return nil, syscall.EIO
					}
				}
				return nil, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			d.StageUnderNames()
			upload(t, d, "/log", vfs.StageOptions{}, "one,", commit)
			deep := vfs.Root // its name makes records long
			for range 5 {
				deep = deep.Join(strings.Repeat("d", 200))
				if err := d.Mkdir(deep); err != nil {
					t.Fatal(err)
				}
			}
			s, err := d.Stage("/log", vfs.StageOptions{Append: true})
			if err == nil {
				_, err = s.Write([]byte("two"))
			}
			for range 400 {
				if err != nil {
					break
				}
				var other vfs.Stage
				if other, err = d.Stage(deep.Join("other"), vfs.StageOptions{}); err == nil {
					err = other.Discard(false)
				}
			}
			if err == nil {
				err = s.Commit(context.Background())
			}
			if err != nil {
				t.Fatalf("%s: %v", fails, err)
			}
			if failed == 0 && fails != "truncate" {
				t.Errorf("%s was not done", fails)
			}
			before := failed
			if err := d.Close(); err != nil && failed == before {
				t.Errorf("%s: %v", fails, err)
			}
			again, err := vfs.OpenDisk(cfg)
			if err != nil {
				t.Fatal(err)
			}
			holds(t, filepath.Join(cfg.Root, "log"), "one,two")
			if t.Failed() {
				t.Fatalf("when %s %d fails", fails, nth)
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
			if left, err := os.ReadDir(cfg.State); err != nil || len(left) > 0 {
				t.Errorf("%s: state is left: %v, %v", fails, left, err)
			}
		}
	}
}

// An upload that ends while its directory is being renamed in vain leaves no record
// behind: neither its own nor the one of where it was before.
func TestRenameFailsMeanwhile(t *testing.T) {
	top := t.TempDir()
	cfg := vfs.DiskConfig{Root: filepath.Join(top, "root"), State: filepath.Join(top, "state")}
	if err := os.MkdirAll(filepath.Join(cfg.Root, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	var running vfs.Stage
	d, err := vfs.OpenProbed(cfg, func(c vfs.Call) (func(*os.File, error), error) {
		if c.Op != "rename" || c.Root == nil {
			return nil, nil
		}
		if err := running.Discard(false); err != nil {
			t.Error(err)
		}
		return nil, syscall.EIO
	})
	if err != nil {
		t.Fatal(err)
	}
	d.StageUnderNames()
	if running, err = d.Stage("/dir/file", vfs.StageOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := d.Rename("/dir", "/other"); err == nil {
		t.Error("it was renamed")
	}
	if _, live := d.JournalLength(); live != 0 {
		t.Errorf("%d records are left", live)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// What a killed process had begun to make a journal of goes after an hour.
func TestSweepBegun(t *testing.T) {
	d := newDisk(t, nil)
	old, fresh := filepath.Join(stateOf(d), "new-old"), filepath.Join(stateOf(d), "new-fresh")
	for _, name := range []string{old, fresh} {
		if err := os.WriteFile(name, []byte("half a li"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(old, before, before); err != nil {
		t.Fatal(err)
	}
	reopen(t, configOf(d))
	if _, err := os.Stat(old); err == nil {
		t.Error("the old one is left")
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Error(err)
	}
}
