package wasmhost

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Numbers of the functions in testdata/imports.wat.
const (
	fnLog = iota
	fnKVGet
	fnKVSet
	fnKVIncr
	fnKVCAS
	fnMetric
	fnRandom
	fnVerify
	fnStat
	fnDigest
	fnFetch
)

// Where tests keep what they give to and take from the guest: the memory has four
// pages.
const (
	inAt   = 32 << 10
	outAt  = 128 << 10
	memEnd = 256 << 10
)

// wanting is a manifest of testdata/imports.wat that declares capabilities.
func wanting(capabilities ...string) string {
	return fmt.Sprintf(`{"capabilities":["%s"],"site":[{"verb":"GO","help":"goes"}]}`, strings.Join(capabilities, `","`))
}

// everything is what testdata/imports.wat needs, and hosts to fetch from.
func everything(hosts ...string) string {
	all := []string{"kv", "metric", "random", "pw", "fs.stat", "digest"}
	for _, host := range append(hosts, "127.0.0.1:1") {
		all = append(all, "fetch:"+host)
	}
	return wanting(all...)
}

// allGranted grants what everything declares.
func allGranted(kv policy.KV, sink MetricSink) Grant {
	return Grant{
		KV:     func(string, int64) (policy.KV, error) { return kv, nil },
		Metric: sink, Random: true, Verify: true, Stat: true, Digest: true,
		Fetch: FetchGrant{Allow: []string{"http://127.0.0.1:1"}},
	}
}

// caller asks the guest of testdata/imports.wat to call functions of the host.
type caller struct {
	t testing.TB
	p *Policy
}

func newCaller(t testing.TB, c Config, manifest string, g Grant) *caller {
	t.Helper()
	c.Limits.Instances = 1
	return &caller{t, loadModule(t, newHost(t, c), declaring(testModule(t, "imports"), manifest), LoadOptions{Grant: g})}
}

// guest returns the one free instance.
func (c *caller) guest() *instance {
	c.t.Helper()
	in, _ := c.p.pool.quick()
	if in == nil {
		var err error
		if in, err = c.p.newInstance(); err != nil {
			c.t.Fatal(err)
		}
	}
	c.p.pool.give(in)
	return in
}

func (c *caller) write(at uint32, b []byte) {
	c.t.Helper()
	if !c.guest().mem.Write(at, b) {
		c.t.Fatalf("%d bytes at %d are not in the memory", len(b), at)
	}
}

func (c *caller) read(at, n uint32) []byte {
	b, ok := c.guest().mem.Read(at, n)
	if !ok {
		c.t.Fatalf("%d bytes at %d are not in the memory", n, at)
	}
	return bytes.Clone(b)
}

// call calls a function in a hook and returns its result.
func (c *caller) call(ctx context.Context, h abi.Hook, fn int, args ...uint64) (int64, error) {
	c.t.Helper()
	b := make([]byte, 72)
	for i, a := range args {
		binary.LittleEndian.PutUint64(b[8*i:], a)
	}
	binary.LittleEndian.PutUint32(b[56:], uint32(fn))
	c.write(64, b)
	s := testSession
	meta := policy.Meta{Session: &s, Request: 1, Time: time.Unix(1_700_000_000, 0)}
	var err error
	switch h {
	case abi.HookAuth:
		_, err = c.p.Hooks().Authenticator.Authenticate(ctx, &policy.Login{Meta: meta})
	case abi.HookFS:
		_, err = c.p.Hooks().Authorizer.Authorize(ctx, &policy.Action{Meta: meta, Op: policy.OpCommit, Path: "/a"})
	case abi.HookList:
		_, err = c.p.Hooks().Lister.List(ctx, &policy.Listing{Meta: meta, Path: "/", Entries: []policy.Entry{{Name: "a"}}})
	case abi.HookCmd:
		_, err = c.p.Hooks().Commander.Command(ctx, &policy.Command{Meta: meta, Verb: "NOOP"})
	case abi.HookSite:
		_, err = c.p.Hooks().Site.CallSite(ctx, &policy.SiteCall{Meta: meta, Verb: "GO", Dir: "/"})
	case abi.HookThrottle:
		_, err = c.p.Hooks().Throttler.Throttle(ctx, &policy.Transfer{Meta: meta, Op: policy.OpRead, Path: "/a"})
	case abi.HookCert:
		_, err = c.p.Hooks().Certifier.Certify(ctx, &policy.CertRequest{Meta: meta, Name: "a.example"})
	default:
		err = c.p.Hooks().Observer.Observe(ctx, &policy.Event{Meta: meta, Kind: policy.EventLogin})
	}
	if err != nil {
		return 0, err
	}
	return int64(binary.LittleEndian.Uint64(c.read(128, 8))), nil
}

