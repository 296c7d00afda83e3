package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/screen"
)

// untilSignal ends a context with the signals that end a program.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

// What a terminal is told (xterm's private modes 1049 and 25): to show another screen
// without a cursor, and to show the old one again.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
)

// display is a terminal with a picture on it.
type display struct {
	screenful
	out   *os.File
	src   *frames
	drawn []byte       // what was drawn last
	until time.Time    // when said is to go
	got   chan fetched // frames that were asked for
	told  chan result  // of what keys have done
}

// fetched is a frame, or why there is none.
type fetched struct {
	frame frame
	err   error
}

// result is what came of a deed.
type result struct {
	said string
	err  error
}

// live shows the table and acts on keys until the user, or a signal, ends it.
func (t *top) live(cmd *cobra.Command, a *admin, in, out *os.File) error {
	src, err := t.source(a)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	first, err := src.next(ctx)
	if err != nil {
		return told(err) // before anything of the terminal was changed
	}
	old, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return exitWith(exitFailed, err)
	}
	defer func() {
		_, _ = io.WriteString(out, leaveScreen) // to a terminal, which is there or not
		_ = term.Restore(int(in.Fd()), old)
	}()
	_, _ = io.WriteString(out, enterScreen)
	v := &display{out: out, src: src, got: make(chan fetched, 1), told: make(chan result, 1),
		screenful: screenful{sort: t.sort, keys: true, colour: os.Getenv("NO_COLOR") == ""}}
	v.take(first)
	v.move(screen.KeyHome)
	return v.loop(ctx, pressed(in))
}

// pressed reads keys until there are none any more. The goroutine stays in its read until
// the program ends.
func pressed(in io.Reader) <-chan []screen.Key {
	keys := make(chan []screen.Key)
	go func() {
		defer close(keys)
		var buf [256]byte
		for {
			n, err := in.Read(buf[:])
			if n > 0 {
				keys <- screen.Keys(buf[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	return keys
}

// loop owns the picture.
func (v *display) loop(ctx context.Context, keys <-chan []screen.Key) error {
	tick := time.NewTicker(v.src.every)
	defer tick.Stop()
	resized, quiet := resizes()
	defer quiet()
	asking := false
	for {
		v.draw()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if !asking {
				asking = true
				go v.fetch(ctx)
			}
		case f := <-v.got:
			asking = false
			v.show(f)
		case o := <-v.told:
			v.say(o.said, o.err)
		case <-resized:
			v.drawn = nil
		case pressed, ok := <-keys:
			if !ok || v.pressAll(ctx, pressed) {
				return nil
			}
		}
	}
}

func (v *display) fetch(ctx context.Context) {
	f, err := v.src.next(ctx)
	v.got <- fetched{f, err}
}

// show takes a frame. A server that does not answer may come back.
func (v *display) show(f fetched) {
	if f.err != nil {
		v.say("", f.err)
		return
	}
	if time.Now().After(v.until) {
		v.said = ""
	}
	v.take(f.frame)
}

// say tells what has happened, for a while.
func (v *display) say(what string, err error) {
	if err != nil {
		what, _, _ = strings.Cut(err.Error(), "\n")
	}
	v.said, v.until = what, time.Now().Add(ago)
}

// pressAll acts on keys and reports whether one of them was the end.
func (v *display) pressAll(ctx context.Context, keys []screen.Key) bool {
	for _, k := range keys {
		before := v.said
		quit, do := v.press(k)
		if quit {
			return true
		}
		if v.said != before {
			v.until = time.Now().Add(ago)
		}
		if do != nil {
			go v.carryOut(ctx, do)
		}
	}
	return false
}

func (v *display) carryOut(ctx context.Context, do deed) {
	ctx, cancel := context.WithTimeout(ctx, frameTime)
	defer cancel()
	said, err := do(ctx, v.src.client)
	select {
	case v.told <- result{said, err}:
	case <-ctx.Done():
	}
}

// draw brings the terminal up to date, in one write.
func (v *display) draw() {
	w, h, err := term.GetSize(int(v.out.Fd()))
	if err != nil || w <= 0 || h <= 0 {
		w, h = 80, 24
	}
	v.width, v.height = w, max(h, 4)
	var b bytes.Buffer
	b.WriteString("\x1b[H")
	for i, line := range v.lines() {
		if i == h {
			break
		}
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	if bytes.Equal(b.Bytes(), v.drawn) {
		return
	}
	v.drawn = b.Bytes()
	_, _ = v.out.Write(v.drawn) // to a terminal, which is there or not
}
