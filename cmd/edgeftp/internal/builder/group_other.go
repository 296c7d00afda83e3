//go:build !unix

package builder

import (
	"os"
	"os/exec"
)

// alone changes nothing here: the compilers of a build that is ended come to their end
// by themselves.
func alone(*exec.Cmd) {}

func endGroup() { os.Exit(1) }

func lower() {}
