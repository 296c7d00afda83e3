package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/edgeftp/edgeftp/guest-sdk/build"
	"github.com/edgeftp/edgeftp/guest-sdk/go/manifest"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// Build is [build.Build], but for a manifest that no server takes: that is told with its
// own lines and before a compiler has run. In the module a manifest is one line.
func Build(ctx context.Context, dir, cache string) (*build.Result, error) {
	if err := judge(dir); err != nil {
		return nil, err
	}
	return build.Build(ctx, dir, cache)
}

// judge looks at the manifest beside the source. What is no JSON is the build's to tell.
func judge(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, manifest.File))
	if err != nil || !json.Valid(text) {
		return nil
	}
	var e *wasmhost.ManifestError
	if err := wasmhost.CheckManifest(text); !errors.As(err, &e) {
		return nil
	}
	summary := fmt.Sprintf("%s: %s", manifest.File, e.Found)
	if e.Line > 0 {
		summary = fmt.Sprintf("%s:%s", manifest.File, e.Error())
	}
	needs := ""
	if e.Needs != "" {
		needs = "   = needs:  " + e.Needs
	}
	return &build.Error{Dir: dir, Summary: summary, Output: needs, Help: e.Help, Err: e}
}
