package dtp

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// zipped returns b as an upload in MODE Z.
func zipped(b []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

// unzipped expands a download and sees to it that nothing follows.
func unzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	in := bytes.NewReader(b)
	r, err := zlib.NewReader(in)
	if err != nil {
		t.Error(err)
		return nil
	}
	got, err := io.ReadAll(r)
	if err != nil || in.Len() > 0 {
		t.Errorf("after %d bytes: %v, and %d bytes behind", len(got), err, in.Len())
	}
	return got
}

// modes are uploads and downloads in the clear, protected, limited, of text.
func modes(t *testing.T, test func(t *testing.T, tr *Transfer)) {
	for _, protect := range []bool{false, true} {
		for _, ascii := range []bool{false, true} {
			for _, limit := range []Limiter{nil, &meter{slice: 10_000}} {
				t.Run(fmt.Sprintf("tls=%v/ascii=%v/limited=%v", protect, ascii, limit != nil), func(t *testing.T) {
					tr := &Transfer{Deflate: new(Deflate), ASCII: ascii, Limiter: limit, Stall: patience, Buffers: NewBuffers(16 << 10)}
					if protect {
						tr.Protect = new(Protection)
					}
					test(t, tr)
				})
			}
		}
	}
}

// content is text that compresses, followed by bytes that do not.
func content(size int) []byte {
	b := bytes.Repeat([]byte("a line of text\nand one more\n\n"), size/60)
	for _, c := range pattern(size - len(b)) {
		b = append(b, c|0x40) // no line ends, so that text comes back as it was
	}
	return b
}

func TestDeflateSend(t *testing.T) {
	modes(t, func(t *testing.T, tr *Transfer) {
		for level, size := range []int{0, 1, 1000, 17_000, 300_000} {
			file, tr := content(size), *tr
			tr.Send, tr.Deflate = onlyReader{bytes.NewReader(file)}, &Deflate{Level: 3*level - 1}
			conn, done := start(t, &tr)
			got, err := io.ReadAll(conn)
			if err != nil {
				t.Error(err)
			}
			well(t, await(t, done), &tr, size, len(got))
			want := file
			if tr.ASCII {
				want = bytes.ReplaceAll(file, []byte("\n"), []byte("\r\n"))
			}
			if !bytes.Equal(unzipped(t, got), want) {
				t.Errorf("%d bytes: the client has something else", size)
			}
			if size == 0 && len(got) != len(zipped(nil)) {
				t.Errorf("an empty file is %q", got)
			}
		}
	})
}

func TestDeflateReceive(t *testing.T) {
	modes(t, func(t *testing.T, tr *Transfer) {
		for _, size := range []int{0, 1, 1000, 17_000, 300_000} {
			want, tr := content(size), *tr
			to := file(t, nil)
			tr.Receive, tr.MaxBytes = to, int64(size) // of the file
			conn, done := start(t, &tr)
			sent := want
			if tr.ASCII {
				sent = bytes.ReplaceAll(want, []byte("\n"), []byte("\r\n"))
			}
			sent = zipped(sent)
			if _, err := conn.Write(sent); err != nil {
				t.Error(err)
			}
			if err := conn.CloseWrite(); err != nil {
				t.Error(err)
			}
			well(t, await(t, done), &tr, size, len(sent))
			if !bytes.Equal(held(t, to), want) {
				t.Errorf("%d bytes: the file is something else", size)
			}
		}
	})
}

// sent uploads wire in MODE Z and returns the result and the file.
func sent(t *testing.T, tr *Transfer, wire []byte) (Result, []byte) {
	t.Helper()
	to := file(t, nil)
	tr.Receive = to
	if tr.Deflate == nil {
		tr.Deflate = new(Deflate)
	}
	conn, done := start(t, tr)
	_, _ = conn.Write(wire) // the server may have gone by now
	_ = conn.CloseWrite()
	return await(t, done), held(t, to)
}

// What is no whole zlib stream, and nothing but one, is refused.
func TestDeflateDamaged(t *testing.T) {
	whole := zipped(content(5000))
	change := func(i int, by byte) []byte {
		b := bytes.Clone(whole)
		b[i] ^= by
		return b
	}
	for name, wire := range map[string][]byte{
		"in the clear":  content(5000),
		"header":        change(0, 1),
		"middle":        change(len(whole)/2, 0x10),
		"checksum":      change(len(whole)-1, 1),
		"byte behind":   append(bytes.Clone(whole), 0),
		"stream behind": append(bytes.Clone(whole), whole...),
		"dictionary":    {0x78, 0xbb, 1, 2, 3, 4, 3, 0, 0, 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			res, _ := sent(t, new(Transfer), wire)
			wantErr(t, res.Err, ErrDeflate)
			if errors.Is(res.Err, io.ErrUnexpectedEOF) {
				t.Errorf("it is held for one that was cut: %v", res.Err)
			}
		})
	}
}

// A stream that is cut anywhere is told from one that is damaged; so is one that
// never began.
func TestDeflateCut(t *testing.T) {
	whole := zipped(content(500))
	for _, n := range []int{0, 1, 2, 3, len(whole) / 2, len(whole) - 4, len(whole) - 1} {
		res, _ := sent(t, new(Transfer), whole[:n])
		if !errors.Is(res.Err, ErrDeflate) || !errors.Is(res.Err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: %v", n, res.Err)
		}
	}
}

