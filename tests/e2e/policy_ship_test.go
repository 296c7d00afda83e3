package e2e

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	served "github.com/google/go-containerregistry/pkg/registry"
)

// desk is what somebody types in one directory, with what is answered. The
// whole of it is kept in testdata: these are the words that people see.
type desk struct {
	t    *testing.T
	dir  string
	host string // stands as 127.0.0.1:5000 in the text
	text strings.Builder
}

// types runs edgeftp with these words, and wants the exit code.
func (s *desk) types(code int, line string) result {
	s.t.Helper()
	args := strings.Fields(strings.ReplaceAll(line, "HOST", s.host))
	r := program{name: os.Getenv(binaryVar), args: args, dir: s.dir}.run(s.t)
	if r.code != code {
		s.t.Errorf("%s: exit code %d, want %d\n%s", line, r.code, code, r.both())
	}
	fmt.Fprintf(&s.text, "$ edgeftp %s\n%s[%d]\n\n", line, r.both(), r.code)
	return r
}

// fails runs it, and wants that it fails and leaves everything as it was.
func (s *desk) fails(line string) {
	s.t.Helper()
	before := s.files()
	s.types(1, line)
	if after := s.files(); !slices.Equal(before, after) {
		s.t.Errorf("%s left %q, where there was %q", line, after, before)
	}
}

// files tells what there is, with its content.
func (s *desk) files() (all []string) {
	s.t.Helper()
	for _, e := range must(os.ReadDir(s.dir))(s.t) {
		all = append(all, e.Name()+" "+string(must(os.ReadFile(filepath.Join(s.dir, e.Name())))(s.t)))
	}
	return all
}

func (s *desk) golden(name string) {
	s.t.Helper()
	got := strings.ReplaceAll(s.text.String(), s.host, "127.0.0.1:5000")
	got = regexp.MustCompile(`127\.0\.0\.1:\d+->`).ReplaceAllString(got, "127.0.0.1:PORT->")
	golden(s.t, name, got)
}

// golden holds what was said to a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		ok(t, os.WriteFile(path, []byte(got), 0o644))
	}
	if want, err := os.ReadFile(path); err != nil || string(want) != got {
		t.Errorf("%s is not what was said (%v); UPDATE_GOLDEN=1 writes it:\n%s", path, err, got)
	}
}

