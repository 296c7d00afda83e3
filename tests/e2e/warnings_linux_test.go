package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// A disk with less free than notify.disk_free_below is warned of as the server starts, in the log and
// to the receiver.
func TestWarningOfDisk(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.env = append(p.env, "EDGEFTP_TEST_HOOK="+hookSecret)
	r := receiveHooks(t, "", func(string) int { return 204 })
	s := roomy(t, p, p.file(t, plain()+warned(r, ", disk_free_below: 60%")), 8*mib, 3*mib)
	s.awaitReady(t)
	s.plain, s.user, s.password = true, "dev", secret
	e := r.warning(t, "disk_low", "the disk of "+p.state+" has ")
	if !strings.Contains(fmt.Sprint(e["text"]), " of 8 MiB free") {
		t.Errorf("%v", e)
	}
	s.expect(t, "a disk has little room", `"event":"disk_low"`, `"path":"`+p.state, `"bytes_size":8388608`, "make room")
	s.login(t)
	s.stop(t)
	r.warning(t, "disk_low", p.state)
}
