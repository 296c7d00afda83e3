package live

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"sync"
	"time"
)

// journal keeps the lines of a server's log.
type journal struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed when lines grows
	ended bool
}

func newJournal() *journal { return &journal{more: make(chan struct{})} }

// scan adds every line of a pipe, and says at its end that there are no more.
func (j *journal) scan(r io.Reader) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		j.add(in.Text(), false)
	}
	j.add("", true)
}

func (j *journal) add(line string, end bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !end {
		j.lines = append(j.lines, line)
	}
	j.ended = end
	close(j.more)
	j.more = make(chan struct{})
}

func (j *journal) read() (lines []string, more <-chan struct{}, ended bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines, j.more, j.ended
}

// String returns the end of the log.
func (j *journal) String() string {
	const most = 60
	lines, _, _ := j.read()
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

var (
	errEnded = errors.New("the server has ended")
	errLate  = errors.New("it took too long")
)

// find waits for the first line that is wanted.
func (j *journal) find(within time.Duration, want func(string) bool) (string, error) {
	late := time.NewTimer(within)
	defer late.Stop()
	for at := 0; ; {
		lines, more, ended := j.read()
		for ; at < len(lines); at++ {
			if want(lines[at]) {
				return lines[at], nil
			}
		}
		if ended {
			return "", errEnded
		}
		select {
		case <-more:
		case <-late.C:
			return "", errLate
		}
	}
}
