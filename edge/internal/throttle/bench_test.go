package throttle_test

import (
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/edge/internal/throttle"
)

// chain is what a transfer of a server is under.
func chain(server *throttle.Node, user throttle.Rates) *throttle.Limiter {
	return throttle.Chain(true, new(throttle.Node), new(throttle.Node), throttle.NewNode(user), new(throttle.Node), server)
}

// work is what a transfer does for each piece beside moving it. A limit that
// is never reached is not waited for.
func work(b *testing.B, l *throttle.Limiter, n int) {
	for range n {
		if l.Slice() < 1 {
			b.Error("nothing to move")
		}
		if err := l.Wait(b.Context(), 1); err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkPiece is the cost of one Slice and one Wait that need not wait, with 1 and
// 64 transfers under one server: where nothing limits, where each user is limited,
// and where the server is.
func BenchmarkPiece(b *testing.B) {
	none, much := throttle.Rates{}, throttle.Rates{Down: math.MaxInt64}
	for name, rates := range map[string][2]throttle.Rates{"free": {none, none}, "user": {none, much}, "server": {much, none}} {
		for _, transfers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d", name, transfers), func(b *testing.B) {
				server := throttle.NewNode(rates[0])
				b.ReportAllocs()
				var wg sync.WaitGroup
				for range transfers {
					wg.Go(func() { work(b, chain(server, rates[1]), b.N/transfers+1) })
				}
				wg.Wait()
			})
		}
	}
}
