// Package random gives a guest bytes that nobody can predict: those of crypto/rand
// are a fixed sequence in a module. Importing it makes the module import the
// function random, which needs the capability "random" in its manifest and a grant
// (ABI §7, §8). Natively the bytes are those of crypto/rand, or what the
// test's guesttest.World gives.
package random

import "github.com/edgeftp/edgeftp/wasmhost/abi"

// Fill fills b.
func Fill(b []byte) {
	for len(b) > 0 {
		n := min(len(b), abi.MaxRandom)
		fill(b[:n])
		b = b[n:]
	}
}
