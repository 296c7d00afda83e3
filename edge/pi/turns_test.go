package pi

import (
	"context"
	"io"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// oneTurn is turns of which there is one, with a time.
type oneTurn struct {
	slot  chan struct{}
	limit time.Duration
}

func (o oneTurn) Take(ctx context.Context, _ string) (context.Context, func(), error) {
	waiting, stop := context.WithTimeoutCause(ctx, 30*time.Second, ErrNoTurn)
	defer stop()
	select {
	case o.slot <- struct{}{}:
	case <-waiting.Done():
		return nil, nil, context.Cause(waiting)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.limit, ErrTurnOver)
	return ctx, func() { cancel(); <-o.slot }, nil
}

// bottomless is a filesystem of which one file never ends.
type bottomless struct{ *vfs.Mem }

type bottomlessFile struct{ vfs.File }

func (e bottomless) Open(p vfs.Path) (vfs.File, error) {
	f, err := e.Mem.Open(p)
	if p == "/huge" {
		f = bottomlessFile{f}
	}
	return f, err
}

type bottomlessInfo struct{ fs.FileInfo }

func (bottomlessInfo) Size() int64 { return 1 << 60 }

func (f bottomlessFile) Stat() (fs.FileInfo, error) {
	i, err := f.File.Stat()
	return bottomlessInfo{i}, err
}

func (f bottomlessFile) Seek(offset int64, _ int) (int64, error) { return offset, nil }

// Read takes a second for a piece.
func (f bottomlessFile) Read(b []byte) (int, error) {
	<-time.After(time.Second)
	return len(b), nil
}

// TestHashTime: a digest without end ends, and its turn is free again; also when the
// client gives it up or goes.
func TestHashTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := oneTurn{make(chan struct{}, 1), 2 * time.Minute}
		b := newBench(t, func(c *Config) { c.Turns, c.FS = turns, bottomless{vfs.NewMem()} })
		b.must(b.conf.FS.(bottomless).WriteFile("/huge", []byte("x")))
		b.own().login()
		defer b.close()
		began := time.Now()
		for i, line := range []string{"HASH huge", "XCRC huge"} {
			reply := b.do(line, 450)
			least := time.Duration(i+1) * 2 * time.Minute
			if took := time.Since(began); took < least || took > least+2*time.Second || !strings.Contains(reply.Text(), "took too long") {
				t.Errorf("%s: %q after %v", line, reply.Lines, took)
			}
		}
		b.must(b.client.Send("XMD5 huge"))
		<-time.After(time.Second)
		b.do("ABOR", 426)
		b.expect("ABOR", 226)
		_, done, err := turns.Take(t.Context(), "other")
		b.must(err)
		b.do("XSHA1 huge", 450) // after half a minute
		b.must(b.client.Send("XSHA1 huge"))
		<-time.After(time.Second)
		b.do("ABOR", 426) // while it waits
		b.expect("ABOR", 226)
		done()
		b.must(b.client.Send("HASH huge"))
		synctest.Wait()
		if len(turns.slot) != 1 {
			t.Error("no turn is taken")
		}
	})
}

// room is memory of which a test says how much there is.
type room struct{ left, taken atomic.Int64 }

func (r *room) Take(n int64) bool {
	if n > r.left.Load() {
		return false
	}
	r.left.Add(-n)
	r.taken.Add(n)
	return true
}

func (r *room) Give(n int64) { r.left.Add(n) }

// TestNoRoom: a transfer that does not fit is refused, leaves nothing behind, and takes
// nothing else with it.
func TestNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		b := newBench(t, func(c *Config) { c.Memory = r })
		b.must(b.fs.WriteFile("/a", []byte("here")))
		b.own().login()
		defer b.close()
		p := newFakePort()
		b.ports <- p
		b.do("FAKE", 200)
		for _, line := range []string{"RETR a", "STOR b", "APPE a", "LIST", "STOU"} {
			b.do(line, 425)
			if p.closed() {
				t.Errorf("%s: the port is closed, with a connection that may be there", line)
			}
		}
		if info, err := b.fs.Stat("/a"); err != nil || info.Size != 4 {
			t.Errorf("%+v %v", info, err)
		}
		if _, err := b.fs.Stat("/b"); err == nil {
			t.Error("what was refused is published")
		}
		if _, err := b.fs.Partial("dev", "/b"); err == nil {
			t.Error("of what was refused something is kept")
		}
		const enough = 330 << 10
		r.left.Store(enough)
		b.begin("STOR b").put([]byte("hello"))
		b.expect("STOR", 226)
		conn := b.begin("RETR b").connect()
		got, err := io.ReadAll(conn)
		b.expect("RETR", 226)
		if string(got) != "hello" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if r.left.Load() != enough || r.taken.Load() < 256<<10 {
			t.Errorf("%d bytes are left of %d; %d were taken", r.left.Load(), int64(enough), r.taken.Load())
		}
	})
}

// TestLeastRateReply: a client that is too slow loses its transfer, not its session.
func TestLeastRateReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) {
			c.Least.Down, c.Least.Up, c.Stall, c.Idle = 1000, 2000, time.Minute, time.Hour
		})
		b.must(b.fs.WriteFile("/a", make([]byte, 1<<20)))
		b.own().login()
		defer b.close()
		for _, line := range []string{"RETR a", "STOR b"} {
			began := time.Now()
			conn := b.begin(line).connect()
			var client sync.WaitGroup
			client.Go(func() {
				for one := make([]byte, 1); ; <-time.After(time.Second) {
					move := conn.Read
					if line == "STOR b" {
						move = conn.Write
					}
					if _, err := move(one); err != nil {
						return
					}
				}
			})
			b.expect(line, 426)
			if took := time.Since(began); took < 30*time.Second || took > 31*time.Second {
				t.Errorf("%s took %v", line, took)
			}
			client.Wait()
			b.do("NOOP", 200)
		}
		conn := b.begin("STOR c").connect() // 40 s at 1500 B/s are too slow for this direction alone
		for range 400 {
			<-time.After(100 * time.Millisecond)
			if _, err := conn.Write(make([]byte, 150)); err != nil {
				break
			}
		}
		b.expect("STOR", 426)
		conn = b.begin("RETR a").connect()
		n, err := io.CopyN(io.Discard, slowly{conn}, 60_000)
		if err != nil {
			t.Errorf("%d bytes were had at 1500 B/s, then %v", n, err)
		}
		b.do("ABOR", 426)
		b.expect("ABOR", 226)
	})
}

// slowly reads 150 bytes in a tenth of a second.
type slowly struct{ io.Reader }

func (s slowly) Read(b []byte) (int, error) {
	<-time.After(100 * time.Millisecond)
	return s.Reader.Read(b[:min(len(b), 150)])
}
