package dtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/throttle"
)

// sizes lie on both sides of the pieces that a transfer is cut into.
var sizes = []int{0, 1, bufferSize - 1, bufferSize, bufferSize + 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 7}

// onlyReader and onlyWriter hide what else a file can do.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// well checks a transfer that went well.
func well(t *testing.T, res Result, tr *Transfer, size, wire int) {
	t.Helper()
	if res.Err != nil || !res.Opened {
		t.Errorf("result is %+v", res)
	}
	if res.Bytes != int64(size) {
		t.Errorf("%d bytes moved, want %d", res.Bytes, size)
	}
	if n := tr.Progress.Bytes(); n != int64(wire) {
		t.Errorf("progress is %d bytes, want %d", n, wire)
	}
}

func TestSend(t *testing.T) {
	fast := throttle.NewLimiter(throttle.NewBucket(200 << 20))
	for _, size := range sizes {
		want := pattern(size)
		for name, tr := range map[string]*Transfer{
			"file":           {Send: file(t, want)},
			"file, limited":  {Send: file(t, want), Limiter: fast, Stall: patience},
			"other":          {Send: onlyReader{bytes.NewReader(want)}},
			"other, limited": {Send: onlyReader{bytes.NewReader(want)}, Limiter: fast, Stall: patience},
		} {
			t.Run(fmt.Sprintf("%d/%s", size, name), func(t *testing.T) {
				c, done := begin(t, within(t), tr)
				got, err := io.ReadAll(c)
				if err != nil {
					t.Error(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("the %d bytes that arrived differ from the file", len(got))
				}
				well(t, await(t, done), tr, size, size)
			})
		}
	}
}

// TestSendFromThere begins where the file stands (REST).
func TestSendFromThere(t *testing.T) {
	want := pattern(2 << 20)
	f := file(t, want)
	if _, err := f.Seek(12345, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	tr := &Transfer{Send: f}
	c, done := begin(t, within(t), tr)
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want[12345:]) {
		t.Errorf("%d bytes arrived, %v", len(got), err)
	}
	well(t, await(t, done), tr, len(want)-12345, len(want)-12345)
}

func TestReceive(t *testing.T) {
	fast := throttle.NewLimiter(throttle.NewBucket(200 << 20))
	for _, size := range sizes {
		want := pattern(size)
		for name, tr := range map[string]*Transfer{
			"file":           {},
			"file, limited":  {Limiter: fast, Stall: patience, MaxBytes: 1 << 40},
			"other":          {},
			"other, limited": {Limiter: fast, Stall: patience, MaxBytes: 1 << 40},
		} {
			t.Run(fmt.Sprintf("%d/%s", size, name), func(t *testing.T) {
				f := file(t, nil)
				if tr.Receive = io.Writer(f); strings.HasPrefix(name, "other") {
					tr.Receive = onlyWriter{f}
				}
				c, done := begin(t, within(t), tr)
				upload(t, c, want)
				well(t, await(t, done), tr, size, size)
				if !bytes.Equal(held(t, f), want) {
					t.Error("the file differs from what was sent")
				}
			})
		}
	}
}

// upload writes all of b and ends with a FIN.
func upload(t *testing.T, c *net.TCPConn, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

// TestReceiveFinIsWhole sees the client's end answered: the server closes.
func TestReceiveFinIsWhole(t *testing.T) {
	f := file(t, nil)
	tr := &Transfer{Receive: f}
	c, done := begin(t, within(t), tr)
	upload(t, c, []byte("whole"))
	well(t, await(t, done), tr, 5, 5)
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the client reads %d bytes, %v", n, err)
	}
}

func TestReceiveReset(t *testing.T) {
	for _, ascii := range []bool{false, true} {
		t.Run(fmt.Sprintf("ascii=%v", ascii), func(t *testing.T) {
			tr := &Transfer{Receive: file(t, nil), ASCII: ascii}
			c, done := begin(t, within(t), tr)
			if _, err := c.Write(pattern(100_000)); err != nil {
				t.Fatal(err)
			}
			if err := c.SetLinger(0); err != nil { // Close sends RST
				t.Fatal(err)
			}
			c.Close()
			wantErr(t, await(t, done).Err, ErrBroken)
		})
	}
}

func TestSendReset(t *testing.T) {
	for _, ascii := range []bool{false, true} {
		t.Run(fmt.Sprintf("ascii=%v", ascii), func(t *testing.T) {
			tr := &Transfer{Send: file(t, make([]byte, 32<<20)), ASCII: ascii}
			c, done := begin(t, within(t), tr)
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			if err := c.SetLinger(0); err != nil {
				t.Fatal(err)
			}
			c.Close()
			wantErr(t, await(t, done).Err, ErrBroken)
		})
	}
}

// lines returns a text that is longer than a buffer, as file and as NVT-ASCII.
func lines() (text, wire []byte) {
	text = bytes.Repeat([]byte("a line\n\nanother\nno\rend\n"), bufferSize/10)
	text = append(text, "without an end"...)
	return text, bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
}

func TestASCIISend(t *testing.T) {
	text, wire := lines()
	for name, limit := range map[string]*throttle.Limiter{
		"free": nil, "limited": throttle.NewLimiter(throttle.NewBucket(200 << 20)),
	} {
		t.Run(name, func(t *testing.T) {
			tr := &Transfer{Send: file(t, text), ASCII: true, Stall: patience, Limiter: limit}
			c, done := begin(t, within(t), tr)
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, wire) {
				t.Errorf("%d bytes arrived, want %d; %v", len(got), len(wire), err)
			}
			well(t, await(t, done), tr, len(text), len(wire))
		})
	}
}

