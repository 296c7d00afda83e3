//go:build linux && !amd64 && !arm64 && !riscv64

package sandbox

import "runtime"

// denyCalls says that there is no list for this architecture.
func denyCalls() Layer {
	return Layer{Name: SystemCalls, State: LayerMissing, Text: "edgeftp has no list of system calls for " + runtime.GOARCH}
}
