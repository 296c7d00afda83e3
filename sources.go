// Package edgeftp, at the root of the module, holds those of its sources that the
// program hands out: edgeftp policy init writes them into a policy's folder, so that
// it builds without fetching anything. The server is a library in the package edge.
package edgeftp

import "embed"

// The SDKs are without their tests as far as a pattern can say that; who hands them
// out leaves the rest away. Each language has its line, so that what tools leave in
// the folders stays out.
//
//go:embed LICENSE go.mod guest-sdk/ABI.md
//go:embed edge/policy/*.go wasmhost/abi/*.go wasmhost/abi/cases/*.go
//go:embed guest-sdk/go/*.go guest-sdk/go/*/*.go guest-sdk/go/internal/*/*.go guest-sdk/go/template
//go:embed guest-sdk/c/*.h guest-sdk/c/libc guest-sdk/c/template
//go:embed guest-sdk/rust/Cargo.toml guest-sdk/rust/src guest-sdk/rust/template
//go:embed guest-sdk/assemblyscript/README.md guest-sdk/assemblyscript/module.ts guest-sdk/assemblyscript/edgeftp guest-sdk/assemblyscript/template
//go:embed guest-sdk/wat/template
//go:embed guest-sdk/zig/*.zig guest-sdk/zig/hooks guest-sdk/zig/template
var sources embed.FS

// Sources returns the sources under their paths in the module: LICENSE, go.mod, the
// contract guest-sdk/ABI.md, guest-sdk/LANGUAGE with its template, and the packages that guests in Go import.
func Sources() embed.FS { return sources }
