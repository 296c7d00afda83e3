package registry_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	served "github.com/google/go-containerregistry/pkg/registry"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/registry"
)

// shop is a registry in memory that can be told to misbehave.
type shop struct {
	*httptest.Server
	mu   sync.Mutex
	bend func(w http.ResponseWriter, r *http.Request) bool // true: it answered
	seen []*http.Request
}

func open(t *testing.T) *shop {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir()) // nobody's own logins
	s := &shop{}
	inner := served.New(served.Logger(log.New(io.Discard, "", 0)))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r)
		bend := s.bend
		s.mu.Unlock()
		if bend == nil || !bend(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shop) bends(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bend, s.seen = f, nil
}

func (s *shop) host() string { return s.Listener.Addr().String() }

func (s *shop) ref(t *testing.T, rest string) registry.Ref {
	t.Helper()
	return parse(t, "oci://"+s.host()+"/"+rest)
}

func parse(t *testing.T, text string) registry.Ref {
	t.Helper()
	r, err := registry.ParseRef(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sample() (registry.Artifact, registry.About) {
	return registry.Artifact{Module: []byte("\x00asm a module"), Signature: []byte("untrusted comment: x\n")},
		registry.About{File: "guard.wasm", Title: "guard", Version: "1.4.0", Licenses: "MIT", Source: "https://example.org/guard"}
}

func push(t *testing.T, s *shop) string {
	t.Helper()
	a, about := sample()
	digest, err := new(registry.Client).Push(t.Context(), s.ref(t, "edge/guard:1.4.0"), a, about)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestRoundTrip(t *testing.T) {
	s := open(t)
	a, about := sample()
	c := &registry.Client{Agent: "tester"}
	digest := push(t, s)
	if again := push(t, s); again != digest {
		t.Errorf("the same module has the digests %s and %s", digest, again)
	}
	for _, ref := range []registry.Ref{s.ref(t, "edge/guard:1.4.0"), s.ref(t, "edge/guard@"+digest), s.ref(t, "edge/guard:other@"+digest)} {
		got, d, err := c.Pull(t.Context(), ref)
		if err != nil || d != digest || !bytes.Equal(got.Module, a.Module) || !bytes.Equal(got.Signature, a.Signature) {
			t.Errorf("%s: %v, %s", ref, err, d)
		}
	}
	if agent := s.seen[len(s.seen)-1].UserAgent(); agent != "tester" {
		t.Errorf("user agent %q", agent)
	}
	unsigned, err := c.Push(t.Context(), s.ref(t, "edge/guard:unsigned"), registry.Artifact{Module: a.Module}, about)
	if err != nil || unsigned == digest {
		t.Fatalf("%v, %s", err, unsigned)
	}
	got, _, err := c.Pull(t.Context(), s.ref(t, "edge/guard:unsigned"))
	if err != nil || got.Signature != nil {
		t.Errorf("%v, a signature of nowhere", err)
	}
}

// What the manifest says is fixed: other programs read it, and its digest is
// written down by operators.
func TestManifest(t *testing.T) {
	s := open(t)
	a, about := sample()
	about.Created = time.Unix(1_700_000_000, 0)
	ref := s.ref(t, "edge/guard:1.4.0")
	if _, err := new(registry.Client).Push(t.Context(), ref, a, about); err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Get(s.URL + "/v2/edge/guard/manifests/1.4.0")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var raw json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&raw); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	golden(t, "manifest.json", got.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("%s: %v; UPDATE_GOLDEN=1 writes it. Got\n%s", path, err, got)
	}
}

// says wants an error of this package with these words.
func says(t *testing.T, err error, words ...string) {
	t.Helper()
	var e *registry.Error
	if !errors.As(err, &e) {
		t.Errorf("%v is not an error for people", err)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v\ndoes not say %q", err, w)
		}
	}
}

func (s *shop) pull(t *testing.T, rest string) error {
	t.Helper()
	a, _, err := new(registry.Client).Pull(t.Context(), s.ref(t, rest))
	if (a == nil) != (err != nil) {
		t.Errorf("an artifact and an error: %v", err)
	}
	return err
}

// blobs reports whether a request fetches the module of sample.
func blobs(r *http.Request) bool {
	a, _ := sample()
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, fmt.Sprintf("/blobs/sha256:%x", sha256.Sum256(a.Module)))
}

