package quicnet

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// paper is a stream on the desk.
type paper struct {
	*strings.Reader
	refused []Code
}

func (p *paper) SetReadDeadline(time.Time) error { return nil }
func (p *paper) refuse(c Code)                   { p.refused = append(p.refused, c) }

func TestDesk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(2, time.Minute)
		first, late := &paper{}, &paper{}
		if !d.arrive(Token{1}, first) {
			t.Error("a first stream is taken for a second")
		}
		<-time.After(59 * time.Second)
		s, err := d.expect(Token{1})
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour) // whoever is awaited may come when he likes
		if got := d.take(s); got != first || len(first.refused) != 0 {
			t.Errorf("the stream is %v, refused %v", got, first.refused)
		}
		if d.take(s) != nil {
			t.Error("a stream is taken twice")
		}
		if d.arrive(Token{1}, late) || len(late.refused) != 1 {
			t.Error("a second stream of a token that was used is none")
		}
		d.arrive(Token{2}, late)
		<-time.After(61 * time.Second)
		synctest.Wait()
		if len(late.refused) != 2 || late.refused[1] != CodeToken || len(d.slots) != 0 {
			t.Errorf("a stray: %v, %d on the desk", late.refused, len(d.slots))
		}
		d.arrive(Token{3}, late)
		d.close()
		if !d.arrive(Token{4}, late) || len(late.refused) != 3 {
			t.Error("a desk that is closed takes streams")
		}
	})
}

// Tokens are remembered for a while, so that a long connection has an end to what it
// remembers.
func TestDeskForgets(t *testing.T) {
	d := newDesk(1, time.Minute)
	token := func(i int) Token { return Token{byte(i), byte(i >> 8)} }
	for i := range 3 * remembered {
		s, err := d.expect(token(i))
		if err != nil {
			t.Fatal(i, err)
		}
		if _, err := d.expect(Token{0xff, 0xff}); !errors.Is(err, errMost) {
			t.Fatal(err)
		}
		d.drop(s, CodeAborted)
	}
	for i := 2 * remembered; i < 3*remembered; i++ {
		if _, err := d.expect(token(i)); !errors.Is(err, ErrUsed) {
			t.Fatalf("token %d of %d is forgotten: %v", i, 3*remembered, err)
		}
	}
	if len(d.spent) != remembered || d.expected != 0 || len(d.slots) != 0 {
		t.Errorf("%d spent, %d awaited, %d on the desk", len(d.spent), d.expected, len(d.slots))
	}
}
