package quicnet

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
)

// A download survives a client whose address changes twice, and the server learns of it.
func TestRebinding(t *testing.T) {
	s := listen(t, nil)
	r := newRelay(t, s.Addr().(*net.UDPAddr))
	conf := s.dialConfig()
	conf.Addr = r.front.LocalAddr().String()
	c, err := Dial(within(t), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	far, _ := s.session(t, c)
	moved := make(chan netip.AddrPort, 4)
	far.Moved(func(to netip.AddrPort) { moved <- to })
	token, file := c.Token(), pattern(12<<20)
	d := open(t, prepare(t, far, token), false)
	sent := make(chan error, 1)
	go func() {
		_, err := d.Write(file)
		sent <- errors.Join(err, d.End(nil))
	}()
	from, err := c.Receive(within(t), token)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 0, len(file))
	for range 2 {
		part := make([]byte, 4<<20)
		if _, err := io.ReadFull(from, part); err != nil {
			t.Fatal(err)
		}
		got = append(got, part...)
		r.rebind(t)
		more := make([]byte, 1<<20)
		if _, err := io.ReadFull(from, more); err != nil {
			t.Fatal(err)
		}
		got = append(got, more...)
		want := r.behind().LocalAddr().(*net.UDPAddr).AddrPort()
		select {
		case to := <-moved:
			if to != want || far.RemoteAddr().(*net.UDPAddr).AddrPort() != want {
				t.Errorf("the client is at %v, the server is told %v and says %v", want, to, far.RemoteAddr())
			}
		case <-within(t).Done():
			t.Fatal("nobody is told that the client has moved")
		}
	}
	rest, err := io.ReadAll(from)
	if err := errors.Join(err, <-sent); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(append(got, rest...), file) {
		t.Error("the file has changed on its way")
	}
}

// Nothing is watched that nobody asked for, or that has ended.
func TestWatchEnds(t *testing.T) {
	s := listen(t, nil)
	c := s.dial(t)
	first, _ := s.session(t, c)
	second, _ := s.session(t, c)
	watching := func() bool {
		s.moves.mu.Lock()
		defer s.moves.mu.Unlock()
		return s.moves.timer != nil && len(s.moves.links) == 1
	}
	first.Moved(nil)
	if watching() {
		t.Error("watched from the beginning")
	}
	first.Moved(func(netip.AddrPort) {})
	second.Moved(func(netip.AddrPort) {})
	first.Moved(nil)
	if !watching() {
		t.Error("not watched")
	}
	s.moves.look()
	if !watching() {
		t.Error("looked once")
	}
	_ = second.Close()
	if watching() {
		t.Error("watched after the end")
	}
	first.Moved(func(netip.AddrPort) {})
	_ = c.Close()
	await(t, func() bool { return !watching() })
}