func TestContentIsHeldToItsDigest(t *testing.T) {
	s := open(t)
	a, _ := sample()
	digest := push(t, s)
	other := bytes.ToUpper(a.Module)
	for name, body := range map[string][]byte{"changed": other, "longer": append(bytes.Clone(a.Module), 'x'), "empty": {}} {
		s.bends(func(w http.ResponseWriter, r *http.Request) bool {
			if !blobs(r) {
				return false
			}
			w.WriteHeader(http.StatusOK)
			_, _ = w.Write(body)
			return true
		})
		t.Log(name)
		says(t, s.pull(t, "edge/guard:1.4.0"), "is not what its digest names", "or something between")
	}
	s.bends(func(w http.ResponseWriter, r *http.Request) bool {
		if !blobs(r) {
			return false
		}
		w.Header().Set("Content-Length", "13")
		_, _ = w.Write(a.Module[:4]) // then the server ends the connection
		return true
	})
	says(t, s.pull(t, "edge/guard:1.4.0"), "ended too soon", "try again")
	s.bends(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Docker-Content-Digest", digest)
		_, _ = io.WriteString(w, `{"schemaVersion":2}`)
		return true
	})
	says(t, s.pull(t, "edge/guard@"+digest), "is not what its digest names")
	says(t, s.pull(t, "edge/guard:1.4.0"), "is not what its digest names")
}

// answer bends the manifest alone.
func (s *shop) answer(kind, body string) {
	s.bends(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = io.WriteString(w, body)
		return true
	})
}

func TestForeignManifests(t *testing.T) {
	s := open(t)
	push(t, s)
	const kind = "application/vnd.oci.image.manifest.v1+json"
	layer := func(kind string, size string) string {
		return `{"mediaType":"` + kind + `","digest":"` + someDigest + `","size":` + size + `}`
	}
	manifest := func(artifact, config string, layers ...string) string {
		return `{"schemaVersion":2,"mediaType":"` + kind + `","artifactType":"` + artifact + `","config":` + config + `,"layers":[` + strings.Join(layers, ",") + `]}`
	}
	empty := `{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}`
	module, signature := layer(registry.ModuleType, "9"), layer(registry.SignatureType, "9")
	for name, c := range map[string]struct{ kind, body, says string }{
		"an index":          {"application/vnd.oci.image.index.v1+json", `{}`, "a application/vnd.oci.image.index.v1+json"},
		"no JSON":           {kind, `{`, "no JSON"},
		"an image":          {kind, manifest("", layer("application/vnd.oci.image.config.v1+json", "2"), module), "is not a policy module"},
		"no layer":          {kind, manifest(registry.ArtifactType, empty), "layers []"},
		"another layer":     {kind, manifest(registry.ArtifactType, empty, layer("text/plain", "9")), "text/plain"},
		"a second module":   {kind, manifest(registry.ArtifactType, empty, module, module), "is not a policy module"},
		"a third layer":     {kind, manifest(registry.ArtifactType, empty, module, signature, signature), "is not a policy module"},
		"a configuration":   {kind, manifest(registry.ArtifactType, layer("application/json", "2"), module), "is not a policy module"},
		"a large module":    {kind, manifest(registry.ArtifactType, empty, layer(registry.ModuleType, "8388609")), "8388609 bytes"},
		"a negative module": {kind, manifest(registry.ArtifactType, empty, layer(registry.ModuleType, "-1")), "-1 bytes"},
		"a large signature": {kind, manifest(registry.ArtifactType, empty, module, layer(registry.SignatureType, "4097")), "4097 bytes"},
		"no signature":      {kind, manifest(registry.ArtifactType, empty, module, layer(registry.SignatureType, "0")), "0 bytes"},
		"too long":          {kind, strings.Repeat(" ", registry.MaxManifest) + "{}", "is too long"},
		"far too long":      {kind, strings.Repeat(" ", 40*registry.MaxManifest) + "{}", "is too long"},
		"a page":            {"text/html; charset=utf-8", "<html>", "is a web site and not a registry"},
		"no kind at all":    {"?", "x", "did not answer as a registry does"},
	} {
		s.answer(c.kind, c.body)
		t.Log(name)
		says(t, s.pull(t, "edge/guard:1.4.0"), c.says)
		for _, r := range s.seen {
			if strings.Contains(r.URL.Path, "/blobs/") {
				t.Errorf("%s: %s was fetched", name, r.URL.Path)
			}
		}
	}
}

