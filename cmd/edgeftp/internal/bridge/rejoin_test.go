package bridge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// noise is what is sent in these tests.
func noise(size int) []byte {
	b := make([]byte, size)
	source := rand.NewChaCha8([32]byte{2})
	_, _ = source.Read(b)
	return b
}

// sending begins an upload.
func (r *rig) sending(c *userpi.Client, line string) net.Conn {
	r.t.Helper()
	conn, err := c.Begin(userpi.EPSV, line)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil { // the machine may be busy
		r.t.Fatal(err)
	}
	return conn
}

// arrive writes, and waits until the server has stored all of it: so many bytes, and those
// of its stream that went before.
func (r *rig) arrive(conn net.Conn, b []byte, before int) {
	r.t.Helper()
	if _, err := conn.Write(b); err != nil {
		r.t.Fatal(err)
	}
	for end := time.Now().Add(userpi.Timeout); ; pause(r.t, 5*time.Millisecond) {
		all := r.srv.Transfers()
		if len(all) == 1 && all[0].Bytes == int64(before+len(b)) {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("%d bytes do not arrive behind %d: %+v", len(b), before, all)
		}
	}
}

// gated makes every connection but the first one wait for a gate.
func gated(dial func(context.Context) (Link, error), gate <-chan struct{}) func(context.Context) (Link, error) {
	first := true
	return func(ctx context.Context) (Link, error) {
		if !first {
			select {
			case <-gate:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		first = false
		return dial(ctx)
	}
}

// empty waits until the server knows that the connection is lost.
func (r *rig) empty() {
	r.t.Helper()
	for end := time.Now().Add(userpi.Timeout); len(r.srv.Sessions()) > 0; pause(r.t, 5*time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatal("the server does not learn of it")
		}
	}
}

// holds checks a file of the server.
func (r *rig) holds(name string, want []byte) {
	r.t.Helper()
	f, err := r.files.Open(vfs.Path(name))
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil || !bytes.Equal(got, want) {
		r.t.Errorf("%s has %d bytes, which are not the %d that were sent: %v", name, len(got), len(want), err)
	}
}

// finish ends an upload, which has to be answered with one of the codes.
func (r *rig) finish(c *userpi.Client, conn net.Conn, codes ...int) userpi.Reply {
	r.t.Helper()
	_ = userpi.End(conn)
	reply, err := c.Expect("the end", codes...)
	if err != nil {
		r.t.Fatal(err)
	}
	return reply
}

// An upload goes on over another connection, twice, from where the server has it; the client
// does not notice, and the file is what it has sent.
func TestUploadGoesOn(t *testing.T) {
	r := start(t, nil)
	if err := r.files.Mkdir("/d"); err != nil {
		t.Fatal(err)
	}
	want := noise(3*maxWindow + 5000)
	c := r.client()
	must(t, c, "CWD d", 250)
	must(t, c, "TYPE I", 200)
	conn := r.sending(c, "STOR up.bin")
	third := len(want) / 3
	r.arrive(conn, want[:2*third], 0)
	r.cut(false)
	r.log.wait(t, "upload goes on")
	r.arrive(conn, want[2*third:2*third+1000], 0)
	r.cut(false)
	if _, err := conn.Write(want[2*third+1000:]); err != nil {
		t.Fatal(err)
	}
	r.finish(c, conn, 226)
	r.holds("/d/up.bin", want)
	if text := r.log.String(); strings.Count(text, "upload goes on") != 2 || !strings.Contains(text, "resumed=2") {
		t.Errorf("the log:\n%s", text)
	}
	must(t, c, "NOOP", 200)
}

// What was sent and not stored yet is sent once more, however much of it there was: a file
// that the bridge still has as a whole needs nothing of the server.
func TestUploadAgain(t *testing.T) {
	for name, set := range map[string]func(*edge.Config){
		"kept":       func(*edge.Config) {},
		"not kept":   func(c *edge.Config) { c.FS = forgets(c.FS) },
		"no digests": func(c *edge.Config) { c.Transfer.Hashes = []pi.Digest{pi.MD5} },
		"no reader":  func(c *edge.Config) { c.Policies = append(c.Policies, edge.Slot{Name: "no digests", Policy: unread{}}) },
		"other ones": func(c *edge.Config) { c.Transfer.Hashes = []pi.Digest{pi.CRC32, pi.SHA256} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, func(_ *Config, far *edge.Config) { set(far) })
			r.put("/up.bin", 3000) // another one, which is to be replaced
			want := noise(1 << 20)
			c := r.client()
			must(t, c, "TYPE I", 200)
			conn := r.sending(c, "STOR up.bin")
			if _, err := conn.Write(want[:500_000]); err != nil {
				t.Fatal(err)
			}
			r.cut(false)
			if _, err := conn.Write(want[500_000:]); err != nil {
				t.Fatal(err)
			}
			r.finish(c, conn, 226)
			r.holds("/up.bin", want)
			r.log.wait(t, "upload goes on")
		})
	}
}

// unread lets nobody have digests.
type unread struct{}

func (unread) Name() string        { return "unread" }
func (unread) Hooks() policy.Hooks { return policy.Hooks{Authorizer: unread{}} }
func (unread) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	if a.Op == policy.OpHash {
		return policy.Answer{Verdict: policy.Deny}, nil
	}
	return policy.Answer{}, nil
}

// forgetful keeps nothing of interrupted uploads.
type forgetful struct {
	vfs.FS
	vfs.Writer
}

