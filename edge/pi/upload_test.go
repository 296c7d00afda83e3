package pi

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// ended remembers whether an upload that ended badly was to be kept.
type ended struct {
	vfs.Stage
	kept bool
}

func (s *ended) Discard(keep bool) error {
	s.kept = keep
	return nil
}

// What a client goes on with later is kept, but not on a disk that is full.
func TestKeptUploads(t *testing.T) {
	for _, c := range []struct {
		err  error
		kept bool
	}{
		{fmt.Errorf("reading: %w", net.ErrClosed), true},
		{fmt.Errorf("writing: %w", vfs.ErrNoSpace), false},
		{dtp.ErrTooLarge, false},
	} {
		stage := &ended{kept: !c.kept}
		(&upload{stage: stage}).finish(context.Background(), dtp.Result{Err: c.err})
		if stage.kept != c.kept {
			t.Errorf("%v: kept is %v", c.err, stage.kept)
		}
	}
}
