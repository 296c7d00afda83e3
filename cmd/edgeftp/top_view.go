package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/screen"
)

// screenful is what top shows.
type screenful struct {
	frame
	sort   string
	filter string
	width  int // columns; 0: as many as it takes
	height int // lines; 0: as many as it takes
	keys   bool
	colour bool

	rows   []control.Session // those that are shown, in their order
	chosen uint64            // the session that the keys are for; 0: none yet
	at     int               // its row, when it was there last
	first  int               // the row that is shown first
	ask    *prompt           // what is being asked; nil: nothing
	said   string            // what came of the last key
}

// take shows another frame.
func (s *screenful) take(f frame) {
	s.frame = f
	s.arrange()
}

// arrange chooses and sorts the rows.
func (s *screenful) arrange() {
	s.rows = s.rows[:0]
	for i := range s.Sessions {
		if x := &s.Sessions[i]; s.filter == "" || slices.ContainsFunc(cells(x), func(c string) bool {
			return strings.Contains(strings.ToLower(c), strings.ToLower(s.filter))
		}) {
			s.rows = append(s.rows, *x)
		}
	}
	compare, _ := ranking(s.sort)
	slices.SortStableFunc(s.rows, func(a, b control.Session) int {
		return cmp.Or(compare(&a, &b), cmp.Compare(a.ID, b.ID))
	})
	if at := s.index(); at >= 0 {
		s.at = at
	} else if s.chosen > 0 && len(s.rows) > 0 { // it has ended: the one that stands there now
		s.at = min(s.at, len(s.rows)-1)
		s.chosen = s.rows[s.at].ID
	}
}

// headings are the columns of the table; the path has what is left of the width.
func headings() []string {
	return []string{"SESS", "USER", "FROM", "TLS", "STATE", "PATH", "DONE", "RATE", "LIMIT"}
}

const pathColumn = 5

// cells are a session's, of which nothing can do anything to a terminal.
func cells(s *control.Session) []string {
	out := []string{fmt.Sprint(s.ID), userOf(s), s.Peer.Addr().String(), dash(strings.TrimSpace(s.TLS + " " + s.Protocol)), stateOf(s), dash(screen.Shown(s.Dir)), "-", "-", "-"}
	if s.Limit != nil {
		out[8] = speed(max(s.Limit.Down, s.Limit.Up)) // of the session
	}
	if t := s.Transfer; t != nil {
		out[3], out[5], out[6], out[7], out[8] = sealOf(t), screen.Shown(t.Path), doneOf(t), speed(t.Rate), limitOf(t)
	}
	return out
}

// named is the program's name and the instance's, where that is another.
func named(instance string) string {
	if instance == "" || instance == "edgeftp" {
		return "edgeftp"
	}
	return "edgeftp " + screen.Shown(instance)
}

// header is the first line.
func (s *screenful) header() string {
	st := &s.Status
	words := []string{named(st.Name), "up " + lasting(s.Time.Sub(st.Since)), screen.Shown(st.Version)}
	if st.Generation > 0 {
		words = append(words, fmt.Sprintf("cfg g%d", st.Generation))
	}
	if st.Draining {
		words = append(words, "DRAINING")
	}
	sessions := fmt.Sprintf("sessions %d", st.Sessions)
	if st.Most.Total > 0 {
		sessions += fmt.Sprintf("/%d", st.Most.Total)
	}
	words = append(words, sessions, "down "+speed(s.Down), "up "+speed(s.Up))
	if s.Denied != nil {
		words = append(words, fmt.Sprintf("denied/min %.0f", *s.Denied))
	}
	if n := len(st.Policies); n > 0 {
		ok := 0
		for i := range st.Policies {
			if st.Policies[i].State != "failing" {
				ok++
			}
		}
		words = append(words, fmt.Sprintf("policies ok %d/%d", ok, n))
	}
	if c := st.Certificates; c != nil {
		words = append(words, "certs "+string(c.State))
	}
	if st.Bans > 0 {
		words = append(words, quantity(st.Bans, "ban", "bans"))
	}
	return strings.Join(words, "  ")
}

