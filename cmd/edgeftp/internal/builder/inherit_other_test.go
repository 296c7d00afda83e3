//go:build !unix

package builder

import (
	"os"
	"testing"
)

func inheritable(t *testing.T, _ *os.File) {
	t.Helper()
	t.Fatal("there are no service managers that pass files on here")
}
