package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// readyWithin bounds the start of a server.
const readyWithin = time.Minute

// Site is what a test asks of a server beside the usual.
type Site struct {
	// Name is that of its directory in the ground, and so is used once.
	Name string
	// RequireTLS refuses logins and data connections in the clear.
	RequireTLS bool
	// Passive is a range of ports for data connections; zero is the server's choice.
	Passive [2]int
	// PerAddress limits the sessions of one address; zero is 1,000.
	PerAddress int
	// Files limits the descriptors of each process; zero is what the test has.
	Files int
	// Guarded leaves the delays of failed logins and other defences of a server as
	// they are by default. Without it those that make tests slow are off.
	Guarded bool
	// Metrics is where edgeftp shows its figures, HOST:PORT; nothing is nowhere.
	Metrics string
}

func (s Site) perAddress() int {
	if s.PerAddress == 0 {
		return 1000
	}
	return s.PerAddress
}

// Server is one that can be started. It is used by one goroutine at a time, but for
// Log, Alive and PID.
type Server struct {
	Name    string // such as "vsftpd"
	Version string
	Setup   string // how it is set up, for people
	Addr    string // HOST:PORT of its listener
	Root    string // the directory that both users see as /; the server's user may also write beside it
	Owner   string // "UID:GID" of what is in Root; nothing where the test's own user serves

	// User may do everything in Root.
	User, Password string

	dir     string // working directory
	command []string
	env     []string
	files   int
	drop    bool // start it as the servers' user

	mu    sync.Mutex
	log   bytes.Buffer
	cmd   *exec.Cmd
	ended chan struct{} // of the process that runs now
}

// server prepares what all have: a port, a directory.
func (g *Ground) server(name string, site Site) (*Server, error) {
	s := &Server{Name: name, Root: filepath.Join(g.Dir, site.Name, "root"), User: User, Password: Password, dir: g.Dir, files: site.Files,
		env: []string{"TZ=UTC", "LD_LIBRARY_PATH=" + g.in("usr/lib/x86_64-linux-gnu") + ":" + g.in("lib/x86_64-linux-gnu")}}
	if err := os.MkdirAll(s.Root, 0o755); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		s.Owner = fmt.Sprintf("%d:%d", uid, gid)
		err := os.Chown(s.Root, uid, gid)
		if err = errors.Join(err, os.Chown(filepath.Dir(s.Root), uid, gid)); err != nil {
			return nil, err
		}
	}
	var err error
	s.Addr, err = g.Address()
	return s, err
}

func (s *Server) port() string {
	_, port, _ := net.SplitHostPort(s.Addr)
	return port
}

// String is the name with the version.
func (s *Server) String() string { return s.Name + " " + s.Version }

// Start begins to serve and waits until connections are taken. A server that has
// ended may be started again.
func (s *Server) Start(ctx context.Context) error {
	command := s.command
	if s.files > 0 {
		command = append([]string{"sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$@"`, s.files), "sh"}, command...)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Dir = s.dir
	w := &locked{s: s}
	cmd.Stdout, cmd.Stderr = w, w
	cmd.WaitDelay = time.Second
	ownGroup(cmd, s.drop)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	s.mu.Lock()
	s.cmd, s.ended = cmd, ended
	s.mu.Unlock()
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	return s.ready(ctx, ended)
}

// ready waits until connections are taken.
func (s *Server) ready(ctx context.Context, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-again.C:
		case <-ended:
			return fmt.Errorf("%s does not start: %s", s.Name, s.Log())
		case <-ctx.Done():
			s.Stop()
			return fmt.Errorf("%s takes no connection: %w", s.Name, err)
		}
	}
}

// locked writes to a server's log.
type locked struct{ s *Server }

func (l *locked) Write(b []byte) (int, error) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return l.s.log.Write(b)
}

// Log is what the server has written to its standard outputs, over all its starts.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// Alive reports whether the process that was started runs.
func (s *Server) Alive() bool {
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	if ended == nil {
		return false
	}
	select {
	case <-ended:
		return false
	default:
		return true
	}
}

// PID is that of the process that was started, or 0.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil || s.cmd.Process == nil {
		return 0
	}
	return s.cmd.Process.Pid
}

// Stop kills the server and what it has started.
func (s *Server) Stop() {
	pid := s.PID()
	if pid == 0 {
		return
	}
	family := Family(pid) // sessions may have groups of their own
	endGroup(pid)
	for _, p := range family {
		end(p)
	}
	<-s.ended
}

// Finish asks the server to end, as people would, and waits until it has; it kills
// what has not ended by then.
func (s *Server) Finish(ctx context.Context) error {
	pid := s.PID()
	if pid == 0 {
		return nil
	}
	defer s.Stop()
	ask(pid)
	select {
	case <-s.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s does not end: %w", s.Name, ctx.Err())
	}
}

// errNoProc is told where there is no /proc.
var errNoProc = errors.New("there is no /proc on this system")

// Memory is how many bytes the server's processes have of their own, pages that they
// share counted once (PSS).
func (s *Server) Memory() (int64, error) {
	var sum int64
	for _, pid := range Family(s.PID()) {
		sum += memory(pid)
	}
	if sum == 0 {
		return 0, errNoProc
	}
	return sum, nil
}

// Descriptors is how many the server's processes have open, and how many processes
// there are.
func (s *Server) Descriptors() (open, processes int) {
	family := Family(s.PID())
	for _, pid := range family {
		names, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err == nil {
			open += len(names)
		}
	}
	return open, len(family)
}

// memory is the PSS of a process; 0 if it is gone.
func memory(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(text), "\n") {
		var kib int64
		if n, _ := fmt.Sscanf(line, "Pss: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}

// Family is a process and all that came from it and lives.
func Family(pid int) []int {
	if pid == 0 {
		return nil
	}
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended meanwhile
		}
		var child, parent int
		var state string
		_, behind, _ := strings.Cut(string(text), ") ")
		if n, _ := fmt.Sscanf(string(text), "%d", &child); n != 1 {
			continue
		}
		if n, _ := fmt.Sscanf(behind, "%s %d", &state, &parent); n == 2 && state != "Z" {
			children[parent] = append(children[parent], child)
		}
	}
	family := []int{pid}
	for i := 0; i < len(family); i++ {
		family = append(family, children[family[i]]...)
	}
	return family
}
