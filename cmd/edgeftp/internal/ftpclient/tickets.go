package ftpclient

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
)

// tickets are the TLS sessions of one FTP session. A data connection resumes the control
// connection's, because servers that ask for reuse compare the two. The names of hosts
// and ports are no keys here, as they would be in a cache that connections share: the
// data connection has a port of its own, and another FTP session's ticket would be a
// stranger's.
type tickets struct {
	mu      sync.Mutex
	control *tls.ClientSessionState // the newest of the control connection
	data    *tls.ClientSessionState // the newest of a data connection
	useData bool                    // the control connection's was not taken a second time
}

// controlTickets is the cache of the control connection, which never resumes.
type controlTickets struct{ *tickets }

// Get has nothing for the control connection.
func (controlTickets) Get(string) (*tls.ClientSessionState, bool) { return nil, false }

// Put keeps the newest ticket.
func (c controlTickets) Put(_ string, t *tls.ClientSessionState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t != nil {
		c.control = t
	}
}

// dataTickets is the cache of the data connections.
type dataTickets struct{ *tickets }

// Get returns what a data connection is to resume.
func (d dataTickets) Get(string) (*tls.ClientSessionState, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.useData && d.data != nil {
		return d.data, true
	}
	return d.control, d.control != nil
}

// Put keeps the newest ticket of a data connection.
func (d dataTickets) Put(_ string, t *tls.ClientSessionState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t != nil {
		d.data = t
	}
}

// seen notes whether a data connection resumed. Some servers take each ticket once; then
// those of data connections follow.
func (t *tickets) seen(resumed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !resumed && t.data != nil {
		t.useData = !t.useData
	}
}

// errCut is the end of a connection that TLS had not announced: anybody on the way could
// have ended it (RFC 8446 §6.1).
var errCut = errors.New("the protected connection ended without close_notify, as if it was cut")

// whole is a connection under TLS whose end is an error, because crypto/tls takes it for
// the end of the data when it lies between two records.
type whole struct{ net.Conn }

// Read reads, and turns io.EOF into errCut.
func (w whole) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if errors.Is(err, io.EOF) {
		err = errCut
	}
	return n, err
}
