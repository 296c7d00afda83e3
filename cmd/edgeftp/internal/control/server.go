package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// maxSocketPath is the longest path of a Unix socket on Linux, less its NUL.
const maxSocketPath = 107

// ErrInUse says that a living server answers on the socket.
var ErrInUse = errors.New("another edgeftp is using this state directory")

// Server answers on an admin socket.
type Server struct {
	http     http.Server
	listener net.Listener
	path     string
}

// Listen makes the socket with mode 0600. A socket that a dead server left is
// replaced; one that answers is ErrInUse. Serve must follow, or Close.
func Listen(ctx context.Context, path string) (*Server, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("the path of the admin socket has %d bytes, %d are the most: choose a shorter --state-dir or --socket: %s",
			len(path), maxSocketPath, path)
	}
	if err := clear(ctx, path); err != nil {
		return nil, err
	}
	// Bound under another name and renamed when its mode is right: nobody can
	// connect in between.
	tmp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".admin-%d", os.Getpid()))
	_ = os.Remove(tmp)
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", tmp)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(tmp, 0o600), os.Rename(tmp, path)); err != nil {
		return nil, errors.Join(fmt.Errorf("admin socket: %w", err), l.Close(), os.Remove(tmp))
	}
	return &Server{listener: owned{l}, path: path}, nil
}

// clear removes a socket on which nobody answers.
func clear(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("%s is in the way of the admin socket and is not a socket: move it away", path)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var d net.Dialer
	if c, err := d.DialContext(ctx, "unix", path); err == nil {
		_ = c.Close()
		return fmt.Errorf("%w (%s): stop it, or choose another --state-dir", ErrInUse, path)
	}
	return os.Remove(path)
}

// owned turns away connections of other users.
type owned struct{ net.Listener }

func (o owned) Accept() (net.Conn, error) {
	for {
		c, err := o.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, known := peerUID(c)
		if !known || permitted(uid, os.Geteuid()) {
			return c, nil
		}
		_ = c.Close()
	}
}

// permitted says whom the socket serves: the server's own user, and root.
func permitted(peer, own int) bool { return peer == own || peer == 0 }

// Serve answers until Close. It returns nil after Close.
func (s *Server) Serve(c Controller, log *slog.Logger) error {
	s.http = http.Server{Handler: handler(c), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Close ends the socket and removes its file.
func (s *Server) Close() error {
	return errors.Join(s.http.Close(), ignoreClosed(s.listener.Close()), os.Remove(s.path))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func handler(c Controller) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, struct{}{}) })
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, c.Status()) })
	mux.HandleFunc("GET /v1/policies", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, c.Status().Policies)
	})
	mux.HandleFunc("POST /v1/policies/{name}/swap", func(w http.ResponseWriter, r *http.Request) {
		module, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxModule))
		if err != nil {
			refuse(w, &Refusal{Code: "EF2100", Message: fmt.Sprintf("the module could not be read, or is larger than %d bytes", maxModule)})
			return
		}
		p, err := c.Swap(r.Context(), r.PathValue("name"), module)
		conclude(w, p, err)
	})
	mux.HandleFunc("POST /v1/policies/{name}/rollback", func(w http.ResponseWriter, r *http.Request) {
		p, err := c.Rollback(r.Context(), r.PathValue("name"))
		conclude(w, p, err)
	})
	return mux
}

func conclude(w http.ResponseWriter, p Policy, err error) {
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, p)
}

// refuse answers {"error": {code, message, help}}.
func refuse(w http.ResponseWriter, err error) {
	var r *Refusal
	status := http.StatusConflict
	if !errors.As(err, &r) {
		r, status = &Refusal{Code: "EF1000", Message: err.Error()}, http.StatusInternalServerError
	}
	answer(w, status, map[string]any{"error": r})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
