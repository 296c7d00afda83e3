// Package workshop is where authors of policy modules find out what their modules do,
// in the host that the server uses and in no other way: test, run, measure and trace
// them, without a server and without anything of it within reach.
package workshop

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/builder"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/build"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
)

// Source says what is brought to the workshop.
type Source struct {
	// Path is a .wasm file, or a folder with a policy's source, which is built.
	Path string
	// Tests is a file of tests (ABI §8) in the place of those that the module brings.
	Tests string
	// Settings, if there are any, take the place of those of the tests.
	Settings json.RawMessage
	// KV are values in addition to those of the tests.
	KV map[string]cases.Value
	// Cache is where built and compiled modules are kept, empty for nowhere.
	Cache string
	// Traced has every call tell where its fuel went.
	Traced bool
	// Patient gives calls far more time than a server would, for machines that are
	// busy or traced; their fuel is bounded all the same.
	Patient bool
}

// Shop is a module that is ready to be asked. Close it in the end.
type Shop struct {
	Source Source
	Name   string
	Built  *build.Result // nil for a module that was there
	Module []byte
	Facts  *wasmhost.Facts
	Set    *cases.Set // empty without tests

	host   *wasmhost.Host
	policy *wasmhost.Policy
}

// Open builds or reads the module, judges it as a server would, and starts it with the
// settings of its tests. Its tests are not asked yet.
func Open(ctx context.Context, src Source) (*Shop, error) {
	s := &Shop{Source: src, Name: nameOf(src.Path)}
	if err := s.read(ctx); err != nil {
		return nil, err
	}
	c := wasmhost.Config{Compile: 10 * time.Minute}
	if src.Cache != "" {
		c.CacheDir = filepath.Join(src.Cache, "modules")
	}
	for h := range c.Budgets {
		if src.Patient {
			c.Budgets[h].Time = time.Minute
		}
	}
	var err error
	if s.host, err = wasmhost.New(ctx, c); err != nil {
		return nil, err
	}
	if err := s.load(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// nameOf is what the policy is called in words.
func nameOf(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	if name := strings.TrimSuffix(filepath.Base(abs), ".wasm"); abi.OneLine(name, 100) && name != "" && name != string(filepath.Separator) {
		return name
	}
	return "policy"
}

func (s *Shop) read(ctx context.Context) error {
	path := s.Source.Path
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("the policy cannot be read: %w\n   = help:   name a .wasm file, or the folder of a policy's source", err)
	}
	if !info.IsDir() {
		s.Module, err = os.ReadFile(path)
		return err
	}
	cache := ""
	if s.Source.Cache != "" {
		cache = filepath.Join(s.Source.Cache, "build")
	}
	if s.Source.Traced {
		ctx = build.WithNames(ctx)
	}
	if s.Built, err = builder.Build(ctx, path, cache); err != nil {
		return err
	}
	s.Module = s.Built.Module
	return nil
}

// load is what comes after reading.
func (s *Shop) load(ctx context.Context) (err error) {
	if s.Facts, err = s.host.Examine(s.Name, s.Module, wasmhost.LoadOptions{}); err != nil {
		return err
	}
	if name := s.Facts.Manifest.Name; name != "" && abi.OneLine(name, 100) {
		s.Name = name
	}
	if s.Set, err = s.tests(); err != nil {
		return err
	}
	if s.Source.Settings != nil {
		s.Set.Settings = s.Source.Settings
	}
	for key, v := range s.Source.KV {
		if s.Set.KV == nil {
			s.Set.KV = map[string]cases.Value{}
		}
		s.Set.KV[key] = v
	}
	if err := config.CheckSettings(s.Name, s.Facts.Manifest.Settings, s.Set.Settings); err != nil {
		return err
	}
	s.policy, err = s.host.Load(ctx, s.Name, s.Module, s.options())
	return err
}

// tests reads those of the file that was named, else those of the module.
func (s *Shop) tests() (*cases.Set, error) {
	text, where := s.Facts.Section, "the tests of "+s.Source.Path
	if s.Source.Tests != "" {
		var err error
		if text, err = os.ReadFile(s.Source.Tests); err != nil {
			return nil, fmt.Errorf("the tests cannot be read: %w", err)
		}
		where = s.Source.Tests
	} else if s.Built != nil {
		// The section is a compact form of this file, in which lines mean nothing.
		file := filepath.Join(s.Source.Path, "tests.json")
		own, err := os.ReadFile(file)
		switch {
		case err == nil:
			text, where = own, file
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("the tests cannot be read: %w", err)
		}
	}
	if text == nil {
		return new(cases.Set), nil
	}
	set, err := cases.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n   = help:   ABI.md, section 8, says what tests hold: policy init writes it into the folder", where, err)
	}
	return set, nil
}

// options grant all that the manifest declares: in trials it leads nowhere.
func (s *Shop) options() wasmhost.LoadOptions {
	g := wasmhost.Grant{Metric: nowhere{}, Random: true, Verify: true, Password: true, Stat: true, Digest: true,
		KV: func(string, int64) (policy.KV, error) { return new(policy.MemKV), nil }}
	for _, c := range s.Facts.Manifest.Capabilities {
		if host, ok := strings.CutPrefix(c, abi.CapFetch+":"); ok {
			g.Fetch.Allow = append(g.Fetch.Allow, "https://"+host)
		}
	}
	return wasmhost.LoadOptions{Settings: s.Set.Settings, Grant: g, Limits: wasmhost.Limits{Instances: 1},
		Verify: edge.VerifyHash, Untried: true, Traced: s.Source.Traced}
}

// nowhere takes the numbers of the start.
type nowhere struct{}

// Metric implements wasmhost.MetricSink.
func (nowhere) Metric(string, string, int32, int64) {}

// Close gives everything back.
func (s *Shop) Close() {
	if s.policy != nil {
		_ = s.policy.Close() // the instances are gone with the process at the latest
	}
	_ = s.host.Close() // only waits
}

// packed returns how many bytes the module has on its way through the network.
func packed(module []byte) int {
	n := counter(0)
	w := gzip.NewWriter(&n)
	_, _ = w.Write(module) // a counter takes all
	_ = w.Close()
	return int(n)
}

type counter int

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

var _ io.Writer = (*counter)(nil)