func TestASCIIReceive(t *testing.T) {
	text, wire := lines()
	for name, end := range map[string]string{"plain": "", "a CR at the end": "\r"} {
		t.Run(name, func(t *testing.T) {
			text, wire := append(bytes.Clone(text), end...), append(bytes.Clone(wire), end...)
			f := file(t, nil)
			tr := &Transfer{Receive: f, ASCII: true}
			c, done := begin(t, within(t), tr)
			upload(t, c, wire)
			well(t, await(t, done), tr, len(text), len(wire))
			if !bytes.Equal(held(t, f), text) {
				t.Error("the file differs from the text")
			}
		})
	}
}

func TestMaxBytes(t *testing.T) {
	for _, limit := range []int{1, 10, bufferSize, 1 << 20, 1<<20 + 1} {
		for _, kind := range []string{"file", "other", "ascii"} {
			for _, over := range []int{0, 1, 100_000} {
				t.Run(fmt.Sprintf("%d/%s/%d more", limit, kind, over), func(t *testing.T) {
					f := file(t, nil)
					tr := &Transfer{Receive: f, MaxBytes: int64(limit)}
					size := limit + over
					wire := bytes.Repeat([]byte("x"), size)
					switch kind {
					case "other":
						tr.Receive = onlyWriter{f}
					case "ascii": // the limit is on the file, not on the wire
						tr.ASCII = true
						wire = bytes.Repeat([]byte("\r\n"), size)
					}
					c, done := begin(t, within(t), tr)
					if over == 0 {
						upload(t, c, wire)
						well(t, await(t, done), tr, size, len(wire))
						if n := len(held(t, f)); n != size {
							t.Errorf("the file has %d bytes, want %d", n, size)
						}
						return
					}
					_, _ = c.Write(wire) // the server may have gone by now
					_ = c.CloseWrite()
					wantErr(t, await(t, done).Err, ErrTooLarge)
					if n := len(held(t, f)); n > limit+1 {
						t.Errorf("%d bytes were kept of %d permitted", n, limit)
					}
				})
			}
		}
	}
}

