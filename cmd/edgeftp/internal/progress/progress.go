// Package progress shows how a long piece of work goes on: in one line that is written
// over on a terminal, in lines for a log, or as JSON. No name and no
// line that it is given can steer a terminal.
package progress

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
)

// Mode is a way to show.
type Mode string

// The ways. Only Line writes control characters.
const (
	None  Mode = "none"
	Line  Mode = "line"  // a terminal's: one line, ten times a second at most
	Plain Mode = "plain" // a line every five seconds, and one for each file
	JSON  Mode = "json"  // an object every second, and one for each file
)

// State is how far it is.
type State struct {
	// Files that have ended, and how many there are.
	Files   int   `json:"files"`
	FilesOf int   `json:"files_of"`
	Failed  int   `json:"failed"`
	OfBytes int64 `json:"bytes_of"` // 0 is unknown
	Bytes   int64 `json:"bytes"`
	// Rate is bytes a second, over the last seconds.
	Rate float64 `json:"rate"`
	// Seconds that are left at that rate; 0 is unknown.
	Left float64 `json:"seconds_left,omitempty"`
	// Name is of what began last.
	Name string `json:"name,omitempty"`
}

// Meter counts and shows. A nil one does neither. Its methods may be called by several
// goroutines.
type Meter struct {
	w     io.Writer
	mode  Mode
	width func() int
	now   func() time.Time

	mu      sync.Mutex
	state   State
	began   time.Time
	samples []sample
	drawn   int // columns of the line that stands
	done    chan struct{}
	ended   chan struct{}
}

// sample is how many bytes there were at a time.
type sample struct {
	at    time.Time
	bytes int64
}

// window is over how long a rate is told.
const window = 5 * time.Second

// Start begins to show. Width, for Line, returns the columns of the terminal. Close must
// be called.
func Start(w io.Writer, mode Mode, width func() int) *Meter {
	if mode == None {
		return nil
	}
	m := &Meter{w: w, mode: mode, width: width, now: time.Now, done: make(chan struct{}), ended: make(chan struct{})}
	m.began = m.now()
	m.samples = []sample{{m.began, 0}}
	every := map[Mode]time.Duration{Line: 100 * time.Millisecond, Plain: 5 * time.Second, JSON: time.Second}[mode]
	go func() {
		defer close(m.ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				m.show()
			case <-m.done:
				return
			}
		}
	}()
	return m
}

// Expect adds to what there is to do. Bytes may be 0 if nobody knows.
func (m *Meter) Expect(files int, bytes int64) {
	if m != nil {
		m.change(func(s *State) { s.FilesOf += files; s.OfBytes += bytes })
	}
}

// Began tells of a file that begins.
func (m *Meter) Began(name string) {
	if m != nil {
		m.change(func(s *State) { s.Name = name })
	}
}

// Moved tells of bytes.
func (m *Meter) Moved(n int) {
	if m != nil {
		m.change(func(s *State) { s.Bytes += int64(n) })
	}
}

// Ended tells of a file that has ended, in a line for Plain, and what JSON shows of it.
func (m *Meter) Ended(failed bool, line string, object any) {
	if m == nil {
		return
	}
	m.change(func(s *State) {
		s.Files++
		if failed {
			s.Failed++
		}
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	switch m.mode {
	case Plain:
		fmt.Fprintln(m.w, escape.Text(line))
	case JSON:
		m.object("file", object)
	}
}

func (m *Meter) change(f func(*State)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.state)
}

// Print writes a line of another kind above the line that stands.
func (m *Meter) Print(w io.Writer, line string) {
	if m == nil {
		fmt.Fprintln(w, line)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wipe()
	fmt.Fprintln(w, line)
}

// Close shows no more, and takes the line away.
func (m *Meter) Close() {
	if m == nil {
		return
	}
	close(m.done)
	<-m.ended
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wipe()
}

func (m *Meter) wipe() {
	if m.drawn > 0 {
		_, _ = io.WriteString(m.w, "\r\x1b[K") // a terminal, which is there or not
		m.drawn = 0
	}
}

// measure brings rate and remaining time up to date.
func (m *Meter) measure() State {
	now := m.now()
	m.samples = append(m.samples, sample{now, m.state.Bytes})
	for len(m.samples) > 2 && now.Sub(m.samples[1].at) >= window {
		m.samples = m.samples[1:]
	}
	s, first := m.state, m.samples[0]
	if d := now.Sub(first.at).Seconds(); d > 0 {
		s.Rate = float64(s.Bytes-first.bytes) / d
	}
	if s.Rate > 0 && s.OfBytes > s.Bytes {
		s.Left = float64(s.OfBytes-s.Bytes) / s.Rate
	}
	return s
}

func (m *Meter) show() {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.measure()
	switch m.mode {
	case Line:
		text := fit(s.String(), max(m.width(), 20)-1)
		_, _ = io.WriteString(m.w, "\r"+text+"\x1b[K") // likewise
		m.drawn = utf8.RuneCountInString(text)
	case Plain:
		fmt.Fprintln(m.w, s.String())
	case JSON:
		m.object("progress", s)
	}
}

func (m *Meter) object(kind string, v any) {
	_ = json.NewEncoder(escape.JSON(m.w)).Encode(map[string]any{"type": kind, kind: v}) // to those who look on
}

// String is the line for people.
func (s State) String() string {
	var b strings.Builder
	if s.FilesOf > 1 {
		fmt.Fprintf(&b, "%d/%d files  ", s.Files, s.FilesOf)
	}
	if s.OfBytes > 0 {
		fmt.Fprintf(&b, "%3d%%  %s of %s", min(100, s.Bytes*100/s.OfBytes), Bytes(s.Bytes), Bytes(s.OfBytes))
	} else {
		b.WriteString(Bytes(s.Bytes))
	}
	fmt.Fprintf(&b, "  %s/s", Bytes(int64(s.Rate)))
	if s.Left > 0 && s.Left < 100*3600 {
		left := time.Duration(s.Left * float64(time.Second)).Round(time.Second)
		fmt.Fprintf(&b, "  %d:%02d:%02d left", int(left.Hours()), int(left.Minutes())%60, int(left.Seconds())%60)
	}
	if s.Failed > 0 {
		fmt.Fprintf(&b, "  %d failed", s.Failed)
	}
	if s.Name != "" {
		b.WriteString("  " + escape.Text(s.Name))
	}
	return b.String()
}

// fit cuts a text to so many runes.
func fit(text string, columns int) string {
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	runes := []rune(text)
	return string(runes[:max(columns-3, 0)]) + "..."
}

// Bytes is a number of bytes for people, such as 3.1 MB (of a million).
func Bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n), 0
	for f >= 999.5 && unit < 6 {
		f /= 1000
		unit++
	}
	form := "%.1f %cB"
	if f >= 99.95 {
		form = "%.0f %cB"
	}
	return fmt.Sprintf(form, f, " kMGTPE"[unit])
}
