// Package hostile attacks a running server in the ways of a list of threats, row by
// row (rows_test.go), and looks at what a well-behaved client sees meanwhile, and at
// what is left when the attackers have gone: goroutines, descriptors, memory.
package hostile

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		child()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
