package dtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
)

// tally counts what is written to a connection and read from it.
type tally struct {
	net.Conn
	wrote          atomic.Int64
	writes, reads  atomic.Int64
	most, mostRead int
}

func (c *tally) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.wrote.Add(int64(n))
	c.writes.Add(1)
	c.most = max(c.most, n)
	return n, err
}

func (c *tally) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.reads.Add(1)
	c.mostRead = max(c.mostRead, n)
	return n, err
}

// keen looks at each wait whether everything is on the wire that it is told of.
type keen struct {
	*testing.T
	wire  *tally
	slice int
	told  int64
}

func (k *keen) Slice() int { return k.slice }

func (k *keen) Wait(_ context.Context, n int) error {
	if k.told += int64(n); k.wire.wrote.Load() < k.told {
		k.Errorf("%d bytes are to be paid for, %d were written", k.told, k.wire.wrote.Load())
	}
	if n > k.slice {
		k.Errorf("%d bytes at once", n)
	}
	return nil
}

// overTLS runs a transfer whose server's end is counted, and returns the client's.
func overTLS(t *testing.T, s *site, tr *Transfer, wire *tally) (*tls.Conn, <-chan Result) {
	t.Helper()
	client := s.client()
	tr.Protect = s.control(t, client, BindAuto)
	server, raw := pair(t)
	wire.Conn = server
	tr.Port, tr.Progress = ready{wire}, new(Progress)
	done := make(chan Result, 1)
	go func() { done <- tr.Run(within(t)) }()
	return tls.Client(raw, client), done
}

// TestGather: a download goes in pieces of three records, all of which are written
// when the throttle is asked; under a throttle, records are as small as its slice.
func TestGather(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		for slice, most := range map[int]int{freeSlice: gatherSize, 20_000: gatherSize, record: record + 512, 5000: 5512} {
			wire, want := new(tally), pattern(600_007)
			limiter := &keen{T: t, wire: wire, slice: slice}
			tr := &Transfer{Send: file(t, want), Limiter: limiter}
			c, done := overTLS(t, s, tr, wire)
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("slice %d: %d bytes arrived, %v", slice, len(got), err)
			}
			well(t, await(t, done), tr, len(want), len(want))
			if s.single {
				most = record + 512
			}
			if wire.most > most || slice == freeSlice && wire.most < most-3*512 {
				t.Errorf("slice %d: a write has %d bytes, want %d", slice, wire.most, most)
			}
			if limiter.told != int64(len(want)) {
				t.Errorf("slice %d: told of %d bytes", slice, limiter.told)
			}
		}
	})
}

// TestGulp: an upload is read in pieces of the buffer's size, once the file is not a
// short one.
func TestGulp(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		for _, size := range []int{0, 1, pieceSize, 200_000, 4 << 20} {
			wire, f, want := new(tally), file(t, nil), pattern(size)
			tr := &Transfer{Receive: f}
			c, done := overTLS(t, s, tr, wire)
			if _, err := c.Write(want); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(c.HandshakeContext(within(t)), c.CloseWrite()); err != nil {
				t.Fatal(err)
			}
			well(t, await(t, done), tr, size, size)
			if !bytes.Equal(held(t, f), want) {
				t.Error("the file differs")
			}
			if gulped := wire.mostRead > 64<<10; gulped && (s.single || size < pieceSize) || !gulped && !s.single && size > 1<<20 {
				t.Errorf("%d bytes: read by %d", size, wire.mostRead)
			}
		}
	})
}

// TestShortFiles: a transfer of a few kilobytes takes no large buffer.
func TestShortFiles(t *testing.T) {
	s := newSite(t, tls.VersionTLS13)
	for _, size := range []int{0, 4 << 10, record} {
		b, want := new(Buffers), pattern(size)
		tr := &Transfer{Send: file(t, want), Buffers: b}
		c, done := overTLS(t, s, tr, new(tally))
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes arrived, %v", len(got), err)
		}
		well(t, await(t, done), tr, size, size)
		if b.pool.Get() != nil {
			t.Errorf("%d bytes took a large buffer", size)
		}
	}
}

// erratic is a connection that returns its last bytes with an error.
type erratic struct {
	net.Conn
	data []byte
	err  error
}

func (e *erratic) Read(b []byte) (int, error) {
	n := copy(b, e.data)
	e.data = e.data[n:]
	if len(e.data) == 0 {
		return n, e.err
	}
	return n, nil
}

// What came before an error is read before it, and the error stays.
func TestGulpError(t *testing.T) {
	fault, want := errors.New("fault"), pattern(10_000)
	s := &sealed{fin: &finConn{Conn: &erratic{data: want, err: fault}}, buffers: NewBuffers(leastSize)}
	s.gulp()
	got, err := io.ReadAll(struct{ io.Reader }{s.fin})
	if !errors.Is(err, fault) || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if n, err := s.fin.Read(make([]byte, 1)); n != 0 || !errors.Is(err, fault) {
		t.Errorf("then %d bytes, %v", n, err)
	}
}

// full is a connection that takes no more than it has room for.
type full struct {
	net.Conn
	room int
}

func (f *full) Write(b []byte) (int, error) {
	if n := min(f.room, len(b)); n < len(b) {
		f.room = 0
		return n, net.ErrClosed
	}
	f.room -= len(b)
	return len(b), nil
}

// A write that fails when the records of a piece go out together fails the piece.
func TestGatherBreaks(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		server, raw := pair(t)
		client := s.client()
		p := s.control(t, client, BindAuto)
		shook := make(chan error, 1)
		c := tls.Client(raw, client)
		ctx := within(t)
		go func() { shook <- c.HandshakeContext(ctx) }()
		ours, err := p.protect(within(t), server, 0, new(pulse))
		if err = errors.Join(err, await(t, shook)); err != nil {
			t.Fatal(err)
		}
		ours.fin.Conn = &full{server, pieceSize}
		ours.buffers = new(Buffers)
		if n, err := ours.send(make([]byte, pieceSize)); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("%d bytes, %v", n, err)
		}
		ours.release()
	})
}
