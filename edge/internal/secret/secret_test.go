package secret_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"github.com/edgeftp/edgeftp/edge/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cheap is argon2id of "tame otter" with 64 KiB and one pass.
const cheap = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$" +
	"gZ/KNWMQXMIrnYKZa+U2/OvCeQ66eHCcZqsJE4T8OoA"

func bcryptHash(t *testing.T, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

func TestHashAndVerify(t *testing.T) {
	v := secret.NewVerifier(0)
	for _, password := range []string{"tame otter", "x", "päß wörd", strings.Repeat("long", 256), "nul\x00nul"} {
		hash, err := secret.Hash(password)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
			t.Errorf("hash is %q", hash)
		}
		if err := secret.Check(hash); err != nil {
			t.Error(err)
		}
		for try, want := range map[string]bool{password: true, password + "x": false, "": false} {
			if ok, err := v.Verify(t.Context(), hash, try); ok != want || err != nil {
				t.Errorf("%q against the hash of %q: %v, %v", try, password, ok, err)
			}
		}
	}
	a, _ := secret.Hash("same")
	if b, _ := secret.Hash("same"); a == b {
		t.Error("two hashes of one password are equal")
	}
}

func TestHashRefuses(t *testing.T) {
	for _, password := range []string{"", strings.Repeat("x", 1025)} {
		if h, err := secret.Hash(password); !errors.Is(err, secret.ErrPassword) || h != "" {
			t.Errorf("%d bytes: %q, %v", len(password), h, err)
		}
	}
}

func TestVerifyKnownForms(t *testing.T) {
	v := secret.NewVerifier(1)
	b := bcryptHash(t, "tame otter")
	forms := map[string]string{
		"argon2id": cheap,
		"bcrypt a": b,
		"bcrypt b": strings.Replace(b, "$2a$", "$2b$", 1),
		"bcrypt y": strings.Replace(b, "$2a$", "$2y$", 1),
	}
	for name, hash := range forms {
		for try, want := range map[string]bool{"tame otter": true, "tame otter ": false, "": false} {
			if ok, err := v.Verify(t.Context(), hash, try); ok != want || err != nil {
				t.Errorf("%s, %q: %v, %v", name, try, ok, err)
			}
		}
	}
}

func TestLongPasswords(t *testing.T) {
	v := secret.NewVerifier(1)
	at72 := strings.Repeat("x", 72)
	hash := bcryptHash(t, at72)
	cases := map[string]bool{at72: true, at72 + "x": false, at72[:71]: false, strings.Repeat("x", 1025): false}
	for try, want := range cases {
		if ok, err := v.Verify(t.Context(), hash, try); ok != want || err != nil {
			t.Errorf("%d bytes against 72 of bcrypt: %v, %v", len(try), ok, err)
		}
	}
	if ok, err := v.Verify(t.Context(), cheap, strings.Repeat("x", 1<<20)); ok || err != nil {
		t.Errorf("a megabyte: %v, %v", ok, err)
	}
}

