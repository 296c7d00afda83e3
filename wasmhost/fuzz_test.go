package wasmhost

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// FuzzVet gives arbitrary bytes to the inspection that comes before the compiler.
// It must answer with a coded error or with a module, and never panic.
func FuzzVet(f *testing.F) {
	files, err := filepath.Glob("testdata/*.wasm")
	if err != nil || len(files) == 0 {
		f.Fatal("no modules")
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(append([]byte("\x00asm\x01\x00\x00\x00"), custom("edgeftp.manifest", `{"name":"x"}`)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := vet("fuzz", b, 1<<20, 256)
		var l *LoadError
		if err != nil && !errors.As(err, &l) {
			t.Errorf("an error without a code: %v", err)
		}
		if err == nil && len(v.hookNames()) == 0 {
			t.Error("a module without hooks was accepted")
		}
	})
}

// FuzzEscape holds that nothing of a guest's output can leave its line.
func FuzzEscape(f *testing.F) {
	f.Add([]byte("panic: x\n\tat \x1b[31m\u202e\xff"), 20)
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		if limit < 0 || limit > 10_000 {
			return
		}
		for _, r := range escape(b, limit) {
			if r < 0x20 || r >= 0x7f && r < 0xa0 || isInvisible(r) {
				t.Errorf("%q in the output", r)
			}
		}
	})
}
