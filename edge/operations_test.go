package edge

import (
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// What commands ask of the storage is counted where they do, each question once, and how it went.
func TestOperations(t *testing.T) {
	r := start(t, nil)
	defer r.stop()
	c := r.login()
	counts := func() map[string]OperationStatus {
		all := map[string]OperationStatus{}
		for _, o := range r.srv.Operations() {
			all[o.Operation] = o
		}
		return all
	}
	before := counts()
	put := func(name string) {
		_, err := c.Put(userpi.EPSV, "STOR "+name, strings.NewReader("bytes"))
		r.must(err)
	}
	put("a")
	put("b")
	_, err := c.Get(userpi.EPSV, "RETR a")
	r.must(err)
	_, err = c.Get(userpi.EPSV, "MLSD")
	r.must(err)
	r.do(c, "MKD d", 257)
	r.do(c, "MKD d", 550)
	r.do(c, "RMD d", 250)
	r.do(c, "RNFR a", 350)
	r.do(c, "RNTO c", 250)
	r.do(c, "SITE CHMOD 600 c", 200)
	r.do(c, "MFMT 20260102030405 c", 213)
	r.do(c, "DELE c", 250)
	r.do(c, "DELE none", 550)
	r.do(c, "SIZE none", 550)
	upload := r.upload(c, "given up")
	r.do(c, "ABOR", 426)
	r.expect(c, "ABOR", 226)
	r.must(upload.Close())
	after := counts()
	for _, want := range []OperationStatus{
		{Operation: "open", OK: 1}, {Operation: "list", OK: 1}, {Operation: "mkdir", OK: 1, Refused: 1}, {Operation: "rmdir", OK: 1},
		{Operation: "rename", OK: 1}, {Operation: "chmod", OK: 1}, {Operation: "times", OK: 1}, {Operation: "delete", OK: 1, NotFound: 1},
		{Operation: "stage", OK: 3}, {Operation: "commit", OK: 2}, {Operation: "discard", OK: 1}, {Operation: "symlink"}, {Operation: "space"},
	} {
		was, is := before[want.Operation], after[want.Operation]
		got := OperationStatus{Operation: want.Operation, OK: is.OK - was.OK, NotFound: is.NotFound - was.NotFound, Refused: is.Refused - was.Refused, Failed: is.Failed - was.Failed}
		if got.OK != want.OK || got.NotFound != want.NotFound || got.Refused != want.Refused || got.Failed != want.Failed {
			t.Errorf("%+v, want %+v", got, want)
		}
		if is.Times.Total-was.Times.Total != got.OK+got.NotFound+got.Refused+got.Failed {
			t.Errorf("%s: %d times of %+v", want.Operation, is.Times.Total-was.Times.Total, got)
		}
	}
	if n := after["stat"].NotFound - before["stat"].NotFound; n == 0 {
		t.Error("that nothing was there is not counted")
	}
}
