package outbound

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// A connection goes to the addresses that were judged, and to none where one of them is
// refused.
func TestDialer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	asked := 0
	resolve := func(_ context.Context, host string) ([]netip.Addr, error) {
		asked++
		switch {
		case host == "nobody.example":
			return nil, nil
		case host == "two.example":
			return []netip.Addr{netip.MustParseAddr("93.184.216.34"), netip.MustParseAddr("10.0.0.1")}, nil
		case asked > 1: // a second answer leads elsewhere
			return []netip.Addr{netip.MustParseAddr("169.254.169.254")}, nil
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	here := &Dialer{Resolve: resolve, May: func(_ string, _ uint16, a netip.Addr) bool { return a.IsLoopback() }}
	conn, err := here.DialContext(t.Context(), "tcp", net.JoinHostPort("Here.example", port))
	if err != nil || asked != 1 {
		t.Fatalf("%v, asked %d times", err, asked)
	}
	_ = conn.Close()
	zero := &Dialer{Resolve: resolve}
	for host, text := range map[string]string{"127.0.0.1": "127.0.0.1", "::1": "::1", "two.example": "two.example resolves to 10.0.0.1", "x.example": "169.254"} {
		if _, err := zero.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port)); !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := zero.DialContext(t.Context(), "tcp", "nobody.example:1"); err == nil || errors.Is(err, ErrDenied) {
		t.Errorf("no address: %v", err)
	}
	for _, bad := range []string{"x", "x:port"} {
		if _, err := zero.DialContext(t.Context(), "tcp", bad); err == nil {
			t.Errorf("%s is dialled", bad)
		}
	}
}
