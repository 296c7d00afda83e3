package dtp

import (
	"context"
	"errors"
	"net"
	"time"
)

// How much a client may still send that was refused in the middle of its upload, and for
// how long. It is the rest of a small file; who sends a large one is cut off.
const (
	lingerBytes = 1 << 20
	lingerTime  = 500 * time.Millisecond
)

// linger takes what the client goes on to send once the server has given up on its upload.
// A socket that is closed with bytes unread, or written to afterwards, is reset; many
// clients (curl, Python's ftplib) report that and never read the reply, which says why.
func linger(ctx context.Context, conn net.Conn, err error) {
	if ctx.Err() != nil || err == nil || ofClient(err) {
		return
	}
	_ = conn.SetReadDeadline(time.Now().Add(lingerTime))
	b := make([]byte, 32<<10)
	for left := lingerBytes; left > 0; {
		n, err := conn.Read(b)
		if err != nil {
			return
		}
		left -= n
	}
}

// ofClient reports whether an upload has ended by what the client did, or left undone.
func ofClient(err error) bool {
	for _, e := range []error{ErrBroken, ErrTruncated, ErrStalled, ErrSlow} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
