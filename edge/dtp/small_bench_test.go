package dtp

import (
	"fmt"
	"io"
	"net"
	"testing"
)

// BenchmarkSmall is files of 4 KiB, each on a port that the one before has used, or on a fresh one.
func BenchmarkSmall(b *testing.B) {
	for _, up := range []bool{false, true} {
		for _, fresh := range []bool{false, true} {
			b.Run(fmt.Sprintf("up=%v,fresh=%v", up, fresh), func(b *testing.B) { benchSmall(b, up, fresh) })
		}
	}
}

func benchSmall(b *testing.B, up, fresh bool) {
	spare, buffers := new(Spare), new(Buffers)
	defer spare.Close()
	content := pattern(4096)
	f := file(b, content)
	conf := PassiveConfig{Local: loopback, Peer: loopback, Wait: patience, Spare: spare, Ephemeral: ReadEphemeral()}
	if fresh {
		conf.Spare = nil
	}
	for b.Loop() {
		p, err := Listen(b.Context(), conf)
		if err != nil {
			b.Fatal(err)
		}
		c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(p.Addr()))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		tr := &Transfer{Port: p, Buffers: buffers}
		if up {
			tr.Receive = f
			if _, err := c.Write(content); err != nil {
				b.Fatal(err)
			}
			c.Close()
		} else {
			tr.Send = f
		}
		if res := tr.Run(b.Context()); res.Err != nil || res.Bytes != 4096 {
			b.Fatal(res)
		}
		c.Close()
	}
}
