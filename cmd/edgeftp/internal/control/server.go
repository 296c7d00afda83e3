package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// maxSocketPath is the longest path of a Unix socket on Linux, less its NUL.
const maxSocketPath = 107

// ErrPathTooLong says that no socket can have the path.
var ErrPathTooLong = errors.New("the path of the admin socket in the state directory is too long")

// ErrInUse says that a living server answers on the socket.
var ErrInUse = errors.New("another edgeftp is using this state directory")

// Server answers on an admin socket. Make it with [Listen]; then call Serve once
// and Close once.
type Server struct {
	listener net.Listener
	path     string
	place    string      // that path is to become by Publish, if it is another one
	socket   fs.FileInfo // of the socket's file, so that only our own is removed
	access   Access

	mu     sync.Mutex
	http   *http.Server // nil before Serve
	tcp    *http.Server // likewise, and nil without TCP
	closed bool
}

// Listen makes the socket with mode 0600, in a directory that exists. A socket
// that a dead server left is replaced; one that answers is [ErrInUse]. Of several
// servers that start at the same moment one gets the socket.
func Listen(ctx context.Context, path string) (*Server, error) { return ListenFor(ctx, path, nil) }

// ListenFor is Listen, but that a group may connect as well: the socket is the group's, and
// has mode 0660. Nil is no group.
func ListenFor(ctx context.Context, path string, group *int) (*Server, error) {
	return alone(path, func() (*Server, error) {
		if err := clearStale(ctx, path); err != nil {
			return nil, err
		}
		// Bound under another name and renamed when its mode is right: nobody can
		// connect in between. The name is no longer than the socket's own.
		s, err := bindAs(ctx, filepath.Join(filepath.Dir(path), ".sock"), path, group)
		if err != nil {
			return nil, err
		}
		if err := s.Publish(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		return s, nil
	})
}

// ListenBeside is ListenFor beside a server that answers at path: nobody can connect until
// Publish puts the socket in the place of that one's.
func ListenBeside(ctx context.Context, path string, group *int) (*Server, error) {
	return alone(path, func() (*Server, error) {
		return bindAs(ctx, filepath.Join(filepath.Dir(path), ".next"), path, group)
	})
}

// alone makes a socket while no other process of ours makes one in its directory.
func alone(path string, do func() (*Server, error)) (*Server, error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	unlock, err := lock(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	defer unlock()
	return do()
}

// bindAs makes a socket at one path that is to have another.
func bindAs(ctx context.Context, tmp, place string, group *int) (*Server, error) {
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", tmp)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // the name that it knows is gone by then
	}
	err = share(tmp, group)
	socket, statErr := os.Lstat(tmp)
	if err = errors.Join(err, statErr); err != nil {
		return nil, errors.Join(fmt.Errorf("admin socket: %w", err), l.Close(), os.Remove(tmp))
	}
	s := &Server{path: tmp, place: place, socket: socket}
	s.listener = owned{l, &s.access}
	return s, nil
}

// Publish puts a socket of ListenBeside in its place, at once. A second call does nothing.
func (s *Server) Publish() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.path == s.place {
		return nil
	}
	if err := os.Rename(s.path, s.place); err != nil {
		return fmt.Errorf("admin socket: %w", err)
	}
	s.path = s.place
	return nil
}

// Replaced reports whether another process has put its socket in this one's place.
func (s *Server) Replaced() bool {
	info, err := os.Lstat(s.path)
	return err == nil && !os.SameFile(info, s.socket)
}

// share says who may connect to a socket.
func share(path string, group *int) error {
	if group == nil {
		return os.Chmod(path, 0o600)
	}
	if err := os.Chown(path, -1, *group); err != nil {
		return fmt.Errorf("it cannot be given to group %d: %w\n   = help: make the server's user a member of admin.group, or remove the key", *group, err)
	}
	return os.Chmod(path, 0o660)
}

// Guard says who may do what over the socket. It is called before Serve, or not at all.
func (s *Server) Guard(a Access) { s.access = a }

// CheckPath says why no socket can have a path.
func CheckPath(path string) error {
	if len(path) > maxSocketPath {
		return fmt.Errorf("%w: %s has %d bytes, %d are the most\n   = help: choose a shorter --state-dir (or admin.socket in the file)",
			ErrPathTooLong, path, len(path), maxSocketPath)
	}
	return nil
}

// clearStale removes a socket on which nobody answers.
func clearStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s is in the way of the admin socket and is not a socket: move it away", path)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var d net.Dialer
	if c, err := d.DialContext(ctx, "unix", path); err == nil {
		_ = c.Close() // it was only to see whether anybody is there
		return fmt.Errorf("%w (%s): stop it, take its place with --take-over, or choose another --state-dir", ErrInUse, path)
	}
	return os.Remove(path)
}

// owned turns away connections of other users, where none but the owner has a right.
type owned struct {
	net.Listener
	access *Access
}

// Accept returns the next connection of somebody who may have a right.
func (o owned) Accept() (net.Conn, error) {
	for {
		c, err := o.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if p, known := peerOf(c); !known || o.access.shared() || permitted(p.UID, os.Geteuid()) {
			return c, nil
		}
		_ = c.Close() // a stranger's
	}
}

// permitted says whom the socket serves: the server's own user, and root.
func permitted(peer, own int) bool { return peer == own || peer == 0 }

// Serve answers until Close, and then returns nil. Any other end is an error.
func (s *Server) Serve(c Controller, log *slog.Logger) error {
	h, err := guarded(c, &s.access, os.Geteuid(), nil)
	if err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.http = server(h, log)
	s.http.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if p, known := peerOf(c); known {
			return context.WithValue(ctx, peerKey{}, p)
		}
		return ctx
	}
	socket := s.http
	remote := make(chan error, 1)
	if t := s.access.TCP; t != nil {
		s.tcp = t.server(c, &s.access, log)
		go func(tcp *http.Server) { remote <- t.serve(tcp, log) }(s.tcp)
	} else {
		remote <- nil
	}
	s.mu.Unlock()
	err = socket.Serve(s.listener)
	if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return <-remote
}

// server is an HTTP server with its limits.
func server(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute,
		WriteTimeout: 5 * time.Minute, // compiling a large module is in it
		IdleTimeout:  time.Minute,
		ErrorLog:     slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// Close ends the socket and what runs over it, and removes its file unless a
// successor has put its own there. A second call does nothing.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if s.http != nil {
		err = s.http.Close() // closes the listener once Serve has taken it
	}
	if s.tcp != nil {
		err = errors.Join(err, s.tcp.Close())
	}
	if t := s.access.TCP; t != nil {
		_ = t.Listener.Close() // it is closed already if anybody was served
	}
	if e := s.listener.Close(); !errors.Is(e, net.ErrClosed) {
		err = errors.Join(err, e)
	}
	info, statErr := os.Lstat(s.path)
	if statErr == nil && os.SameFile(info, s.socket) {
		err = errors.Join(err, os.Remove(s.path))
	}
	return err
}
