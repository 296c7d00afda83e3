package pi

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// rot13 replaces every letter.
func rot13(_ context.Context, q *policy.Chunk) (policy.Piece, error) {
	return policy.Piece{Verdict: policy.Rewrite, Data: bytes.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return 'a' + (r-'a'+13)%26
		case 'A' <= r && r <= 'Z':
			return 'A' + (r-'A'+13)%26
		}
		return r
	}, q.Data)}, nil
}

func passes(context.Context, *policy.Chunk) (policy.Piece, error) { return policy.Piece{}, nil }

// fetch is a whole download, put a whole upload; both return the final reply.
func (b *bench) fetch(line string) (string, string) {
	b.t.Helper()
	conn := b.begin(line).connect()
	got, _ := io.ReadAll(conn)
	r, err := b.client.Reply()
	b.must(err)
	return string(got), r.String()
}

func (b *bench) send(line, data string) string {
	b.t.Helper()
	p := b.begin(line)
	sent := make(chan struct{})
	go func() {
		p.put([]byte(data))
		close(sent)
	}()
	r, err := b.client.Reply()
	b.must(err)
	<-sent
	return r.String()
}

// holds checks what is published.
func (b *bench) holds(path, want string) {
	b.t.Helper()
	file, err := b.fs.Open(b.path(path))
	if err != nil {
		if want != "" {
			b.t.Errorf("%s: %v", path, err)
		}
		return
	}
	defer file.Close()
	got, err := io.ReadAll(file)
	if err != nil || string(got) != want {
		b.t.Errorf("%s holds %q, %v, want %q", path, got, err, want)
	}
}

// Bytes are those of the file, whatever becomes of them on the wire.
func TestFilterDownload(t *testing.T) {
	for _, c := range []struct{ before, line, wire, asked string }{
		{"TYPE I", "RETR /f", "1\nUryyb\n", `read /f 0:"1\nHello\n", read /f 8:"" last`},
		{"TYPE A", "RETR /f", "1\r\nUryyb\r\n", `read /f 0:"1\nHello\n", read /f 8:"" last`},
		{"REST 2", "RETR /f", "Uryyb\n", `read /f 2:"Hello\n", read /f 8:"" last`},
		{"RANG 2 4", "RETR /f", "Ury", `read /f 2:"Hel", read /f 5:"" last`},
		{"TYPE I", "RETR /empty", "", `read /empty 0:"" last`},
		{"MODE Z", "RETR /f", "1\nUryyb\n", `read /f 0:"1\nHello\n", read /f 8:"" last`},
	} {
		w := &warden{filter: rot13}
		b := newBench(t, wardens(t, w)).own().login()
		b.must(b.fs.WriteFile("/f", []byte("1\nHello\n")))
		b.must(b.fs.WriteFile("/empty", nil))
		b.do(c.before, 200, 350)
		got, reply := b.fetch(c.line)
		if c.before == "MODE Z" {
			zr, err := zlib.NewReader(strings.NewReader(got))
			b.must(err)
			plain, err := io.ReadAll(zr)
			b.must(err)
			got = string(plain)
		}
		if got != c.wire || !strings.HasPrefix(reply, "226") {
			t.Errorf("%s, %s: %q, %s", c.before, c.line, got, reply)
		}
		if asked := w.said(); asked != c.asked {
			t.Errorf("%s, %s: it was asked %s", c.before, c.line, asked)
		}
		b.close()
	}
}

func TestFilterUpload(t *testing.T) {
	var z bytes.Buffer
	zw := zlib.NewWriter(&z)
	_, _ = zw.Write([]byte("Hello"))
	_ = zw.Close()
	for _, c := range []struct{ before, line, data, at, holds, asked string }{
		{"TYPE I", "STOR /f", "Hello", "/f", "Uryyb", `write /f 0:"Hello", write /f 5:"" last`},
		{"TYPE A", "STOR /f", "1\r\nHello", "/f", "1\nUryyb", `write /f 0:"1\nHello", write /f 7:"" last`},
		{"MODE Z", "STOR /f", z.String(), "/f", "Uryyb", `write /f 0:"Hello", write /f 5:"" last`},
		{"REST 2", "STOR /old", "xx", "/old", "olkk5", `write /old 2:"xx", write /old 4:"" last`},
		{"TYPE I", "APPE /old", "xx", "/old", "old45kk", `append /old 5:"xx", append /old 7:"" last`},
		{"TYPE I", "STOR /f", "", "/f", "", `write /f 0:"" last`},
	} {
		w := &warden{filter: rot13}
		b := newBench(t, wardens(t, w)).own().login()
		b.must(b.fs.WriteFile("/old", []byte("old45")))
		b.do(c.before, 200, 350)
		if reply := b.send(c.line, c.data); !strings.HasPrefix(reply, "226") {
			t.Errorf("%s, %s: %s", c.before, c.line, reply)
		}
		b.holds(c.at, c.holds)
		if asked := w.said(); asked != c.asked {
			t.Errorf("%s, %s: it was asked %s", c.before, c.line, asked)
		}
		b.close()
	}
}

