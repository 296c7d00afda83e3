package edge

import (
	"bufio"
	"net"
	"strings"
	"testing"
)

// A held server takes no new sessions, keeps those that there are, and can go on.
func TestHold(t *testing.T) {
	r := start(t, nil)
	defer r.stop()
	hello := func() (net.Conn, string) {
		t.Helper()
		c, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(c).ReadString('\n')
		return c, line
	}
	first, line := hello()
	defer func() { _ = first.Close() }()
	if !strings.HasPrefix(line, "220") {
		t.Fatal(line)
	}
	r.srv.Hold(true)
	second, line := hello()
	_ = second.Close()
	if !strings.HasPrefix(line, "421 ") || !strings.Contains(line, "no new sessions") || !r.srv.Held() {
		t.Errorf("held: %q", line)
	}
	if _, err := first.Write([]byte("NOOP\r\n")); err != nil {
		t.Error(err)
	}
	if line, err := bufio.NewReader(first).ReadString('\n'); err != nil || !strings.HasPrefix(line, "200") {
		t.Errorf("the session that was there: %q, %v", line, err)
	}
	r.srv.Hold(false)
	third, line := hello()
	_ = third.Close()
	if !strings.HasPrefix(line, "220") {
		t.Errorf("it does not go on: %q", line)
	}
}
