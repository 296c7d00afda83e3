package abi

import (
	"math"
	"net/netip"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// attrs is a decoded ATTR span. It remembers the bytes that it came from: those
// of a session rarely change from one question to the next.
type attrs struct {
	raw        string
	tls        policy.TLS
	local      netip.AddrPort
	dataPeer   netip.AddrPort
	listener   string
	group      string
	client     string
	host       string
	vhost      string
	protocol   string
	binding    string
	path2      string
	rawArg     string
	policy     string
	generation uint64
	size, took uint64
	code, op   uint16
}

// decode reads ATTR (ABI §5) into t. After an error t is empty.
func (t *attrs) decode(b []byte) error {
	if t.raw == string(b) {
		return nil
	}
	*t = attrs{}
	// One copy for all values: each is a part of this string.
	raw := string(b)
	next := attrs{raw: raw}
	var seen uint64
	for rest := raw; rest != ""; {
		if len(rest) < 4 {
			return wrong(ErrRecord, "ATTR ends inside an entry")
		}
		key := Attr(uint16(rest[0]) | uint16(rest[1])<<8)
		n := int(rest[2]) | int(rest[3])<<8
		if len(rest)-4 < n {
			return wrong(ErrRecord, "ATTR %d says %d bytes, %d are left", uint16(key), n, len(rest)-4)
		}
		value := rest[4 : 4+n]
		rest = rest[4+n:]
		if key < NumAttrs {
			if seen&(1<<key) != 0 {
				return wrong(ErrRecord, "ATTR %s is given twice", key)
			}
			seen |= 1 << key
		}
		if err := next.set(key, value); err != nil {
			return err
		}
	}
	*t = next
	return nil
}

// set takes one entry; keys of later minors are skipped.
func (t *attrs) set(key Attr, v string) error {
	switch key {
	case 0:
		return wrong(ErrRecord, "ATTR key 0")
	case AttrTLSResumed:
		t.tls.Resumed = true
		if v != "" {
			return wrong(ErrRecord, "ATTR %s has a value", key)
		}
		return nil
	case AttrCode, AttrOp, AttrGeneration, AttrSize, AttrTook:
		return t.setUint(key, v)
	case AttrBinding:
		if len(v) != BindingSize {
			return wrong(ErrRecord, "ATTR %s has %d bytes, want %d", key, len(v), BindingSize)
		}
		t.binding = v
		return nil
	case AttrLocal, AttrDataPeer:
		ap, err := netip.ParseAddrPort(v)
		if err != nil {
			return wrong(ErrRecord, "ATTR %s is no address with a port", key)
		}
		if key == AttrLocal {
			t.local = ap
		} else {
			t.dataPeer = ap
		}
		return nil
	}
	if dst := t.textOf(key); dst != nil {
		*dst = v
	}
	return nil
}

// textOf returns where a text attribute goes, nil for an unknown key.
func (t *attrs) textOf(key Attr) *string {
	switch key {
	case AttrTLSVersion:
		return &t.tls.Version
	case AttrTLSCipher:
		return &t.tls.Cipher
	case AttrSNI:
		return &t.tls.ServerName
	case AttrALPN:
		return &t.tls.ALPN
	case AttrCertSubject:
		return &t.tls.ClientSubject
	case AttrCertSHA256:
		return &t.tls.ClientSHA256
	case AttrListener:
		return &t.listener
	case AttrGroup:
		return &t.group
	case AttrClient:
		return &t.client
	case AttrHost:
		return &t.host
	case AttrVHost:
		return &t.vhost
	case AttrProtocol:
		return &t.protocol
	case AttrPath2:
		return &t.path2
	case AttrRawArg:
		return &t.rawArg
	case AttrPolicy:
		return &t.policy
	}
	return nil
}

func (t *attrs) setUint(key Attr, v string) error {
	want := 8
	if key == AttrCode || key == AttrOp {
		want = 2
	}
	if len(v) != want {
		return wrong(ErrRecord, "ATTR %s has %d bytes, want %d", key, len(v), want)
	}
	var n uint64
	for i := range len(v) {
		n |= uint64(v[i]) << (8 * i)
	}
	switch key {
	case AttrCode:
		t.code = uint16(n)
	case AttrOp:
		t.op = uint16(n)
	case AttrGeneration:
		t.generation = n
	case AttrSize:
		t.size = n
	case AttrTook:
		t.took = n
	}
	if n > math.MaxInt64 && (key == AttrSize || key == AttrTook) {
		return wrong(ErrRecord, "ATTR %s is out of range", key)
	}
	return nil
}

// OneLine reports whether s can be sent to a client or a log as one line: valid
// UTF-8 without control characters, at most limit bytes long.
func OneLine(s string, limit int) bool {
	if len(s) > limit || !utf8.ValidString(s) {
		return false
	}
	for i := range len(s) {
		if s[i] < 0x20 && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
