package pi

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// closing is a reader that knows whether it was closed.
type closing struct {
	io.Reader
	closed int
}

func (c *closing) Close() error { c.closed++; return nil }

// A command of an embedder's: it streams, sees who asks, and chooses the reply.
func TestSend(t *testing.T) {
	src := &closing{Reader: strings.NewReader("a\nb\n")}
	row := Spec{Verb: "SITE STREAM", Handler: func(s *Session, _ Args) Outcome {
		who := s.Who()
		if !s.LoggedIn() || who.User != "dev" || s.Dir() != "/" || s.FS() == nil || s.Identity().Verdict != policy.Allow {
			return s.Fail(errors.New("the session does not say who it is"))
		}
		return s.Send(src, Stream{Title: "Streaming", Text: true, Done: func(s *Session, r dtp.Result) Outcome {
			if _, _, running := s.Progress(); running {
				return s.Fail(errors.New("still running"))
			}
			return Say(wire.CodeClosingData, "%d bytes streamed.", r.Bytes)
		}})
	}}
	b := newBench(t, func(c *Config) { c.Table = c.Table.With(row) }).own()
	defer b.close()
	b.login()
	b.do("TYPE A", 200)
	b.do("SITE STREAM", 425)
	if src.closed != 1 {
		t.Error("what could not be sent was not closed")
	}
	p := b.begin("SITE STREAM")
	conn := p.connect()
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != "a\r\nb\r\n" {
		t.Errorf("%q, %v", got, err)
	}
	if r := b.expect("SITE STREAM", 226); !strings.Contains(r.String(), "4 bytes streamed.") {
		t.Errorf("the reply is %q", r)
	}
	if src.closed != 2 {
		t.Error("what was sent was not closed")
	}
}

// sink is a writer that knows whether it was closed.
type sink struct {
	strings.Builder
	closed int
}

func (k *sink) Close() error { k.closed++; return nil }

// A command of an embedder's that takes what the client sends.
func TestReceive(t *testing.T) {
	var got *sink
	var ended error
	row := Spec{Verb: "SITE TAKE", Handler: func(s *Session, _ Args) Outcome {
		got = &sink{}
		return s.Receive(got, Stream{Text: true, Limits: policy.Limits{MaxFileSize: 4}, Done: func(_ *Session, r dtp.Result) Outcome {
			if ended = r.Err; ended != nil {
				return Outcome{}
			}
			return Say(wire.CodeFileActionOK, "%d bytes taken.", r.Bytes)
		}})
	}}
	b := newBench(t, func(c *Config) { c.Table = c.Table.With(row) }).own()
	defer b.close()
	b.login()
	b.do("SITE TAKE", 425)
	if got.closed != 1 {
		t.Error("what could not be written to was not closed")
	}
	b.do("TYPE A", 200)
	for _, c := range []struct {
		text, want string
		code       int
		err        error
	}{{"a\r\nb\n", "a\nb\n", 250, nil}, {"a\r\nbcd", "", 552, dtp.ErrTooLarge}} {
		conn := b.begin("SITE TAKE").connect()
		if _, err := io.WriteString(conn, c.text); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		b.expect("SITE TAKE", c.code)
		if !errors.Is(ended, c.err) || c.err == nil && got.String() != c.want || got.closed != 1 {
			t.Errorf("%q: %q, %v, closed %d times", c.text, got, ended, got.closed)
		}
	}
}

// everywhere is a passive port that listens on all addresses.
type everywhere struct {
	dtp.PassivePort
	addr string
}

func (e everywhere) Addr() netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(e.addr), e.PassivePort.Addr().Port())
}

// A port that listens on all addresses is told as one of the control connection's.
func TestPortOnAllAddresses(t *testing.T) {
	for _, addr := range []string{"::", "0.0.0.0", "::ffff:0.0.0.0"} {
		b := newBench(t, func(c *Config) {
			c.Passive.Listen = func(ctx context.Context, conf dtp.PassiveConfig) (dtp.PassivePort, error) {
				p, err := dtp.Listen(ctx, conf)
				return everywhere{p, addr}, err
			}
		}).own()
		b.login()
		if r := b.do("PASV", 227); !strings.Contains(r.Text(), "(127,0,0,1,") {
			t.Errorf("%s: %s", addr, r)
		}
		b.close()
	}
}

// ABOR ends work that is no transfer, and its reply comes after that work's.
func TestAbortHash(t *testing.T) {
	b := newBench(t, nil)
	block := make(chan struct{})
	row := Spec{Verb: "SITE LONG", Handler: func(s *Session, _ Args) Outcome {
		count := &counter{}
		return Outcome{Job: &Job{Title: "Working", Progress: count, Alone: true, Run: func(ctx context.Context) Settle {
			close(block)
			_, err := io.Copy(count, &upTo{ctx: ctx, r: endless{}})
			return func(s *Session) Outcome { return s.Fail(err) }
		}}}
	}}
	b.conf.Table = b.conf.Table.With(row)
	b.own()
	defer b.close()
	b.login()
	b.must(b.client.Send("SITE LONG"))
	<-block
	b.must(b.client.Send("NOOP")) // waits for its turn: nothing has marked the work
	b.must(b.client.Send("ABOR"))
	b.expect("SITE LONG", 426)
	b.expect("ABOR", 226)
	b.expect("NOOP", 200)
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }
