package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
)

// top is the live table of sessions.
type top struct {
	every string // between two frames
	most  int    // frames; 0: without end
	sort  string
	which
}

func topCommand() *cobra.Command {
	a := new(admin)
	t := new(top)
	cmd := &cobra.Command{Use: "top", Short: "Watch the sessions of a running server, end and throttle them", Args: cobra.NoArgs,
		Long: "Shows who is connected and what runs, the busiest first, every second. On a terminal there are keys: the arrows choose a session, k ends\n" +
			"it, a aborts its transfer, t throttles its transfer or limits the session, / shows what has a word in it alone, s sorts otherwise, q ends\n" +
			"it all. Elsewhere, and with -o json, each frame is printed below the one before, as JSON in one line each.",
		Example: "  edgeftp top\n  edgeftp top --sort user --count 1\n  edgeftp top -o json --interval 5s --user alice",
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, out, ok := terminals(cmd)
			if a.output == "json" || !ok || t.most > 0 || os.Getenv("TERM") == "dumb" {
				return t.frames(cmd, a)
			}
			return t.live(cmd, a, in, out)
		}}
	a.flags(cmd)
	t.flags(cmd)
	return cmd
}

// flags adds those that top and status --watch have.
func (t *top) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.every, "interval", "1s", "between two frames, at least 100ms")
	cmd.Flags().IntVar(&t.most, "count", 0, "how many frames (default: until it is interrupted)")
	cmd.Flags().StringVar(&t.sort, "sort", "rate", "rate, done, user, from or session")
	t.which.flags(cmd)
}

// terminals are the ends of the terminal that the command has, if it has one.
func terminals(cmd *cobra.Command) (in, out *os.File, ok bool) {
	in, ok1 := cmd.InOrStdin().(*os.File)
	out, ok2 := cmd.OutOrStdout().(*os.File)
	return in, out, ok1 && ok2 && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd()))
}

// source is where frames come from.
func (t *top) source(a *admin) (*frames, error) {
	if err := a.form(); err != nil {
		return nil, err
	}
	every, err := config.ParseDuration(t.every)
	if err == nil && every < 100*time.Millisecond {
		err = errors.New("it must be 100ms at least")
	}
	if err != nil {
		return nil, exitWith(exitUsage, fmt.Errorf("--interval: %w", err))
	}
	if _, ok := ranking(t.sort); !ok {
		return nil, exitWith(exitUsage, fmt.Errorf("--sort is %q; it can be rate, done, user, from or session", t.sort))
	}
	q, err := t.query()
	if err != nil {
		return nil, err
	}
	return &frames{client: a.client(), every: every, query: q}, nil
}

// frames prints one below the other.
func (t *top) frames(cmd *cobra.Command, a *admin) error {
	src, err := t.source(a)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	width := 0 // whatever it takes
	if f, ok := cmd.OutOrStdout().(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			width = w
		}
	}
	for n := 0; t.most == 0 || n < t.most; n++ {
		if n > 0 && !src.pause(ctx) {
			return nil
		}
		f, err := src.next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return told(err)
		}
		if err := t.print(cmd.OutOrStdout(), a.output, f, n, width); err != nil {
			return exitWith(exitFailed, err)
		}
	}
	return nil
}

// print prints one frame.
func (t *top) print(w io.Writer, form string, f frame, n, width int) error {
	if form == "json" {
		return json.NewEncoder(escape.JSON(w)).Encode(f)
	}
	if n > 0 {
		fmt.Fprintln(w)
	}
	s := screenful{sort: t.sort, width: width}
	s.take(f)
	for _, line := range s.lines() {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// frame is what there is at one moment.
type frame struct {
	Time     time.Time         `json:"time"`
	Status   control.Status    `json:"status"`
	Sessions []control.Session `json:"sessions"`
	Down     int64             `json:"down"` // bytes per second of what runs, from the server
	Up       int64             `json:"up"`   // to the server
	// Denied is how many refusals of policies there are in a minute; it is missing before
	// there is something to compare with.
	Denied *float64 `json:"denied_per_minute,omitempty"`
}

// frames makes them.
type frames struct {
	client control.Client
	every  time.Duration
	query  map[string][]string
	last   frame
}

// pause waits for the next one, and reports whether it is due.
func (s *frames) pause(ctx context.Context) bool {
	timer := time.NewTimer(s.every)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// frameTime is how long a server may take for one.
const frameTime = 10 * time.Second

// next asks the server.
func (s *frames) next(ctx context.Context) (f frame, err error) {
	ctx, cancel := context.WithTimeout(ctx, frameTime)
	defer cancel()
	if f.Status, err = s.client.Status(ctx); err != nil {
		return f, err
	}
	if f.Sessions, err = s.client.Sessions(ctx, s.query); err != nil {
		return f, err
	}
	f.Time = time.Now()
	for i := range f.Sessions {
		switch t := f.Sessions[i].Transfer; {
		case t == nil || !t.Data:
		case t.Up:
			f.Up += t.Rate
		default:
			f.Down += t.Rate
		}
	}
	if old := s.last; !old.Time.IsZero() {
		n := float64(denied(&f.Status)) - float64(denied(&old.Status))
		n = max(0, n) / f.Time.Sub(old.Time).Minutes()
		f.Denied = &n
	}
	s.last = f
	return f, nil
}

// denied is how often the policies that are in force have refused something.
func denied(s *control.Status) (n uint64) {
	for i := range s.Policies {
		n += s.Policies[i].Denied
	}
	return n
}

// ranking compares sessions; those that a comparison leaves alike stand by number.
func ranking(by string) (func(a, b *control.Session) int, bool) {
	number := func(get func(*control.Transfer) int64) func(a, b *control.Session) int {
		of := func(s *control.Session) int64 {
			if s.Transfer == nil {
				return -1
			}
			return get(s.Transfer)
		}
		return func(a, b *control.Session) int { return cmp.Compare(of(b), of(a)) }
	}
	switch by {
	case "rate":
		return number(func(t *control.Transfer) int64 { return t.Rate }), true
	case "done":
		return number(func(t *control.Transfer) int64 { return t.Bytes }), true
	case "user":
		return func(a, b *control.Session) int { return cmp.Compare(a.User, b.User) }, true
	case "from":
		return func(a, b *control.Session) int { return a.Peer.Compare(b.Peer) }, true
	case "session":
		return func(a, b *control.Session) int { return 0 }, true
	}
	return nil, false
}

// orders are what s goes through.
func orders() []string { return []string{"rate", "done", "user", "from", "session"} }