// TestMaxBytesNeedsNoEnd has a client that goes on after its last permitted byte
// without ever ending.
func TestMaxBytesNeedsNoEnd(t *testing.T) {
	tr := &Transfer{Receive: file(t, nil), MaxBytes: 5}
	c, done := begin(t, within(t), tr)
	if _, err := c.Write([]byte("123456")); err != nil {
		t.Fatal(err)
	}
	wantErr(t, await(t, done).Err, ErrTooLarge)
}

func TestAbort(t *testing.T) {
	cause := errors.New("ABOR")
	const large = 32 << 20
	for name, tr := range map[string]*Transfer{
		"send, not read":        {Send: file(t, make([]byte, large))},
		"send ASCII, not read":  {Send: file(t, make([]byte, large)), ASCII: true},
		"receive, nothing sent": {Receive: file(t, nil)},
		"receive ASCII":         {Receive: file(t, nil), ASCII: true},
		"waiting for its rate": {Send: file(t, make([]byte, large)),
			Limiter: throttle.NewLimiter(throttle.NewBucket(1))},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(within(t))
			defer cancel(nil)
			c, done := begin(t, ctx, tr)
			if tr.Send != nil { // it is under way, and too large to end by itself
				if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			} else if _, err := c.Write([]byte("begun")); err != nil {
				t.Fatal(err)
			}
			cancel(cause)
			res := await(t, done)
			wantErr(t, res.Err, cause)
			if res.Bytes >= large {
				t.Errorf("%d bytes moved", res.Bytes)
			}
		})
	}
}

func TestAbortBeforeItOpened(t *testing.T) {
	cause := errors.New("ABOR")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	p := newPassive(t)
	tr := &Transfer{Port: p, Send: strings.NewReader("x"), Buffers: new(Buffers), Progress: new(Progress)}
	res := tr.Run(ctx)
	wantErr(t, res.Err, cause)
	if res.Opened || res.Bytes != 0 {
		t.Errorf("result is %+v", res)
	}
}

func TestStall(t *testing.T) {
	const stall = 50 * time.Millisecond
	const large = 32 << 20
	for name, tr := range map[string]*Transfer{
		"send":           {Send: file(t, make([]byte, large))},
		"send ASCII":     {Send: file(t, make([]byte, large)), ASCII: true},
		"receive":        {Receive: file(t, nil)},
		"receive other":  {Receive: onlyWriter{file(t, nil)}},
		"receive ASCII":  {Receive: file(t, nil), ASCII: true},
		"receive limits": {Receive: file(t, nil), MaxBytes: 100},
	} {
		t.Run(name, func(t *testing.T) {
			tr.Stall = stall
			c, done := begin(t, within(t), tr)
			if tr.Receive != nil {
				if _, err := c.Write([]byte("abc")); err != nil {
					t.Fatal(err)
				}
			}
			res := await(t, done) // nothing is read, and nothing more is sent
			wantErr(t, res.Err, ErrStalled)
			if res.Took < stall {
				t.Errorf("it took %v", res.Took)
			}
			if tr.Receive != nil && (res.Bytes != 3 || tr.Progress.Bytes() != 3) {
				t.Errorf("%d bytes moved, progress %d, want 3", res.Bytes, tr.Progress.Bytes())
			}
		})
	}
}

// failing is a file whose disk is full or whose sector is bad.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestFileErrors(t *testing.T) {
	bad := errors.New("the disk")
	closed := file(t, nil)
	closed.Close()
	for name, test := range map[string]struct {
		tr   *Transfer
		want error
	}{
		"read":         {&Transfer{Send: failing{bad}}, bad},
		"write":        {&Transfer{Receive: failing{bad}}, bad},
		"closed read":  {&Transfer{Send: closed}, os.ErrClosed},
		"closed write": {&Transfer{Receive: closed}, os.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			c, done := begin(t, within(t), test.tr)
			_, _ = c.Write([]byte("x"))
			_ = c.CloseWrite()
			err := await(t, done).Err
			wantErr(t, err, test.want)
			if errors.Is(err, ErrBroken) {
				t.Errorf("an error of the file is held for one of the connection: %v", err)
			}
		})
	}
}
