//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/tests/bench/load/client"
	"github.com/edgeftp/edgeftp/tests/bench/policy/guests"
)

// chain is the configuration of three modules: an authorizer and an event hook, as
// tests/bench/policy measures them, and a policy of paths, the example dropbox.
func (f *field) chain(tree string) (string, error) {
	dropbox, err := os.ReadFile(filepath.Join(tree, "examples", "wasm", "dropbox", "rust", "dropbox.wasm"))
	if err != nil {
		return "", fmt.Errorf("the chain's policy of paths: %w\n   = help: -tree is the root of edgeftp's sources", err)
	}
	all := []module{{name: "write-once"}, {"dropbox", dropbox}, {name: "events"}}
	for i := range all {
		if all[i].code == nil {
			if all[i].code, err = guests.Module(all[i].name); err != nil {
				return "", err
			}
		}
	}
	return f.policies(all)
}

// ten is the configuration of as many small modules as tests/bench/policy starts.
func (f *field) ten() (string, error) {
	var all []module
	for _, name := range guests.Small() {
		code, err := guests.Module(name)
		if err != nil {
			return "", err
		}
		all = append(all, module{name, code})
	}
	for letter := byte('A'); len(all) < 10; letter++ {
		code, err := guests.Version(letter)
		if err != nil {
			return "", err
		}
		all = append(all, module{"version-" + strings.ToLower(string(letter)), code})
	}
	return f.policies(all)
}

// module is one policy of a configuration.
type module struct {
	name string
	code []byte
}

// policies writes the modules and their configuration.
func (f *field) policies(all []module) (string, error) {
	var b strings.Builder
	b.WriteString("policies:\n  modules:\n")
	for _, m := range all {
		path := filepath.Join(f.ground.Dir, m.name+".wasm")
		if err := os.WriteFile(path, m.code, 0o644); err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "    - { name: %s, source: %q }\n", m.name, path)
	}
	return b.String(), nil
}

// starts is how often the server is started in a measurement.
const starts = 5

func startScenarios() []scenario {
	return []scenario{{name: "start", main: "p50_ms", variant: modules,
		does: "from the start of the program until it greets a client, five times; ten small modules, compiled before", run: startup}}
}

// startup starts the server anew and again; the modules are compiled by then, as it
// runs already.
func startup(t *turn) (figures, error) {
	var took []time.Duration
	for range starts {
		t.s.Stop()
		start := time.Now()
		greeted := make(chan error, 1)
		var at time.Time
		go func() {
			err := greeting(t.s.account.Addr, start.Add(client.Patience))
			at = time.Now()
			greeted <- err
		}()
		if err := t.begin(context.Background(), t.s); err != nil {
			return nil, err
		}
		if err := <-greeted; err != nil {
			return nil, err
		}
		took = append(took, at.Sub(start))
	}
	f := figures{}
	f.quantiles(took, time.Millisecond, "_ms")
	return f, nil
}

// greeting connects again and again until the first byte of a greeting has come.
func greeting(to *net.TCPAddr, deadline time.Time) error {
	for {
		c, err := net.DialTCP("tcp", nil, to)
		if err == nil {
			_ = c.SetDeadline(deadline)
			_, err = c.Read(make([]byte, 1))
			c.Close()
		}
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(500 * time.Microsecond)
	}
}
