package parity

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// noDelay reports whether the server's end of a control connection has the Nagle
// algorithm switched off.
func (s *site) noDelay(c *client) bool {
	s.Helper()
	fd := s.serverSocketAt(c.Raw().LocalAddr().String(), unix.Getpeername)
	defer unix.Close(fd)
	n, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY)
	s.must(err)
	return n != 0
}

// serverSocketAt returns a copy of the server's socket of which end says that it is
// at an address.
func (s *site) serverSocketAt(addr string, end func(int) (unix.Sockaddr, error)) int {
	s.Helper()
	pid := s.pid
	if pid == 0 {
		pid = os.Getpid()
	}
	process, err := unix.PidfdOpen(pid, 0)
	s.must(err)
	defer unix.Close(process)
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	s.must(err)
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		s.must(err)
		fd, err := unix.PidfdGetfd(process, n, 0)
		if err != nil {
			continue // closed meanwhile
		}
		if sa, err := end(fd); err == nil && text(sa) == addr {
			return fd
		}
		_ = unix.Close(fd)
	}
	s.Fatalf("the server has no socket at %s", addr)
	return -1
}

func text(sa unix.Sockaddr) string {
	in, ok := sa.(*unix.SockaddrInet4)
	if !ok {
		return ""
	}
	return "127.0.0.1:" + strconv.Itoa(in.Port)
}

// calls returns how many system calls of a kind, syscr or syscw, the program has
// made.
func (s *site) calls(kind string) int64 {
	s.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(s.pid) + "/io")
	s.must(err)
	for l := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(l, kind+": "); ok {
			count, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			s.must(err)
			return count
		}
	}
	s.Fatalf("no %s in %q", kind, text)
	return 0
}

// owned fails unless a file belongs to a user of the host.
func (s *site) owned(name string, uid uint32) {
	s.Helper()
	var st unix.Stat_t
	s.must(unix.Stat(s.path(name), &st))
	if st.Uid != uid {
		s.Errorf("%s belongs to %d, not to %d", name, st.Uid, uid)
	}
}

// backlog returns how many connections may wait at an address that the server
// listens on: the kernel tells it where other sockets have a count (tcp(7),
// TCP_INFO).
func (s *site) backlog(addr string) int {
	s.Helper()
	fd := s.serverSocketAt(addr, unix.Getsockname)
	defer unix.Close(fd)
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	s.must(err)
	return int(info.Sacked)
}

// read fails unless a file was last read at a time.
func (s *site) read(name string, at time.Time) {
	s.Helper()
	var st unix.Stat_t
	s.must(unix.Stat(s.path(name), &st))
	if got := time.Unix(st.Atim.Unix()); !got.Equal(at) {
		s.Errorf("%s was last read at %v, not %v", name, got, at)
	}
}