// wants calls a function in the hook fs.
func (c *caller) wants(want int64, fn int, args ...uint64) {
	c.t.Helper()
	got, err := c.call(c.t.Context(), abi.HookFS, fn, args...)
	if err != nil || got != want {
		c.t.Errorf("function %d%v: got %d, %v, want %d", fn, args, got, err, want)
	}
}

// traps calls a function that is to cost the call.
func (c *caller) traps(h abi.Hook, fn int, args ...uint64) {
	c.t.Helper()
	_, err := c.call(c.t.Context(), h, fn, args...)
	var fault *CallError
	if !errors.As(err, &fault) || fault.Cause != CauseTrap {
		c.t.Errorf("function %d%v: got %v, want a trap", fn, args, err)
	}
}

// memKV is a small policy.KV.
type memKV struct {
	mu   sync.Mutex
	m    map[string][]byte
	ttl  map[string]time.Duration
	fail error
}

func newMemKV() *memKV { return &memKV{m: map[string][]byte{}, ttl: map[string]time.Duration{}} }

func (k *memKV) Get(key string) ([]byte, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, ok := k.m[key]
	return bytes.Clone(v), ok
}

func (k *memKV) put(key string, v []byte, ttl time.Duration) {
	if v == nil {
		delete(k.m, key)
		return
	}
	k.m[key], k.ttl[key] = append([]byte{}, v...), ttl
}

func (k *memKV) Set(key string, v []byte, ttl time.Duration) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail == nil {
		k.put(key, v, ttl)
	}
	return k.fail
}

func (k *memKV) Incr(key string, delta int64, ttl time.Duration) (int64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, ok := k.m[key]
	switch {
	case k.fail != nil:
		return 0, k.fail
	case ok && len(v) != 8:
		return 0, policy.ErrKVType
	case ok:
		delta += int64(binary.LittleEndian.Uint64(v))
	}
	k.put(key, binary.LittleEndian.AppendUint64(nil, uint64(delta)), ttl)
	return delta, nil
}

func (k *memKV) CompareAndSwap(key string, old, v []byte, ttl time.Duration) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	have, ok := k.m[key]
	if k.fail != nil || ok != (old != nil) || !bytes.Equal(have, old) {
		return false, k.fail
	}
	k.put(key, v, ttl)
	return true, nil
}

// memSink keeps what it is told.
type memSink struct {
	mu   sync.Mutex
	seen map[string]int64
}

func newMemSink() *memSink { return &memSink{seen: map[string]int64{}} }

func (m *memSink) Metric(policy, name string, kind int32, v int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := policy + " " + name
	if kind == abi.MetricCounter {
		v += m.seen[key]
	}
	m.seen[key] = v
}

// services is what a server would do for a question.
type services struct {
	stat   func(path string) (policy.Entry, error)
	verify func(hash string) (bool, error)
	digest func(algorithm string) ([]byte, error)
}

func (s services) Stat(_ context.Context, path string) (policy.Entry, error) { return s.stat(path) }
func (s services) Verify(_ context.Context, hash string) (bool, error)       { return s.verify(hash) }
func (s services) Digest(_ context.Context, algorithm string) ([]byte, error) {
	return s.digest(algorithm)
}