func TestBounds(t *testing.T) {
	tail := "$c29tZXNhbHRzb21lc2FsdA$gZ/KNWMQXMIrnYKZa+U2/OvCeQ66eHCcZqsJE4T8OoA"
	cases := []struct{ hash, want string }{
		{"$argon2id$v=19$m=262145,t=2,p=1" + tail, "argon2id memory 262145, at most 262144 KiB"},
		{"$argon2id$v=19$m=4294967296,t=2,p=1" + tail, "argon2id memory 4294967296"},
		{"$argon2id$v=19$m=99999999999999999999,t=2,p=1" + tail, "argon2id memory"},
		{"$argon2id$v=19$m=64,t=17,p=1" + tail, "argon2id time 17, at most 16 passes"},
		{"$argon2id$v=19$m=64,t=1,p=9" + tail, "argon2id parallelism 9, at most 8 lanes"},
		{"$2a$16$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "bcrypt cost 16, at most 15"},
		{"$2a$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "bcrypt cost 31"},
		{"$argon2id$v=19$m=0,t=1,p=1" + tail, "memory"},
		{"$argon2id$v=19$m=64,t=0,p=1" + tail, "time"},
		{"$argon2id$v=19$m=64,t=1,p=0" + tail, "parallelism"},
		{"$argon2id$v=19$m=64,t=1" + tail, "not all there"},
		{"$argon2id$v=19$t=1,m=64,p=1" + tail, "memory"},
		{"$argon2id$v=19$m=64,t=1,p=1,x=1" + tail, "more than"},
		{"$argon2id$v=19$m=+64,t=1,p=1" + tail, "memory"},
		{"$argon2id$v=19$m=064,t=1,p=1" + tail, "memory"},
		{"$argon2id$v=18$m=64,t=1,p=1" + tail, "version"},
		{"$argon2id$m=64,t=1,p=1" + tail, "five fields"},
		{"$argon2id$v=19$m=64,t=1,p=1$c29t$ZpR5WvxZP94DGDdQgMGzVBT26acvpz8f", "salt: 3 bytes"},
		{"$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$AA", "key: 1 bytes"},
		{"$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$!", "key: not base64"},
		{"$argon2i$v=19$m=64,t=1,p=1" + tail, "neither"},
		{"$2x$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "neither"},
		{"$2a$10$short", "60 characters"},
		{"$2a$xx$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "damaged bcrypt"},
		{"$2a$04$????8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "damaged bcrypt"},
		{"plain", "neither"},
		{"", "empty"},
	}
	v := secret.NewVerifier(1)
	for _, c := range cases {
		ok, err := v.Verify(t.Context(), c.hash, "x")
		if ok || !errors.Is(err, secret.ErrHash) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, %v; want %q", c.hash, ok, err, c.want)
		}
	}
}

func TestWaitingRespectsContext(t *testing.T) {
	v := secret.NewVerifier(1)
	ended := errors.New("the client went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ended)
	if ok, err := v.Verify(ctx, cheap, "tame otter"); ok || !errors.Is(err, ended) {
		t.Errorf("got %v, %v", ok, err)
	}
	if err := v.VerifyNobody(ctx, "x"); !errors.Is(err, ended) {
		t.Errorf("got %v", err)
	}
}

func TestNobodyCostsTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	hash, err := secret.Hash("tame otter")
	if err != nil {
		t.Fatal(err)
	}
	v := secret.NewVerifier(1)
	spent := func(f func()) time.Duration {
		start := time.Now()
		f()
		return time.Since(start)
	}
	// In turn, so that what else the machine does falls on both; the shortest
	// times are the nearest to the truth.
	known, nobody := time.Hour, time.Hour
	for n := range 60 {
		known = min(known, spent(func() { _, _ = v.Verify(t.Context(), hash, "wrong") }))
		nobody = min(nobody, spent(func() { _ = v.VerifyNobody(t.Context(), "wrong") }))
		if n >= 6 && max(known, nobody) <= 2*min(known, nobody) {
			break
		}
	}
	if max(known, nobody) > 2*min(known, nobody) {
		t.Errorf("a known user costs %v, an unknown one %v", known, nobody)
	}
	if err := v.Like(cheap); err != nil {
		t.Fatal(err)
	}
	d := time.Hour
	for range 7 {
		d = min(d, spent(func() { _ = v.VerifyNobody(t.Context(), "wrong") }))
	}
	if d > known/2 {
		t.Errorf("Like a cheap hash costs %v, the default %v", d, known)
	}
	if err := v.Like("x"); !errors.Is(err, secret.ErrHash) {
		t.Errorf("Like took a bad hash: %v", err)
	}
}

// A storm of logins must not need more memory than the gate allows.
func TestMemoryIsBounded(t *testing.T) {
	const parallel, logins = 2, 30
	hash, err := secret.Hash("tame otter")
	if err != nil {
		t.Fatal(err)
	}
	v := secret.NewVerifier(parallel)
	v.Patience(time.Minute)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var wg sync.WaitGroup
	for range logins {
		wg.Go(func() {
			if ok, err := v.Verify(t.Context(), hash, "tame otter"); !ok || err != nil {
				t.Errorf("%v, %v", ok, err)
			}
		})
	}
	wg.Wait()
	runtime.ReadMemStats(&after)
	// Two in use, as much again waiting for the collector, and a margin.
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 140<<20 {
		t.Errorf("%d logins took %d MiB of memory", logins, grown>>20)
	}
}

func TestLargeHashesRunAlone(t *testing.T) {
	hash := "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$gZ/KNWMQXMIrnYKZa+U2/OvCeQ66eHCcZqsJE4T8OoA"
	v := secret.NewVerifier(8)
	v.Patience(time.Minute)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if ok, err := v.Verify(t.Context(), hash, "x"); ok || err != nil {
				t.Errorf("%v, %v", ok, err)
			}
		})
	}
	wg.Wait()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 200<<20 {
		t.Errorf("eight hashes of 64 MiB took %d MiB", grown>>20)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(cheap)
	f.Add("$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy")
	f.Add("$argon2id$v=19$m=262145,t=2,p=1$c2FsdA$a2V5")
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	v := secret.NewVerifier(1)
	f.Fuzz(func(t *testing.T, hash string) {
		err := secret.Check(hash)
		if err != nil && !errors.Is(err, secret.ErrHash) {
			t.Errorf("%q: %v", hash, err)
		}
		// What passes is verified without a panic; dear ones are left out.
		if err == nil && strings.HasPrefix(hash, "$argon2id$v=19$m=64,t=1,p=1$") {
			if _, err := v.Verify(t.Context(), hash, "x"); err != nil {
				t.Errorf("%q passes Check: %v", hash, err)
			}
		}
	})
}
