package quicnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

func TestPortTokens(t *testing.T) {
	s := listen(t, func(c *Config) { c.Limits.Streams = 2 })
	far, _ := s.session(t, s.dial(t))
	for _, bad := range []string{"x", strings.Repeat("a", 26), strings.Repeat("A", 25), strings.Repeat("A", 27), strings.Repeat("A", 25) + "B",
		strings.Repeat("A", 25) + "=", strings.Repeat("0", 26), strings.Repeat("A", 24) + "\r\n"} {
		if p, _, err := far.Port(bad); err == nil || p != nil {
			t.Errorf("%q is taken for a token", bad)
		}
	}
	chosen, token, err := far.Port("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseToken(token); err != nil {
		t.Error(err)
	}
	if _, _, err := far.Port(token); !errors.Is(err, ErrUsed) {
		t.Errorf("a token that is prepared: %v", err)
	}
	second := prepare(t, far, "")
	if _, _, err := far.Port(""); !errors.Is(err, errMost) {
		t.Errorf("one too many: %v", err)
	}
	for range 2 {
		if err := chosen.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := far.Port(token); !errors.Is(err, ErrUsed) {
		t.Errorf("a token that was given up: %v", err)
	}
	_ = prepare(t, far, "").Close()
	_ = second.Close()
	last, _, err := far.Port("")
	if err != nil {
		t.Fatal(err)
	}
	_ = far.Close() // gives it up
	if _, err := last.Open(within(t)); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, _, err := far.Port(""); err == nil {
		t.Error("a port of a session that has ended")
	}
}

// A port is opened once, and no more after Close.
func TestPortOnce(t *testing.T) {
	s := listen(t, nil)
	c := s.dial(t)
	far, _ := s.session(t, c)
	for _, up := range []bool{true, false} {
		p := prepare(t, far, "")
		_ = p.Close()
		if _, err := p.OpenFor(within(t), up); !errors.Is(err, net.ErrClosed) {
			t.Errorf("up %v, after Close: %v", up, err)
		}
	}
	token := c.Token()
	p := prepare(t, far, token)
	conn, err := p.Open(within(t)) // to the client, where nobody says otherwise
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Receive(within(t), token)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Close() // leaves the connection
	writes(t, conn, "x")
	reads(t, r, "x")
	for _, up := range []bool{true, false} {
		if _, err := p.OpenFor(within(t), up); !errors.Is(err, net.ErrClosed) {
			t.Errorf("up %v, a second time: %v", up, err)
		}
	}
	_ = conn.Close()
	_ = r.Close()
}

// opening begins OpenFor.
func opening(ctx context.Context, p directed, up bool) <-chan error {
	done := make(chan error, 1)
	go func() {
		c, err := p.OpenFor(ctx, up)
		if err == nil {
			_ = c.Close()
		}
		done <- err
	}()
	return done
}

func TestPortWaits(t *testing.T) {
	s := listen(t, func(c *Config) { c.Limits.Wait = 50 * time.Millisecond })
	far, _ := s.session(t, s.dial(t))
	if err := <-opening(within(t), prepare(t, far, ""), true); !errors.Is(err, dtp.ErrNobody) {
		t.Errorf("nobody comes: %v", err)
	}
	patient := listen(t, nil)
	far, _ = patient.session(t, patient.dial(t))
	p := prepare(t, far, "")
	done := opening(within(t), p, true)
	time.AfterFunc(20*time.Millisecond, func() { _ = p.Close() })
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done = opening(ctx, prepare(t, far, ""), true)
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for _, up := range []bool{true, false} {
		if err := <-opening(ctx, prepare(t, far, ""), up); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before, up %v: %v", up, err)
		}
	}
	done = opening(within(t), prepare(t, far, ""), true)
	time.AfterFunc(20*time.Millisecond, func() { far.link.end(CodeAuth) })
	if err := <-done; !errors.Is(err, dtp.ErrNobody) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("the connection is lost: %v", err)
	}
}

// A client that permits no more streams has the server wait, and then fail.
func TestPortUnreached(t *testing.T) {
	s := listen(t, func(c *Config) { c.Limits.Wait, c.Limits.Streams = 300*time.Millisecond, 2*clientStreams })
	c := s.dial(t)
	far, _ := s.session(t, c)
	for range clientStreams {
		open(t, prepare(t, far, ""), false)
	}
	if err := <-opening(within(t), prepare(t, far, ""), false); !errors.Is(err, dtp.ErrUnreached) {
		t.Error(err)
	}
}

