package edge_test

import (
	"context"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/dtp/dtptest"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/policy/policytest"
	"github.com/edgeftp/edgeftp/edge/vfs/vfstest"
)

// A filesystem of one's own: TestReadOnly looks through what is there. One that is
// a vfs.Writer is given to vfstest.TestFS, which wants an empty one each time.
func TestMyFilesystem(t *testing.T) {
	files, err := fs.Sub(site, "testdata/site")
	if err != nil {
		t.Fatal(err)
	}
	vfstest.TestReadOnly(t, readOnly{files})
}

// A policy of one's own, with what it is to say to some questions.
func TestMyPolicy(t *testing.T) {
	policytest.TestPolicy(t, func(*testing.T) policy.Policy { return inbox{dir: "/in"} },
		policytest.Case{Action: &policy.Action{Op: policy.OpWrite, Path: "/in/a.txt"}, Want: policy.Pass},
		policytest.Case{Action: &policy.Action{Op: policy.OpWrite, Path: "/a.txt"}, Want: policy.Deny},
		policytest.Case{Action: &policy.Action{Op: policy.OpStat, Path: "/in/.profile"}, Want: policy.Hide},
	)
}

// A data port of one's own.
func TestMyPort(t *testing.T) {
	dtptest.TestPort(t, func(t *testing.T, wait time.Duration, _ bool) dtptest.Side {
		conf := dtp.PassiveConfig{Local: netip.MustParseAddr("127.0.0.1"), Wait: wait}
		p, err := listenThrough(firewall{io.Discard})(t.Context(), conf)
		if err != nil {
			t.Fatal(err)
		}
		return dtptest.Side{Port: p, Connect: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", p.Addr().String())
		}}
	})
}

// The other policies of the examples.
func TestPolicies(t *testing.T) {
	ask := func(context.Context, string, string) (bool, error) { return false, nil }
	for _, p := range []policy.Policy{&staff{ask: ask}, closed{"Closed."}, slow{1000}, diary{io.Discard}} {
		t.Run(p.Name(), func(t *testing.T) { policytest.TestPolicy(t, func(*testing.T) policy.Policy { return p }) })
	}
}
