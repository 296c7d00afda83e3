package tutorials

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/tests/authority"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(authority.Residue), goleak.Cleanup(func(code int) {
		if dir, err := place(); err == nil {
			_ = os.RemoveAll(dir) // in the system's temporary directory
		}
		os.Exit(code)
	}))
}