// An end without close_notify is an error also where the stream is whole, unless
// it is permitted.
func TestDeflateTruncated(t *testing.T) {
	for _, lenient := range []bool{false, true} {
		tr := &Transfer{Receive: file(t, nil), Deflate: new(Deflate), Protect: &Protection{LenientClose: lenient}}
		conn, done := start(t, tr)
		if _, err := conn.Write(zipped(content(5000))); err != nil {
			t.Fatal(err)
		}
		if err := conn.(interface{ NetConn() net.Conn }).NetConn().(*witness).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		res := await(t, done)
		if lenient && (res.Err != nil || !res.Unannounced || res.Bytes != 5000) || !lenient && !errors.Is(res.Err, ErrTruncated) {
			t.Errorf("lenient %v: %+v", lenient, res)
		}
	}
}

func TestDeflateReset(t *testing.T) {
	tr := &Transfer{Receive: file(t, nil), Deflate: new(Deflate)}
	c, done := begin(t, within(t), tr)
	if _, err := c.Write(zipped(pattern(100_000))[:50_000]); err != nil {
		t.Fatal(err)
	}
	if err := c.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	c.Close()
	err := await(t, done).Err
	wantErr(t, err, ErrBroken)
	if errors.Is(err, ErrDeflate) {
		t.Errorf("a broken connection is held for a damaged stream: %v", err)
	}
}

// A bomb is stopped by its ratio, and early.
func TestDeflateBomb(t *testing.T) {
	const size = 16 << 20
	bomb := zipped(make([]byte, size))
	for _, ascii := range []bool{false, true} {
		res, got := sent(t, &Transfer{ASCII: ascii}, bomb)
		if !errors.Is(res.Err, ErrRatio) || !errors.Is(res.Err, ErrTooLarge) || len(got) > 8<<20 {
			t.Errorf("%d bytes stored, %v", len(got), res.Err)
		}
	}
	if res, got := sent(t, new(Transfer), zipped(make([]byte, ratioFree))); res.Err != nil || len(got) != ratioFree {
		t.Errorf("the first MiB: %d bytes, %v", len(got), res.Err)
	}
	if res, got := sent(t, &Transfer{Deflate: &Deflate{MaxRatio: -1}}, bomb); res.Err != nil || len(got) != size {
		t.Errorf("without limit: %d bytes, %v", len(got), res.Err)
	}
	if res, _ := sent(t, &Transfer{Deflate: &Deflate{MaxRatio: 2}}, zipped(bytes.Repeat([]byte("line\n"), 400_000))); !errors.Is(res.Err, ErrRatio) {
		t.Errorf("beyond a ratio of 2: %v", res.Err)
	}
	for limit, want := range map[int64]error{size - 1: ErrTooLarge, size: nil} {
		res, got := sent(t, &Transfer{Deflate: &Deflate{MaxRatio: 2000}, MaxBytes: limit}, bomb)
		if !errors.Is(res.Err, want) || errors.Is(res.Err, ErrRatio) || int64(len(got)) > limit {
			t.Errorf("%d bytes permitted: %d stored, %v", limit, len(got), res.Err)
		}
	}
}

// Memory does not depend on the size of the file, and compressors are used again.
func TestDeflateMemory(t *testing.T) {
	bomb, buffers := zipped(make([]byte, 8<<20)), NewBuffers(64<<10)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 4 {
		if res, _ := drop(t, &Transfer{Deflate: &Deflate{MaxRatio: -1}, Buffers: buffers}, bomb); res.Err != nil || res.Bytes != 8<<20 {
			t.Errorf("%+v", res)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 6<<20 {
		t.Errorf("%d bytes were allocated for 32 MiB", grown)
	}
}

// nowhere is a file that keeps nothing.
type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

func drop(t *testing.T, tr *Transfer, wire []byte) (Result, error) {
	t.Helper()
	tr.Receive = nowhere{}
	c, done := begin(t, within(t), tr)
	upload(t, c, wire)
	return await(t, done), nil
}

// endless is a file of zeros.
type endless struct{}

func (endless) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// A download that compresses to almost nothing is ended by ABOR nevertheless, and
// a client that ends an upload's stream and not its connection stalls.
func TestDeflateAbortAndStall(t *testing.T) {
	cause := errors.New("ABOR")
	ctx, cancel := context.WithCancelCause(within(t))
	defer cancel(nil)
	c, done := begin(t, ctx, &Transfer{Send: endless{}, Deflate: new(Deflate), Buffers: NewBuffers(leastSize)})
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel(cause)
	wantErr(t, await(t, done).Err, cause)

	tr := &Transfer{Receive: file(t, nil), Deflate: new(Deflate), Stall: 50 * time.Millisecond}
	c, done = begin(t, within(t), tr)
	if _, err := c.Write(zipped(pattern(100))); err != nil {
		t.Fatal(err)
	}
	wantErr(t, await(t, done).Err, ErrStalled)
}
