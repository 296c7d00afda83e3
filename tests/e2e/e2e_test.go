// Package e2e runs the program edgeftp as its users run it: a process with flags,
// real client programs against it, signals, and kill -9.
//
// Everything listens on the loopback interface and lies in temporary folders.
// Transfers have 64 MiB (8 MiB with -short); EDGEFTP_FULL=1 makes that 1 GiB and
// the trees of files the whole Go source. EDGEFTP_RACE=1 builds the program with
// the race detector, EDGEFTP_BINARY=FILE takes one that exists.
// EDGEFTP_UPDATE_DOCS=1 writes what the clients did into docs/clients.md.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	authorities "github.com/edgeftp/edgeftp/tests/authority"
)

const (
	mib = 1 << 20

	// binaryVar names the program under test, to the tests as to those who
	// bring their own.
	binaryVar = "EDGEFTP_BINARY"
	fullVar   = "EDGEFTP_FULL"
	raceVar   = "EDGEFTP_RACE"
)

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(whole{m}, goleak.IgnoreAnyFunction(authorities.Residue))
}

// whole is all tests and what they have in common.
type whole struct{ *testing.M }

// Run builds the program once for all tests and removes it behind them.
func (m whole) Run() int {
	if err := authorities.Prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if os.Getenv(binaryVar) == "" {
		dir, err := os.MkdirTemp("", "edgeftp-e2e")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary := filepath.Join(dir, "edgeftp")
		if err := build(binary); err != nil {
			fmt.Fprintln(os.Stderr, "e2e: building edgeftp:", err)
			return 1
		}
		os.Setenv(binaryVar, binary)
	}
	return m.M.Run()
}

func build(to string) error {
	args := []string{"build", "-o", to}
	if os.Getenv(raceVar) != "" {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "../../cmd/edgeftp")...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}

// full reports whether the long form of the tests is asked for.
func full() bool { return os.Getenv(fullVar) != "" }

// bulk is the length in bytes of a file that is to keep a transfer busy.
func bulk() int64 {
	switch {
	case full():
		return 1024 * mib
	case testing.Short():
		return 8 * mib
	}
	return 64 * mib
}
