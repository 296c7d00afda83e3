package manifest

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

const empty = "\x00asm\x01\x00\x00\x00"

func TestAppend(t *testing.T) {
	got, err := Append([]byte(empty), []byte("{ \"name\" : \"x y\" }\n"))
	if want := empty + "\x00\x1f\x10edgeftp.manifest{\"name\":\"x y\"}"; err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	got, err = AppendTests(got, []byte("{}"))
	if err != nil || !bytes.HasSuffix(got, []byte("\x00\x10\x0dedgeftp.tests{}")) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAppendRefuses(t *testing.T) {
	with, err := Append([]byte(empty), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ module, object string }{
		"twice":       {string(with), "{}"},
		"no JSON":     {empty, "{"},
		"no object":   {empty, "[]"},
		"too long":    {empty, `{"a":"` + strings.Repeat("x", abi.MaxManifest) + `"}`},
		"no module":   {"hello", "{}"},
		"cut":         {empty + "\x01", "{}"},
		"cut length":  {empty + "\x01\xff", "{}"},
		"cut name":    {empty + "\x00\x01\x05", "{}"},
		"long number": {empty + "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "{}"},
	} {
		if got, err := Append([]byte(c.module), []byte(c.object)); err == nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if _, err := Append([]byte("hello"), []byte("{}")); !errors.Is(err, errModule) {
		t.Error(err)
	}
}

func FuzzAppend(f *testing.F) {
	f.Add([]byte(empty), []byte("{}"))
	f.Add([]byte(empty+"\x00\x04\x03abc"), []byte(`{"a":1}`))
	f.Fuzz(func(t *testing.T, module, object []byte) {
		with, err := Append(module, object)
		if err != nil {
			return
		}
		if !bytes.HasPrefix(with, module) {
			t.Error("the module was changed")
		}
		if _, err := Append(with, object); err == nil {
			t.Error("two manifests")
		}
	})
}
