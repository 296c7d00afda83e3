// Package proxied reads what a proxy says of the connections that it brings: the header of
// the PROXY protocol, version 1 or 2, as HAProxy's proxy-protocol.txt has it. Read goes into
// the Read of [dtp.Proxies], which says whom to believe and for how long to wait.
//
// The header is taken from the connection to the byte, so that what comes after it is
// a TCP connection like any other, whose bytes the kernel can move.
package proxied

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

const (
	prefix1   = "PROXY "
	prefix2   = "\r\n\r\n\x00\r\nQUIT\n"
	fixed2    = 16  // bytes of version 2 before addresses
	longest1  = 107 // bytes of a line of version 1, as its specification counts them
	longest2  = 4096
	command2  = 12   // the place of version and command
	family2   = 13   // that of family and transport
	proxy2    = 0x21 // version 2, PROXY
	unspec2   = 0x00
	firstRead = len(prefix2)
)

// What a header is refused with, beside what the library says.
var (
	ErrTooLong = errors.New("the PROXY header is longer than edgeftp reads: 107 bytes of version 1, 4096 after the first 16 of version 2")
	ErrAddress = errors.New("the PROXY header names an address that no client can have")
)

// Read reads one header and nothing after it, however it comes in pieces. Where the first
// bytes are none, the announcement is not there and has them in Before; that is also so with
// an error of r's. A header without addresses of TCP (LOCAL, UNKNOWN, UNSPEC, those of Unix
// sockets) leaves Peer and Local invalid. What version 2 has behind the addresses is
// skipped.
func Read(r io.Reader) (dtp.Announcement, error) {
	head, version, err := begin(r)
	if err == nil {
		switch version {
		case 0:
			return dtp.Announcement{Before: head}, nil
		case 1:
			head, err = line(r, head)
		case 2:
			head, err = block(r, head)
		}
	}
	if err != nil {
		return dtp.Announcement{Before: head}, err
	}
	return parse(head)
}

// begin reads until it is clear what it is: version 0 is no header.
func begin(r io.Reader) (head []byte, version int, err error) {
	head = make([]byte, 0, longest1+1)
	for {
		switch {
		case len(head) >= len(prefix1) && bytes.HasPrefix(head, []byte(prefix1)):
			return head, 1, nil
		case len(head) >= len(prefix2) && bytes.HasPrefix(head, []byte(prefix2)):
			return head, 2, nil
		case !bytes.HasPrefix([]byte(prefix1), head) && !bytes.HasPrefix([]byte(prefix2), head):
			return head, 0, nil
		}
		n, err := r.Read(head[len(head):firstRead])
		head = head[:len(head)+n]
		if err != nil && n == 0 {
			return head, 0, unexpected(err, len(head))
		}
	}
}

// unexpected tells an end in the middle of a header from one before it.
func unexpected(err error, done int) error {
	if errors.Is(err, io.EOF) && done > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// line reads the rest of version 1. Its end is found without a byte too many: where the
// last one is not CR, there are two more at least.
func line(r io.Reader, head []byte) ([]byte, error) {
	for {
		n := len(head)
		if bytes.IndexByte(head, '\n') >= 0 || n > 1 && head[n-2] == '\r' { // the library says whether it is in its place
			return head, nil
		}
		want := 2
		if head[n-1] == '\r' {
			want = 1
		}
		if n+want > longest1 {
			return head, ErrTooLong
		}
		got, err := io.ReadFull(r, head[n:n+want])
		head = head[:n+got]
		if err != nil {
			return head, unexpected(err, 1)
		}
	}
}

// block reads the rest of version 2.
func block(r io.Reader, head []byte) ([]byte, error) {
	got, err := io.ReadFull(r, head[len(head):fixed2])
	head = head[:len(head)+got]
	if err != nil {
		return head, unexpected(err, 1)
	}
	length := int(binary.BigEndian.Uint16(head[fixed2-2:]))
	if length > longest2 {
		return head, ErrTooLong
	}
	all := make([]byte, fixed2+length)
	copy(all, head)
	got, err = io.ReadFull(r, all[fixed2:])
	if err != nil {
		return all[:fixed2+got], unexpected(err, 1)
	}
	return all, nil
}

// parse is what a whole header says.
func parse(head []byte) (dtp.Announcement, error) {
	none := dtp.Announcement{Before: head}
	if len(head) >= fixed2 && head[0] == '\r' && head[command2] == proxy2 && head[family2] == unspec2 {
		// The library refuses it, and for version 1 takes the same (UNKNOWN).
		return dtp.Announcement{There: true}, nil
	}
	src := bytes.NewReader(head)
	buf := bufio.NewReaderSize(src, max(len(head), longest1+1))
	h, err := proxyproto.Read(buf)
	switch {
	case err != nil:
		return none, fmt.Errorf("the PROXY header cannot be read: %w", err)
	case src.Len()+buf.Buffered() > 0:
		return none, fmt.Errorf("the PROXY header cannot be read: %d bytes are left over", src.Len()+buf.Buffered())
	case h.Command.IsLocal() || h.TransportProtocol.IsUnspec() || h.TransportProtocol.IsUnix():
		return dtp.Announcement{There: true}, nil
	}
	peer, ok1 := h.SourceAddr.(*net.TCPAddr)
	local, ok2 := h.DestinationAddr.(*net.TCPAddr)
	if !ok1 || !ok2 {
		return none, ErrAddress
	}
	a := dtp.Announcement{There: true, Peer: unmap(peer.AddrPort()), Local: unmap(local.AddrPort())}
	if !possible(a.Peer.Addr()) || !possible(a.Local.Addr()) {
		return none, ErrAddress
	}
	return a, nil
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// possible reports whether a connection can have an address.
func possible(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a.Zone() == "" && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
