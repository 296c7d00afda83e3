package main

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// peerOf returns the descriptor of the other end of a connection, which is of this process;
// -1 while there is none.
func peerOf(c net.Conn) int {
	list, _ := os.ReadDir("/proc/self/fd")
	for _, e := range list {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		far, err := unix.Getpeername(fd)
		if err != nil || inet(far) != dtp.AddrPort(c.LocalAddr()) {
			continue
		}
		if near, err := unix.Getsockname(fd); err == nil && inet(near) == dtp.AddrPort(c.RemoteAddr()) {
			return fd
		}
	}
	return -1
}

// inet is an address of IPv4; the zero one if it is none.
func inet(a unix.Sockaddr) netip.AddrPort {
	four, ok := a.(*unix.SockaddrInet4)
	if !ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), uint16(four.Port))
}

// The congestion control of a listener is that of what it accepts, of FTP and of HTTP, and a
// reload changes it, and takes it back.
func TestAcceptedCongestion(t *testing.T) {
	listeners := func(congestion string) string {
		return "listeners:\n  - { name: files, address: 127.0.0.1:0, tls: { control: off }" + congestion + " }\n  - { name: web, " + clearSite + congestion + " }\n"
	}
	r := newReloading(t, listeners(""))
	defer r.stop()
	accepted := func(listener int) (name string) {
		conn, err := net.Dial("tcp", r.addr(listener))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		until(t, userpi.Timeout, "the connection is accepted", func() bool {
			name, err = unix.GetsockoptString(peerOf(conn), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
			return err == nil
		})
		return name
	}
	usual, all := accepted(0), dtp.ReadAlgorithms()
	at := slices.IndexFunc(all.Free, func(name string) bool { return name != usual })
	if at < 0 { // then what is asked for cannot be told from what there is
		t.Fatalf("of the congestion controls %v may be chosen, and %s is the usual one", all.Free, usual)
	}
	want := all.Free[at]
	for _, of := range []struct{ text, want string }{{", congestion: " + want, want}, {"", usual}} {
		r.apply(listeners(of.text))
		for listener, name := range []string{"files", "web"} {
			if got := accepted(listener); got != of.want {
				t.Errorf("a connection of %s has %s, not %s", name, got, of.want)
			}
		}
	}
}
