package main

import (
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	"github.com/edgeftp/edgeftp/guest-sdk/go/guesttest"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
)

func TestAuthorize(t *testing.T) {
	tests := []struct {
		op          policy.Op
		path, path2 string
		denied      bool
	}{
		{policy.OpWrite, "/in/report.csv", "", false},
		{policy.OpWrite, "/in/tool.exe", "", true},
		{policy.OpWrite, "/in/TOOL.ExE", "", true},
		{policy.OpWrite, "/in/tool.exe. .", "", true},
		{policy.OpWrite, "/in/tool.exe.txt", "", false},
		{policy.OpWrite, "/in/exe", "", false},
		{policy.OpWrite, "/in.exe/report.csv", "", false},
		{policy.OpAppend, "/in/a.bat", "", true},
		{policy.OpUnique, "/in/a.msi", "", true},
		{policy.OpCommit, "/in/a.com", "", true},
		{policy.OpRename, "/in/a.txt", "/in/a.scr", true},
		{policy.OpRename, "/in/a.scr", "", true},
		{policy.OpRename, "/in/a.txt", "/in/b.txt", false},
		{policy.OpSymlink, "/in/a.exe", "/in/a", true},
		{policy.OpRead, "/in/a.exe", "", false},
		{policy.OpDelete, "/in/a.exe", "", false},
		{policy.OpStat, "/in/a.exe", "", false},
	}
	g := newGuard()
	for _, tt := range tests {
		got, err := g.Authorize(t.Context(), &policy.Action{Op: tt.op, Path: tt.path, Path2: tt.path2})
		if err != nil {
			t.Fatal(err)
		}
		want := policy.Answer{}
		if tt.denied {
			want = policy.Answer{Verdict: policy.Deny, Text: "executables are not accepted here"}
		}
		if got != want {
			t.Errorf("%s %s %s: %+v", tt.op, tt.path, tt.path2, got)
		}
	}
}

func TestConfigure(t *testing.T) {
	g := newGuard()
	if err := settings.Read([]byte(`{"deny_extensions":["ISO",".img"],"message":"no images"}`), g); err != nil {
		t.Fatal(err)
	}
	if !g.refuses("/a.iso") || !g.refuses("/a.IMG") || g.refuses("/a.exe") || g.message != "no images" {
		t.Errorf("%+v", g)
	}
	if err := settings.Read(nil, newGuard()); err != nil {
		t.Error(err)
	}
	for in, says := range map[string]string{
		`{"deny_extension":[]}`:       "unknown setting",
		`{"deny_extensions":"exe"}`:   "not a list",
		`{"deny_extensions":["a.b"]}`: "no extension",
		`{"deny_extensions":[""]}`:    "no extension",
	} {
		if err := settings.Read([]byte(in), newGuard()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", in, err)
		}
	}
}

// TestVectors asks tests.json natively.
func TestVectors(t *testing.T) { guesttest.Run(t, "tests.json") }

func TestObserve(t *testing.T) {
	w := guesttest.New(t)
	err := newGuard().Observe(w.Context(""), &policy.Event{Meta: w.Meta("anna"), Kind: policy.EventFileReceived, Path: "/in/a.csv", Size: 12})
	if log := w.Log(); err != nil || len(log) != 1 || log[0] != (guesttest.Line{Level: edgeftp.Info, Text: "stored /in/a.csv, 12 bytes, from anna"}) {
		t.Errorf("%+v, %v", log, err)
	}
}
