//go:build profile

package main

import (
	"fmt"
	"os"
	"runtime/pprof"
)

// profileEnv names the file of the profile. The directory has to be one where the
// user of the process may write.
const profileEnv = "EDGEFTP_CPU_PROFILE"

// profiled runs the program and, where it serves, writes a profile of its processor
// time until its end. It is in builds with the tag profile alone, which tests/bench/load
// makes: nobody can have a server profiled that was not built for it.
func profiled(run func() int) int {
	path := os.Getenv(profileEnv)
	if path == "" || len(os.Args) < 2 || os.Args[1] != "serve" {
		return run()
	}
	// Opened here: once the process is shut off from the machine it could not be.
	f, err := os.Create(path)
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: no profile: %v\n   = help: %s names the file; unset it to run without\n", err, profileEnv)
		return exitFailed
	}
	code := run()
	pprof.StopCPUProfile()
	if err := f.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "error: the profile:", err)
		return exitFailed
	}
	return code
}
