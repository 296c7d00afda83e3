package wasmhost

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// TestWatchNoPassword holds that what is told of a login does not have the password,
// also where the guest is shown it and hands it on in another form.
func TestWatchNoPassword(t *testing.T) {
	manifest := strings.Replace(everything(), `["kv"`, `["password","kv"`, 1)
	g := allGranted(&policy.MemKV{}, nowhere{})
	g.Password = true
	c := newCaller(t, Config{}, manifest, g)
	var told []*Exchange
	c.p.Watch(&Watcher{Tell: func(x *Exchange) { told = append(told, x) }})
	login := &policy.Login{Meta: policy.Meta{Session: &policy.Session{ID: 1, User: "anna"}}, Password: "hunter2"}
	request, err := abi.AppendFetchRequest(nil, &abi.FetchRequest{URL: "http://127.0.0.1:1/", Body: []byte("hunter2"),
		Header: []abi.FetchField{{Name: "Authorization", Value: "Basic YW5uYTpodW50ZXIy"}}})
	if err != nil {
		t.Fatal(err)
	}
	value := []byte("hunter2 and the key")
	for i, args := range [][]uint64{{fnFetch, inAt, uint64(len(request)), outAt, 4096}, {fnKVSet, inAt, 7, inAt, uint64(len(value)), 0},
		{fnKVGet, inAt, 7, outAt, 64}, {fnLog, 1, inAt, 7}} {
		c.write(inAt, value)
		if i == 0 {
			c.write(inAt, request)
		}
		c.put(int(args[0]), args[1:]...)
		if _, err := c.p.Hooks().Authenticator.Authenticate(t.Context(), login); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 4 {
		t.Fatalf("told of %d calls, want 4", len(told))
	}
	for _, x := range told {
		if len(x.Host) != 1 {
			t.Fatalf("%d calls of the host, want 1", len(x.Host))
		}
		if all := fmt.Sprintf("%q", append(append(bytes.Clone(x.Record), x.Host[0].In...), x.Host[0].Out...)); strings.Contains(all, "hunter2") || strings.Contains(all, "YW5uYTp") {
			t.Errorf("%s: %s", x.Host[0].Import, all)
		}
	}
	x := &Exchange{Reply: []byte("no hunter2"), Stderr: "panic: hunter2",
		Err: &CallError{Cause: CauseTrap, Hook: "auth", Stderr: "panic: hunter2", Err: errors.New("what hunter2")}}
	x.forget(secrets{password: "hunter2"})
	if all := fmt.Sprintf("%s %s %v %+v", x.Reply, x.Stderr, x.Err, errors.Unwrap(x.Err)); strings.Contains(all, "hunter2") || !strings.Contains(all, "*******") {
		t.Error(all)
	}
}

// TestWatchNoBinding holds that what is told of a login has not what binds it to its
// connection, whoever is told and whatever the guest does with it: it stays a question
// that can be asked again, with all else in its place.
func TestWatchNoBinding(t *testing.T) {
	const binding = "\x00of a connection, and no other\x01\x00"
	c := newCaller(t, Config{}, everything(), allGranted(&policy.MemKV{}, nowhere{}))
	var told []*Exchange
	c.p.Watch(&Watcher{Tell: func(x *Exchange) { told = append(told, x) }})
	login := &policy.Login{Meta: policy.Meta{Session: &policy.Session{ID: 1, User: "anna", Root: "/", Listener: "main", Protocol: "ftpq/1",
		State: map[string][]byte{c.p.Name(): []byte("state")}}}, Binding: []byte(binding)}
	for i, value := range []string{binding, fmt.Sprintf("%x", binding), fmt.Sprintf("%X", binding)} {
		value = "the key of " + value
		c.write(inAt, []byte(value))
		for _, args := range [][]uint64{{fnKVSet, inAt, 7, inAt, uint64(len(value)), 0}, {fnKVGet, inAt, 7, outAt, 128}} {
			c.put(int(args[0]), args[1:]...)
			if _, err := c.p.Hooks().Authenticator.Authenticate(t.Context(), login); err != nil {
				t.Fatal(err)
			}
		}
		if len(told) != 2*i+2 {
			t.Fatalf("told of %d calls, want %d", len(told), 2*i+2)
		}
	}
	d := &abi.Decoder{Slot: c.p.Name()}
	for i, x := range told {
		all := string(slices.Concat(x.Record, x.Host[0].In, x.Host[0].Out, x.Reply))
		if strings.Contains(all, "of a connection") || strings.Contains(strings.ToLower(all), fmt.Sprintf("%x", "of a connection")) {
			t.Errorf("call %d: %q", i, all)
		}
		if i%2 == 0 && !bytes.Contains(x.Host[0].In, []byte("the key of ****")) || i%2 == 1 && !bytes.Contains(x.Host[0].Out, []byte("the key of ****")) {
			t.Errorf("call %d: what is no secret is gone: %+v", i, x.Host[0])
		}
		got, err := d.Login(x.Record)
		if err != nil || got.Binding != nil || got.Session.Protocol != "ftpq/1" || got.Session.Listener != "main" || string(got.Session.State[d.Slot]) != "state" {
			t.Errorf("call %d: %+v, %v", i, got, err)
		}
	}
	x := &Exchange{Reply: []byte(binding), Stderr: "panic: " + fmt.Sprintf("%x", binding), Err: &CallError{Cause: CauseTrap, Hook: "auth", Err: errors.New(binding)}}
	x.forget(secretsOf(login))
	if all := fmt.Sprintf("%s %s %v", x.Reply, x.Stderr, x.Err); strings.Contains(all, "of a connection") || strings.Contains(all, fmt.Sprintf("%x", "of a")) {
		t.Error(all)
	}
}

// TestBindingAmongOthers takes BINDING out of ATTR wherever it stands, and nothing of what
// is no record.
func TestBindingAmongOthers(t *testing.T) {
	login := &policy.Login{Meta: policy.Meta{Session: &policy.Session{ID: 1, User: "anna", Root: "/", Listener: "main", Protocol: "ftpq/1"}}, Binding: []byte(strings.Repeat("b", abi.BindingSize))}
	rec, err := abi.AppendLogin(nil, "", login)
	if err != nil {
		t.Fatal(err)
	}
	attr := spanAt(rec, abi.SpanAttr)
	last := len(attr) - 4 - abi.BindingSize
	copy(attr, slices.Concat(attr[last:], attr[:last])) // it comes first
	got, err := new(abi.Decoder).Login(withoutSecrets(bytes.Clone(rec)))
	if err != nil || got.Binding != nil || got.Session.Listener != "main" || got.Session.Protocol != "ftpq/1" {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range rec {
		withoutSecrets(bytes.Clone(rec[:n])) // and does not panic
	}
}

// put has the next call of the guest call a function.
func (c *caller) put(fn int, args ...uint64) {
	c.t.Helper()
	words := make([]uint64, 8)
	copy(words, args)
	words[7] = uint64(fn)
	b := make([]byte, 0, 64)
	for _, w := range words {
		for shift := 0; shift < 64; shift += 8 {
			b = append(b, byte(w>>shift))
		}
	}
	c.write(64, b)
}

// TestWatchIsBounded holds that a guest cannot have the server keep more than it may
// have itself: neither with one call nor with very many.
func TestWatchIsBounded(t *testing.T) {
	c := newCaller(t, Config{}, everything(), allGranted(&policy.MemKV{}, nowhere{}))
	for _, failed := range []bool{false, true} {
		in := c.guest()
		in.arm(Budget{Time: time.Minute, Fuel: 1_000 * million})
		in.enter(t.Context(), abi.HookSite, false, nil)
		tape := &tape{watcher: &Watcher{Failed: failed}}
		in.tape = tape
		at := slices.IndexFunc(hostFunctions(), func(f hostFunction) bool { return f.name == abi.ImportKVGet })
		kvGet := hostFunctions()[at]
		in.cross(&kvGet, in.mod, []uint64{0, memEnd, 0, 0})
		if n := len(tape.calls[0].In); n > policy.MaxKVKey+8 {
			t.Errorf("a key of %d bytes is kept with %d", memEnd, n)
		}
		for range 10 * maxTape / policy.MaxKVKey {
			in.cross(&kvGet, in.mod, []uint64{0, memEnd, 0, 0})
		}
		if tape.bytes > maxTape+maxTape/10 || tape.lost == 0 {
			t.Errorf("%d bytes are kept of it, %d calls are not", tape.bytes, tape.lost)
		}
		in.tape = nil
		in.leave()
	}
}

// TestWatchedAlike holds that a guest does not notice whether it is watched, answered by
// somebody else or traced: results, memory, fuel and the words of a trap are the same.
func TestWatchedAlike(t *testing.T) {
	text := func(n uint64) []uint64 { return []uint64{inAt, n} }
	end := []uint64{memEnd - 1, 2}
	var calls [][]uint64
	for fn, shape := range []string{fnLog: "0b", fnKVGet: "bo", fnKVSet: "bb0", fnKVIncr: "b30c", fnKVCAS: "bbb0", fnMetric: "b03",
		fnRandom: "o", fnVerify: "b", fnStat: "bo", fnDigest: "bo", fnFetch: "bo"} {
		for _, ptr := range [][]uint64{text(0), text(3), text(40), text(1000), text(5000), text(memEnd - inAt), end, {inAt, 0xffffffff}} {
			for _, out := range [][]uint64{{outAt, 64}, {outAt, 0}, {outAt, 5000}, end, {outAt, 0xffffffff}} {
				args := []uint64{uint64(fn)}
				for _, kind := range shape {
					switch kind {
					case 'b':
						args = append(args, ptr...)
					case 'o':
						args = append(args, out...)
					case 'c':
						args = append(args, out[0])
					default:
						args = append(args, uint64(kind-'0'))
					}
				}
				calls = append(calls, args)
			}
		}
	}
	var told []*Exchange
	plain := alike(t, calls, LoadOptions{}, nil)
	for what, run := range map[string]func() []string{
		"watched": func() []string {
			return alike(t, calls, LoadOptions{}, &Watcher{Tell: func(x *Exchange) { told = append(told, x) }})
		},
		"failures": func() []string {
			return alike(t, calls, LoadOptions{}, &Watcher{Failed: true, Tell: func(*Exchange) {}})
		},
		"traced": func() []string { return alike(t, calls, LoadOptions{Traced: true}, nil) },
		"asked about": func() []string {
			return alike(t, calls, LoadOptions{Intercept: func(context.Context, *HostCall) bool { return false }}, nil)
		},
	} {
		for i, got := range run() {
			if got != plain[i] {
				t.Errorf("%s, call %v: %s\nwant %s", what, calls[i], got, plain[i])
			}
		}
	}
	next := 0
	answered := func(_ context.Context, h *HostCall) bool {
		if h == nil || next == 0 || len(told[next-1].Host) == 0 {
			return false // while the instance starts
		}
		then := told[next-1].Host[0]
		h.Result, h.Out = then.Result, then.Out
		return true
	}
	for i, got := range alike(t, calls, LoadOptions{Intercept: answered}, &Watcher{Tell: func(*Exchange) {}}, &next) {
		if got != plain[i] {
			t.Errorf("answered, call %v: %s\nwant %s", calls[i], got, plain[i])
		}
	}
}

// alike makes the calls one after the other and tells what each did.
func alike(t *testing.T, calls [][]uint64, o LoadOptions, w *Watcher, next ...*int) (all []string) {
	o.Grant = allGranted(&policy.MemKV{Now: func() time.Time { return time.Unix(1_700_000_000, 0) }}, nowhere{})
	o.Limits.Instances = 1
	p := loadModule(t, newHost(t, Config{Budgets: patient()}), declaring(testModule(t, "imports"), everything()), o)
	p.caps.random = strings.NewReader(strings.Repeat("random bytes", 1<<16)) // the same in each run
	c := &caller{t, p}
	for i, args := range calls {
		if len(next) > 0 {
			*next[0] = 0
		}
		c.write(inAt, bytes.Repeat([]byte("k"), 1<<16))
		c.write(outAt, make([]byte, memEnd-outAt))
		c.write(128, make([]byte, 64)) // what it found when it began
		if len(next) > 0 {
			*next[0] = i + 1
		}
		p.Watch(w)
		before := p.Stats().Fuel
		n, err := c.call(t.Context(), abi.HookFS, int(args[0]), args[1:]...)
		fuel := p.Stats().Fuel - before
		p.Watch(nil)
		if len(next) > 0 {
			*next[0] = 0
		}
		sum := sha256.Sum256(c.read(0, memEnd))
		if err != nil {
			sum = [32]byte{} // another instance
		}
		all = append(all, fmt.Sprintf("%d, %v, fuel %d, memory %x", n, err, fuel, sum[:8]))
	}
	return all
}
