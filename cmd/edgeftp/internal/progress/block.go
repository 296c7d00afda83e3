package progress

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/screen"
)

// Size is that of a terminal.
type Size struct{ Columns, Rows int }

// Text is a line of a Block: what is written, without an end, and how many columns that
// takes on a terminal.
type Text struct {
	Line    string
	Columns int
}

// Plainly is a Text of characters that screen.Shown has returned, cut to what fits.
func Plainly(line string, columns int) Text {
	line = screen.Cut(line, columns)
	return Text{line, screen.Width(line)}
}

// Block is the end of a terminal: lines that are written over, and above them those that
// stay. Its methods may be called by several goroutines.
type Block struct {
	w    io.Writer
	size func() Size
	done chan struct{}
	over sync.WaitGroup

	mu    sync.Mutex
	lines func(Size) []Text // nil: nothing is shown yet
	drawn []Text            // that stand there
	at    Size              // of the terminal, when they were drawn
}

// drawing is how often a Block looks whether there is something else to show.
const drawing = 200 * time.Millisecond

// NewBlock returns one that shows nothing yet. Close must be called.
func NewBlock(w io.Writer, size func() Size) *Block {
	return &Block{w: w, size: size, done: make(chan struct{})}
}

// Show begins to show what lines returns, once. None may be wider than the terminal.
func (b *Block) Show(lines func(Size) []Text) {
	b.mu.Lock()
	b.lines = lines
	b.mu.Unlock()
	b.over.Go(func() {
		tick := time.NewTicker(drawing)
		defer tick.Stop()
		for {
			b.draw()
			select {
			case <-tick.C:
			case <-b.done:
				return
			}
		}
	})
}

// Write writes whole lines that stay, above those that do not.
func (b *Block) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out bytes.Buffer
	b.home(&out)
	if len(b.drawn) > 0 {
		out.WriteString(clearBelow)
	}
	out.Write(p)
	b.again(&out)
	_, err := b.w.Write(out.Bytes())
	return len(p), err
}

// Close shows no more, and takes the lines away.
func (b *Block) Close() {
	close(b.done)
	b.over.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lines = nil; len(b.drawn) > 0 {
		var out bytes.Buffer
		b.home(&out)
		out.WriteString(clearBelow)
		b.drawn = nil
		_, _ = b.w.Write(out.Bytes()) // a terminal, which is there or not
	}
}

// What a terminal is told (ECMA-48 §8.3.22, §8.3.39, §8.3.41).
const (
	up         = "\x1b[A"
	clearLine  = "\x1b[K"
	clearBelow = "\x1b[J"
)

// draw writes the lines where they have changed.
func (b *Block) draw() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lines == nil {
		return
	}
	size := b.size()
	lines := b.lines(size)
	if slices.Equal(lines, b.drawn) && size == b.at {
		return
	}
	var out bytes.Buffer
	b.home(&out)
	b.drawn, b.at = lines, size
	b.again(&out)
	_, _ = b.w.Write(out.Bytes()) // likewise
}

// home goes to where the lines begin. A terminal that has become narrower has broken those
// that do not fit any more.
func (b *Block) home(out *bytes.Buffer) {
	columns := max(b.size().Columns, 1)
	rows := 0
	for _, l := range b.drawn {
		rows += max(1, (l.Columns+columns-1)/columns)
	}
	if rows > 0 {
		out.WriteString("\r" + strings.Repeat(up, rows-1))
	}
}

// again writes the lines; the cursor stays behind the last one.
func (b *Block) again(out *bytes.Buffer) {
	for i, l := range b.drawn {
		if i > 0 {
			out.WriteString("\r\n")
		}
		out.WriteString(l.Line + clearLine)
	}
	if len(b.drawn) > 0 {
		out.WriteString(clearBelow)
	}
}
