package dtp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// What the kernel may move by itself are the same bytes on both sides, unless that
// is switched off.
func TestDirect(t *testing.T) {
	for name, tr := range map[string]Transfer{
		"protected": {Protect: new(Protection)}, "compressed": {Deflate: new(Deflate)}, "text": {ASCII: true}, "switched off": {Copy: true},
	} {
		if tr.direct() {
			t.Errorf("%s: not copied", name)
		}
	}
	if !new(Transfer).direct() {
		t.Error("a plain binary transfer is copied")
	}
}

// spliced is a file that notes whether the connection was handed to it.
type spliced struct {
	*os.File
	handed bool
}

func (s *spliced) ReadFrom(r io.Reader) (int64, error) {
	s.handed = true
	return s.File.ReadFrom(r)
}

func TestCopyReceives(t *testing.T) {
	for _, off := range []bool{false, true} {
		to := &spliced{File: file(t, nil)}
		tr := &Transfer{Receive: to, Copy: off}
		c, done := begin(t, within(t), tr)
		upload(t, c, []byte("hello"))
		well(t, await(t, done), tr, 5, 5)
		if to.handed == off || string(held(t, to.File)) != "hello" {
			t.Errorf("copy %v: handed to the kernel %v", off, to.handed)
		}
	}
}

// A part of a file (RANG) goes the direct way as well, and ends where it ends.
func TestSendPart(t *testing.T) {
	want := pattern(3 << 20)
	for _, part := range []int64{0, 1, 1 << 20, 2<<20 + 5, 3<<20 - 7, 3 << 20, 9 << 20} {
		f := file(t, want)
		if _, err := f.Seek(7, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if got, most, exact := plainFile(io.LimitReader(f, part)); got != f || most != part || exact {
			t.Errorf("%d bytes of it are copied", part)
		}
		tr := &Transfer{Send: io.LimitReader(f, part)}
		c, done := begin(t, within(t), tr)
		end := min(7+part, int64(len(want)))
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want[7:end]) {
			t.Errorf("%d bytes arrived of %d, %v", len(got), part, err)
		}
		well(t, await(t, done), tr, int(end-7), int(end-7))
	}
}

// A pipe has no place to begin at.
func TestSendPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want := pattern(300_000)
	go func() {
		_, _ = w.Write(want)
		w.Close()
	}()
	tr := &Transfer{Send: r}
	c, done := begin(t, within(t), tr)
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes arrived, %v", len(got), err)
	}
	well(t, await(t, done), tr, len(want), len(want))
}

// unwilling is a socket with which sendfile fails, after some bytes.
type unwilling struct {
	*net.TCPConn
	first int64
	err   error
}

func (u unwilling) ReadFrom(r io.Reader) (int64, error) {
	file := r.(*io.LimitedReader).R
	if u.first == 0 {
		_, _ = file.Read(make([]byte, 10)) // and it has read ahead
		return 0, u.err
	}
	n, _ := io.CopyN(u.TCPConn, file, u.first)
	return n, u.err
}

// sendBy sends content over a bare connection that is not what it seems.
func sendBy(t *testing.T, bare func(*net.TCPConn) bareConn, content []byte) (got []byte, n int64, err error) {
	t.Helper()
	server, client := pair(t)
	m := mover{ctx: within(t), conn: server, tcp: true, bare: bare(server), last: time.Now(),
		Transfer: &Transfer{Send: file(t, content), Buffers: new(Buffers), Progress: new(Progress)}}
	n, err = m.send()
	server.Close()
	got, _ = io.ReadAll(client)
	if m.Progress.Bytes() != int64(len(got)) {
		t.Errorf("progress is %d bytes, %d arrived", m.Progress.Bytes(), len(got))
	}
	return got, n, err
}

