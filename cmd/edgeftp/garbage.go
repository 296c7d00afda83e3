package main

import "runtime/debug"

// garbagePercent is how much garbage may lie beside what is alive before it is collected,
// in per cent of that. What is alive in a server is little, so that the runtime's own 100
// has it collected every few megabytes: a login over TLS costs 15 to 20 % less with 400,
// a small file 5 to 10 %. The memory budget, to which the runtime is held, comes first:
// near it garbage is collected as often as need be. When many sessions have gone to rest,
// their garbage is given back (edge's parking), and when many have ended and it is calm,
// it is collected (edge's leavings).
const garbagePercent = 400

// letGarbageLie sets that, unless the operator has set GOGC, and returns what undoes it.
func letGarbageLie(env string) (restore func()) {
	if env != "" {
		return func() {}
	}
	before := debug.SetGCPercent(garbagePercent)
	return func() { debug.SetGCPercent(before) }
}
