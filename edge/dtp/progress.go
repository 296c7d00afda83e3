package dtp

import (
	"crypto/tls"
	"net/netip"
	"sync/atomic"
	"time"
)

// Progress says how far a running transfer is. It may be read at any time and
// from any goroutine, without a lock. The zero value is a transfer whose data
// connection is still to come. A [Transfer] keeps it up to date by itself; a
// [Runner] that moves bytes by its own means calls Begin, Add and End. A Progress
// must not be copied.
type Progress struct {
	bytes atomic.Int64
	began atomic.Pointer[beginning]
	moved atomic.Int64  // nanoseconds from began to the first byte; 0 before
	took  atomic.Int64  // nanoseconds; 0 while it runs
	tls   atomic.Uint32 // the version, and resumed; 0 in the clear
}

const resumed = 1 << 16

// beginning is when the data connection was opened, and with whom.
type beginning struct {
	time.Time
	peer netip.AddrPort
}

// secured notes what the handshake of the data connection agreed on.
func (p *Progress) secured(cs *tls.ConnectionState) {
	v := uint32(cs.Version)
	if cs.DidResume {
		v |= resumed
	}
	p.tls.Store(v)
}

// TLS returns the version of the data connection's TLS, such as "1.3", and whether it
// resumed the control connection's session. The version is empty in the clear, and before
// the handshake is done.
func (p *Progress) TLS() (version string, again bool) {
	v := p.tls.Load()
	switch {
	case v == 0:
		return "", false
	case v&(resumed-1) == tls.VersionTLS13:
		version = "1.3"
	default:
		version = "1.2"
	}
	return version, v&resumed != 0
}

// Begin notes that the data connection is open. Only the first call counts.
func (p *Progress) Begin() { p.begin(netip.AddrPort{}) }

// begin is Begin of a connection with somebody.
func (p *Progress) begin(peer netip.AddrPort) {
	p.began.CompareAndSwap(nil, &beginning{time.Now(), peer})
}

// Peer returns the address of the data connection's other end. It is the zero value before
// the connection is open, and of a connection that has none.
func (p *Progress) Peer() netip.AddrPort {
	if began := p.began.Load(); began != nil {
		return began.peer
	}
	return netip.AddrPort{}
}

// Add counts n more bytes on the data connection.
func (p *Progress) Add(n int64) {
	if p.bytes.Add(n) == n && n > 0 {
		if began := p.began.Load(); began != nil {
			p.moved.CompareAndSwap(0, max(1, int64(time.Since(began.Time))))
		}
	}
}

// first returns when the first piece had moved.
func (p *Progress) first() (time.Time, bool) {
	began, after := p.began.Load(), p.moved.Load()
	if began == nil || after == 0 {
		return time.Time{}, false
	}
	return began.Add(time.Duration(after)), true
}

// End notes that the data connection is closed. Only the first call after Begin
// counts.
func (p *Progress) End() {
	if began := p.began.Load(); began != nil {
		p.took.CompareAndSwap(0, max(1, int64(time.Since(began.Time))))
	}
}

// Bytes returns how many bytes have gone over the data connection: as they are on
// the wire (after line ends were converted and the file compressed), less what
// TLS adds.
func (p *Progress) Bytes() int64 { return p.bytes.Load() }

// Elapsed returns the time since the data connection was opened; once it is
// closed, how long it was open. It is 0 before. (The model's get_elapsed_time.)
func (p *Progress) Elapsed() time.Duration {
	if took := p.took.Load(); took > 0 {
		return time.Duration(took)
	}
	if began := p.began.Load(); began != nil {
		return time.Since(began.Time)
	}
	return 0
}

// Started reports whether any byte has moved. (The model's transfer_in_progress,
// which stays true when the transfer is over.)
func (p *Progress) Started() bool { return p.bytes.Load() > 0 }

// Active reports whether the data connection is open at this moment.
func (p *Progress) Active() bool { return p.began.Load() != nil && p.took.Load() == 0 }