func TestImportKV(t *testing.T) {
	kv := newMemKV()
	c := newCaller(t, Config{}, everything(), allGranted(kv, newMemSink()))
	if string(kv.m["born"]) != "born" {
		t.Error("kv_set in edgeftp_config did nothing")
	}
	key := func(s string) []uint64 { c.write(inAt, []byte(s)); return []uint64{inAt, uint64(len(s))} }
	with := func(a []uint64, b ...uint64) []uint64 { return append(a, b...) }
	value := func(s string) uint64 { c.write(inAt+1024, []byte(s)); return inAt + 1024 }

	c.wants(int64(abi.ErrnoNotFound), fnKVGet, with(key("k"), outAt, 10)...)
	c.wants(0, fnKVSet, with(key("k"), value("hello"), 5, 1500)...)
	if string(kv.m["k"]) != "hello" || kv.ttl["k"] != 1500*time.Millisecond {
		t.Errorf("stored %q for %v", kv.m["k"], kv.ttl["k"])
	}
	c.wants(5, fnKVGet, with(key("k"), outAt, 10)...)
	if got := string(c.read(outAt, 6)); got != "hello\x00" {
		t.Errorf("got %q", got)
	}
	c.write(outAt, []byte("xxxxx"))
	c.wants(5, fnKVGet, with(key("k"), outAt, 4)...)
	c.wants(5, fnKVGet, with(key("k"), 0, 0)...)
	if got := string(c.read(outAt, 5)); got != "xxxxx" {
		t.Errorf("a value that does not fit was written: %q", got)
	}
	c.wants(0, fnKVSet, with(key("k"), value(""), 0, 1<<63-1)...)
	if v, ok := kv.m["k"]; !ok || len(v) != 0 || kv.ttl["k"] != 0 {
		t.Errorf("the empty value became %v, for %v", v, kv.ttl["k"])
	}
	c.wants(0, fnKVSet, with(key("k"), memEnd+5, abi.NoValue, 0)...)
	if _, ok := kv.m["k"]; ok {
		t.Error("the key is still there")
	}
	minus := ^uint64(6) // -7
	c.wants(0, fnKVIncr, with(key("n"), minus, 60_000, outAt)...)
	if got := int64(binary.LittleEndian.Uint64(c.read(outAt, 8))); got != -7 || kv.ttl["n"] != time.Minute {
		t.Errorf("the counter is %d, for %v", got, kv.ttl["n"])
	}
	c.wants(int64(abi.ErrnoType), fnKVIncr, with(key("born"), 1, 0, outAt)...)
	c.wants(1, fnKVCAS, with(key("c"), 0, abi.NoValue, value("one"), 3, 0)...)
	c.wants(0, fnKVCAS, with(key("c"), 0, abi.NoValue, value("one"), 3, 0)...)
	c.wants(0, fnKVCAS, with(key("c"), value("two"), 3, value("two"), 3, 0)...)
	c.wants(1, fnKVCAS, with(key("c"), value("one"), 3, 0, abi.NoValue, 0)...)
	if _, ok := kv.m["c"]; ok {
		t.Error("the swap for nothing left something")
	}

	// Absurd lengths, in the memory and beyond it.
	long := uint64(policy.MaxKVKey + 1)
	size := int64(abi.ErrnoSize)
	c.wants(size, fnKVGet, inAt, 0, outAt, 10)
	c.wants(size, fnKVGet, inAt, long, outAt, 10)
	c.wants(size, fnKVSet, inAt, long, outAt, 1, 0)
	c.wants(size, fnKVSet, inAt, 1, inAt, policy.MaxKVValue+1, 0)
	c.wants(size, fnKVIncr, inAt, 0, 1, 0, outAt)
	c.wants(size, fnKVCAS, inAt, 1, inAt, policy.MaxKVValue+1, inAt, 1, 0)
	c.wants(size, fnKVCAS, inAt, 1, inAt, 1, inAt, policy.MaxKVValue+1, 0)
	kv.fail = policy.ErrKVFull
	for fn, args := range map[int][]uint64{fnKVSet: {inAt, 1, inAt, 1, 0}, fnKVIncr: {inAt, 1, 1, 0, outAt}, fnKVCAS: {inAt, 1, 0, abi.NoValue, inAt, 1, 0}} {
		c.wants(int64(abi.ErrnoFull), fn, args...)
	}
	kv.fail = nil
	before := len(kv.m)
	for _, bad := range [][]uint64{
		{fnKVGet, memEnd - 1, 2, outAt, 1}, {fnKVGet, 0xffffffff, 0xffffffff, outAt, 1}, {fnKVGet, inAt, 1, memEnd, 1},
		{fnKVGet, inAt, 1, outAt, 0xffffffff}, {fnKVSet, inAt, 1, memEnd, 1, 0}, {fnKVSet, inAt, 1, inAt, 0xfffffffe, 0},
		{fnKVIncr, inAt, 1, 1, 0, memEnd - 7}, {fnKVCAS, inAt, 1, memEnd - 1, 2, inAt, 1, 0}, {fnKVCAS, inAt, 1, inAt, 1, memEnd, 1, 0},
	} {
		c.traps(abi.HookFS, int(bad[0]), bad[1:]...)
	}
	if len(kv.m) != before {
		t.Error("a call that trapped changed something")
	}
}