// lines are the whole picture.
func (s *screenful) lines() []string {
	table := [][]string{headings()}
	for i := range s.rows {
		table = append(table, cells(&s.rows[i]))
	}
	widths := s.columns(table)
	out := []string{s.cut(s.header()), s.paint("1", s.row(table[0], widths))}
	from, to := s.window(len(out) + s.footer())
	for i := from; i < to; i++ {
		line := s.row(table[i+1], widths)
		if s.keys {
			line = s.mark(line, s.rows[i].ID == s.chosen)
		}
		out = append(out, line)
	}
	if s.keys {
		for len(out) < s.height-1 {
			out = append(out, "")
		}
		out = append(out, s.cut(s.last()))
	}
	return out
}

// footer is how many lines stand below the table.
func (s *screenful) footer() int {
	if s.keys {
		return 1
	}
	return 0
}

// last is the line below the table.
func (s *screenful) last() string {
	switch {
	case s.ask != nil:
		return s.ask.question + screen.Shown(s.ask.text) + "_"
	case s.said != "":
		return screen.Shown(s.said)
	}
	filter := " / filter"
	if s.filter != "" {
		filter = fmt.Sprintf(" [/%s: %d of %d]  Esc all", screen.Shown(s.filter), len(s.rows), len(s.Sessions))
	}
	return filter + "  q quit  k kick  a abort  t throttle  s sort (" + s.sort + ")  arrows choose"
}

// window is which rows have room, the chosen one among them.
func (s *screenful) window(others int) (from, to int) {
	if s.height <= 0 {
		return 0, len(s.rows)
	}
	room := max(1, s.height-others)
	at := max(0, s.index())
	s.first = min(s.first, at, max(0, len(s.rows)-room))
	if at >= s.first+room {
		s.first = at - room + 1
	}
	return s.first, min(len(s.rows), s.first+room)
}

// index is the chosen row's, -1 if it is not there.
func (s *screenful) index() int {
	return slices.IndexFunc(s.rows, func(r control.Session) bool { return r.ID == s.chosen })
}

// columns are the widths of the columns: of the path what the others leave.
func (s *screenful) columns(table [][]string) []int {
	widths := make([]int, len(headings()))
	for _, row := range table {
		for i, c := range row {
			widths[i] = max(widths[i], screen.Width(c))
		}
	}
	widths[1], widths[2] = min(widths[1], 24), min(widths[2], 39)
	if s.width > 0 {
		others := 2*(len(widths)-1) + 2*s.footer()
		for i, w := range widths {
			if i != pathColumn {
				others += w
			}
		}
		widths[pathColumn] = max(8, min(widths[pathColumn], s.width-others))
	}
	return widths
}

// row is one of the table.
func (s *screenful) row(c []string, widths []int) string {
	var b strings.Builder
	if s.keys {
		b.WriteString("  ") // room for the mark
	}
	for i, text := range c {
		switch {
		case i == pathColumn:
			text = screen.Fill(screen.CutLeft(text, widths[i]), widths[i])
		case i == 0 || i > pathColumn: // numbers stand to the right
			text = strings.Repeat(" ", max(0, widths[i]-screen.Width(text))) + screen.Cut(text, widths[i])
		default:
			text = screen.Fill(text, widths[i])
		}
		if b.WriteString(text); i < len(c)-1 {
			b.WriteString("  ")
		}
	}
	return s.cut(strings.TrimRight(b.String(), " "))
}

// mark shows that a row is chosen, with and without colours.
func (s *screenful) mark(line string, chosen bool) string {
	if !chosen {
		return line
	}
	return s.paint("7", "> "+strings.TrimPrefix(line, "  "))
}

// paint has a line appear otherwise (ECMA-48 §8.3.117), where colours are wanted.
func (s *screenful) paint(how, line string) string {
	if !s.colour {
		return line
	}
	return "\x1b[" + how + "m" + line + "\x1b[0m"
}

func (s *screenful) cut(line string) string {
	if s.width <= 0 {
		return line
	}
	return screen.Cut(line, s.width)
}

// ago is for how long a message of a key is shown.
const ago = 5 * time.Second
