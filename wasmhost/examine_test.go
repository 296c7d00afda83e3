package wasmhost

import (
	"errors"
	"slices"
	"testing"
)

func TestExamine(t *testing.T) {
	h, err := New(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	module := declaring(testModule(t, "imports"), `{"capabilities":["kv","metric","random","pw","fs.stat","digest","fetch:a.example"],"site":[{"verb":"X","help":"x"}]}`)
	f, err := h.Examine("a", module, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if f.Size != len(module) || len(f.Digest) != 71 || !slices.IsSorted(f.Imports) || len(f.Imports) == 0 || !f.Described ||
		len(f.Hooks) == 0 || f.FirstPages == 0 || len(f.Manifest.Capabilities) == 0 {
		t.Errorf("%+v", f)
	}
	if f, err := h.Examine("a", testModule(t, "pass"), LoadOptions{}); err != nil || f.Described || len(f.Imports) != 0 || f.Settings || f.MaxPages == 0 {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := h.Examine("a", testModule(t, "config"), LoadOptions{}); err != nil || !f.Settings {
		t.Errorf("%+v, %v", f, err)
	}
	// What would only fail when it runs is none of its business; all else is.
	if _, err := h.Examine("a", testModule(t, "init-trap"), LoadOptions{}); err != nil {
		t.Error(err)
	}
	var refused *LoadError
	if _, err := h.Examine("a", testModule(t, "import-sock"), LoadOptions{}); !errors.As(err, &refused) || refused.Code != CodeImport {
		t.Error(err)
	}
	if _, err := h.Examine("a", testModule(t, "big-memory"), LoadOptions{Limits: Limits{MemoryPages: 512}}); !errors.As(err, &refused) || refused.Code != CodeMemory {
		t.Error(err)
	}
}