func TestImportMetric(t *testing.T) {
	var out bytes.Buffer
	sink := newMemSink()
	c := newCaller(t, Config{Log: slog.New(slog.NewTextHandler(&out, nil))}, everything(), allGranted(newMemKV(), sink))
	add := func(name string, kind int32, v int64) {
		t.Helper()
		c.write(inAt, []byte(name))
		if _, err := c.call(t.Context(), abi.HookFS, fnMetric, inAt, uint64(len(name)), uint64(uint32(kind)), uint64(v)); err != nil {
			t.Error(err)
		}
	}
	add("logins_total", abi.MetricCounter, 2)
	add("logins_total", abi.MetricCounter, 3)
	add("load", abi.MetricGauge, -4)
	for range 10 {
		add("logins_total", abi.MetricCounter, -1)
		add("load", abi.MetricCounter, 1)
		add("Load\x1b[31m", abi.MetricGauge, 1)
		add("", abi.MetricGauge, 1)
		add("9x", abi.MetricGauge, 1)
		add("other", 7, 1)
		add(strings.Repeat("x", abi.MaxMetricName+1), abi.MetricGauge, 1)
	}
	if sink.seen["guest logins_total"] != 5 || sink.seen["guest load"] != -4 || sink.seen["guest born"] != 1 || len(sink.seen) != 3 {
		t.Errorf("the sink has %v", sink.seen)
	}
	if n := strings.Count(out.String(), "is dropped"); n != 1 {
		t.Errorf("%d lines about dropped numbers:\n%s", n, out.String())
	}
	for i := range 200 {
		add("s_"+strings.Repeat("a", i%60)+strings.Repeat("b", i/60), abi.MetricGauge, 1)
	}
	if len(sink.seen) != abi.MaxMetrics {
		t.Errorf("%d series, want %d", len(sink.seen), abi.MaxMetrics)
	}
	add("load", abi.MetricGauge, 9)
	if sink.seen["guest load"] != 9 {
		t.Error("a series that was there is not taken any more")
	}
	c.traps(abi.HookFS, fnMetric, memEnd-1, 2, 0, 1)
	c.traps(abi.HookFS, fnMetric, 0, 0xffffffff, 0, 1)
}

