package sandbox

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// childVar holds the order of a child process, which shuts itself off.
const childVar = "EDGEFTP_SANDBOX_CHILD"

func TestMain(m *testing.M) {
	if text := os.Getenv(childVar); text != "" {
		os.Exit(child(text))
	}
	goleak.VerifyTestMain(m)
}
