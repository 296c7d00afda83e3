package pi

import (
	"context"
	"errors"
	"io"
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