func TestRegistrySaysNo(t *testing.T) {
	s := open(t)
	push(t, s)
	says(t, s.pull(t, "edge/guard:9.9.9"), "edge/guard:9.9.9 is not there", "check repository and tag")
	says(t, s.pull(t, "edge/other:1"), "is not there")
	says(t, s.pull(t, "edge/guard@"+someDigest), "is not there")
	for status, words := range map[int]string{403: "does not let us at edge/guard", 429: "asks for fewer requests", 500: "refuses", 418: "status 418"} {
		s.bends(func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"errors":[{"code":"DENIED","message":"no\u001b[2J way"}]}`)
			return true
		})
		err := s.pull(t, "edge/guard:1.4.0")
		says(t, err, words, "denied: no?[2J way")
		if want := 1; status >= 429 {
			if want = 3; len(s.seen) != want {
				t.Errorf("status %d: asked %d times", status, len(s.seen))
			}
		}
		a, about := sample()
		_, err = new(registry.Client).Push(t.Context(), s.ref(t, "edge/guard:2"), a, about)
		says(t, err, words[:5])
	}
}

func TestBoundsOfPush(t *testing.T) {
	s := open(t)
	a, about := sample()
	push := func(ref string, a registry.Artifact, about registry.About) error {
		_, err := new(registry.Client).Push(t.Context(), s.ref(t, ref), a, about)
		return err
	}
	says(t, push("edge/guard@"+someDigest, a, about), "needs a tag and no digest")
	says(t, push("edge/guard:1", registry.Artifact{}, about), "0 bytes")
	says(t, push("edge/guard:1", registry.Artifact{Module: make([]byte, registry.MaxModule+1)}, about), "8388609 bytes")
	says(t, push("edge/guard:1", registry.Artifact{Module: a.Module, Signature: make([]byte, registry.MaxSignature+1)}, about), "4097 bytes")
	about.Description = strings.Repeat("x", registry.MaxManifest)
	says(t, push("edge/guard:1", a, about), "too long for a manifest")
	if len(s.seen) != 0 {
		t.Errorf("%d requests for what cannot be", len(s.seen))
	}
	most := registry.Artifact{Module: make([]byte, registry.MaxModule), Signature: make([]byte, registry.MaxSignature)}
	if err := push("edge/guard:1", most, registry.About{}); err != nil {
		t.Errorf("the greatest: %v", err)
	}
	if err := s.pull(t, "edge/guard:1"); err != nil {
		t.Errorf("the greatest: %v", err)
	}
}

func TestTimeAndInterruption(t *testing.T) {
	s := open(t)
	push(t, s)
	s.bends(func(_ http.ResponseWriter, r *http.Request) bool {
		if blobs(r) {
			<-r.Context().Done()
		}
		return blobs(r)
	})
	ref := s.ref(t, "edge/guard:1.4.0")
	_, _, err := (&registry.Client{Timeout: 50 * time.Millisecond}).Pull(t.Context(), ref)
	says(t, err, "was not done in time", "50ms at most")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = new(registry.Client).Pull(ctx, ref)
	says(t, err, "interrupted")
}
