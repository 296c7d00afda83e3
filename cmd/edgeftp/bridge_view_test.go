package main

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/bridge"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/progress"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/screen"
)

// seen is what a view shows, as lines of a terminal.
func seen(t *testing.T, v *bridgeView, st bridge.Status, now time.Time, size progress.Size) string {
	t.Helper()
	var all []string
	for _, l := range v.lines(st, now, size) {
		if l.Columns >= size.Columns {
			t.Errorf("%d columns of %d: %q", l.Columns, size.Columns, l.Line)
		}
		if !v.palette && screen.Width(l.Line) != l.Columns {
			t.Errorf("%q takes other than %d columns", l.Line, l.Columns)
		}
		all = append(all, l.Line)
	}
	return strings.Join(all, "\n")
}

// What a bridge does stands in lines: the connection, and each transfer with its direction,
// part, rate, time left and name.
func TestBridgeView(t *testing.T) {
	t0 := time.Unix(1000, 0)
	v := &bridgeView{to: "ftpq://ftp.example.org"}
	wide := progress.Size{Columns: 100, Rows: 24}
	st := bridge.Status{Connected: t0.Add(-65 * time.Second), Here: netip.MustParseAddr("192.0.2.7"), Clients: 1, Transfers: []bridge.TransferStatus{
		{ID: 1, Verb: "RETR", Name: "big.iso", Of: 100e6, Began: t0},
		{ID: 2, Verb: "STOR", Name: "a\x1b[2Jb", Up: true, Began: t0},
		{ID: 3, Verb: "MLSD", Began: t0},
	}}
	seen(t, v, st, t0, wide)
	st.Transfers[0].Bytes, st.Transfers[1].Bytes = 20e6, 500
	want := `ftpq://ftp.example.org: connected for 0:01:07 from 192.0.2.7, 1 client
  down   20%  20.0 MB of 100 MB  10.0 MB/s  0:00:08 left  big.iso
  up    500 B  250 B/s  a\x1b[2Jb
  down  0 B  0 B/s  MLSD`
	if got := seen(t, v, st, t0.Add(2*time.Second), wide); got != want {
		t.Errorf("%s\nwant:\n%s", got, want)
	}
	st.Transfers = st.Transfers[:1]
	st.Connected, st.Wanted, st.Next, st.Failures, st.Transfers[0].Waits = time.Time{}, true, t0.Add(10*time.Second), 3, true
	want = `ftpq://ftp.example.org: no connection, trying again in 4 s (3 in vain), 1 client
  down   20%  20.0 MB of 100 MB  0 B/s  waits for the connection  big.iso`
	if got := seen(t, v, st, t0.Add(6500*time.Millisecond), wide); !strings.HasPrefix(got, "ftpq://ftp.example.org: no connection, trying again in 4 s (3 in vain), 1 client\n") ||
		!strings.HasSuffix(got, "  waits for the connection  big.iso") {
		t.Errorf("%s\nwant about:\n%s", got, want)
	}
	if len(v.rates) != 1 {
		t.Errorf("%d transfers are remembered", len(v.rates))
	}
	for st, want := range map[*bridge.Status]string{
		{Wanted: true}: "connecting, 0 clients",
		{Clients: 2}:   "not connected; the next client makes it, 2 clients",
		{Connected: t0, Here: netip.MustParseAddr("::1"), Moved: t0.Add(time.Second)}: "connected for 0:00:03 from ::1, to where it has moved, 0 clients",
	} {
		if got := seen(t, v, *st, t0.Add(3*time.Second), wide); got != v.to+": "+want {
			t.Errorf("%s\nwant:\n%s", got, want)
		}
	}
}

// However small the terminal is, and however much goes on, nothing is wider or higher than it.
func TestBridgeViewFits(t *testing.T) {
	t0 := time.Unix(1000, 0)
	st := bridge.Status{Connected: t0}
	for i := range 40 {
		st.Transfers = append(st.Transfers, bridge.TransferStatus{ID: uint64(i), Name: strings.Repeat("日本", 30), Of: 1 << 40, Bytes: 1 << 39, Began: t0})
	}
	for _, size := range []progress.Size{{Columns: 200, Rows: 50}, {Columns: 40, Rows: 10}, {Columns: 20, Rows: 3}} {
		got := seen(t, &bridgeView{to: "ftpq://a"}, st, t0.Add(time.Second), size)
		shown := min(mostShown, size.Rows-2)
		if lines := strings.Split(got, "\n"); len(lines) != 1+shown+1 || lines[len(lines)-1] != fmt.Sprintf("  and %d more", 40-shown) {
			t.Errorf("%v:\n%s", size, got)
		}
	}
}

// Without a connection the first line stands out, where there are colours.
func TestBridgeViewColour(t *testing.T) {
	v := &bridgeView{to: "ftpq://a", palette: true}
	if got := seen(t, v, bridge.Status{Wanted: true}, time.Unix(1000, 0), progress.Size{Columns: 80, Rows: 24}); !strings.Contains(got, "\x1b[33m") {
		t.Errorf("%q", got)
	}
}
