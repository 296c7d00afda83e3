package ports

import (
	"errors"
	"io"
	"net"
	"runtime"
	"strconv"
	"testing"
)

func at(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// What is given is listened at, more than once, in both protocols, and serves.
func TestAddr(t *testing.T) {
	addr := Addr(t)
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Fatal("somebody listens there")
	}
	for range 3 {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if c, err := l.Accept(); err == nil {
				_, _ = io.WriteString(c, "hello")
				_ = c.Close()
			}
		}()
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(c); string(text) != "hello" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
		_ = c.Close()
		_ = l.Close()
	}
	u, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = u.Close()
}

// A number that one test has is no other's: not while nobody listens there, nor while
// somebody does, nor behind that.
func TestHeld(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can hold a port for a listener")
	}
	port := Row(t, 1)
	refused := func(when string) {
		t.Helper()
		if release, err := hold(port); err == nil {
			release()
			t.Errorf("%s: it is given twice", when)
		}
	}
	refused("at first")
	for _, address := range []string{at(port), net.JoinHostPort("0.0.0.0", strconv.Itoa(port))} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		refused("with a listener at " + address)
		_ = l.Close()
		refused("after that")
	}
}

// A row is whole, or there is none, and what was taken for it is let go.
func TestRow(t *testing.T) {
	from := Row(t, 20)
	for i := range 20 {
		l, err := net.Listen("tcp", at(from+i))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	held := map[int]bool{}
	take := func(port int) (func(), error) {
		if port%10 == 0 {
			return nil, errors.New("taken")
		}
		held[port] = true
		return func() { delete(held, port) }, nil
	}
	from, release, err := row(9, take)
	if err != nil || from%10 != 1 || len(held) != 9 {
		t.Errorf("a row of 9 from %d, %d are held: %v", from, len(held), err)
	}
	release()
	if len(held) != 0 {
		t.Errorf("%d are held behind the end", len(held))
	}
	if _, _, err := row(10, take); !errors.Is(err, errNone) || len(held) != 0 {
		t.Errorf("a row that there is not: %v, %d are held", err, len(held))
	}
}

// Some are different ones.
func TestSome(t *testing.T) {
	seen := map[string]bool{}
	for _, port := range Some(t, 50) {
		if seen[port] {
			t.Errorf("%s is given twice", port)
		}
		seen[port] = true
	}
}
