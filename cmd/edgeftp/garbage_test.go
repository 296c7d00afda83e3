package main

import (
	"runtime/debug"
	"testing"
)

func TestGarbage(t *testing.T) {
	percent := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	before := percent()
	restore := letGarbageLie("")
	if percent() != garbagePercent {
		t.Errorf("%d", percent())
	}
	restore()
	if percent() != before {
		t.Errorf("%d afterwards, %d before", percent(), before)
	}
	letGarbageLie("50")()
	if percent() != before {
		t.Errorf("GOGC is overruled: %d", percent())
	}
}
