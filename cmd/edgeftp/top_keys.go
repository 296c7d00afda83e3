package main

import (
	"context"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/screen"
)

// deed is what a key has the server do. It returns what is to be told.
type deed func(ctx context.Context, c control.Client) (string, error)

// prompt is a question of top's.
type prompt struct {
	question string
	text     string                          // the answer so far
	done     func(text string) (deed, error) // with Enter; a nil deed does nothing
	each     func(text string)               // after each key; may be nil
	yes      bool                            // one key answers: y, or not
}

// most bytes that an answer may have.
const mostAnswer = 200

// press acts on a key. It reports whether that was the end, and what is to be done.
func (s *screenful) press(k screen.Key) (quit bool, do deed) {
	if k == screen.KeyBreak {
		return true, nil
	}
	if s.ask != nil {
		return false, s.answer(k)
	}
	s.said = ""
	switch k {
	case 'q', 'Q':
		return true, nil
	case screen.KeyUp, screen.KeyDown, screen.KeyPageUp, screen.KeyPageDown, screen.KeyHome, screen.KeyEnd:
		s.move(k)
	case 's':
		all := orders()
		s.sort = all[(slices.Index(all, s.sort)+1)%len(all)]
		s.arrange()
	case '/':
		s.ask = &prompt{question: "show what has in it: ", text: s.filter, each: func(text string) { s.filter = text; s.arrange() },
			done: func(string) (deed, error) { return nil, nil }}
	case screen.KeyEscape:
		s.filter = ""
		s.arrange()
	case 'k', 'a', 't':
		s.begin(k)
	}
	return false, nil
}

// move chooses another row.
func (s *screenful) move(k screen.Key) {
	if len(s.rows) == 0 {
		return
	}
	at, page := s.index(), max(1, s.height-4)
	switch k {
	case screen.KeyUp:
		at--
	case screen.KeyDown:
		at++
	case screen.KeyPageUp:
		at -= page
	case screen.KeyPageDown:
		at += page
	case screen.KeyHome:
		at = 0
	case screen.KeyEnd:
		at = len(s.rows)
	}
	s.at = max(0, min(at, len(s.rows)-1))
	s.chosen = s.rows[s.at].ID
}

// begin asks what a key needs to know.
func (s *screenful) begin(k screen.Key) {
	at := s.index()
	if at < 0 {
		s.said = "choose a session with the arrows first"
		return
	}
	row := s.rows[at]
	who := fmt.Sprintf("session %d of %s", row.ID, userOf(&row))
	switch {
	case k == 'k':
		s.ask = &prompt{question: "end " + who + "? its client is told (Enter; Esc: no): ", done: func(text string) (deed, error) {
			return func(ctx context.Context, c control.Client) (string, error) {
				_, err := c.Kick(ctx, control.Kick{ID: row.ID, Reason: text})
				return who + " was ended", err
			}, nil
		}}
	case k == 't':
		s.ask = throttlePrompt(&row, who)
	case row.Transfer == nil:
		s.said = who + " has no transfer"
	default:
		id := row.Transfer.ID
		s.ask = &prompt{question: "abort " + id + " of " + who + "? (y/n) ", yes: true, done: func(string) (deed, error) {
			return func(ctx context.Context, c control.Client) (string, error) {
				return id + " was aborted", c.Abort(ctx, id)
			}, nil
		}}
	}
}

// throttlePrompt asks for the limit of a transfer, or of a session without one.
func throttlePrompt(row *control.Session, who string) *prompt {
	id, what := row.ID, who
	transfer := ""
	if row.Transfer != nil {
		transfer = row.Transfer.ID
		what = transfer + " of " + who
	}
	return &prompt{question: "limit " + what + " to (such as 1MB/s; 0: no limit): ", done: func(text string) (deed, error) {
		n, err := config.ParseRate(text)
		if err != nil {
			return nil, err
		}
		l := control.LiveLimit{Down: &n, Up: &n}
		return func(ctx context.Context, c control.Client) (string, error) {
			said := what + " is limited to " + speed(n)
			if n == 0 {
				said = what + " has no limit of its own"
			}
			if transfer != "" {
				return said, c.LimitTransfer(ctx, transfer, l)
			}
			_, err := c.LimitSession(ctx, id, l)
			return said, err
		}, nil
	}}
}

// answer goes on with the question.
func (s *screenful) answer(k screen.Key) deed {
	p := s.ask
	switch {
	case k == screen.KeyEscape:
		s.ask = nil
		if p.each != nil {
			p.each("")
		}
		return nil
	case p.yes:
		if s.ask = nil; k != 'y' && k != 'Y' {
			return nil
		}
		return s.finish(p)
	case k == screen.KeyEnter:
		s.ask = nil
		return s.finish(p)
	case k == screen.KeyErase:
		_, n := utf8.DecodeLastRuneInString(p.text)
		p.text = p.text[:len(p.text)-n]
	case k > 0 && len(p.text) < mostAnswer:
		p.text += string(rune(k))
	}
	if p.each != nil {
		p.each(p.text)
	}
	return nil
}

func (s *screenful) finish(p *prompt) deed {
	do, err := p.done(p.text)
	if err != nil {
		s.said = err.Error()
	}
	return do
}
