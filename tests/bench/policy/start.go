package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/tests/bench/policy/guests"
	"github.com/edgeftp/edgeftp/tests/bench/policy/measure"
	"github.com/edgeftp/edgeftp/tests/userpi"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// start times processes from their start until a client was greeted.
func start(ctx context.Context, flags *flag.FlagSet, args []string) error {
	runs := flags.Int("runs", 15, "how often each line is measured")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "start")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeModules(ctx, dir); err != nil {
		return err
	}
	lines := []struct {
		name, folder string
		cold         bool
		took         []float64
	}{{name: "no module", folder: "none"}, {name: "10 small modules, compiled", folder: "small", cold: true},
		{name: "10 small modules, compiled before", folder: "small"}, {name: "a Go module, compiled", folder: "go", cold: true},
		{name: "a Go module, compiled before", folder: "go"}}
	for range *runs {
		for i := range lines {
			l := &lines[i]
			cache := filepath.Join(dir, "cache-"+l.folder)
			if l.cold {
				if err := os.RemoveAll(cache); err != nil {
					return err
				}
			}
			line, took, err := offspring(ctx, "start", filepath.Join(dir, l.folder), cache)
			if err != nil {
				return err
			}
			if line != "ready" {
				return fmt.Errorf("%s: the process said %q", l.name, line)
			}
			l.took = append(l.took, float64(took)/float64(time.Millisecond))
		}
	}
	fmt.Println("| | p50 ms | max ms |\n|---|---|---|")
	for _, l := range lines {
		fmt.Printf("| %s | %.1f | %.1f |\n", l.name, measure.Quantile(l.took, 0.5), measure.Quantile(l.took, 1))
	}
	return nil
}

// writeModules makes the folders that the processes load.
func writeModules(ctx context.Context, dir string) error {
	folders := map[string]map[string][]byte{"none": {}, "small": {}, "go": {}}
	for _, name := range guests.Small() {
		b, err := guests.Module(name)
		if err != nil {
			return err
		}
		folders["small"][name] = b
	}
	for letter := byte('A'); len(folders["small"]) < 10; letter++ {
		b, err := guests.Version(letter)
		if err != nil {
			return err
		}
		folders["small"]["version-"+string(letter)] = b
	}
	b, err := guests.Go(ctx)
	if err != nil {
		return err
	}
	folders["go"]["go"] = b
	for folder, files := range folders {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			return err
		}
		for name, b := range files {
			if err := os.WriteFile(filepath.Join(dir, folder, name+".wasm"), b, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// startChild loads every module of a folder, serves, and says so when it has greeted a
// client.
func startChild(ctx context.Context, folder, cache string) error {
	h, err := wasmhost.New(ctx, wasmhost.Config{CacheDir: cache})
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.wasm"))
	if err != nil {
		return err
	}
	var slots []edge.Slot
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(file), ".wasm")
		p, err := h.Load(ctx, name, b, wasmhost.LoadOptions{})
		if err != nil {
			return err
		}
		slots = append(slots, edge.Slot{Name: name, Policy: p})
	}
	w, err := open(slog.DiscardHandler, slots...)
	if err != nil {
		return err
	}
	c, err := userpi.Dial(w.Addresses()[0].String())
	if err != nil {
		return err
	}
	if _, err := c.Expect("the greeting", 220); err != nil {
		return err
	}
	fmt.Println("ready")
	c.Close()
	return w.stop()
}
