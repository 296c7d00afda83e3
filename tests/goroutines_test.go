package tests

import (
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strings"
	"testing"
)

// goroutines says of each function that starts goroutines, in what a server consists of,
// who recovers when one of them panics. A new one has to be added: a panic that nobody
// recovers is the end of the server.
func goroutines() map[string]string {
	const (
		own    = "it runs no code but its own, on nothing that a client or a policy has made"
		waits  = "it only waits"
		guards = "ending.guard, around each call of a policy"
		guard  = "Server.guard"
		caller = "it comes out in the caller's goroutine"
		engine = "its function, around the engine and the guest"
		closes = "none: it closes a connection or has it hurry, which is the kernel's doing, but for one of an embedder"
		tools  = "none: it is no server's"
		peer   = "none: it is the library's or the authority's answers that it reads, not a client's"
	)
	return map[string]string{
		// A session, and what it starts.
		"edge/accept.go welcome":              "Server.own",
		"edge/lobby.go receive":               guard,
		"edge/accept.go serve":                guard + ", around each connection of accept",
		"edge/generation.go bury":             guard,
		"edge/pi/job.go carryOut":             "Session.takeOver: the session has ended",
		"edge/pi/job.go attend":               "Session.hear",
		"edge/pi/job.go recall":               closes,
		"edge/pi/session.go wait":             closes,
		"edge/pi/transfer.go interruptible":   "Config.guard",
		"edge/delivery/handler.go Connection": guard + ", in Visit.Close",
		"edge/dtp/passive.go Open":            closes,
		"edge/dtp/passive_proxied.go enter":   caller,
		"edge/dtp/transfer.go Run":            closes,
		"edge/pi/escort.go begin":             "its deferred function: the rate stays",
		"edge/vfs/user.go aside":              caller,
		"edge/vfs/stage_end.go settleLater":   own,
		"edge/internal/listing/batch.go help": caller,

		// The server.
		"edge/shutdown.go Serve":                    guard + ", around the names",
		"edge/shutdown.go leave":                    closes,
		"edge/internal/idle/lot_linux.go New":       own + ", and then what poll says",
		"edge/internal/idle/lot_linux.go poll":      "Server.own, which Server.wake consists of",
		"edge/internal/idle/lot_linux.go Wake":      "Server.own",
		"edge/internal/idle/lot_linux.go Stop":      "Server.own",
		"edge/internal/idle/lot_linux.go look":      "Server.own",
		"edge/pause.go Pause":                       own,
		"edge/defend.go set":                        guard,
		"edge/internal/chain/chain.go retire":       own,
		"edge/internal/chain/ending.go hurry":       own,
		"wasmhost/internal/fetch/client.go Do":      own,
		"wasmhost/internal/fetch/client.go dial":    own,
		"wasmhost/internal/fetch/client.go dialTLS": own,
		"edge/shutdown.go keepDefence":              guard,
		"edge/sessions.go KickUser":                 guard,
		"edge/accept.go ServeConn":                  "none: it sets a deadline",
		"edge/visit.go wake":                        guard,
		"edge/visit.go Do":                          "none: it closes a pipe",
		"edge/sessions.go kick":                     guard,
		"edge/leavings.go add":                      "none: it is the collector that is called",
		"edge/shutdown.go ended":                    waits,
		"edge/internal/chain/chain.go bury":         guards,
		"edge/internal/chain/queue.go newQueue":     guards,
		"edge/internal/chain/spool.go newCourier":   guards + ", and own, of what stores",
		"edge/internal/chain/tap.go newTap":         guards,
		"edge/internal/chain/shadow.go Shadow":      guards,
		"edge/internal/chain/swap.go dismiss":       waits,
		"edge/internal/chain/canary.go Canary":      guards + ", and around Notify",
		"edge/internal/chain/ending.go close":       guards,
		"edge/internal/chain/ending.go conclude":    waits + ", in one, and settles modules under guard in the other",
		"edge/internal/chain/ending.go CloseWithin": waits,
		"edge/internal/spool/spool.go Open":         own,
		"edge/internal/budget/budget.go sweep":      own,
		"edge/kv/store.go Open":                     own + "; what reads the file recovers by itself",
		"wasmhost/policy.go end":                    engine,
		"wasmhost/engine.go compile":                engine,

		// QUIC.
		"edge/quicnet/listener.go Listen":   own + "; the library's panics would be its own",
		"edge/quicnet/listener.go admit":    own + "; Listener.try, around the caller's Leave",
		"edge/quicnet/listener.go enter":    "Listener.guard; the library itself, around each request of HTTP",
		"edge/quicnet/listener.go farewell": waits,
		"edge/quicnet/link.go newLink":      closes,
		"edge/quicnet/link.go serve":        "Listener.guard",
		"edge/quicnet/link.go run":          "Listener.guard; none in a client's program",
		"edge/quicnet/desk.go arrive":       closes,
		"edge/quicnet/port.go OpenFor":      closes,
		"edge/quicnet/moves.go watch":       "Listener.try, around whoever is told",
		"edge/quicnet/deadline.go move":     own,
		"edge/quicnet/client.go dial":       tools,

		// The program.
		"cmd/edgeftp/crashes.go newCrashes":                    "crashes.tryKeep",
		"cmd/edgeftp/fronts.go dropFronts":                     "instance.guard",
		"cmd/edgeftp/fronts.go yieldFronts":                    "instance.guard",
		"cmd/edgeftp/fronts.go showFronts":                     "instance.guard",
		"cmd/edgeftp/site.go openSite":                         "instance.recovering, around each request",
		"cmd/edgeftp/udp_port.go open":                         "instance.guard",
		"cmd/edgeftp/metrics.go showMetrics":                   "control.Recovering, around each request",
		"cmd/edgeftp/notify.go TryWebhooks":                    "instance.guard",
		"cmd/edgeftp/top_live.go pressed":                      tools,
		"cmd/edgeftp/top_live.go loop":                         tools,
		"cmd/edgeftp/top_live.go pressAll":                     tools,
		"cmd/edgeftp/internal/succession/predecessor.go give":  closes,
		"cmd/edgeftp/internal/succession/successor.go during":  closes,
		"cmd/edgeftp/drain.go run":                             "control.Recovering of the admin socket; instance.guard of what reloads; Serve is the server; the others run no code of clients",
		"cmd/edgeftp/drain.go drain":                           waits,
		"cmd/edgeftp/drainer.go Drain":                         own,
		"cmd/edgeftp/drainer.go leave":                         own,
		"cmd/edgeftp/predecessor.go Upgrade":                   "instance.guard; the other one cancels a context",
		"cmd/edgeftp/predecessor.go Leave":                     "instance.guard",
		"cmd/edgeftp/internal/control/upgrade.go Upgrade":      own,
		"cmd/edgeftp/levels.go schedule":                       own,
		"cmd/edgeftp/internal/control/server.go Serve":         "control.Recovering, around each request",
		"cmd/edgeftp/drain.go within":                          own,
		"cmd/edgeftp/assemble.go close":                        own,
		"cmd/edgeftp/beside.go attend":                         "instance.guard",
		"cmd/edgeftp/serve.go prepare":                         "none: there is no server yet",
		"cmd/edgeftp/certificates.go watch":                    own,
		"cmd/edgeftp/internal/identity/become_linux.go regain": own,
		"cmd/edgeftp/internal/ring/ring.go Of":                 own,
		"cmd/edgeftp/internal/builder/child.go Start":          own,
		"cmd/edgeftp/internal/builder/child.go answer":         own + " but an answer of the builder, in bounds",
		"cmd/edgeftp/user_import.go finish":                    tools,
		"cmd/edgeftp/internal/builder/serve.go Serve":          tools,
		"cmd/edgeftp/internal/builder/serve.go Attend":         tools,
		"cmd/edgeftp/password.go askOnce":                      tools,
		"cmd/edgeftp/internal/bridge/answer.go last":           tools,
		"cmd/edgeftp/internal/bridge/bridge.go Serve":          tools,
		"cmd/edgeftp/internal/bridge/crew.go recruit":          tools,
		"cmd/edgeftp/internal/bridge/crew.go start":            tools,
		"cmd/edgeftp/internal/bridge/worker.go fill":           tools,
		"cmd/edgeftp/internal/bridge/worker.go hear":           tools,
		"cmd/edgeftp/internal/bridge/restore.go begins":        tools,
		"cmd/edgeftp/internal/bridge/restore.go open":          tools,
		"cmd/edgeftp/internal/bridge/restore.go restored":      tools,
		"cmd/edgeftp/internal/bridge/session.go begin":         tools,
		"cmd/edgeftp/internal/bridge/session.go run":           tools,
		"cmd/edgeftp/internal/bridge/transfer.go download":     tools,
		"cmd/edgeftp/internal/bridge/transfer.go pour":         tools,
		"cmd/edgeftp/internal/bridge/upload.go interrupt":      tools,
		"cmd/edgeftp/internal/bridge/upload.go send":           tools,
		"cmd/edgeftp/internal/bridge/upload.go upload":         tools,
		"cmd/edgeftp/internal/bridge/trunk.go get":             tools,
		"cmd/edgeftp/internal/bridge/trunk.go rest":            tools,
		"cmd/edgeftp/internal/bridge/trunk.go try":             tools,
		"cmd/edgeftp/internal/ftpclient/session.go Dial":       tools,
		"cmd/edgeftp/internal/ftpclient/engine.go Run":         tools,
		"cmd/edgeftp/internal/load/load.go Run":                tools,
		"cmd/edgeftp/internal/progress/block.go Show":          tools,
		"cmd/edgeftp/internal/progress/progress.go Start":      tools,
		"wasmhost/record/replay.go Replay":                     tools,
	}
}

// Every goroutine of a server has somebody who recovers.
func TestGoroutines(t *testing.T) {
	want := goroutines()
	found := map[string]bool{}
	sources(t, func(path string, file *ast.File) {
		top, _, _ := strings.Cut(path, "/")
		if !slices.Contains([]string{"edge", "wasmhost", "cmd"}, top) || strings.Contains(path, "test/") || strings.Contains(path, "testdata/") {
			return
		}
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				if starts(n) {
					found[fmt.Sprintf("%s %s", path, fn.Name.Name)] = true
				}
				return true
			})
		}
	})
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if want[name] == "" {
			t.Errorf("%s starts a goroutine: say in goroutines who recovers its panic", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !found[name] {
			t.Errorf("%s starts no goroutine any more", name)
		}
	}
}

// starts reports whether a node is a go statement, WaitGroup.Go, or AfterFunc, whose
// function has a goroutine of its own, too.
func starts(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		return true
	case *ast.CallExpr:
		sel, ok := n.Fun.(*ast.SelectorExpr)
		return ok && (sel.Sel.Name == "Go" && len(n.Args) == 1 || sel.Sel.Name == "AfterFunc")
	}
	return false
}
