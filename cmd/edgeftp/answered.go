package main

import (
	"strconv"
	"sync"
)

// answered counts the answers of HTTP. The zero value is empty.
type answered struct {
	mu sync.Mutex
	of map[answer]uint64
}

// answer is what answers are told apart by.
type answer struct{ protocol, class string }

// count is delivery.Config.Answered.
func (a *answered) count(protocol string, status int) {
	of := answer{protocol, "none"}
	if status > 0 {
		of.class = strconv.Itoa(status/100) + "xx"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of == nil {
		a.of = map[answer]uint64{}
	}
	a.of[of]++
}
