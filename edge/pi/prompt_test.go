package pi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// ends are the two of a connection over TCP or a socket of the host's.
func ends(t testing.TB, network, at string) (server, client net.Conn) {
	t.Helper()
	l, err := net.Listen(network, at)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close(); client.Close() })
	return server, client
}

// kinds are connections that are written to directly, where that can be done, and one that
// is not what it seems.
func kinds(t *testing.T, test func(t *testing.T, server, client net.Conn)) {
	t.Run("tcp", func(t *testing.T) {
		server, client := ends(t, "tcp", "127.0.0.1:0")
		test(t, server, client)
	})
	t.Run("unix", func(t *testing.T) {
		server, client := ends(t, "unix", t.TempDir()+"/s")
		test(t, server, client)
	})
	t.Run("wrapped", func(t *testing.T) {
		server, client := ends(t, "tcp", "127.0.0.1:0")
		test(t, struct{ net.Conn }{server}, client)
	})
}

// TestPrompt: what the socket takes only in part arrives whole and in order.
func TestPrompt(t *testing.T) {
	kinds(t, func(t *testing.T, server, client net.Conn) {
		p := &prompt{Conn: server, within: writeTime, step: t.Context()}
		sent := make([]byte, 16<<20)
		for i := range sent {
			sent[i] = byte(i>>8) ^ byte(i)
		}
		got := make(chan []byte)
		go func() {
			b, _ := io.ReadAll(client)
			got <- b
		}()
		for _, part := range [][]byte{sent[:1], nil, sent[1:100], sent[100:]} {
			if n, err := p.Write(part); n != len(part) || err != nil {
				t.Fatalf("%d of %d: %v", n, len(part), err)
			}
		}
		server.Close()
		if b := <-got; !bytes.Equal(b, sent) {
			t.Errorf("%d bytes arrived of %d, or others", len(b), len(sent))
		}
		if _, err := p.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("to a connection that is closed: %v", err)
		}
	})
}

// TestPromptUnread: a client that does not read is not waited for, and hardly at all when
// the server ends; a write that did not wait leaves no deadline behind, nor does a deadline
// keep a later one.
func TestPromptUnread(t *testing.T) {
	kinds(t, func(t *testing.T, server, client net.Conn) {
		ctx, cancel := context.WithCancel(t.Context())
		p := &prompt{Conn: server, within: 10 * time.Millisecond, step: ctx}
		n, err := p.Write(make([]byte, 64<<20))
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%d, %v", n, err)
		}
		p.within = time.Hour
		time.AfterFunc(10*time.Millisecond, cancel)
		if _, err := p.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		p.step = t.Context()
		go func() { _, _ = io.Copy(io.Discard, client) }()
		if n, err := p.Write(make([]byte, 64<<20)); n != 64<<20 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// BenchmarkPrompt is a reply on its way into the socket, with and without the two changes
// of a timer that a write needs which may wait.
func BenchmarkPrompt(b *testing.B) {
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"direct":  func(c net.Conn) net.Conn { return c },
		"waiting": func(c net.Conn) net.Conn { return struct{ net.Conn }{c} },
	} {
		b.Run(name, func(b *testing.B) {
			server, client := ends(b, "tcp", "127.0.0.1:0")
			go func() { _, _ = io.Copy(io.Discard, client) }()
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			p := &prompt{Conn: wrap(server), within: writeTime, step: ctx}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Write([]byte("200 Done nothing.\r\n")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
