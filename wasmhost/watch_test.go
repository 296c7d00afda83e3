package wasmhost

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// TestWatch tells of a call with what it asked the host, and gives the same again from
// the record and the host's answers alone: verdict, reply and fuel.
func TestWatch(t *testing.T) {
	c := newCaller(t, Config{}, everything(), allGranted(&policy.MemKV{}, nowhere{}))
	var told []*Exchange
	c.p.Watch(&Watcher{Tell: func(x *Exchange) { told = append(told, x) }})
	c.write(inAt, []byte("keyvalue"))
	for _, args := range [][]uint64{{fnKVSet, inAt, 3, inAt + 3, 5, 0}, {fnKVGet, inAt, 3, outAt, 64}, {fnRandom, outAt, 16}, {fnKVIncr, inAt, 4, 9, 0, outAt}} {
		if _, err := c.call(t.Context(), abi.HookFS, int(args[0]), args[1:]...); err != nil {
			t.Fatal(err)
		}
	}
	c.p.Watch(nil)
	if len(told) != 4 {
		t.Fatalf("told of %d calls, want 4", len(told))
	}
	set, get, random, incr := told[0].Host[0], told[1].Host[0], told[2].Host[0], told[3].Host[0]
	if set.Import != "kv_set" || string(set.In) != "\x03\x00\x00\x00key\x05\x00\x00\x00value"+string(make([]byte, 8)) || set.Out != nil {
		t.Errorf("kv_set: %+v", set)
	}
	if get.Result != 5 || string(get.Out) != "value" {
		t.Errorf("kv_get: %+v", get)
	}
	if len(random.Out) != 16 || bytes.Equal(random.Out, make([]byte, 16)) {
		t.Errorf("random: %+v", random)
	}
	if sum := binary.LittleEndian.AppendUint64(nil, 9); incr.Result != 0 || !bytes.Equal(incr.Out, sum) {
		t.Errorf("kv_incr: %+v", incr)
	}
	if x := told[1]; x.Hook != "fs" || x.Fuel == 0 || x.Memory != 4*pageSize || len(x.Record) < abi.HeaderSize || x.Err != nil {
		t.Errorf("%+v", x)
	}
	c.replay(t, told[1])
}

// replay asks the same with the host's answers of then.
func (c *caller) replay(t *testing.T, x *Exchange) {
	t.Helper()
	calls := x.Host
	c.p.intercept = func(_ context.Context, h *HostCall) bool {
		if len(calls) == 0 || h.Import != calls[0].Import || !bytes.Equal(h.In, calls[0].In) {
			t.Errorf("unexpected call %+v", h)
			return true
		}
		h.Result, h.Out, calls = calls[0].Result, calls[0].Out, calls[1:]
		return true
	}
	for i, word := range []uint64{inAt, 3, outAt, 64, 0, 0, 0, fnKVGet} {
		c.write(uint32(64+8*i), binary.LittleEndian.AppendUint64(nil, word))
	}
	var got Exchange
	err := c.p.Ask(t.Context(), abi.HookFS, x.Record, &got)
	if err != nil || got.Verdict != x.Verdict || !bytes.Equal(got.Reply, x.Reply) || got.Fuel != x.Fuel || len(calls) != 0 {
		t.Errorf("%+v, %v, want %+v", got, err, x)
	}
}

// TestWatchLong tells of calls that need more than one slice of fuel as of any other.
func TestWatchLong(t *testing.T) {
	p := loadModule(t, newHost(t, Config{Budgets: patient()}), testModule(t, "moody"), LoadOptions{})
	var told *Exchange
	p.Watch(&Watcher{Tell: func(x *Exchange) { told = x }})
	_, err := p.Hooks().Authorizer.Authorize(t.Context(), action("/a/loop"))
	if fault := (*CallError)(nil); !errors.As(err, &fault) || fault.Cause != CauseFuel || told == nil || told.Fuel < 2*slice || told.Host != nil {
		t.Errorf("%v, %+v", err, told)
	}
}

// TestWatchFailures tells of failed calls alone, with a record that the guest has
// written over in the meantime, and of no password or binding.
func TestWatchFailures(t *testing.T) {
	p := load(t, newHost(t, Config{}), "moody")
	var told []*Exchange
	p.Watch(&Watcher{Failed: true, Tell: func(x *Exchange) { told = append(told, x) }})
	for _, path := range []string{"/a/fine", "/a/trap", "/a/junk", "/a/fail"} {
		_, _ = p.Hooks().Authorizer.Authorize(t.Context(), action(path)) // told below
	}
	if len(told) != 3 {
		t.Fatalf("told of %d calls, want 3", len(told))
	}
	for i, cause := range []Cause{CauseTrap, CauseBadOutput, CauseFailed} {
		x := told[i]
		if fault := (*CallError)(nil); !errors.As(x.Err, &fault) || fault.Cause != cause || !bytes.Contains(x.Record, []byte("/a/")) {
			t.Errorf("%+v", x)
		}
		if err := p.Ask(t.Context(), abi.HookFS, x.Record, new(Exchange)); err == nil || err.Error() != x.Err.Error() {
			t.Errorf("asked again: %v, want %v", err, x.Err)
		}
	}
	login := &policy.Login{Meta: action("/").Meta, Password: "hunter2", Binding: []byte("of this connection, and no other")}
	rec, err := abi.AppendLogin(nil, "guest", login)
	if err != nil {
		t.Fatal(err)
	}
	hidden := withoutSecrets(bytes.Clone(rec))
	d := new(abi.Decoder)
	got, err := d.Login(hidden)
	if err != nil || got.Password != "" || bytes.Contains(hidden, []byte("hunter2")) || !bytes.Contains(rec, []byte("hunter2")) {
		t.Errorf("%+v, %v", got, err)
	}
	if got.Binding != nil || bytes.Contains(hidden, []byte("connection")) || !bytes.Contains(rec, []byte("connection")) || len(hidden) != len(rec) {
		t.Errorf("a binding: %+v in %d bytes, was %d", got, len(hidden), len(rec))
	}
}

// TestWatchedForFailures costs a call that succeeds no allocation, if it asks the host
// for something or not.
func TestWatchedForFailures(t *testing.T) {
	c := newCaller(t, Config{}, everything(), allGranted(&policy.MemKV{}, nowhere{}))
	c.write(inAt, []byte("keyvalue"))
	call := func(fn int, args ...uint64) func() {
		return func() {
			if _, err := c.call(t.Context(), abi.HookFS, fn, args...); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, f := range []func(){call(fnStat + 100), call(fnMetric, inAt, 3, 0, 1), call(fnKVGet, inAt, 3, outAt, 64)} {
		c.p.Watch(nil)
		plain := testing.AllocsPerRun(200, f)
		c.p.Watch(&Watcher{Failed: true, Tell: func(*Exchange) { t.Error("told") }})
		f()
		if watched := testing.AllocsPerRun(200, f); watched > plain {
			t.Errorf("%.0f allocations, %.0f without a watcher", watched, plain)
		}
	}
}
