package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// succession is the protocol that the connection of POST /v1/upgrade changes to.
const succession = "edgeftp-succession"

// Upgrader lets another process take the server's place.
type Upgrader interface {
	// Upgrading says why the server cannot be replaced now; nil if it can. The refusal's
	// code is CodeUpgrade.
	Upgrading() error
	// Upgrade gives the server's place to the process at the other end of the connection,
	// which is Upgrade's from then on. It does not wait for what comes of it, and says
	// nothing before the process has.
	Upgrade(conn *net.UnixConn)
}

// upgradeRoute answers POST /v1/upgrade: with 101, and then the succession's frames. It is
// the socket's alone, as descriptors pass through nothing else.
func upgradeRoute(mux *router, u Upgrader) {
	mux.HandleFunc("POST /v1/upgrade", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != succession || r.TLS != nil {
			refuse(w, http.StatusUpgradeRequired, &Refusal{Code: CodeUpgrade, Message: "the request does not ask for the protocol " + succession + " over the socket",
				Help: "edgeftp serve --take-over does, of the same version or one that is near to it"})
			return
		}
		if err := u.Upgrading(); err != nil {
			conclude(w, nil, err)
			return
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			refuse(w, http.StatusInternalServerError, &Refusal{Code: CodeFault, Message: err.Error()})
			return
		}
		unix, ok := conn.(*net.UnixConn)
		if !ok || buffered.Reader.Buffered() > 0 {
			_ = conn.Close() // nobody has spoken over it yet
			return
		}
		_ = conn.SetDeadline(time.Time{}) // those of the request are over
		if seen, ok := w.(*watched); ok {
			seen.status = http.StatusSwitchingProtocols
		}
		afterwards(r, func() {
			u.Upgrade(unix) // which waits for what the process says when it has read the next line
			_, _ = io.WriteString(unix, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: "+succession+"\r\nConnection: Upgrade\r\n\r\n")
		})
	})
}

// afterwards does something when the request was recorded.
func afterwards(r *http.Request, do func()) {
	if n, ok := r.Context().Value(remarkKey{}).(*remark); ok {
		n.after = do
	}
}

// Upgrade asks the server to give its place to this process, and returns the connection
// over which it does.
func (c Client) Upgrade(ctx context.Context) (*net.UnixConn, error) {
	if err := CheckPath(c.Path); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.Path)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err = c.upgrade(conn)
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	unix, ok := conn.(*net.UnixConn)
	if err == nil && !ok {
		err = errors.New("the admin socket is of another kind")
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return unix, nil
}

// upgrade makes the request. The answer's body is the succession's.
func (c Client) upgrade(conn net.Conn) error {
	req, err := http.NewRequest(http.MethodPost, "http://edgeftp/v1/upgrade", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", succession)
	if c.Reason != "" {
		req.Header.Set(reasonHeader, c.Reason)
	}
	if err := req.Write(conn); err != nil {
		return c.failed(context.Background(), err)
	}
	in := bufio.NewReader(conn) // the server is silent behind its answer
	res, err := http.ReadResponse(in, req)
	if err != nil {
		return c.failed(context.Background(), err)
	}
	if res.StatusCode == http.StatusSwitchingProtocols && in.Buffered() == 0 {
		return nil
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return err
	}
	return c.refused(res.Status, text)
}
