package tutorials

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/tests/authority"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(authority.Residue)) }
