package pi

import (
	"fmt"
	"io/fs"
	"syscall"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// What was asked of the storage is counted by how it went and how long it took, and a tally that
// is not there counts nothing.
func TestOperationTally(t *testing.T) {
	at := func(err error) error { return fmt.Errorf("x: %w", &fs.PathError{Op: "open", Path: "a", Err: err}) }
	var none *OperationTally
	tally := new(OperationTally)
	for _, c := range []struct {
		err  error
		want OperationStatus
	}{
		{nil, OperationStatus{OK: 1}},
		{at(fs.ErrNotExist), OperationStatus{NotFound: 1}},
		{at(fs.ErrExist), OperationStatus{Refused: 1}},
		{at(vfs.ErrIsDirectory), OperationStatus{Refused: 1}},
		{at(vfs.ErrEscapes), OperationStatus{Refused: 1}},
		{at(fs.ErrPermission), OperationStatus{Failed: 1}},
		{at(vfs.ErrNoSpace), OperationStatus{Failed: 1}},
		{at(syscall.EIO), OperationStatus{Failed: 1}},
	} {
		one := new(OperationTally)
		for _, to := range []*OperationTally{one, tally, none} {
			if got := to.took(opRename, time.Now(), c.err); got != c.err {
				t.Errorf("%v became %v", c.err, got)
			}
		}
		if st := one.Status()[opRename]; st.OK != c.want.OK || st.NotFound != c.want.NotFound || st.Refused != c.want.Refused || st.Failed != c.want.Failed || st.Times.Total != 1 {
			t.Errorf("%v: %+v", c.err, st)
		}
	}
	if none.Status() != nil {
		t.Error("no tally has counted something")
	}
	const long = time.Hour
	tally.took(opRename, time.Now().Add(-long), nil)
	all := tally.Status()
	st := all[opRename]
	if last := st.Times.Count[len(st.Times.Count)-1]; len(all) != int(opKinds) || st.Operation != "rename" || st.OK != 2 || st.Times.Total != 9 || last != 8 || st.Times.Sum < long {
		t.Errorf("%d kinds; %+v", len(all), st)
	}
	if other := all[opStat]; other.Times.Total != 0 {
		t.Errorf("what nobody asked was counted: %+v", other)
	}
}
