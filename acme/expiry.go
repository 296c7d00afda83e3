package acme

import (
	"context"
	"log/slog"
	"time"
)

// Expiry warns of certificates that come near their end, whatever they come from. The
// zero value tells nobody.
type Expiry struct {
	Clock func() time.Time // nil: time.Now
	// Log is told of a certificate once a day while it is near its end, and when it has
	// ended. Nil: nobody is.
	Log *slog.Logger
	// Files is what certificates from files have left when they are warned of, but for those
	// of which it would be more than a third of their life. Nil: 14 days.
	Files func() time.Duration
	// Wake has Watch look at once. Nil: nothing does.
	Wake <-chan struct{}
	// Event is called likewise, with the reason as Err. Nil: it is not called.
	Event func(CertEvent)

	told map[string]warning // by the name of the certificate
}

// warning is what was told of a certificate, and when.
type warning struct {
	serial string
	stage  stage
	at     time.Time
}

type stage uint8

const (
	fine stage = iota
	near       // should have been renewed
	last       // there is little time left
	over
)

const (
	expiryEvery = time.Hour
	warnAgain   = 24 * time.Hour
	// warnFiles is what certificates from files have left when they are warned of, where
	// nothing else is said. Half of it is enough for who renews them by a program, and late
	// for who does it by hand.
	warnFiles = 14 * 24 * time.Hour
)

// Watch looks every hour at what list returns, until ctx ends. It belongs in a
// goroutine of its own.
func (e *Expiry) Watch(ctx context.Context, list func() []Certificate) {
	tick := time.NewTicker(expiryEvery)
	defer tick.Stop()
	for {
		e.Look(list())
		select {
		case <-tick.C:
		case <-e.Wake:
		case <-ctx.Done():
			return
		}
	}
}

// Look warns of the certificates in list that need it. It is not safe for concurrent
// use.
func (e *Expiry) Look(list []Certificate) {
	now := time.Now()
	if e.Clock != nil {
		now = e.Clock()
	}
	files := warnFiles
	if e.Files != nil {
		files = e.Files()
	}
	told := make(map[string]warning, len(list))
	for _, c := range list {
		before, is := e.told[c.Name], c.stage(now, files)
		switch {
		case is == fine:
			continue
		case before.serial == c.Serial && before.stage == is && (now.Sub(before.at) < warnAgain || is == over):
		default:
			before = warning{c.Serial, is, now}
			e.warn(c, is, now)
		}
		told[c.Name] = before
	}
	e.told = told
}

// stage is how near a certificate is to its end. One that is renewed by the server is
// near it when half of the time is gone in which that could have been done.
func (c *Certificate) stage(now time.Time, files time.Duration) stage {
	if len(c.Names) == 0 {
		return fine // there is none, and that is told by what could not obtain it
	}
	life, left := c.NotAfter.Sub(c.NotBefore), c.NotAfter.Sub(now)
	warn := min(files, life/3)
	if !c.Renew.IsZero() {
		warn = c.NotAfter.Sub(c.Renew) / 2
	}
	switch {
	case left < 0:
		return over
	case left < warn/4:
		return last
	case left < warn:
		return near
	}
	return fine
}

func (e *Expiry) warn(c Certificate, is stage, now time.Time) {
	left := c.NotAfter.Sub(now).Round(time.Minute)
	words, level := "a certificate is near its end", slog.LevelWarn
	switch is {
	case last:
		words, level = "a certificate is about to end", slog.LevelError
	case over:
		words, level = "a certificate in use has expired: clients will refuse it", slog.LevelError
	}
	help := "put the renewed certificate and its key in place"
	if c.Source != "files" {
		help = "see why it is not renewed: edgeftp cert show, edgeftp cert check"
	}
	if e.Log != nil {
		e.Log.Log(context.Background(), level, words, "name", c.Name, "valid_until", c.NotAfter.UTC().Format(time.RFC3339),
			"left", left, "last_failure", c.Failed, "help", help)
	}
	if e.Event != nil {
		e.Event(CertEvent{Name: c.Name, Err: &endingError{words, c.NotAfter}})
	}
}

// endingError says that a certificate ends.
type endingError struct {
	words string
	end   time.Time
}

func (e *endingError) Error() string { return e.words + " (" + day(e.end) + ")" }
