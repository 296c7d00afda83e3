package guesttest_test

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fetch"
	"github.com/edgeftp/edgeftp/guest-sdk/go/guesttest"
	"github.com/edgeftp/edgeftp/guest-sdk/go/host"
	"github.com/edgeftp/edgeftp/guest-sdk/go/kv"
	"github.com/edgeftp/edgeftp/guest-sdk/go/metric"
	"github.com/edgeftp/edgeftp/guest-sdk/go/random"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// TestValues holds that a space that was opened before a test is the test's own in it.
func TestValues(t *testing.T) {
	space := kv.Open()
	if err := space.Set("k", []byte("outside"), 0); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		t.Run("", func(t *testing.T) {
			w := guesttest.New(t)
			if v, ok := space.Get("k"); ok {
				t.Errorf("a value from elsewhere: %q", v)
			}
			if err := space.Set("k", []byte("inside"), time.Minute); err != nil {
				t.Error(err)
			}
			if v, ok := w.KV.Get("k"); !ok || string(v) != "inside" {
				t.Errorf("got %q, %v", v, ok)
			}
			if n, err := space.Incr("n", 2, 0); n != 2 || err != nil {
				t.Error(n, err)
			}
			if ok, err := space.CompareAndSwap("new", nil, []byte("x"), 0); !ok || err != nil {
				t.Error(ok, err)
			}
			w.Now = w.Now.Add(time.Minute)
			if v, ok := space.Get("k"); ok {
				t.Errorf("its time was over: %q", v)
			}
		})
	}
	if v, ok := space.Get("k"); !ok || string(v) != "outside" {
		t.Errorf("got %q, %v", v, ok)
	}
}

func TestFetch(t *testing.T) {
	w := guesttest.New(t)
	w.HTTP["GET https://a.example/"] = guesttest.Response{Header: map[string]string{"Etag": "7", "X-Other": "x"}, Body: "body"}
	w.HTTP["PUT https://a.example/"] = guesttest.Response{Err: abi.ErrnoTimeout}
	got, err := fetch.Do(&fetch.Request{URL: "https://a.example/", Want: []string{"ETAG"}}, 0)
	want := &fetch.Response{Status: 200, Header: []fetch.Field{{Name: "etag", Value: "7"}}, Body: []byte("body")}
	if x := cmp.Diff(want, got); err != nil || x != "" {
		t.Error(err, x)
	}
	for _, tt := range []struct {
		r     fetch.Request
		limit int
		want  error
	}{
		{fetch.Request{Method: "PUT", URL: "https://a.example/"}, 0, abi.ErrnoTimeout},
		{fetch.Request{URL: "https://b.example/"}, 0, abi.ErrnoDenied},
		{fetch.Request{URL: "https://a.example/"}, 10, abi.ErrnoSize},
		{fetch.Request{}, 0, abi.ErrEncode},
	} {
		if got, err := fetch.Do(&tt.r, tt.limit); !errors.Is(err, tt.want) {
			t.Errorf("%+v: got %+v, %v", tt.r, got, err)
		}
	}
	if n := len(w.Requests()); n != 4 {
		t.Errorf("%d requests", n)
	}
}

func TestServices(t *testing.T) {
	w := guesttest.New(t)
	w.Files["/in/a"] = guesttest.File{Data: "abc", Mode: 0o644, Time: w.Now}
	w.Hashes["$2y$right"] = true
	ctx := w.Context("/in/a")
	s := policy.ServicesOf(ctx)
	e, err := s.Stat(ctx, "/in/a")
	if x := cmp.Diff(policy.Entry{Name: "a", Mode: 0o644, Size: 3, Time: w.Now}, e); err != nil || x != "" {
		t.Error(err, x)
	}
	for name, n := range map[string]int{"SHA-256": 32, "sha-512": 64, "SHA-1": 20, "MD5": 16, "CRC32": 4} {
		if sum, err := s.Digest(ctx, name); len(sum) != n || err != nil {
			t.Errorf("%s: %x, %v", name, sum, err)
		}
	}
	if sum, err := s.Digest(ctx, "SHA-1"); err != nil || hex.EncodeToString(sum) != "a9993e364706816aba3e25717850c26c9cd0d89d" {
		t.Errorf("%x, %v", sum, err)
	}
	right, err1 := s.Verify(ctx, "$2y$right")
	wrong, err2 := host.Services{}.Verify(ctx, "$2y$wrong")
	if !right || wrong || err1 != nil || err2 != nil {
		t.Error(right, wrong, err1, err2)
	}
	_, noFile := s.Stat(ctx, "/b")
	_, relative := s.Stat(ctx, "b")
	_, noHash := s.Verify(ctx, "plain")
	_, rot13 := s.Digest(ctx, "ROT13")
	_, noQuestion := policy.ServicesOf(w.Context("")).Digest(ctx, "MD5")
	_, gone := policy.ServicesOf(w.Context("/b")).Digest(ctx, "MD5")
	for _, tt := range []struct{ got, want error }{{noFile, fs.ErrNotExist}, {relative, fs.ErrInvalid}, {noHash, fs.ErrInvalid},
		{rot13, fs.ErrInvalid}, {noQuestion, fs.ErrPermission}, {gone, fs.ErrNotExist}} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("got %v, want %v", tt.got, tt.want)
		}
	}
}

func TestRest(t *testing.T) {
	w := guesttest.New(t)
	edgeftp.Log(edgeftp.Warn, "two\nlines")
	metric.Add("seen", 2)
	metric.Add("seen", 3)
	metric.Add("seen", -1)
	metric.Set("size", -7)
	if x := cmp.Diff([]guesttest.Line{{Level: edgeftp.Warn, Text: "two?lines"}}, w.Log()); x != "" {
		t.Error(x)
	}
	if w.Metric("seen") != 5 || w.Metric("size") != -7 || w.Metric("none") != 0 {
		t.Error(w.Metric("seen"), w.Metric("size"), w.Metric("none"))
	}
	var a, b [8]byte
	random.Fill(a[:])
	random.Fill(b[:])
	if a == b {
		t.Errorf("%x twice", a)
	}
	if m := w.Meta("anna"); m.Session.User != "anna" || m.Time.Unix() != 1_700_000_000 {
		t.Errorf("%+v", m)
	}
}

// TestAlone runs this test again in a process of its own, where a second world is a
// failure and one in a parallel test a panic.
func TestAlone(t *testing.T) {
	if mode := os.Getenv("GUESTTEST_MODE"); mode != "" {
		if mode == "parallel" {
			t.Parallel()
		}
		guesttest.New(t)
		guesttest.New(t)
		return
	}
	for mode, says := range map[string]string{"second": "there is a world already", "parallel": "panic"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestAlone$")
		cmd.Env = append(os.Environ(), "GUESTTEST_MODE="+mode)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), says) {
			t.Errorf("%s: %v\n%s", mode, err, out)
		}
	}
}