func TestImportRandom(t *testing.T) {
	c := newCaller(t, Config{}, everything(), allGranted(newMemKV(), newMemSink()))
	zero := make([]byte, 8)
	if bytes.Equal(c.read(176, 8), zero) {
		t.Error("random in edgeftp_config did nothing")
	}
	seen := map[string]bool{}
	for range 50 {
		if _, err := c.call(t.Context(), abi.HookFS, fnRandom, outAt, abi.MaxRandom); err != nil {
			t.Fatal(err)
		}
		seen[string(c.read(outAt, abi.MaxRandom))] = true
	}
	if len(seen) != 50 {
		t.Errorf("%d of 50 were different", len(seen))
	}
	c.traps(abi.HookFS, fnRandom, outAt, abi.MaxRandom+1)
	c.traps(abi.HookFS, fnRandom, memEnd-1, 2)
	c.traps(abi.HookFS, fnRandom, 0xffffffff, 0xffffffff)
	// What is recorded can be given again.
	c.guest() // the one that trapped is made again
	c.p.caps.random = strings.NewReader("the same again")
	if _, err := c.call(t.Context(), abi.HookFS, fnRandom, outAt, 8); err != nil || string(c.read(outAt, 8)) != "the same" {
		t.Errorf("%q, %v", c.read(outAt, 8), err)
	}
}

func TestImportVerify(t *testing.T) {
	c := newCaller(t, Config{}, everything(), allGranted(newMemKV(), newMemSink()))
	ctx := policy.WithServices(t.Context(), services{verify: func(hash string) (bool, error) {
		switch hash {
		case "$slow":
			return false, context.DeadlineExceeded
		case "$none":
			return false, errors.New("no hash")
		case "$disk":
			return false, fs.ErrPermission
		}
		return hash == "$right", nil
	}})
	verify := func(ctx context.Context, h abi.Hook, hash string, want int64) {
		t.Helper()
		c.write(inAt, []byte(hash))
		if got, err := c.call(ctx, h, fnVerify, inAt, uint64(len(hash))); err != nil || got != want {
			t.Errorf("%v %.10q: got %d, %v, want %d", h, hash, got, err, want)
		}
	}
	verify(ctx, abi.HookAuth, "$right", 1)
	verify(ctx, abi.HookAuth, "$wrong", 0)
	verify(ctx, abi.HookAuth, "$none", int64(abi.ErrnoInvalid))
	verify(ctx, abi.HookAuth, "$slow", int64(abi.ErrnoTimeout))
	verify(ctx, abi.HookAuth, "$disk", int64(abi.ErrnoDenied))
	verify(ctx, abi.HookAuth, "", int64(abi.ErrnoSize))
	verify(ctx, abi.HookAuth, strings.Repeat("x", abi.MaxVerifyHash+1), int64(abi.ErrnoSize))
	for _, h := range []abi.Hook{abi.HookFS, abi.HookList, abi.HookCmd, abi.HookSite, abi.HookThrottle, abi.HookEvent, abi.HookCert} {
		verify(ctx, h, "$right", int64(abi.ErrnoDenied))
	}
	verify(t.Context(), abi.HookAuth, "$right", int64(abi.ErrnoDenied))
	c.traps(abi.HookAuth, fnVerify, memEnd-1, 2)
	c.traps(abi.HookFS, fnVerify, 0, 0xffffffff)
	early := &policy.Login{Meta: policy.Meta{Session: &policy.Session{ID: 1}}, Early: true}
	c.write(inAt, []byte("$right"))
	c.write(64, binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, inAt), 6))
	c.write(120, []byte{fnVerify})
	if _, err := c.p.Hooks().Authenticator.Authenticate(ctx, early); err != nil {
		t.Fatal(err)
	}
	if got := int64(binary.LittleEndian.Uint64(c.read(128, 8))); got != int64(abi.ErrnoDenied) {
		t.Errorf("an early question: %d", got)
	}
}

