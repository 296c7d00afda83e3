// Package accesslog is a policy that writes one line for each finished transfer, and
// if asked to for each command, in a form that log analyzers read. The eventlog
// tells of everything; this one tells of who fetched and brought what.
//
// # The forms
//
// Xferlog is that of wu-ftpd, with the 14 fields of xferlog(5) in its order: time,
// seconds (at least 1), address, bytes, path, type, action, direction, access, user,
// service, authentication, identity and status. The time is five words of it, so that the
// address is the seventh word and the bytes are the eighth. In the path everything that is
// no printable character, and every space, is an underscore, so that a line has one number
// of words:
//
//	Thu Nov 26 12:00:01 2026 2 192.0.2.7 1234 /pub/a_file.txt b _ o r anna ftp 0 * c
//
// Common is like the Common Log Format of web servers, so that their analyzers read
// it. A download is a GET, an upload a PUT, with the path as URLs have it (%20 for a
// space); a command is itself; FTPS stands for FTP where the control connection is
// protected:
//
//	192.0.2.7 - anna [26/Nov/2026:12:00:01 +0000] "GET /pub/a%20file.txt FTP" 226 1234
//
// JSON is one object. Its fields are stable: later versions only add some. Those
// that say nothing are left out:
//
//	{"time":"2026-11-26T12:00:01Z","event":"file_sent","session":5,"remote":"192.0.2.7:40001",
//	"user":"anna","op":"read","path":"/pub/a file.txt","bytes":1234,"seconds":2.1,"complete":true,"code":226}
//
// Times are in UTC, addresses as they are and never names, paths virtual. The bytes
// are those that were moved, not the file's. No form holds anything that could
// steer a terminal or end a line early, whatever a client has sent.
package accesslog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/logfile"
)

// Format is the form of a line.
type Format string

// The formats.
const (
	Xferlog Format = "xferlog"
	Common  Format = "common"
	JSON    Format = "json"
)

// Sink takes a line, which has no line end and is valid until Sink returns. It is
// called for one line at a time. An error is counted as a lost event.
type Sink func(line []byte) error

// Config is what a [Log] is made of. Sink is required.
type Config struct {
	// Name of the policy in events; empty is "accesslog".
	Name string
	// Format of the lines; empty is Xferlog.
	Format Format
	// Commands also writes a line for each command. A transfer has one then of its
	// own and one of its command. Xferlog has no form for it.
	Commands bool
	Sink     Sink
	// Show, where it is there, returns an event as the log is to tell of it, such as without
	// names. It must leave the event itself as it is.
	Show func(*policy.Event) *policy.Event
}

// Log is the policy: it takes part in the stage event alone and is safe for
// concurrent use. It is made by New or Open.
type Log struct {
	config Config
	file   *logfile.File // of Open; nil otherwise

	mu  sync.Mutex
	buf []byte
}

// New returns a policy that writes to config.Sink. It fails if there is none, if
// the format is unknown, or cannot tell of commands.
func New(config Config) (*Log, error) {
	if config.Name == "" {
		config.Name = "accesslog"
	}
	if config.Format == "" {
		config.Format = Xferlog
	}
	switch config.Format {
	case Common, JSON:
	case Xferlog:
		if config.Commands {
			return nil, errors.New("the format xferlog is of transfers alone: it has no form for commands")
		}
	default:
		return nil, fmt.Errorf("the format of an access log is %q, %q or %q, not %q", Xferlog, Common, JSON, config.Format)
	}
	if config.Sink == nil {
		return nil, errors.New("an access log needs something to write to")
	}
	return &Log{config: config}, nil
}

// mode of a new file: who fetched what is nobody's business but the operator's.
const mode os.FileMode = 0o600

// Open returns a policy that appends to a file, in place of config.Sink. The file is
// made with mode 0600 if it does not exist. When it is moved away, a new one is
// begun within a second. Close closes it.
func Open(path string, config Config) (*Log, error) {
	var f *logfile.File
	var line []byte
	config.Sink = func(b []byte) error {
		line = append(append(line[:0], b...), '\n')
		_, err := f.Write(line)
		return err
	}
	l, err := New(config)
	if err != nil {
		return nil, err
	}
	if f, err = logfile.Open(path, mode); err != nil {
		return nil, fmt.Errorf("the access log cannot be opened: %w", err)
	}
	l.file = f
	return l, nil
}

// Name implements [policy.Policy].
func (l *Log) Name() string { return l.config.Name }

// Hooks implements [policy.Policy].
func (l *Log) Hooks() policy.Hooks {
	kinds := []policy.EventKind{policy.EventFileSent, policy.EventFileReceived, policy.EventIncompleteFileSent, policy.EventIncompleteFileReceived}
	if l.config.Commands {
		kinds = append(kinds, policy.EventCommandDone)
	}
	return policy.Hooks{Observer: l, Interest: policy.Interest{Events: kinds}}
}

// Observe implements [policy.Observer]. The error is that of the Sink.
func (l *Log) Observe(_ context.Context, e *policy.Event) error {
	if e.Shadow || e.Kind == policy.EventCommandDone && !l.config.Commands {
		return nil
	}
	if l.config.Show != nil {
		e = l.config.Show(e)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	line, ok := l.config.Format.Append(l.buf[:0], e)
	if l.buf = line; !ok {
		return nil
	}
	if l.config.Sink == nil {
		return errors.New("the access log is closed")
	}
	return l.config.Sink(line)
}

// Close closes the file of Open. Events after it are lost.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.config.Sink = nil
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// Reopen opens the file of Open under its name at once, for programs that move logs
// away and say so. After an error the one that was open is written to. A Log of New
// does nothing.
func (l *Log) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil || l.config.Sink == nil {
		return nil
	}
	return l.file.Reopen()
}

// Lost returns how many lines found no room in the file of Open.
func (l *Log) Lost() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return 0
	}
	return l.file.Lost()
}

// Regained has fn called whenever the file of Open has room again, with the number of
// lines that were lost meanwhile. fn must not use the Log.
func (l *Log) Regained(fn func(lost uint64)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Regained = fn
	}
}
