package dtp

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// ready is a port whose connection is there.
type ready struct{ net.Conn }

func (r ready) Open(context.Context) (net.Conn, error) { return r.Conn, nil }
func (r ready) Close() error                           { return nil }

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(Progress)
		said := func(elapsed time.Duration, active, started bool) {
			t.Helper()
			if p.Elapsed() != elapsed || p.Active() != active || p.Started() != started {
				t.Errorf("elapsed %v, active %v, started %v", p.Elapsed(), p.Active(), p.Started())
			}
		}
		p.End() // nothing to end
		said(0, false, false)
		p.Begin()
		<-time.After(time.Second)
		said(time.Second, true, false)
		p.Begin()
		p.Add(3)
		p.Add(4)
		<-time.After(time.Second)
		said(2*time.Second, true, true)
		p.End()
		<-time.After(time.Second)
		p.End()
		p.Begin()
		said(2*time.Second, false, true)
		if p.Bytes() != 7 {
			t.Errorf("%d bytes", p.Bytes())
		}
	})
}

// A transfer tells how it goes while it goes, and needs neither Progress nor
// Buffers of the caller's.
func TestProgressOfTransfer(t *testing.T) {
	server, client := pair(t)
	open := make(chan struct{})
	tr := &Transfer{Port: ready{server}, Send: io.MultiReader(bytes.NewReader(pattern(1000)), gate{bytes.NewReader(pattern(10)), open}), Progress: new(Progress)}
	if tr.Progress.Active() || tr.Progress.Elapsed() > 0 || tr.Progress.Peer().IsValid() {
		t.Error("it has begun already")
	}
	done := make(chan Result, 1)
	go func() { done <- tr.Run(within(t)) }()
	if _, err := io.ReadFull(client, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	at := AddrPort(client.LocalAddr())
	if p := tr.Progress; !p.Active() || p.Elapsed() <= 0 || p.Peer() != at {
		t.Errorf("active %v, elapsed %v, with %v", p.Active(), p.Elapsed(), p.Peer())
	}
	close(open)
	res := await(t, done)
	if p := tr.Progress; res.Err != nil || p.Active() || !p.Started() || p.Bytes() != 1010 || p.Elapsed() != res.Took || res.Took <= 0 || res.Peer != at || !at.IsValid() {
		t.Errorf("%+v, active %v, started %v, %d bytes, elapsed %v", res, p.Active(), p.Started(), p.Bytes(), p.Elapsed())
	}
}

func TestWithoutProgressAndBuffers(t *testing.T) {
	server, client := pair(t)
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if res := (&Transfer{Port: ready{server}, Receive: nowhere{}, ASCII: true}).Run(within(t)); res.Err != nil || res.Took <= 0 {
		t.Errorf("%+v", res)
	}
}