func forgets(fs vfs.FS) vfs.FS { return forgetful{fs, fs.(vfs.Writer)} }

// Where it cannot be known that the server has what was sent, the client is told, and
// nothing is published.
func TestUploadNotGoingOn(t *testing.T) {
	part := noise(maxWindow + 10*chunk)
	for name, test := range map[string]struct {
		set      func(*edge.Config)
		meantime func(*testing.T, *rig)
		says     string
	}{
		"not kept":   {func(c *edge.Config) { c.FS = forgets(c.FS) }, nil, "kept nothing"},
		"no digests": {func(c *edge.Config) { c.Transfer.Hashes = []pi.Digest{pi.MD5} }, nil, "OPTS HASH"},
		"another file": {nil, func(t *testing.T, r *rig) {
			if err := r.files.WriteFile("/up.bin", bytes.Repeat([]byte("x"), len(part)-5)); err != nil {
				t.Fatal(err)
			}
		}, "is not what was sent"},
		"longer": {nil, func(t *testing.T, r *rig) {
			if err := r.files.WriteFile("/up.bin", append(bytes.Clone(part), 'x')); err != nil {
				t.Fatal(err)
			}
		}, "which are not what was sent"},
		"shorter": {nil, func(t *testing.T, r *rig) {
			if err := r.files.WriteFile("/up.bin", part[:chunk]); err != nil {
				t.Fatal(err)
			}
		}, "is not kept here any more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gate := make(chan struct{})
			r := start(t, func(c *Config, far *edge.Config) {
				c.Settle, c.Dial = time.Millisecond, gated(c.Dial, gate)
				if test.set != nil {
					test.set(far)
				}
			})
			c := r.client()
			must(t, c, "TYPE I", 200)
			conn := r.sending(c, "STOR up.bin")
			r.arrive(conn, part, 0)
			r.cut(false)
			r.log.wait(t, "upload waits")
			r.empty()
			if test.meantime != nil {
				test.meantime(t, r)
			}
			was, _ := r.files.Stat("/up.bin")
			close(gate)
			reply, err := c.Expect("STOR", 426)
			if err != nil || !strings.Contains(reply.Text(), test.says) || !strings.Contains(reply.Text(), "REST or APPE") {
				t.Error(reply, err)
			}
			if is, _ := r.files.Stat("/up.bin"); is != was {
				t.Errorf("the server has %+v, and had %+v", is, was)
			}
			must(t, c, "NOOP", 200)
		})
	}
}

// An upload that the client itself goes on with goes on as others do.
func TestUploadBehind(t *testing.T) {
	r := start(t, nil)
	want := noise(2*maxWindow + 1000)
	if err := r.files.WriteFile("/up.bin", want[:1000]); err != nil {
		t.Fatal(err)
	}
	c := r.client()
	must(t, c, "TYPE I", 200)
	must(t, c, "REST 1000", 350)
	conn := r.sending(c, "STOR up.bin")
	if _, err := conn.Write(want[1000:5000]); err != nil {
		t.Fatal(err)
	}
	r.cut(false)
	if _, err := conn.Write(want[5000:]); err != nil {
		t.Fatal(err)
	}
	r.finish(c, conn, 226)
	r.holds("/up.bin", want)
	r.log.wait(t, "upload goes on")
}

// Where the server's last word is lost, the file is there once, and as it was sent.
func TestUploadLastWord(t *testing.T) {
	r := start(t, func(c *Config, _ *edge.Config) {
		dial := c.Dial
		first := true
		c.Dial = func(ctx context.Context) (Link, error) {
			link, err := dial(ctx)
			if first && err == nil {
				first = false
				return deaf{link}, nil
			}
			return link, err
		}
	})
	want := noise(maxWindow + 1000)
	c := r.client()
	must(t, c, "TYPE I", 200)
	conn := r.sending(c, "STOR up.bin")
	if _, err := conn.Write(want); err != nil {
		t.Fatal(err)
	}
	r.finish(c, conn, 226)
	r.holds("/up.bin", want)
	if !strings.Contains(r.log.String(), "upload goes on") {
		t.Errorf("the log:\n%s", r.log)
	}
}

// deaf is a connection that is lost when the server says that an upload is complete.
type deaf struct{ Link }

func (d deaf) Session(ctx context.Context) (net.Conn, error) {
	conn, err := d.Link.Session(ctx)
	return &lastWord{conn, d.Link}, err
}

type lastWord struct {
	net.Conn
	link Link
}

func (l *lastWord) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if bytes.Contains(b[:n], []byte("226 ")) {
		_ = l.link.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// ABOR, and a client that goes, while the connection is away.
func TestUploadGivenUp(t *testing.T) {
	gate := make(chan struct{})
	r := start(t, func(c *Config, _ *edge.Config) { c.Dial = gated(c.Dial, gate) })
	c := r.client()
	must(t, c, "TYPE I", 200)
	conn := r.sending(c, "STOR up.bin")
	r.arrive(conn, noise(maxWindow+chunk), 0)
	r.cut(false)
	r.log.wait(t, "upload waits")
	if err := c.Send("ABOR"); err != nil {
		t.Fatal(err)
	}
	for _, code := range []int{426, 226} {
		if _, err := c.Expect("ABOR", code); err != nil {
			t.Fatal(err)
		}
	}
	close(gate)
	must(t, c, "PWD", 257)
	if _, err := r.files.Stat("/up.bin"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was published: %v", err)
	}
}
