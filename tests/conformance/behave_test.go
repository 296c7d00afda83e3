package conformance

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// elsewhere is the error of a step that the server under test cannot be asked
// for, because it runs in another process.
type elsewhere string

func (e elsewhere) Error() string { return string(e) }

// stopwatch measures how fast a server answers.
type stopwatch struct {
	began time.Time
	laps  []time.Duration
}

// attempt carries out one step, unless it is one that the server under test is
// not to be asked for any more.
func (r *run) attempt(ctx context.Context, st step) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("the dialogue takes too long: %w", err)
	}
	if st.word == "ours" {
		if r.foreign != nil {
			return nil
		}
		st.word, st.rest, _ = strings.Cut(st.rest, " ")
	}
	spoken := !slices.Contains([]string{"exists", "absent", "is-dir", "mode", "time", "event", "gone"}, st.word)
	if r.over && spoken {
		return nil
	}
	err := r.step(ctx, st)
	if err != nil && r.mayEnd && spoken && gone(st.word, err) {
		r.over, err = true, nil
	}
	if !spoken && err == nil {
		r.script.note(r.at, "("+st.word+" "+st.rest+")")
	}
	return err
}

// gone reports whether a step failed because the connection is not there any
// more. A handshake that fails for any reason ends it as well.
func gone(word string, err error) bool {
	var timeout net.Error
	if word == "tls" {
		return !errors.As(err, &timeout) || !timeout.Timeout()
	}
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// behave carries out the steps on the control connection that the numbered
// behaviours need.
func (r *run) behave(ctx context.Context, c *client, word string, args []string) (handled bool, err error) {
	switch word {
	case "identify":
		return true, c.Identify(r.vars["user"], r.vars["password"])
	case "may-end":
		r.mayEnd = true
	case "ends":
		return true, ends(c)
	case "clock", "lap", "fastest":
		err := r.watch.step(word, args)
		if word == "lap" {
			r.script.note(r.at, fmt.Sprintf("(%.1f ms)", float64(r.watch.laps[len(r.watch.laps)-1].Microseconds())/1000))
		}
		return true, err
	case "later": // the client is slow
		d, err := time.ParseDuration(strings.Join(args, ""))
		if err != nil {
			return true, err
		}
		wait, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		<-wait.Done()
	case "resumed":
		n, err := strconv.Atoi(strings.Join(args, ""))
		for i := 0; err == nil && i < n; i++ {
			err = c.resume(i)
		}
		return true, err
	default:
		return r.form(c, word, args)
	}
	return true, nil
}

// form carries out the steps that look at the form of replies, or send a command
// in many forms.
func (r *run) form(c *client, word string, args []string) (handled bool, err error) {
	text := strings.Join(args, "")
	switch word {
	case "anycase":
		return true, c.anyCase(args)
	case "indented":
		return true, indented(c.last)
	case "fact-line":
		return true, factLine(c.last, text)
	case "lines-at-most":
		n, err := strconv.Atoi(text)
		if err == nil && len(c.last.Lines) > n {
			err = fmt.Errorf("the reply has %d lines", len(c.last.Lines))
		}
		return true, err
	case "unsaid":
		if text != "" && strings.Contains(strings.Join(r.script.lines, "\n"), text) {
			return true, fmt.Errorf("the server has said %q", text)
		}
		return true, nil
	}
	return false, nil
}

// ends reads what the server says until it closes the connection.
func ends(c *client) error {
	for {
		_, err := c.Reply()
		var timeout net.Error
		switch {
		case err == nil:
		case errors.As(err, &timeout) && timeout.Timeout():
			return errors.New("the server did not close the connection")
		default:
			return nil
		}
	}
}

// step measures: "clock" begins, "lap" ends a measurement and begins the next
// one, "fastest 100ms" asks that the shortest of them was no longer. One of
// several says what the server can do where the machine is busy with others.
func (w *stopwatch) step(word string, args []string) error {
	switch word {
	case "clock":
		w.began = time.Now()
		return nil
	case "lap":
		now := time.Now()
		w.laps = append(w.laps, now.Sub(w.began))
		w.began = now
		return nil
	}
	most, err := time.ParseDuration(strings.Join(args, ""))
	if err == nil && len(w.laps) == 0 {
		err = errors.New("nothing was measured")
	}
	if err == nil && slices.Min(w.laps) > most {
		err = fmt.Errorf("it took %v", w.laps)
	}
	return err
}

// anyCase sends a line in so many random mixtures of upper and lower case, each
// of which must be answered with the code: "anycase 20 200 "NOOP"".
func (c *client) anyCase(args []string) error {
	if len(args) != 3 {
		return errors.New("anycase takes a number, a code and a line")
	}
	n, err := strconv.Atoi(args[0])
	dice := rand.New(rand.NewPCG(1, 1))
	for i := 0; err == nil && i < n; i++ {
		line := strings.Map(func(r rune) rune {
			if dice.IntN(2) == 0 {
				return unicode.ToLower(r)
			}
			return unicode.ToUpper(r)
		}, args[2])
		var reply userpi.Reply
		reply, err = c.Do(line)
		if err == nil && fmt.Sprint(reply.Code) != args[1] {
			err = fmt.Errorf("%q was answered %q", line, reply)
		}
	}
	return err
}

// indented checks that each inner line of a reply begins with a space.
func indented(r userpi.Reply) error {
	if len(r.Lines) == 0 {
		return errors.New("no reply was read")
	}
	for i, line := range r.Lines {
		if inner := i > 0 && i < len(r.Lines)-1; inner && !strings.HasPrefix(line, " ") {
			return fmt.Errorf("the inner line %q does not begin with a space", line)
		}
	}
	return nil
}

// factLine checks that a reply has one inner line: a space, facts, a space, a
// path that ends with name (RFC 3659 §7.2).
func factLine(r userpi.Reply, name string) error {
	if len(r.Lines) != 3 {
		return fmt.Errorf("the reply %q has not one inner line", r)
	}
	form := regexp.MustCompile(`^ ([A-Za-z0-9.-]+=[^;]*;)* (/?` + regexp.QuoteMeta(name) + `)$`)
	if !form.MatchString(r.Lines[1]) {
		return fmt.Errorf("the line %q is not facts and the name %q", r.Lines[1], name)
	}
	return nil
}

// resume lists the working directory over a data connection that must resume the
// control connection's session.
func (c *client) resume(i int) error {
	port, err := c.Prepare(userpi.EPSV)
	if err != nil {
		return err
	}
	conn, err := port.Open()
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := c.Must("NLST", 125, 150); err != nil {
		return err
	}
	tc, err := c.Seal(conn)
	if err != nil {
		return fmt.Errorf("data connection %d: %w", i+1, err)
	}
	_, readErr := io.Copy(io.Discard, tc) // brings the next ticket
	_ = tc.Close()
	reply, err := c.Expect("NLST", 226)
	switch {
	case err != nil:
		return fmt.Errorf("data connection %d: %w", i+1, err)
	case readErr != nil:
		return fmt.Errorf("data connection %d: %w", i+1, readErr)
	case !tc.ConnectionState().DidResume:
		return fmt.Errorf("data connection %d did not resume, and was answered %q", i+1, reply)
	}
	return nil
}

// singleUse is a memory of TLS sessions that gives each ticket out once, as RFC
// 8446 §C.4 asks of clients.
type singleUse struct {
	mu      sync.Mutex
	tickets []*tls.ClientSessionState
}

func (s *singleUse) Get(string) (*tls.ClientSessionState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tickets) == 0 {
		return nil, false
	}
	last := len(s.tickets) - 1
	t := s.tickets[last]
	s.tickets = s.tickets[:last]
	return t, true
}

func (s *singleUse) Put(_ string, t *tls.ClientSessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t != nil {
		s.tickets = append(s.tickets, t)
	}
}

// someLines compares the lines of a listing with patterns: "each" line must match
// one of them and hold no control character; or the listing "has" a line for each.
func (r *run) someLines(verb, got string, want []string) error {
	lines := strings.Split(strings.TrimSuffix(got, "\r\n"), "\r\n")
	if got == "" {
		lines = nil
	}
	if verb == "has" {
		for _, w := range want {
			if !slices.ContainsFunc(lines, func(l string) bool { return r.vars.match(w, l) == nil }) {
				return fmt.Errorf("no line %q in %q", w, clip(got))
			}
		}
		return nil
	}
	for _, l := range lines {
		if strings.ContainsFunc(l, unicode.IsControl) {
			return fmt.Errorf("the line %q holds a control character", l)
		}
		if !slices.ContainsFunc(want, func(w string) bool { return r.vars.match(w, l) == nil }) {
			return fmt.Errorf("the line %q is not wanted", l)
		}
	}
	return nil
}
