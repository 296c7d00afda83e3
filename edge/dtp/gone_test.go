//go:build linux

package dtp

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestGone: an end is noticed behind bytes that were not read.
func TestGone(t *testing.T) {
	for name, end := range map[string]func(*net.TCPConn){
		"closed":      func(c *net.TCPConn) { c.Close() },
		"half-closed": func(c *net.TCPConn) { _ = c.CloseWrite() },
		"reset":       func(c *net.TCPConn) { _ = c.SetLinger(0); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			l, at := listener(t)
			there, err := net.Dial("tcp", at.String())
			if err != nil {
				t.Fatal(err)
			}
			defer there.Close()
			here, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer here.Close()
			if _, err := io.WriteString(there, "unread"); err != nil {
				t.Fatal(err)
			}
			if Gone(here) {
				t.Error("it is gone from the start")
			}
			end(there.(*net.TCPConn))
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for limit := time.Now().Add(5 * time.Second); !Gone(here); <-tick.C {
				if time.Now().After(limit) {
					t.Fatal("the end is not noticed")
				}
			}
		})
	}
	a, b := net.Pipe()
	defer a.Close()
	if b.Close(); Gone(a) {
		t.Error("of a pipe it is told")
	}
}
