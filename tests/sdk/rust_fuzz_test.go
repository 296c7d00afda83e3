package sdk

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// rustReader is the mirror guest, in the server's host; it tells whether a record is read.
func rustReader(f *testing.F) func(h abi.Hook, record []byte) (bool, error) {
	rustc(f)
	o := rustGrants()
	o.Limits = wasmhost.Limits{Instances: 1}
	o.Grant.Metric, o.Grant.Random, o.Grant.Verify, o.Grant.Password = new(mirror), true, true, true
	o.Grant.Stat, o.Grant.Digest, o.Grant.Fetch = true, true, wasmhost.FetchGrant{Allow: []string{"https://example.org"}}
	p, err := load(f, compile(f, filepath.Join(sdkDir, "rust", "testdata", "mirror")), o)
	if err != nil {
		f.Fatal(err)
	}
	c := &policy.Chunk{Meta: policy.Meta{Session: &policy.Session{ID: 1, User: "anna", Root: "/"}, Request: 1},
		Op: policy.OpWrite, Path: "/a", Upload: true}
	return func(h abi.Hook, record []byte) (bool, error) {
		c.Data = append([]byte{'Q', byte(h)}, record...)
		a, err := p.Hooks().Filter.Filter(context.Background(), c)
		if err == nil && a.Verdict != policy.Rewrite {
			err = errors.New("it did not answer")
		}
		return string(a.Data) != "refused\n", err
	}
}

// FuzzRustRecord holds the decoders in Rust to those in Go: what the one refuses the
// other does too, and nothing makes either panic.
func FuzzRustRecord(f *testing.F) {
	read := rustReader(f)
	for _, file := range []string{"records.json", "bad-records.json"} {
		for _, v := range vectors[recordVector](f, file, 51) {
			f.Add(byte(hookOf(f, v.Hook))-1, unhex(f, v.Record))
		}
	}
	f.Fuzz(func(t *testing.T, hook byte, record []byte) {
		if len(record) > policy.MaxChunk-2 {
			return
		}
		h := abi.Hook(hook%9 + 1)
		ok, err := read(h, record)
		if err != nil {
			t.Fatal(err)
		}
		if want := decodeGo(h, record); ok != (want == nil) {
			t.Errorf("%s: Rust reads %x: %v, Go says %v", h, record, ok, want)
		}
	})
}

// FuzzRustAddress holds the reader of addresses in Rust to that of package netip.
func FuzzRustAddress(f *testing.F) {
	read := rustReader(f)
	for _, s := range []string{"192.0.2.1:21", "192.0.2.1:021", "192.0.2.1:000021", "192.0.2.01:21", "1.2.3:4", "256.1.1.1:1",
		"1.2.3.4:65536", "1.2.3.4:", ":21", "", "[::]:0", "[1::]:21", "[2001:db8::1]:40001", "[::ffff:1.2.3.4]:1", "[::ffff:1.2.3.4%z]:1",
		"[1:2:3:4:5:6:7:8]:9", "[1:2:3:4:5:6:7::]:9", "[1:2:3:4:5:6:7:8::]:9", "[fe80::1%eth0]:1", "[fe80::1%]:1", "[:::]:1",
		"[1::2::3]:4", "[12345::]:1", "[::1.2.3.4:5]:6", "[1.2.3.4]:5", "::1:5", "[::1]5", "[::1:5", "[1:2:3:4:5:6:1.2.3.4]:5",
		"[:1]:2", "[1:]:2", "[::G]:1", "[::1%a]b]:1", "[1:2:3:4:5:6:7:1.2.3.4]:1", "[1.2.3.4::]:1", "[::1.2.3.4%1]:2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 || strings.Contains(text, "\x00") {
			return
		}
		ok, err := read(abi.HookFS, withLocal(text))
		if err != nil {
			t.Fatal(err)
		}
		if want := decodeGo(abi.HookFS, withLocal(text)); ok != (want == nil) {
			t.Errorf("%q: Rust reads it: %v, Go says %v", text, ok, want)
		}
	})
}