func TestImportStatAndDigest(t *testing.T) {
	c := newCaller(t, Config{}, everything(), allGranted(newMemKV(), newMemSink()))
	sum := sha256.Sum256([]byte("x"))
	ctx := policy.WithServices(t.Context(), services{
		stat: func(path string) (policy.Entry, error) {
			switch path {
			case "/dir":
				return policy.Entry{Name: "dir", Mode: fs.ModeDir | 0o755, Size: 9, Time: time.Unix(1, 2)}, nil
			case "/secret":
				return policy.Entry{}, fs.ErrPermission
			case "/broken":
				return policy.Entry{}, errors.New("disk")
			}
			return policy.Entry{}, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
		},
		digest: func(algorithm string) ([]byte, error) {
			if algorithm == "SHA-256" {
				return sum[:], nil
			}
			return nil, errors.ErrUnsupported
		},
	})
	call := func(ctx context.Context, h abi.Hook, fn int, text string, room uint64, want int64) {
		t.Helper()
		c.write(inAt, []byte(text))
		if got, err := c.call(ctx, h, fn, inAt, uint64(len(text)), outAt, room); err != nil || got != want {
			t.Errorf("%v %.10q: got %d, %v, want %d", h, text, got, err, want)
		}
	}
	call(ctx, abi.HookFS, fnStat, "/dir", 100, 32)
	entry := c.read(outAt, 33)
	want := []byte{8: 0o755 & 0xff, 9: 0o040755 >> 8, 16: 9, 24: 2, 25: 0xca, 26: 0x9a, 27: 0x3b, 32: 0}
	if !bytes.Equal(entry, want) {
		t.Errorf("the entry is %x\nwant         %x", entry, want)
	}
	call(ctx, abi.HookEvent, fnStat, "/dir", 32, 32)
	call(ctx, abi.HookFS, fnStat, "/dir", 31, int64(abi.ErrnoSize))
	call(ctx, abi.HookFS, fnStat, "/none", 32, int64(abi.ErrnoNotFound))
	call(ctx, abi.HookFS, fnStat, "/secret", 32, int64(abi.ErrnoDenied))
	call(ctx, abi.HookFS, fnStat, "/broken", 32, int64(abi.ErrnoIO))
	for _, bad := range []string{"dir", "/a/../dir", "/dir/", "//dir", "/a\x00b"} {
		call(ctx, abi.HookFS, fnStat, bad, 32, int64(abi.ErrnoInvalid))
	}
	call(ctx, abi.HookFS, fnStat, "", 32, int64(abi.ErrnoSize))
	call(ctx, abi.HookFS, fnStat, "/"+strings.Repeat("x", abi.MaxPath), 32, int64(abi.ErrnoSize))
	call(t.Context(), abi.HookFS, fnStat, "/dir", 32, int64(abi.ErrnoDenied))

	call(ctx, abi.HookFS, fnDigest, "SHA-256", 100, 32)
	if !bytes.Equal(c.read(outAt, 32), sum[:]) {
		t.Errorf("the digest is %x", c.read(outAt, 32))
	}
	call(ctx, abi.HookFS, fnDigest, "SHA-256", 31, int64(abi.ErrnoSize))
	call(ctx, abi.HookFS, fnDigest, "ROT13", 100, int64(abi.ErrnoInvalid))
	call(ctx, abi.HookFS, fnDigest, "SHA 256\n", 100, int64(abi.ErrnoInvalid))
	call(ctx, abi.HookFS, fnDigest, "", 100, int64(abi.ErrnoSize))
	call(ctx, abi.HookFS, fnDigest, strings.Repeat("A", abi.MaxAlgorithm+1), 100, int64(abi.ErrnoSize))
	for _, h := range []abi.Hook{abi.HookAuth, abi.HookList, abi.HookCmd, abi.HookSite, abi.HookThrottle, abi.HookEvent, abi.HookCert} {
		call(ctx, h, fnDigest, "SHA-256", 100, int64(abi.ErrnoDenied))
	}
	for _, fn := range []int{fnStat, fnDigest} {
		c.traps(abi.HookFS, fn, memEnd-1, 2, outAt, 32)
		c.traps(abi.HookFS, fn, inAt, 1, memEnd-1, 2)
		c.traps(abi.HookFS, fn, inAt, 0xffffffff, outAt, 0xffffffff)
	}
}
