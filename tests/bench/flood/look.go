package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/tests/peers"
)

// sight is what a server holds at a moment.
type sight struct {
	rss        int64 // bytes
	files      int   // descriptors
	goroutines int
}

// look asks the kernel, and the server itself for its goroutines.
func look(ctx context.Context, s *peers.Server, figures string) (sight, error) {
	var now sight
	now.rss = resident(s.PID())
	now.files, _ = s.Descriptors()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, figures, nil)
	if err != nil {
		return now, err
	}
	r.Close = true // a connection that is kept would count
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return now, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			_, err = fmt.Sscan(value, &now.goroutines)
		}
	}
	return now, err
}

// resident is the resident memory of a process; 0 if it is gone.
func resident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}

// most is the most resident memory that a process has until ctx is over.
func most(ctx context.Context, pid int) int64 {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var m int64
	for {
		m = max(m, resident(pid))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return m
		}
	}
}
