package bridge

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// shelf is a connection to a server that has one file.
type shelf struct {
	*fake
	file []byte

	mu      sync.Mutex
	streams map[string]io.Reader
	tokens  int
	asked   *atomic.Int64 // segments
	taken   *atomic.Int64 // bytes of them
}

func (s *shelf) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens++
	return fmt.Sprint("T", s.tokens)
}

func (s *shelf) Receive(_ context.Context, token string) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return io.NopCloser(counting{s.streams[token], s.taken}), nil
}

// counting counts what is read.
type counting struct {
	io.Reader
	n *atomic.Int64
}

func (c counting) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(int64(n))
	return n, err
}

const shelfFacts = "Type=file;Size=%d;Modify=20260101000000; /f"

// serve is the server of one session.
func (s *shelf) serve(conn net.Conn) {
	replies := make(chan string, 64) // a stream of QUIC takes some without anybody reading, a pipe none
	defer close(replies)
	s.work.Go(func() {
		for text := range replies {
			_, _ = io.WriteString(conn, text)
		}
	})
	replies <- "220 Hello.\r\n"
	var token string
	var from, to int
	for in := bufio.NewScanner(conn); in.Scan(); {
		verb, arg, _ := strings.Cut(in.Text(), " ")
		answer := "200 OK.\r\n"
		switch verb {
		case "USER":
			answer = "230 In.\r\n"
		case "QDAT":
			token = arg
		case "RANG":
			_, _ = fmt.Sscan(arg, &from, &to)
			answer = "350 Go on.\r\n"
		case "RETR":
			s.mu.Lock()
			s.streams[token] = bytes.NewReader(s.file[from : to+1])
			s.mu.Unlock()
			s.asked.Add(1)
			answer = "150 Here.\r\n226 Done.\r\n"
		case "MLST":
			answer = fmt.Sprintf("250-Here:\r\n "+shelfFacts+"\r\n250 End.\r\n", len(s.file))
		}
		replies <- answer
	}
}

// A client that takes nothing has the bridge keep as many segments as there may be, and ask
// for no more; what it takes makes room for as much.
func TestSpreadSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const links = 4
		file := make([]byte, 30*segmentSize+5)
		for i := range file {
			file[i] = byte(i >> 8)
		}
		var begun, taken atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		b := New(ctx, Config{Connections: links, Log: slog.New(slog.DiscardHandler), Dial: func(context.Context) (Link, error) {
			s := &shelf{fake: &fake{done: make(chan struct{})}, file: file, streams: map[string]io.Reader{}, asked: &begun, taken: &taken}
			s.server = s.serve
			return s, nil
		}})
		again := newMemory()
		again.in, again.user = true, []byte("USER anna\r\n")
		job := newTransfer(ctx, &asked{verb: "RETR", line: []byte("RETR /f\r\n")}, source{})
		job.note(fmt.Sprintf(shelfFacts, len(file)))
		p := newSpread(&session{bridge: b, ctx: ctx, memory: again}, job)
		p.next = 0
		p.start(job.ctx)
		p.lent <- nil
		near, far := net.Pipe()
		poured := make(chan error, 1)
		go func() { poured <- p.pour(job.ctx, far) }()
		synctest.Wait()
		for n := range int64(3) {
			if begun.Load() != ahead*links+n || taken.Load() > (ahead*links+n)*segmentSize || taken.Load() < (ahead*links+n-1)*segmentSize {
				t.Errorf("after %d: %d segments, %d bytes", n, begun.Load(), taken.Load())
			}
			got := make([]byte, segmentSize)
			if _, err := io.ReadFull(near, got); err != nil || !bytes.Equal(got, file[n*segmentSize:][:segmentSize]) {
				t.Error(n, err)
			}
			synctest.Wait()
		}
		rest := make([]byte, len(file)-3*segmentSize)
		if _, err := io.ReadFull(near, rest); err != nil || !bytes.Equal(rest, file[3*segmentSize:]) {
			t.Error(err)
		}
		if err := <-poured; err != nil || job.moved.Load() != int64(len(file)) || p.used != links {
			t.Errorf("%d bytes over %d, %v", job.moved.Load(), p.used, err)
		}
		job.stop(nil)
		p.work.Wait()
		cancel()
		b.trunk.end()
		b.crew.end()
	})
}

// Nobody gets more sessions than are set apart, nor any while they are refused.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(journal)
		c := newCrew(7, &trunk{log: slog.New(slog.NewTextHandler(log, nil))})
		for _, want := range []int{7, 5, 0} {
			if n := len(c.take(7)); n != want {
				t.Errorf("%d and not %d", n, want)
			}
		}
		c.give(7)
		c.give(5)
		if n := len(c.take(-1)) + len(c.take(0)); n != 0 {
			t.Errorf("%d for nothing", n)
		}
		for range 2 {
			c.refused(4, io.EOF)
		}
		if n := len(c.take(7)); n != 0 {
			t.Errorf("%d while they are refused", n)
		}
		if strings.Count(log.String(), "fewer connections") != 1 {
			t.Errorf("%s", log)
		}
		_ = sleep(t.Context(), refusal)
		if n := len(c.take(7)); n != 7 {
			t.Errorf("%d later", n)
		}
	})
}