// A refused upload leaves nothing, and a refused download sends nothing of what was
// refused.
func TestFilterRefuses(t *testing.T) {
	for _, c := range []struct {
		piece policy.Piece
		err   error
		want  string
	}{
		{policy.Piece{Verdict: policy.Deny, Code: 552, Text: "A virus."}, nil, "552 A virus. (ref 1-"},
		{policy.Piece{Verdict: policy.Hide}, nil, "550 That is not permitted (ref 1-"},
		{policy.Piece{}, fmt.Errorf("a fault: %w", context.Canceled), "451 That could not be decided and is refused (ref 1-"},
	} {
		for _, bad := range []string{"EICAR", ""} { // in a chunk, and at the end
			w := &warden{filter: func(_ context.Context, q *policy.Chunk) (policy.Piece, error) {
				if string(q.Data) == bad {
					return c.piece, c.err
				}
				return policy.Piece{}, nil
			}}
			b := newBench(t, wardens(t, w)).own().login()
			b.must(b.fs.WriteFile("/f", []byte("EICAR")))
			if got, reply := b.fetch("RETR /f"); !strings.HasPrefix(reply, c.want) || bad != "" && got != "" {
				t.Errorf("RETR: %q, %s, want %s", got, reply, c.want)
			}
			reply := b.send("STOR /new", "EICAR")
			if !strings.HasPrefix(reply, c.want) {
				t.Errorf("STOR: %s, want %s", reply, c.want)
			}
			b.holds("/new", "")
			if parts, _ := b.fs.Partials("dev", "/"); len(parts) > 0 {
				t.Errorf("something is kept of a refused upload: %v", parts)
			}
			b.close()
			if e := w.event(policy.EventIncompleteFileReceived); !strings.Contains(reply, fmt.Sprintf("(ref 1-%d)", e.Request)) {
				t.Errorf("the event's number is %d, the reply %s", e.Request, reply)
			}
		}
	}
}

// What is kept of an interrupted upload is what the client has sent, or nothing.
func TestFilterInterrupted(t *testing.T) {
	for _, c := range []struct {
		filter func(context.Context, *policy.Chunk) (policy.Piece, error)
		kept   int
	}{{passes, 1}, {rot13, 0}} {
		b := newBench(t, wardens(t, &warden{filter: c.filter})).own().login()
		p := b.begin("STOR /f")
		conn := p.connect()
		if _, err := conn.Write([]byte("Hello")); err != nil {
			t.Fatal(err)
		}
		b.do("ABOR", 426)
		b.expect("the reply to ABOR", 226)
		if parts, _ := b.fs.Partials("dev", "/"); len(parts) != c.kept {
			t.Errorf("kept: %v", parts)
		}
		b.close()
	}
}

// The size that may be stored is that of what is stored.
func TestFilterLimits(t *testing.T) {
	grows := func(_ context.Context, q *policy.Chunk) (policy.Piece, error) {
		return policy.Piece{Verdict: policy.Rewrite, Data: append(bytes.Clone(q.Data), q.Data...)}, nil
	}
	shrinks := func(_ context.Context, q *policy.Chunk) (policy.Piece, error) {
		return policy.Piece{Verdict: policy.Rewrite, Data: q.Data[:len(q.Data)/2]}, nil
	}
	for _, c := range []struct {
		filter func(context.Context, *policy.Chunk) (policy.Piece, error)
		size   int
		want   string
	}{{grows, 5, "226"}, {grows, 6, "552"}, {shrinks, 20, "226"}, {shrinks, 22, "552"}} {
		w := &warden{filter: c.filter}
		w.fs = func(context.Context, *policy.Action) (policy.Answer, error) {
			return policy.Answer{Limits: policy.Limits{MaxFileSize: 10}}, nil
		}
		b := newBench(t, wardens(t, w)).own().login()
		if reply := b.send("STOR /f", strings.Repeat("x", c.size)); !strings.HasPrefix(reply, c.want) {
			t.Errorf("%d bytes: %s, want %s", c.size, reply, c.want)
		}
		b.close()
	}
}