// What a client sends where it is to be sent to, or after a transfer was given up, is
// refused on its stream alone.
func TestPortRaces(t *testing.T) {
	s := listen(t, nil)
	c := s.rawConn(t)
	far, _ := s.rawSession(t, c)
	token := NewToken()
	p := prepare(t, far, token.String())
	early := rawData(t, c, head(token))
	waitFor(t, p)
	open(t, p, false)
	if code := stopped(t, early); code != CodeToken {
		t.Errorf("a stream in the wrong direction: %v", code)
	}
	token = NewToken()
	p = prepare(t, far, token.String())
	early = rawData(t, c, head(token))
	waitFor(t, p)
	_ = p.Close()
	if code := stopped(t, early); code != CodeAborted {
		t.Errorf("a stream of a transfer that was given up: %v", code)
	}
	token = NewToken()
	_ = prepare(t, far, token.String()).Close()
	if code := stopped(t, rawData(t, c, head(token))); code != CodeToken {
		t.Errorf("a stream that comes too late: %v", code)
	}
	if c.Context().Err() != nil {
		t.Error(context.Cause(c.Context()))
	}
}

// waitFor waits until the client's stream is there.
func waitFor(t *testing.T, p dtp.Port) {
	t.Helper()
	select {
	case <-p.(*port).slot.came:
	case <-within(t).Done():
		t.Fatal("the stream does not come")
	}
}

// dtp.Transfer moves files over these ports as over any other.
func TestTransfer(t *testing.T) {
	s := listen(t, nil)
	c := s.dial(t)
	far, _ := s.session(t, c)
	file := pattern(3 << 20)
	run := func(tr *dtp.Transfer, token string) <-chan dtp.Result {
		done := make(chan dtp.Result, 1)
		tr.Port, tr.Stall = prepare(t, far, token), patience
		go func() { done <- tr.Run(within(t)) }()
		return done
	}

	token := c.Token()
	var stored bytes.Buffer
	done := run(&dtp.Transfer{Receive: &stored}, token)
	u, err := c.Send(within(t), token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Write(file); err != nil {
		t.Fatal(err)
	}
	if err := u.Close(); err != nil {
		t.Error(err)
	}
	if res := <-done; res.Err != nil || !bytes.Equal(stored.Bytes(), file) {
		t.Errorf("%+v", res)
	}

	token = c.Token()
	done = run(&dtp.Transfer{Send: bytes.NewReader(file)}, token)
	r, err := c.Receive(within(t), token)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if res := <-done; err != nil || res.Err != nil || res.Bytes != int64(len(file)) || !bytes.Equal(got, file) {
		t.Errorf("%d bytes, %v; %+v", len(got), err, res)
	}

	token = c.Token() // too large
	done = run(&dtp.Transfer{Receive: io.Discard, MaxBytes: 1000}, token)
	if u, err = c.Send(within(t), token); err != nil {
		t.Fatal(err)
	}
	_, _ = u.Write(file)
	if res := <-done; !errors.Is(res.Err, dtp.ErrTooLarge) {
		t.Errorf("%+v", res)
	}
	<-u.d.stream.Context().Done()
	if e, ok := errors.AsType[*Error](u.Close()); !ok || e.Code != CodeTooLarge {
		t.Error(u.Close())
	}

	token = c.Token() // broken by the client, before a byte of the file and at once
	done = run(&dtp.Transfer{Receive: io.Discard}, token)
	if u, err = c.Send(within(t), token); err != nil {
		t.Fatal(err)
	}
	u.Reset(CodeAborted)
	if res := <-done; !errors.Is(res.Err, dtp.ErrBroken) || res.Bytes != 0 {
		t.Errorf("%+v", res)
	}

	token = c.Token() // unwanted by the client
	done = run(&dtp.Transfer{Send: bytes.NewReader(file)}, token)
	if r, err = c.Receive(within(t), token); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	if res := <-done; !errors.Is(res.Err, dtp.ErrBroken) {
		t.Errorf("%+v", res)
	}
}
