package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/bridge"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/progress"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/screen"
)

// mostShown is how many transfers edgeftp bridge shows at once.
const mostShown = 10

// rateOver is over how long a rate is told, and lately how long it is told that a connection
// has moved.
const (
	rateOver = 5 * time.Second
	lately   = 10 * time.Second
)

// bridgeView puts into lines what a bridge does. One goroutine uses it.
type bridgeView struct {
	to      string
	palette palette
	rates   map[uint64][]reading // of each transfer that runs
}

// reading is how many bytes a transfer had moved at a time.
type reading struct {
	at    time.Time
	bytes int64
}

// block returns what shows the bridge's progress on the terminal; nil where that is none, or
// nothing is to be shown.
func (b *bridging) block(cmd *cobra.Command) *progress.Block {
	w := cmd.ErrOrStderr()
	if b.quiet || b.output == "json" || !terminal(w) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return progress.NewBlock(w, func() progress.Size { return sizeOf(w) })
}

// show begins to show what the bridge does.
func (b *bridging) show(block *progress.Block, br *bridge.Bridge, colour palette) {
	if block == nil {
		return
	}
	view := &bridgeView{to: b.to, palette: colour}
	block.Show(func(size progress.Size) []progress.Text { return view.lines(br.Status(), time.Now(), size) })
}

// sizeOf is how large a terminal is.
func sizeOf(w io.Writer) progress.Size {
	if f, ok := w.(*os.File); ok {
		if columns, rows, err := term.GetSize(int(f.Fd())); err == nil {
			return progress.Size{Columns: columns, Rows: rows}
		}
	}
	return progress.Size{Columns: 80, Rows: 24}
}

// lines says what a bridge does: its connection in the first line, and a line for each
// transfer, as many as there is room for.
func (v *bridgeView) lines(st bridge.Status, now time.Time, size progress.Size) []progress.Text {
	columns := max(size.Columns, 20) - 1
	head := progress.Plainly(v.connection(st, now), columns)
	if st.Connected.IsZero() && st.Wanted {
		head.Line = v.palette.of(yellow, head.Line)
	}
	text := []progress.Text{head}
	room := max(1, min(mostShown, size.Rows-2))
	for i, t := range st.Transfers {
		if i == room {
			text = append(text, progress.Plainly(fmt.Sprintf("  and %d more", len(st.Transfers)-i), columns))
			break
		}
		text = append(text, progress.Plainly(v.transfer(t, now), columns))
	}
	v.forget(st.Transfers)
	return text
}

// connection says how the connection is.
func (v *bridgeView) connection(st bridge.Status, now time.Time) string {
	var b strings.Builder
	b.WriteString(screen.Shown(v.to) + ": ")
	switch left := st.Next.Sub(now); {
	case !st.Connected.IsZero():
		fmt.Fprintf(&b, "connected for %s", clock(now.Sub(st.Connected)))
		if st.Here.IsValid() {
			fmt.Fprintf(&b, " from %s", st.Here)
		}
		if !st.Moved.IsZero() && now.Sub(st.Moved) < lately {
			b.WriteString(", to where it has moved")
		}
	case !st.Wanted:
		b.WriteString("not connected; the next client makes it")
	case left > 0:
		fmt.Fprintf(&b, "no connection, trying again in %d s", int((left+time.Second-1)/time.Second))
	default:
		b.WriteString("connecting")
	}
	if st.Failures > 0 {
		fmt.Fprintf(&b, " (%d in vain)", st.Failures)
	}
	fmt.Fprintf(&b, ", %s", plural(st.Clients, "client"))
	return b.String()
}

// clock is a duration as clocks show it.
func clock(d time.Duration) string {
	s := int(d.Seconds())
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// transfer says how a transfer goes.
func (v *bridgeView) transfer(t bridge.TransferStatus, now time.Time) string {
	way := "down"
	if t.Up {
		way = "up"
	}
	how := progress.State{Bytes: t.Bytes, OfBytes: t.Of, Rate: v.rate(t, now)}
	if how.Rate > 0 {
		how.Left = float64(max(t.Of-t.Bytes, 0)) / how.Rate
	}
	name := screen.Shown(t.Name)
	if name == "" {
		name = t.Verb
	}
	text := how.String()
	if t.Waits {
		text += "  waits for the connection"
	}
	return fmt.Sprintf("  %-4s  %s  %s", way, text, name)
}

// rate is that of a transfer, over the last seconds.
func (v *bridgeView) rate(t bridge.TransferStatus, now time.Time) float64 {
	if v.rates == nil {
		v.rates = map[uint64][]reading{}
	}
	had := v.rates[t.ID]
	if had == nil {
		had = []reading{{t.Began, 0}}
	}
	had = append(had, reading{now, t.Bytes})
	for len(had) > 2 && now.Sub(had[1].at) >= rateOver {
		had = had[1:]
	}
	v.rates[t.ID] = had
	if d := now.Sub(had[0].at).Seconds(); d > 0 {
		return float64(t.Bytes-had[0].bytes) / d
	}
	return 0
}

// forget drops what is known of transfers that have ended.
func (v *bridgeView) forget(left []bridge.TransferStatus) {
	runs := map[uint64]bool{}
	for _, t := range left {
		runs[t.ID] = true
	}
	for id := range v.rates {
		if !runs[id] {
			delete(v.rates, id)
		}
	}
}