// ABOR ends a transfer while a policy has its bytes.
func TestFilterAbort(t *testing.T) {
	entered := make(chan struct{})
	w := &warden{filter: func(ctx context.Context, q *policy.Chunk) (policy.Piece, error) {
		close(entered) // there is one call
		<-ctx.Done()
		return policy.Piece{}, ctx.Err()
	}}
	b := newBench(t, wardens(t, w)).own().login()
	defer b.close()
	p := b.begin("STOR /f")
	go p.put(make([]byte, 1<<20))
	<-entered
	b.do("STAT", 211)
	b.do("ABOR", 426)
	b.expect("the reply to ABOR", 226)
}

func TestTapStage(t *testing.T) {
	w := &warden{tap: true, filter: func(context.Context, *policy.Chunk) (policy.Piece, error) {
		return policy.Piece{Verdict: policy.Deny}, errors.New("nobody minds")
	}}
	b := newBench(t, wardens(t, w)).own().login()
	b.files("/f")
	if got, reply := b.fetch("RETR /f"); got != "/f" || !strings.HasPrefix(reply, "226") {
		t.Errorf("%q, %s", got, reply)
	}
	if reply := b.send("STOR /g", "Hello"); !strings.HasPrefix(reply, "226") {
		t.Errorf("STOR: %s", reply)
	}
	b.close()
	if got, want := w.said(), `read /f 0:"/f", read /f 2:"" last, write /g 0:"Hello", write /g 5:"" last`; got != want {
		t.Errorf("it heard %s", got)
	}
}

// The rate follows the policy while the transfer runs, and bytes go on while it is
// asked.
func TestThrottleStage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates := []policy.Rate{{Limit: 1000, TTL: time.Second}, {Limit: 100_000, TTL: time.Second}, {}}
		w := &warden{}
		w.throttle = func(*policy.Transfer) (policy.Rate, error) {
			r := rates[0]
			if len(rates) > 1 {
				rates = rates[1:]
			}
			return r, nil
		}
		b := newBench(t, wardens(t, w)).own().login()
		const size = 1 << 20
		b.must(b.fs.WriteFile("/f", make([]byte, size)))
		began := time.Now()
		got, reply := b.fetch("RETR /f")
		if took := time.Since(began); len(got) != size || !strings.HasPrefix(reply, "226") || took < 2*time.Second || took > 2200*time.Millisecond {
			t.Errorf("%d bytes in %v, %s", len(got), took, reply)
		}
		asked := strings.Split(w.said(), ", ")
		var moved [3]int
		for i, text := range asked {
			if _, err := fmt.Sscanf(text, "read /f up false size 1048576 moved %d", &moved[i]); err != nil {
				t.Errorf("it was asked %s", text)
			}
		}
		if len(asked) != 3 || moved[0] != 0 || moved[1] < 900 || moved[1] > 1700 || moved[2] < 95_000 || moved[2] > 110_000 {
			t.Errorf("it was asked %v", asked)
		}
		if _, reply := b.fetch("LIST"); !strings.HasPrefix(reply, "226") {
			t.Errorf("LIST: %s", reply)
		}
		if reply := b.send("STOR /g", "x"); !strings.HasPrefix(reply, "226") {
			t.Errorf("STOR: %s", reply)
		}
		if got, want := w.said(), "list / up false size -1 moved 0, write /g up true size -1 moved 0"; got != want {
			t.Errorf("it was asked %s", got)
		}
		b.close()
	})
}

// A policy that fails leaves the transfer as it is.
func TestThrottleStageFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		w := &warden{throttle: func(*policy.Transfer) (policy.Rate, error) {
			if n++; n > 1 {
				return policy.Rate{}, errors.New("a fault")
			}
			return policy.Rate{Limit: 10_000, TTL: time.Second}, nil
		}}
		b := newBench(t, wardens(t, w)).own().login()
		b.must(b.fs.WriteFile("/f", make([]byte, 50_000)))
		began := time.Now()
		_, reply := b.fetch("RETR /f")
		if took := time.Since(began); took < 4800*time.Millisecond || took > 5200*time.Millisecond || n < 5 {
			t.Errorf("it took %v with %d questions, %s", took, n, reply)
		}
		b.close()
	})
}
