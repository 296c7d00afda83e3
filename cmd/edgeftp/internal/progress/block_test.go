package progress

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// glass is a terminal of some columns, as far as a Block needs one: it keeps what is seen.
type glass struct {
	mu      sync.Mutex
	columns int
	rows    [][]rune
	row     int
	column  int
}

func (g *glass) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for text := string(p); text != ""; {
		switch {
		case strings.HasPrefix(text, up):
			g.row, text = max(0, g.row-1), text[len(up):]
		case strings.HasPrefix(text, clearLine):
			g.line(g.row)
			g.rows[g.row], text = g.rows[g.row][:g.column], text[len(clearLine):]
		case strings.HasPrefix(text, clearBelow):
			g.line(g.row)
			g.rows[g.row] = g.rows[g.row][:g.column]
			g.rows, text = g.rows[:g.row+1], text[len(clearBelow):]
		case text[0] == '\r':
			g.column, text = 0, text[1:]
		case text[0] == '\n':
			g.row, g.column, text = g.row+1, 0, text[1:] // as a terminal in its usual mode does
		default:
			c, n := utf8.DecodeRuneInString(text)
			g.put(c)
			text = text[n:]
		}
	}
	return len(p), nil
}

func (g *glass) line(n int) {
	for len(g.rows) <= n {
		g.rows = append(g.rows, nil)
	}
}

func (g *glass) put(c rune) {
	if g.column == g.columns {
		g.row, g.column = g.row+1, 0
	}
	g.line(g.row)
	if line := g.rows[g.row]; g.column < len(line) {
		line[g.column] = c
	} else {
		g.rows[g.row] = append(line, c)
	}
	g.column++
}

// narrow makes it narrower, and breaks lines as terminals do.
func (g *glass) narrow(columns int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.columns = columns
	var rows [][]rune
	for _, line := range g.rows {
		for len(line) > columns {
			rows, line = append(rows, line[:columns:columns]), line[columns:]
		}
		rows = append(rows, line)
	}
	g.rows, g.row, g.column = rows, len(rows)-1, len(rows[len(rows)-1])
}

func (g *glass) size() Size {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Size{g.columns, 24}
}

func (g *glass) seen() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all strings.Builder
	for _, line := range g.rows {
		all.WriteString(string(line) + "\n")
	}
	return strings.TrimRight(all.String(), "\n")
}

// Lines that stay stand above those that are written over, which follow what there is to
// show and the width, and go at the end.
func TestBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &glass{columns: 30}
		b := NewBlock(g, g.size)
		fmt.Fprintln(b, "before")
		lines := []string{"connected", "one 10 %"}
		var mu sync.Mutex
		show := func(now ...string) {
			mu.Lock()
			lines = now
			mu.Unlock()
			<-time.After(2 * drawing)
		}
		sees := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if got := g.seen(); got != strings.Join(want, "\n") {
				t.Errorf("seen:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
			}
		}
		b.Show(func(s Size) (out []Text) {
			mu.Lock()
			defer mu.Unlock()
			for _, l := range lines {
				out = append(out, Plainly(l, s.Columns-1))
			}
			return out
		})
		sees("before", "connected", "one 10 %")
		fmt.Fprintln(b, "a line of the log")
		sees("before", "a line of the log", "connected", "one 10 %")
		show("connected", "one 20 %", "two 5 %", "three 1 %")
		sees("before", "a line of the log", "connected", "one 20 %", "two 5 %", "three 1 %")
		fmt.Fprint(b, "two\nmore\n")
		show("lost")
		sees("before", "a line of the log", "two", "more", "lost")
		show("connected to a server", strings.Repeat("x", 40))
		sees("before", "a line of the log", "two", "more", "connected to a server", strings.Repeat("x", 28)+"…")
		g.narrow(20)
		show("connected to a server", "x")
		sees("before", "a line of the log", "two", "more", "connected to a ser…", "x")
		b.Close()
		sees("before", "a line of the log", "two", "more")
		fmt.Fprintln(b, "after")
		sees("before", "a line of the log", "two", "more", "after")
	})
}

// What does not change is not written again.
func TestBlockIsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		b := NewBlock(&out, func() Size { return Size{80, 24} })
		b.Show(func(Size) []Text { return []Text{Plainly("still", 80)} })
		<-time.After(20 * drawing)
		b.Close()
		if n := strings.Count(out.String(), "still"); n != 1 {
			t.Errorf("written %d times", n)
		}
	})
}