// Sendfile that fails before its first byte gives way to copying, when it is the
// file or the kernel that cannot; once a byte is on its way, or when the
// connection is at fault, it is an error. (The model's _GiveUpOnSendfile.)
func TestSendfileFails(t *testing.T) {
	want := pattern(100_000)
	for _, errno := range []syscall.Errno{syscall.EIO, syscall.EINVAL, syscall.ENOSYS, syscall.EOVERFLOW, syscall.ENOMEM, syscall.ECONNRESET, syscall.EPIPE} {
		for _, first := range []int64{0, 7} {
			t.Run(fmt.Sprintf("%v after %d", errno, first), func(t *testing.T) {
				fault := os.NewSyscallError("sendfile", errno)
				got, n, err := sendBy(t, func(c *net.TCPConn) bareConn { return unwilling{c, first, fault} }, want)
				copied := first == 0 && errno != syscall.ECONNRESET && errno != syscall.EPIPE
				if copied && (err != nil || !bytes.Equal(got, want) || n != int64(len(want))) {
					t.Errorf("%d bytes sent, %d arrived, %v", n, len(got), err)
				}
				if !copied && (!errors.Is(err, errno) || n != first || !bytes.Equal(got, want[:first])) {
					t.Errorf("%d bytes sent, %d arrived, %v", n, len(got), err)
				}
			})
		}
	}
}

// lengths notes how much it is asked for at once.
type lengths struct {
	io.Reader
	most int
}

func (l *lengths) Read(b []byte) (int, error) {
	l.most = max(l.most, len(b))
	return l.Reader.Read(b)
}

func TestBufferSizes(t *testing.T) {
	for size, want := range map[int]int{
		-1: bufferSize, 0: bufferSize, 1: leastSize, leastSize: leastSize, 65536: 65536, 5000: 5000, mostSize: mostSize, 1 << 30: mostSize,
	} {
		if got := NewBuffers(size).Size(); got != want {
			t.Errorf("%d: %d, want %d", size, got, want)
		}
	}
	if got := new(Buffers).Size(); got != bufferSize {
		t.Errorf("the zero value has %d", got)
	}
	text, wire := lines()
	for _, size := range []int{leastSize, 5001, 1 << 20} {
		for _, ascii := range []bool{false, true} {
			src := &lengths{Reader: bytes.NewReader(text)}
			tr := &Transfer{Send: src, ASCII: ascii, Buffers: NewBuffers(size)}
			c, done := begin(t, within(t), tr)
			got, err := io.ReadAll(c)
			if want := map[bool][]byte{false: text, true: wire}[ascii]; err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes arrived, %v", len(got), err)
			}
			if res := await(t, done); res.Err != nil || src.most > size || src.most < size/2 {
				t.Errorf("buffers of %d: pieces of %d, %+v", size, src.most, res)
			}
			to := file(t, nil)
			tr = &Transfer{Receive: onlyWriter{to}, ASCII: ascii, Buffers: NewBuffers(size)}
			c, done = begin(t, within(t), tr)
			upload(t, c, wire)
			if want := map[bool][]byte{false: wire, true: text}[ascii]; await(t, done).Err != nil || !bytes.Equal(held(t, to), want) {
				t.Errorf("buffers of %d: the file differs", size)
			}
		}
	}
}

// moody is a connection, of TCP underneath, that does not survive a deadline.
type moody struct {
	net.Conn
	limits int
}

func (m *moody) SetWriteDeadline(at time.Time) error {
	if !at.IsZero() {
		m.limits++
	}
	return m.Conn.SetWriteDeadline(at)
}

// A connection that is no TCP connection is not interrupted to look at the count.
func TestSendOtherConnection(t *testing.T) {
	for stall, limits := range map[time.Duration]bool{0: false, patience: true} {
		server, client := pair(t)
		other := &moody{Conn: server}
		done := make(chan Result, 1)
		tr := &Transfer{Port: ready{other}, Send: file(t, pattern(200_000)), Stall: stall}
		go func() { done <- tr.Run(within(t)) }()
		if got, err := io.ReadAll(client); err != nil || !bytes.Equal(got, pattern(200_000)) {
			t.Errorf("%d bytes arrived, %v", len(got), err)
		}
		if res := await(t, done); res.Err != nil || other.limits > 0 != limits {
			t.Errorf("stall time %v: %d deadlines, %+v", stall, other.limits, res)
		}
	}
}