// store is a registry on this machine that can be told to misbehave.
type store struct {
	*httptest.Server
	bend atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

func newStore(t *testing.T) *store {
	s := new(store)
	inner := served.New(served.Logger(log.New(io.Discard, "", 0)))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := s.bend.Load(); f == nil || !(*f)(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// answers makes it answer what lies under a part of its paths with this.
func (s *store) answers(part, kind, body string, length int) {
	f := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, part) {
			return false
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Length", strconv.Itoa(length))
		_, _ = io.WriteString(w, body) // who asks may have gone
		return true
	}
	s.bend.Store(&f)
}

// newDesk makes a directory with a module, a key of minisign's and one that
// nobody trusts.
func newDesk(t *testing.T, host string) *desk {
	t.Helper()
	p := newPlace(t)
	s := &desk{t: t, dir: p.outside, host: host}
	const keys = "../../wasmhost/trust/testdata/"
	for from, to := range map[string]string{keys + "tool-plain.key": "team.key", keys + "tool-plain.pub": "team.key.pub", keys + "tool-locked.pub": "other.pub"} {
		ok(t, os.WriteFile(p.out(to), must(os.ReadFile(from))(t), 0o600))
	}
	p.declaring(t, "guard", ownModule(t, "loud"),
		`{"name":"upload-guard","version":"1.4.0","license":"MIT","source":"https://example.org/guard","description":"Keeps the inbox tidy"}`)
	return s
}

func TestShipping(t *testing.T) {
	t.Parallel()
	reg := newStore(t)
	s := newDesk(t, reg.Listener.Addr().String())
	s.types(0, "policy sign --key team.key --comment release-1.4.0 guard.wasm")
	s.types(0, "policy verify --trust team.key.pub guard.wasm")
	s.types(0, "policy verify --trust team.key.pub guard.wasm -o json")
	s.types(0, "policy push guard.wasm oci://HOST/edge/guard:1.4.0")
	s.types(0, "policy push guard.wasm oci://HOST/edge/guard:1.4.0 --trust team.key.pub -o json")
	s.types(0, "policy pull oci://HOST/edge/guard:1.4.0 --trust team.key.pub")
	s.types(0, "policy pull oci://HOST/edge/guard:1.4.0 --trust team.key.pub -o pulled.wasm")
	s.types(0, "policy save oci://HOST/edge/guard:1.4.0 --trust team.key.pub -o guard.tar")
	s.types(0, "policy load guard.tar --trust team.key.pub -o loaded.wasm")
	s.types(0, "policy load guard.tar -o loaded.wasm")
	for _, name := range []string{"pulled.wasm", "loaded.wasm"} {
		for _, suffix := range []string{"", ".minisig"} {
			got, want := must(os.ReadFile(filepath.Join(s.dir, name+suffix)))(t), must(os.ReadFile(filepath.Join(s.dir, "guard.wasm"+suffix)))(t)
			if string(got) != string(want) {
				t.Errorf("%s%s is not what was pushed", name, suffix)
			}
		}
	}
	digest := regexp.MustCompile(`manifest  (sha256:\S+)`).FindStringSubmatch(s.text.String())[1]
	s.types(0, "policy pull oci://HOST/edge/guard@"+digest+" -o pinned.wasm")
	s.golden("shipping.txt")

	// The usual comment has the time in it, and is not in the text.
	s.types(0, "policy sign --key team.key guard.wasm")
	r := s.types(0, "policy verify --trust team.key.pub guard.wasm")
	if !regexp.MustCompile(`comment  time:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ file:guard\.wasm name:upload-guard version:1\.4\.0\n`).MatchString(r.stdout) {
		t.Errorf("the comment is otherwise:\n%s", r.stdout)
	}
}

// What does not work is told with what, where, why and what next, and leaves
// nothing behind.
func TestShippingFails(t *testing.T) {
	t.Parallel()
	reg := newStore(t)
	s := newDesk(t, reg.Listener.Addr().String())
	s.fails("policy verify --trust team.key.pub guard.wasm")
	s.types(0, "policy sign --key team.key --comment release-1.4.0 guard.wasm")
	s.types(0, "policy push guard.wasm oci://HOST/edge/guard:1.4.0")

	s.fails("policy keygen -o team.key --no-password")
	s.types(2, "policy keygen --no-password")
	s.fails("policy keygen -o new.key")
	s.fails("policy sign --key team.key.pub guard.wasm")
	s.fails("policy sign --key absent.key guard.wasm")
	s.fails("policy sign --key team.key team.key.pub")
	s.types(2, "policy sign guard.wasm")
	s.fails("policy verify --trust other.pub guard.wasm")
	s.fails("policy verify --trust team.key guard.wasm")
	s.fails("policy verify --trust team.key.pub guard.wasm team.key.pub")

	s.types(2, "policy push guard.wasm HOST/edge/guard:1.4.0")
	s.types(2, "policy push guard.wasm oci://HOST/edge/guard")
	s.types(2, "policy pull oci://me:secret@HOST/edge/guard:1.4.0")
	s.types(2, "policy pull oci://HOST/edge/guard:1.4.0 --username me")
	s.fails("policy push team.key oci://HOST/edge/guard:1.4.0")
	s.fails("policy pull oci://HOST/edge/guard:9.9.9")
	s.fails("policy pull oci://HOST/edge/guard:1.4.0 --trust other.pub -o new.wasm")
	s.fails("policy save oci://HOST/edge/guard:1.4.0 --trust other.pub -o new.tar")
	s.fails("policy load guard.wasm -o new.wasm")
	s.types(2, "policy load guard.wasm")
	s.fails("policy pull oci://HOST/edge/guard:1.4.0 --plain-http=false -o new.wasm")
	s.fails("policy pull oci://HOST/edge/guard:1.4.0 -o absent/new.wasm")
	s.fails("policy pull oci://HOST/edge/guard:1.4.0 --trust absent.pub -o new.wasm")
	s.types(0, "policy push guard.wasm --signature /dev/null oci://HOST/edge/guard:unsigned")
	s.fails("policy push guard.wasm --trust other.pub oci://HOST/edge/guard:1.4.1")
	s.types(2, "policy push guard.wasm oci://HOST/edge/guard:1.4.1 -o xml")
	s.fails("policy pull oci://HOST/edge/guard:unsigned --trust team.key.pub -o new.wasm")
	s.fails("policy pull oci://HOST/edge/guard:unsigned -o guard.wasm")

	module := string(must(os.ReadFile(filepath.Join(s.dir, "guard.wasm")))(t))
	blob := "/blobs/" + digestIn(t, s.types(0, "policy verify --trust team.key.pub guard.wasm").stdout)
	reg.answers(blob, "application/octet-stream", strings.Replace(module, "upload-guard", "UPLOAD-GUARD", 1), len(module))
	s.fails("policy pull oci://HOST/edge/guard:1.4.0 -o new.wasm")
	reg.answers(blob, "application/octet-stream", module[:100], len(module))
	s.fails("policy pull oci://HOST/edge/guard:1.4.0 -o new.wasm")
	reg.answers("/manifests/", "application/vnd.oci.image.manifest.v1+json", strings.Repeat(" ", 70_000), 70_000)
	s.fails("policy pull oci://HOST/edge/guard:1.4.0 -o new.wasm")
	reg.answers("/manifests/", "text/html", "<html>", 6)
	s.fails("policy pull oci://HOST/edge/guard:1.4.0 -o new.wasm")
	hang := func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			<-r.Context().Done()
		}
		return r.Method == http.MethodGet
	}
	reg.bend.Store(&hang)
	s.fails("policy pull oci://HOST/edge/guard:1.4.0 -o new.wasm --timeout 200ms")
	reg.Close()
	s.fails("policy pull oci://HOST/edge/guard:1.4.0 -o new.wasm")
	s.fails("policy push guard.wasm oci://HOST/edge/guard:1.4.0")
	s.golden("shipping-fails.txt")
}

func digestIn(t *testing.T, text string) string {
	t.Helper()
	d := regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindString(text)
	if d == "" {
		t.Fatalf("no digest in %s", text)
	}
	return d
}
