package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/guesttest"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

const (
	endpoint = "POST https://hooks.example.org/ftp"
	abc      = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // of "abc" (FIPS 180-4)
)

func configured(t *testing.T) *reporter {
	t.Helper()
	r := newReporter()
	if err := settings.Read([]byte(`{"url": "https://hooks.example.org/ftp", "token": "key"}`), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestVectors asks tests.json natively.
func TestVectors(t *testing.T) { guesttest.Run(t, "tests.json") }

func commit(t *testing.T, w *guesttest.World, r *reporter, m policy.Meta, path, data string) {
	t.Helper()
	w.Files[path] = guesttest.File{Data: data}
	got, err := r.Authorize(w.Context(path), &policy.Action{Meta: m, Op: policy.OpCommit, Path: path, A: int64(len(data))})
	if err != nil || got != (policy.Answer{}) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestReport tells of an upload, first to a server that is down, while the same path is
// stored again.
func TestReport(t *testing.T) {
	w := guesttest.New(t)
	r := configured(t)
	first, second := w.Meta("anna"), w.Meta("anna")
	second.Request = 2
	path := "/in/\"\xff\n"
	commit(t, w, r, first, path, "abc")
	commit(t, w, r, second, path, "other")
	event := &policy.Event{Meta: first, Kind: policy.EventFileReceived, Path: path, Size: 3}
	w.HTTP[endpoint] = guesttest.Response{Err: abi.ErrnoIO}
	if err := r.Observe(w.Context(""), event); err == nil {
		t.Error("it was not told")
	}
	w.HTTP[endpoint] = guesttest.Response{Status: 503}
	if err := r.Observe(w.Context(""), event); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("got %v", err)
	}
	w.HTTP[endpoint] = guesttest.Response{Status: 204}
	if err := r.Observe(w.Context(""), event); err != nil {
		t.Fatal(err)
	}
	asked := w.Requests()
	var got struct {
		Path, SHA256, User string
		Size               int64
		Time               time.Time
	}
	if err := json.Unmarshal(asked[2].Body, &got); err != nil || got.Path != "/in/\"\ufffd\n" || got.Size != 3 || got.SHA256 != abc ||
		got.User != "anna" || !got.Time.Equal(w.Now) {
		t.Errorf("%s: %+v, %v", asked[2].Body, got, err)
	}
	if asked[2].Header[1].Value != "Bearer key" {
		t.Errorf("%+v", asked[2].Header)
	}
	if n := w.KV.Keys(); n != 1 {
		t.Errorf("%d sums are kept, want the one that is not told yet", n)
	}
}

func TestNoSum(t *testing.T) {
	w := guesttest.New(t)
	r := configured(t)
	w.HTTP[endpoint] = guesttest.Response{}
	w.KV.MaxBytes = 1
	commit(t, w, r, w.Meta("anna"), "/a", "abc")
	if err := r.Observe(w.Context(""), &policy.Event{Meta: w.Meta("anna"), Kind: policy.EventFileReceived, Path: "/a"}); err != nil {
		t.Error(err)
	}
	if log := w.Log(); len(log) != 2 || !strings.Contains(log[0].Text, "no sum of /a") || !strings.Contains(log[1].Text, "without its sum") {
		t.Errorf("%+v", log)
	}
	if body := string(w.Requests()[0].Body); !strings.Contains(body, `"sha256":null`) {
		t.Error(body)
	}
}

func TestSettings(t *testing.T) {
	for in, says := range map[string]string{
		`{}`: `"url" is needed`,
		`{"url": "https://a/", "timeout_ms": 20000}`: `"timeout_ms" must be`,
		`{"url": "https://a/", "x": 1}`:              `unknown setting "x"`,
	} {
		if err := settings.Read([]byte(in), newReporter()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", in, err)
		}
	}
}
