package main

import "runtime/debug"

// garbagePercent is how much garbage may lie beside what is alive before it is collected,
// in per cent of that. What is alive in a server is little, so that the runtime's own 100
// has it collected every few megabytes: a login over TLS takes 376 us of CPU with it, 332
// with 200 and 324 with 400, which leaves the runtime more to keep of its own when 1,000
// sessions over TLS have gone to rest (10.3 KiB each, and 7.3 with 200). The memory budget,
// to which the runtime is held, comes first: near it garbage is collected as often as need
// be. What sessions leave behind is given back when it is calm (edge's leavings).
const garbagePercent = 200

// letGarbageLie sets that, unless the operator has set GOGC, and returns what undoes it.
func letGarbageLie(env string) (restore func()) {
	if env != "" {
		return func() {}
	}
	before := debug.SetGCPercent(garbagePercent)
	return func() { debug.SetGCPercent(before) }
}
