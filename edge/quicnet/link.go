package quicnet

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// lingering is how long a connection is left to the client, once nothing is done on it and
// the listener is closed: what was said last is still on its way.
const lingering = time.Second

// codeWeb is H3_NO_ERROR (RFC 9114 §8.1), which is what all our codes are to a client of
// HTTP/3.
const codeWeb = 0x100

// link is one QUIC connection of a client.
type link struct {
	listener *Listener
	conn     *quic.Conn
	web      bool
	desk     *desk

	mu    sync.Mutex
	busy  int         // control sessions that are open, or requests that run
	timer *time.Timer // ends the connection while nothing is done on it; nil: it has ended
	why   Code        // with which
}

func newLink(l *Listener, conn *quic.Conn) *link {
	k := &link{listener: l, conn: conn, web: conn.ConnectionState().TLS.NegotiatedProtocol == ProtocolHTTP, why: CodeIdle}
	k.desk = newDesk(l.conf.Limits.Streams, l.conf.Limits.Stray)
	k.mu.Lock() // expire reads what is written here
	defer k.mu.Unlock()
	k.timer = time.AfterFunc(l.conf.Limits.Idle, k.expire)
	return k
}

// counter is where connections of its protocol are counted.
func (k *link) counter(s *Stats) *int {
	if k.web {
		return &s.HTTP
	}
	return &s.FTP
}

// serve serves the connection until its end, which is when the peer was told of it.
func (k *link) serve() {
	defer func() { <-k.conn.Context().Done() }()
	if k.web {
		_ = k.listener.web.ServeQUICConn(k.conn) // the client's errors
		return
	}
	go k.receive()
	for {
		stream, err := k.conn.AcceptStream(context.Background())
		if err != nil {
			return
		}
		if !k.begin(k.listener.conf.Limits.ControlSessions) {
			k.listener.counts.refuse(RefusedSessions)
			(&control{stream: stream}).abort(CodeTooMany)
			continue
		}
		stream.SetPriority(0, false) // before all data (RFC 9218 §4.1)
		go k.listener.guard(k, func() { k.session(stream) })
	}
}

// begin counts a session or a request, unless there are as many as may be.
func (k *link) begin(most int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.busy >= most || k.timer == nil {
		return false
	}
	k.busy++
	k.timer.Stop()
	return true
}

// finish counts one less. With the last one the time begins after which the connection is
// closed.
func (k *link) finish() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.busy--; k.busy > 0 || k.timer == nil {
		return
	}
	limit := k.listener.conf.Limits.Unused
	switch {
	case k.why == CodeShutdown:
		limit = lingering
	case k.web:
		limit = k.listener.conf.Limits.Idle
	}
	k.timer.Reset(limit)
}

// leave has the connection end when nothing more is done on it.
func (k *link) leave() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.why = CodeShutdown
	if k.busy == 0 && k.timer != nil {
		k.timer.Reset(lingering)
	}
}

// expire ends a connection that nothing is done on.
func (k *link) expire() {
	k.mu.Lock()
	idle, why := k.busy == 0 && k.timer != nil, k.why
	k.mu.Unlock()
	if idle {
		k.end(why)
	}
}

// end closes the connection.
func (k *link) end(why Code) {
	code := quic.ApplicationErrorCode(why)
	if k.web {
		code = codeWeb
	}
	_ = k.conn.CloseWithError(code, why.String())
}

// close lets go of what belongs to a connection that has ended.
func (k *link) close() {
	k.mu.Lock()
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
	k.mu.Unlock()
	k.desk.close()
	k.listener.moves.forget(k)
}

// session hands a control stream to Accept, once the client has said that it is one.
func (k *link) session(stream *quic.Stream) {
	c := &Conn{control: control{ends: ends{k.conn}, stream: stream}, link: k, ports: map[*port]struct{}{}}
	l := k.listener
	l.counts.change(func(s *Stats) { s.Sessions++ })
	if code := k.announced(stream); code != CodeOK {
		c.refuse(code)
		return
	}
	select {
	case l.ready <- c:
	case <-l.closed:
		c.refuse(CodeShutdown)
	case <-k.conn.Context().Done():
		c.refuse(CodeShutdown)
	}
}

// announced reads the head of a control stream and returns what is wrong with it.
func (k *link) announced(stream *quic.Stream) Code {
	_ = stream.SetReadDeadline(time.Now().Add(k.listener.conf.Limits.Stray))
	defer func() { _ = stream.SetReadDeadline(time.Time{}) }()
	return k.judge(readType(stream, typeControl))
}

// judge returns the code of an error in the head of a stream. A malformed one ends the
// connection: whoever sends it follows other rules.
func (k *link) judge(err error) Code {
	switch {
	case err == nil:
		return CodeOK
	case errors.Is(err, errMalformed):
		k.listener.counts.refuse(RefusedProtocol)
		_ = k.conn.CloseWithError(quic.ApplicationErrorCode(CodeProtocol), err.Error())
	case errors.Is(err, errType):
		k.listener.counts.refuse(RefusedProtocol)
	default:
		return CodeIdle
	}
	return CodeProtocol
}

// receive takes the client's data streams to the desk.
func (k *link) receive() {
	guard := func(do func()) { k.listener.guard(k, do) }
	r := reception{conn: k.conn, desk: k.desk, patience: k.listener.conf.Limits.Stray, guard: guard, judge: k.judge, twice: func() {
		k.listener.counts.refuse(RefusedToken)
		_ = k.conn.CloseWithError(quic.ApplicationErrorCode(CodeToken), "a second stream with the same token")
	}}
	guard(r.run)
}

// reception reads the heads of the peer's data streams, for both sides.
type reception struct {
	conn     *quic.Conn
	desk     *desk
	patience time.Duration    // for a head
	guard    func(do func())  // what reads one runs under it
	judge    func(error) Code // what a stream is refused with
	twice    func()           // a token has come a second time
}

// run goes on until the connection ends.
func (r reception) run() {
	for {
		stream, err := r.conn.AcceptUniStream(context.Background())
		if err != nil {
			return
		}
		go r.guard(func() { r.read(&upload{ends: ends{r.conn}, stream: stream}) })
	}
}

// read reads one head: one that does not come must not keep the others waiting.
func (r reception) read(u *upload) {
	_ = u.SetReadDeadline(time.Now().Add(r.patience))
	t, err := readDataHead(u.stream)
	if err != nil {
		u.refuse(r.judge(err))
		return
	}
	_ = u.SetReadDeadline(time.Time{})
	if !r.desk.arrive(t, u) {
		r.twice()
	}
}
