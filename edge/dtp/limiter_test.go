package dtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/throttle"
)

// meter is a limiter that takes note of what it is told.
type meter struct {
	slice int
	delay time.Duration // of each wait
	after error         // what a wait returns
	ended atomic.Int64
	total atomic.Int64
	most  atomic.Int64
}

func (m *meter) Slice() int { return m.slice }

func (m *meter) Done() { m.ended.Add(1) }

func (m *meter) Wait(ctx context.Context, n int) error {
	m.total.Add(int64(n))
	if int64(n) > m.most.Load() {
		m.most.Store(int64(n))
	}
	if m.delay == 0 {
		return m.after
	}
	timer := time.NewTimer(m.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return m.after
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ways are all the ways in which bytes are moved; the text is the same in each.
func ways(t *testing.T, test func(t *testing.T, tr *Transfer, send bool)) {
	for _, name := range []string{"file", "other", "copy", "ascii", "deflate", "tls", "tls deflate"} {
		for _, send := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/send=%v", name, send), func(t *testing.T) {
				t.Parallel()
				tr := &Transfer{Copy: name == "copy", ASCII: name == "ascii"}
				if strings.Contains(name, "deflate") {
					tr.Deflate = new(Deflate)
				}
				if strings.Contains(name, "tls") {
					tr.Protect = new(Protection) // given its contents by carry
				}
				if !send {
					f := file(t, nil)
					if tr.Receive = io.Writer(f); name == "other" {
						tr.Receive = onlyWriter{f}
					}
				}
				test(t, tr, send)
			})
		}
	}
}

// carry runs a transfer of content and returns its result and how many bytes the
// client saw on the wire, less what TLS adds.
func carry(t *testing.T, tr *Transfer, content []byte) (res Result, wire int) {
	t.Helper()
	if tr.Receive == nil {
		if tr.Send = io.Reader(file(t, content)); tr.Deflate == nil && tr.ASCII {
			tr.Send = onlyReader{tr.Send}
		}
	}
	conn, done := start(t, tr)
	if tr.Receive == nil {
		got, err := io.ReadAll(conn)
		if err != nil {
			t.Error(err)
		}
		return await(t, done), len(got)
	}
	sent := content
	if tr.Deflate != nil {
		sent = zipped(content)
	}
	if _, err := conn.Write(sent); err != nil {
		t.Error(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Error(err)
	}
	return await(t, done), len(sent)
}

// halfConn is a client's end, in the clear or protected.
type halfConn interface {
	net.Conn
	CloseWrite() error
}

// start begins a transfer; one with a Protection gets one that fits the client.
func start(t testing.TB, tr *Transfer) (halfConn, <-chan Result) {
	t.Helper()
	if tr.Protect == nil {
		c, done := begin(t, within(t), tr)
		return c, done
	}
	s := newSite(t, tls.VersionTLS13)
	client := s.client()
	p := s.control(t, client, BindAuto)
	p.LenientClose = tr.Protect.LenientClose
	c, done := beginTLS(t, within(t), p, client, tr)
	return c, done
}

// Every byte on the wire is paid for, the last piece too: many files that are
// smaller than a slice would else go past the limit.
func TestLimiterCountsAll(t *testing.T) {
	ways(t, func(t *testing.T, tr *Transfer, _ bool) {
		for _, size := range []int{0, 1, 700, 100_000} {
			tr, limit := *tr, &meter{slice: 1000}
			tr.Limiter = limit
			res, wire := carry(t, &tr, bytes.Repeat([]byte("x"), size))
			well(t, res, &tr, size, wire)
			if n := limit.ended.Load(); n != 1 {
				t.Errorf("the limiter was told %d times of the end", n)
			}
			if limit.total.Load() != int64(wire) || limit.most.Load() > 1000 {
				t.Errorf("%d bytes paid for in pieces of up to %d, %d on the wire", limit.total.Load(), limit.most.Load(), wire)
			}
		}
	})
}

// A wait of the throttle is no stall of the client's.
func TestLimiterIsNoStall(t *testing.T) {
	ways(t, func(t *testing.T, tr *Transfer, _ bool) {
		tr.Stall = 150 * time.Millisecond
		tr.Limiter = &meter{slice: 1 << 20, delay: 2 * tr.Stall}
		res, wire := carry(t, tr, pattern(2500))
		if tr.ASCII {
			wire = int(tr.Progress.Bytes()) // line ends
			res.Bytes = 2500
		}
		well(t, res, tr, 2500, wire)
	})
}

// What a limiter says ends the transfer. It is asked before the first piece: many
// transfers that are broken off after it would else go past the limit.
func TestLimiterFails(t *testing.T) {
	bad := errors.New("the quota is used up")
	ways(t, func(t *testing.T, tr *Transfer, send bool) {
		tr.Limiter = &meter{slice: 100, after: bad}
		if send {
			tr.Send = file(t, pattern(1000))
		}
		conn, done := start(t, tr)
		if send {
			if n, _ := io.Copy(io.Discard, conn); n > 0 {
				t.Errorf("%d bytes moved before the limiter was asked", n)
			}
		} else {
			_, _ = conn.Write(zipped(pattern(1000)))
		}
		wantErr(t, await(t, done).Err, bad)
	})
}

// A limiter may be nil of its own type, and say nonsense.
func TestLimiterOddities(t *testing.T) {
	for name, limit := range map[string]Limiter{
		"nil of a type": (*throttle.Limiter)(nil), "slice 0": &meter{}, "slice -5": &meter{slice: -5},
	} {
		t.Run(name, func(t *testing.T) {
			ways(t, func(t *testing.T, tr *Transfer, _ bool) {
				tr.Limiter = limit
				res, wire := carry(t, tr, []byte("hello"))
				well(t, res, tr, 5, wire)
			})
		})
	}
}

// recorder takes note of the lengths of the records that come from the server.
type recorder struct {
	net.Conn
	head []byte
	skip int
	most int
}

func (r *recorder) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	for _, c := range b[:n] {
		if r.skip > 0 {
			r.skip--
			continue
		}
		if r.head = append(r.head, c); len(r.head) == 5 {
			r.skip = int(r.head[3])<<8 | int(r.head[4])
			if r.head[0] == 23 { // application data, RFC 8446 §5.1
				r.most = max(r.most, r.skip)
			}
			r.head = r.head[:0]
		}
	}
	return n, err
}

// The records of TLS are as small as the slice.
func TestLimiterRecords(t *testing.T) {
	s := newSite(t, tls.VersionTLS12) // in which application data is nothing else
	for _, test := range []struct {
		name string
		tr   *Transfer
	}{
		{"binary", &Transfer{}}, {"ascii", &Transfer{ASCII: true}}, {"deflate", &Transfer{Deflate: new(Deflate)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			const slice, overhead = 512, 64
			client := s.client()
			test.tr.Send, test.tr.Limiter = bytes.NewReader(bytes.Repeat(append(pattern(50), '\n'), 400)), &meter{slice: slice}
			test.tr.Protect = s.control(t, client, BindAuto)
			raw, done := begin(t, within(t), test.tr)
			seen := &recorder{Conn: raw}
			if _, err := io.Copy(io.Discard, tls.Client(seen, client)); err != nil {
				t.Error(err)
			}
			if res := await(t, done); res.Err != nil || seen.most == 0 || seen.most > slice+overhead {
				t.Errorf("records of up to %d bytes, %+v", seen.most, res)
			}
		})
	}
}
