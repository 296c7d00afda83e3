package executable_test

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/tests/executable"
)

// What was written can be run at once, whoever starts programs meanwhile. With
// os.WriteFile this fails within a few hundred rounds.
func TestWrittenAmongForks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no scripts, and nothing forks")
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	const rounds, beside = 150, 4
	var all sync.WaitGroup
	for i := range beside {
		all.Go(func() {
			path := filepath.Join(t.TempDir(), "p")
			for range rounds {
				if err := executable.Write(path, []byte("#!"+sh+"\n")); err != nil {
					t.Error(i, err)
					return
				}
				if out, err := exec.CommandContext(t.Context(), path).CombinedOutput(); err != nil {
					t.Errorf("%d: %v %s", i, err, out)
					return
				}
			}
		})
	}
	all.Wait()
}
