package cases

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// World is what a policy finds around it while its tests ask: values, answers of other
// servers and files, all of which the tests give (ABI §8, edgeftp.tests). Nothing of
// it leads anywhere else, and it is the same in every run. It is the
// [policy.Services] of the questions. Make it with [Set.World].
type World struct {
	// KV are the policy's values. Their clock stands still, as that of the tests
	// does: no key vanishes.
	KV *policy.MemKV
	// Random is where random bytes come from: always the same ones.
	Random io.Reader
	// Verifier verifies stored hashes other than those of tests, as a server does;
	// nil leaves them DENIED.
	Verifier func(ctx context.Context, hash, password string) (bool, error)

	mu      sync.Mutex
	hook    abi.Hook // of the running test
	test    *Case
	http    map[string]*Response
	files   map[string]*File
	fetched []string
	log     []string
	missing []string
}

var _ policy.Services = (*World)(nil)

// maxKept bounds what is kept of one test, lines and requests each: a policy may have
// very many.
const maxKept = 1000

// maxValues is how many bytes of values there may be, keys included.
const maxValues = 1 << 20

// now is when every test asks.
func now() time.Time { return time.Unix(1_700_000_000, 0).UTC() }

// World makes the world in which the tests of the set begin.
func (s *Set) World() *World {
	w := &World{KV: &policy.MemKV{MaxBytes: maxValues, Now: now}, Random: rand.NewChaCha8([32]byte{}), test: new(Case)}
	w.put(s.KV, s.HTTP, s.Files)
	return w
}

// put adds what a test or the set brings; nil removes.
func (w *World) put(values map[string]Value, http map[string]*Response, files map[string]*File) {
	for key, v := range values {
		_ = w.KV.Set(key, v, 0) // Parse has seen the lengths; what does not fit is missed by the test
	}
	if w.http == nil {
		w.http, w.files = map[string]*Response{}, map[string]*File{}
	}
	for url, r := range http {
		w.http[url] = r
	}
	for path, f := range files {
		w.files[path] = f
	}
}

// begin is the moment before a test asks.
func (w *World) begin(c *Case) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put(c.KV, c.HTTP, c.Files)
	w.hook, w.test = hookOf(c.Hook), c
	w.fetched, w.log, w.missing = nil, nil, nil
}

// miss notes what a test gives no answer to.
func (w *World) miss(format string, v ...any) {
	if len(w.missing) < maxKept {
		w.missing = append(w.missing, fmt.Sprintf(format, v...))
	}
}

// Note notes a sentence on what the policy did that a server would not carry out; see
// Outcome.Missing.
func (w *World) Note(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.miss("%s", text)
}

// Log takes a line that the policy writes to the server's log.
func (w *World) Log(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.log) < maxKept {
		w.log = append(w.log, line)
	}
}

// ErrUnlisted is the error of a request that the tests give no answer to.
var ErrUnlisted = errors.New("the tests list no answer")

// Fetch gives the answer to an HTTP request. It fails with [ErrUnlisted] if there is
// none.
func (w *World) Fetch(r *abi.FetchRequest) (*abi.FetchResponse, error) {
	method := r.Method
	if method == "" {
		method = "GET"
	}
	key := method + " " + r.URL
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.fetched) < maxKept {
		w.fetched = append(w.fetched, key)
	}
	given := w.http[key]
	if given == nil {
		w.miss("it asks %q, to which the test lists no answer (http)", abi.Clean(key, 300))
		return nil, ErrUnlisted
	}
	out := &abi.FetchResponse{Status: given.Status, Body: []byte(given.Body)}
	for _, name := range r.Want {
		for have, value := range given.Headers {
			if strings.EqualFold(have, name) {
				out.Header = append(out.Header, abi.FetchField{Name: strings.ToLower(have), Value: value})
			}
		}
	}
	slices.SortFunc(out.Header, func(a, b abi.FetchField) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Stat implements [policy.Services]: the files of the tests and the directories above
// them. Questions without a session that is logged in are denied it, as on a server.
func (w *World) Stat(_ context.Context, path string) (policy.Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hook == abi.HookAuth || w.hook == abi.HookEvent || w.hook == abi.HookCert {
		return policy.Entry{}, fs.ErrPermission
	}
	if f := w.files[path]; f != nil {
		return f.entry(path), nil
	}
	for name, f := range w.files {
		if f != nil && (path == "/" || strings.HasPrefix(name, path+"/")) {
			return (&File{Mode: dirMode}).entry(path), nil
		}
	}
	if path == "/" {
		return (&File{Mode: dirMode}).entry(path), nil
	}
	return policy.Entry{}, fs.ErrNotExist
}

// plainHash is how tests write a hash that costs nothing.
const plainHash = "plain:"

// Verify implements [policy.Services] with the password of the test. "plain:TEXT" is
// the hash of TEXT, in tests alone; other hashes are the Verifier's.
func (w *World) Verify(ctx context.Context, hash string) (bool, error) {
	w.mu.Lock()
	password := w.test.Password
	if w.Verifier == nil && !strings.HasPrefix(hash, plainHash) {
		w.miss("pw_verify of a stored hash: nobody here can verify it, and tests may have %sTEXT for one", plainHash)
	}
	w.mu.Unlock()
	if text, ok := strings.CutPrefix(hash, plainHash); ok {
		return text == password, nil
	}
	if w.Verifier == nil {
		return false, fs.ErrPermission
	}
	return w.Verifier(ctx, hash, password)
}

// Digest implements [policy.Services]: that of the data of the file at the test's
// path, which is also the upload that is about to become visible.
func (w *World) Digest(_ context.Context, algorithm string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := hashOf(algorithm)
	if h == nil {
		return nil, errors.ErrUnsupported
	}
	f := w.files[w.test.Path]
	switch {
	case f == nil:
		w.miss("digest of %q, which is not among the files of the test", w.test.Path)
		return nil, fs.ErrNotExist
	case f.Data == nil:
		w.miss("digest of %q, of which the test gives no data", w.test.Path)
		return nil, fs.ErrPermission
	}
	_, _ = io.WriteString(h, *f.Data) // a hash does not fail
	return h.Sum(nil), nil
}
