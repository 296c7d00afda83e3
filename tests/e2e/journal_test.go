package e2e

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// journal keeps the lines of a server's log.
type journal struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed when lines grows
}

func newJournal() *journal { return &journal{more: make(chan struct{})} }

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
	close(j.more)
	j.more = make(chan struct{})
}

// scan adds every line of a pipe.
func (j *journal) scan(r io.Reader) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, mib)
	for in.Scan() {
		j.add(in.Text())
	}
}

func (j *journal) read() ([]string, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines, j.more
}

// String returns the whole log; of a long one its beginning, where a crash has its reason,
// and its end.
func (j *journal) String() string {
	const first, last = 40, 100
	lines, _ := j.read()
	if len(lines) > first+last {
		lines = slices.Concat(lines[:first], []string{"..."}, lines[len(lines)-last:])
	}
	return strings.Join(lines, "\n")
}

// find waits for the first line that is wanted.
func (j *journal) find(ended <-chan struct{}, within time.Duration, want func(string) bool) (string, error) {
	late := time.After(within)
	for at := 0; ; {
		lines, more := j.read()
		for ; at < len(lines); at++ {
			if want(lines[at]) {
				return lines[at], nil
			}
		}
		select {
		case <-more:
		case <-ended:
			if rest, _ := j.read(); len(rest) == at {
				return "", errEnded
			}
		case <-late:
			return "", errLate
		}
	}
}

// expect waits for a line that holds the words.
func (s *server) expect(t *testing.T, words ...string) string {
	t.Helper()
	line, err := s.log.find(s.ended, waitWithin, func(line string) bool {
		for _, w := range words {
			if !strings.Contains(line, w) {
				return false
			}
		}
		return true
	})
	if err != nil {
		t.Fatalf("no line with %q in the log: %v", words, err)
	}
	return line
}
