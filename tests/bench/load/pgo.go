//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// mix is what the profile of profile-guided optimisation is taken of: what servers do
// most, each for as long as the others, in the clear and over TLS, and the most asked
// questions again with policies. It is fixed so that two profiles can be compared.
func mix() (plainly, guarded []string) {
	return []string{"dl4", "ul4", "tlsdl4", "tlsul4", "smallretr16", "smallstor16", "smallretrtls16", "smalldele16", "loginplain", "logintlsfull",
			"logintlsresumed", "list10k", "mlsd10k", "idle1k", "mix300retr", "mix300stor", "throttledl50", "noop16", "pwd16", "size16", "pwd-pipe", "size-pipe"},
		[]string{"smallretr16", "smallstor16", "size16", "list10k"}
}

// pgoProfile runs the mix and writes one profile of it.
func (p *plan) pgoProfile(ctx context.Context, f *field, program string, out io.Writer) error {
	w, err := f.newProfiling(program, filepath.Join(f.ground.Dir, "pgo"), p.length)
	if err != nil {
		return err
	}
	modules, err := f.chain(p.tree)
	if err != nil {
		return err
	}
	all := map[string]scenario{}
	for _, sc := range scenarios() {
		all[sc.name] = sc
	}
	plainly, guarded := mix()
	var parts []string
	take := func(names []string, more, suffix string) error {
		for _, name := range names {
			if !chosen(name, p.only) {
				continue
			}
			path, err := w.record(ctx, all[name], more, nil)
			if err != nil {
				return err
			}
			part := strings.TrimSuffix(path, ".pprof") + suffix + ".part"
			if err := os.Rename(path, part); err != nil {
				return err
			}
			parts = append(parts, part)
			fmt.Fprintln(p.progress, "profiled", name+suffix)
		}
		return nil
	}
	if err := errors.Join(take(plainly, "", ""), take(guarded, modules, "-chain")); err != nil {
		return err
	}
	if len(parts) == 0 {
		return errors.New("nothing was profiled\n   = help: -only leaves no scenario of the mix")
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"tool", "pprof", "-proto", "-output", p.pgo}, parts...)...)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go tool pprof: %w\n%s", err, said)
	}
	st, err := os.Stat(p.pgo)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s holds the profiles of %d scenarios in %d bytes; go build takes it from there if it is cmd/edgeftp/default.pgo\n", p.pgo, len(parts), st.Size())
	return nil
}
