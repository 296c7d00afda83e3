package abi

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// facts are what of a session most of its questions have in common, in a form that
// can be compared.
type facts struct {
	peer, local                   netip.AddrPort
	root, listener, group, client string
	host, vhost, protocol         string
	tls                           policy.TLS
}

// written is a session's facts as records have them: the bytes of PEER, PEER16 and
// ROOT with their NULs, and the entries of ATTR.
type written struct {
	of                 facts
	places, attrs      []byte
	peerLen, peer16Len int
	err                error // a text holds a NUL or is too long
}

// writtenOf returns the session's facts, written out once as long as they stay the
// same.
func writtenOf(s *policy.Session) *written {
	if kept, ok := s.Memo.Kept().(*written); ok && kept.of.are(s) {
		return kept
	}
	f := facts{s.Peer, s.Local, s.Root, s.Listener, s.Group, s.Client, s.Host, s.VHost, s.Protocol, s.TLS}.write()
	s.Memo.Keep(f)
	return f
}

// are reports whether these are the session's facts.
func (of *facts) are(s *policy.Session) bool {
	return of.peer == s.Peer && of.local == s.Local && of.root == s.Root && of.listener == s.Listener &&
		of.group == s.Group && of.client == s.Client && of.host == s.Host && of.vhost == s.VHost && of.protocol == s.Protocol && of.tls == s.TLS
}

// write writes the facts out.
func (of facts) write() *written {
	f := &written{of: of}
	if peer := unmap(of.peer); peer.IsValid() {
		f.places = peer.AppendTo(f.places)
		f.peerLen = len(f.places)
		a16 := peer.Addr().As16()
		f.places = append(append(f.places, 0), a16[:]...)
		f.peer16Len = len(a16)
	} else {
		f.places = append(f.places, 0)
	}
	f.places = append(append(append(f.places, 0), of.root...), 0)
	w := writer{}
	if strings.IndexByte(of.root, 0) >= 0 {
		w.fail("%s holds a NUL", SpanRoot)
	}
	for _, a := range [...]struct {
		key Attr
		v   string
	}{{AttrTLSVersion, of.tls.Version}, {AttrTLSCipher, of.tls.Cipher}, {AttrSNI, of.tls.ServerName}, {AttrALPN, of.tls.ALPN}} {
		w.attr(a.key, a.v)
	}
	if of.tls.Resumed {
		w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(AttrTLSResumed))
	}
	for _, a := range [...]struct {
		key Attr
		v   string
	}{{AttrCertSubject, of.tls.ClientSubject}, {AttrCertSHA256, of.tls.ClientSHA256}, {AttrListener, of.listener},
		{AttrGroup, of.group}, {AttrClient, of.client}, {AttrHost, of.host}, {AttrVHost, of.vhost},
		{AttrProtocol, of.protocol}} {
		w.attr(a.key, a.v)
	}
	w.attrAddr(AttrLocal, of.local)
	f.attrs, f.err = w.buf, w.err
	return f
}

// unmap writes an IPv4 address that came over an IPv6 socket in its one form, so
// that a guest need not know two.
func unmap(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
