// Package eventlog writes every event of the server as one JSON object on one
// line: the model's callbacks, for programs that are not part of the server.
//
// The fields are stable: later versions only add some. Which of them an event has
// depends on its kind; those that say nothing are left out.
package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/logfile"
)

// Record is one line. Times are in UTC, addresses are "ip:port", paths are
// virtual.
type Record struct {
	Time       time.Time `json:"time"`                 // when, in UTC
	Event      string    `json:"event"`                // its name, such as "file_received"
	Session    uint64    `json:"session"`              // 0 for a connection that got no session
	Request    uint64    `json:"request"`              // rises within a session
	User       string    `json:"user,omitempty"`       // who is logged in, or tries to
	Anonymous  bool      `json:"anonymous,omitempty"`  // whether that is an anonymous user
	Group      string    `json:"group,omitempty"`      // of the user
	Remote     string    `json:"remote"`               // the client's address and port
	Local      string    `json:"local,omitempty"`      // address and port to which it has connected
	Listener   string    `json:"listener,omitempty"`   // its name
	VHost      string    `json:"vhost,omitempty"`      // the virtual host
	Host       string    `json:"host,omitempty"`       // what HOST gave
	Client     string    `json:"client,omitempty"`     // what CLNT or CSID gave
	TLS        string    `json:"tls,omitempty"`        // version of the control connection's TLS
	Protocol   string    `json:"protocol,omitempty"`   // what carries the session if it is not FTP over TCP
	Op         string    `json:"op,omitempty"`         // operation, such as "write"
	Path       string    `json:"path,omitempty"`       // canonical virtual path
	Path2      string    `json:"path2,omitempty"`      // the new name of a rename
	Bytes      *int64    `json:"bytes,omitempty"`      // of transfers
	Seconds    *float64  `json:"seconds,omitempty"`    // of transfers: how long it took
	DataPeer   string    `json:"data_peer,omitempty"`  // the data connection's other end, address and port
	Code       int       `json:"code,omitempty"`       // of the reply
	Text       string    `json:"text,omitempty"`       // the command, or the reason
	Policy     string    `json:"policy,omitempty"`     // the policy that it is about
	Generation uint64    `json:"generation,omitempty"` // of that policy
}

// Log is the policy. It is made by New or Open.
type Log struct {
	// Show, where it is there, returns an event as the log is to tell of it, such as without
	// names. It must leave the event itself as it is, and is set before the first one.
	Show func(*policy.Event) *policy.Event

	mu  sync.Mutex
	out io.Writer
	buf []byte
}

// New returns a policy that writes to out, one Write a line. Close closes out if
// it is an io.Closer.
func New(out io.Writer) *Log { return &Log{out: out} }

// Open returns a policy that appends to a file, which is made with mode 0640 if it
// does not exist. When the file is moved away, a new one is begun within a second.
func Open(path string) (*Log, error) {
	f, err := logfile.Open(path, 0o640)
	if err != nil {
		return nil, fmt.Errorf("the event log cannot be opened: %w", err)
	}
	return New(f), nil
}

// Reopen opens the file of [Open] under its name at once, for programs that move logs
// away and say so. After an error the one that was open is written to. A Log of [New]
// has none, and does nothing.
func (l *Log) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, ok := l.out.(*logfile.File); ok {
		return f.Reopen()
	}
	return nil
}

// Lost returns how many lines found no room in the file of [Open].
func (l *Log) Lost() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, ok := l.out.(*logfile.File); ok {
		return f.Lost()
	}
	return 0
}

// Regained has fn called whenever the file of [Open] has room again, with the number
// of lines that were lost meanwhile. fn must not use the Log.
func (l *Log) Regained(fn func(lost uint64)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, ok := l.out.(*logfile.File); ok {
		f.Regained = fn
	}
}

// Name implements policy.Policy.
func (l *Log) Name() string { return "eventlog" }

// Hooks implements policy.Policy: events alone.
func (l *Log) Hooks() policy.Hooks { return policy.Hooks{Observer: l} }

// Observe writes one line. The error is the writer's; the event is then lost.
func (l *Log) Observe(_ context.Context, e *policy.Event) error {
	if l.Show != nil {
		e = l.Show(e)
	}
	r := RecordOf(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out == nil {
		return errors.New("the event log is closed")
	}
	line, err := r.AppendTo(l.buf[:0])
	if err != nil {
		return err
	}
	l.buf = append(line, '\n')
	_, err = l.out.Write(l.buf)
	return err
}

// harmless appends a line of JSON in which nothing can steer a terminal: beside the
// control characters below a space, those above ASCII and all that turns or hides
// text are written as escapes. None of them occurs outside of a string.
func harmless(dst, line []byte) []byte {
	for len(line) > 0 {
		r, n := utf8.DecodeRune(line)
		switch {
		case unicode.IsPrint(r):
			dst = append(dst, line[:n]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, high, low)
		default:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
		line = line[n:]
	}
	return dst
}

// AppendTo appends the record to dst as a line has it, without the end.
func (r *Record) AppendTo(dst []byte) ([]byte, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return dst, err
	}
	return harmless(dst, line), nil
}

// Close closes the writer. Events after it are lost.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.out.(io.Closer)
	l.out = nil
	if !ok {
		return nil
	}
	return c.Close()
}

// RecordOf returns an event as a line has it.
func RecordOf(e *policy.Event) Record {
	s := e.Session
	r := Record{Time: e.Time.UTC(), Event: e.Kind.String(), Session: s.ID, Request: e.Request,
		User: s.User, Anonymous: s.Anon, Group: s.Group, Listener: s.Listener, VHost: s.VHost, Host: s.Host, Client: s.Client, TLS: s.TLS.Version, Protocol: s.Protocol,
		Path: e.Path, Path2: e.Path2, Code: e.Code, Text: e.Text, Policy: e.Policy, Generation: e.Generation}
	if s.Peer.IsValid() {
		r.Remote = s.Peer.String()
	}
	if s.Local.IsValid() {
		r.Local = s.Local.String()
	}
	if e.DataPeer.IsValid() {
		r.DataPeer = e.DataPeer.String()
	}
	if e.Op != 0 {
		r.Op = e.Op.String()
	}
	switch e.Kind {
	case policy.EventFileSent, policy.EventFileReceived, policy.EventIncompleteFileSent, policy.EventIncompleteFileReceived:
		size, seconds := e.Size, e.Took.Seconds() // copied: a record may outlive its event
		r.Bytes, r.Seconds = &size, &seconds
	}
	return r
}
