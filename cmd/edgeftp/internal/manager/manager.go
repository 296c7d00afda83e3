// Package manager tells the service manager that has started the process how it stands:
// sd_notify(3), and the watchdog of systemd.service(5).
package manager

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Manager is the service manager. A nil one is told nothing.
type Manager struct {
	conn  *net.UnixConn
	every time.Duration // of the watchdog; 0: there is none
	log   *slog.Logger
}

// tellWithin is how long a message may take: who does not read is not waited for.
const tellWithin = 100 * time.Millisecond

// longest is how much of a status is told.
const longest = 200

// Open connects to the manager that NOTIFY_SOCKET names; without one the Manager is nil.
// The connection is kept, as the sandbox lets nobody make another. The environment is left
// as it is, for a process that takes over.
func Open(log *slog.Logger) (*Manager, error) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil, nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("the service manager cannot be told anything (NOTIFY_SOCKET): %w", err)
	}
	m := &Manager{conn: conn, log: log}
	if m.every, err = daemon.SdWatchdogEnabled(false); err != nil {
		log.Warn("the service manager's watchdog is not fed", "error", err)
	}
	return m, nil
}

// Ready tells that the server serves: after the start, or that a reload is over, whatever
// came of it.
func (m *Manager) Ready(status string) { m.tell(daemon.SdNotifyReady, line(status)) }

// Reloading tells that a configuration is to come into force, since this moment. Ready must
// follow.
func (m *Manager) Reloading() {
	m.tell(daemon.SdNotifyReloading, strings.TrimSpace(daemon.SdNotifyMonotonicUsec()), line("taking another configuration"))
}

// Stopping tells that the server drains.
func (m *Manager) Stopping(status string) { m.tell(daemon.SdNotifyStopping, line(status)) }

// Watch feeds the watchdog, if there is one, twice in its time until ctx ends, and has it
// starve while alive does not return: alive has to touch what the server cannot do without,
// and says how it stands.
func (m *Manager) Watch(ctx context.Context, alive func() string) {
	if m == nil || m.every <= 0 {
		return
	}
	tick := time.NewTicker(m.every / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.tell(daemon.SdNotifyWatchdog, line(alive()))
		}
	}
}

// Close gives the connection back.
func (m *Manager) Close() {
	if m != nil {
		_ = m.conn.Close() // nothing waits in it
	}
}

// line is a status that is one line.
func line(status string) string {
	status = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, status)
	if len(status) > longest {
		status = strings.ToValidUTF8(status[:longest], "")
	}
	return "STATUS=" + status
}

func (m *Manager) tell(lines ...string) {
	if m == nil {
		return
	}
	_ = m.conn.SetWriteDeadline(time.Now().Add(tellWithin))
	if _, err := m.conn.Write([]byte(strings.Join(lines, "\n") + "\n")); err != nil {
		m.log.Warn("the service manager could not be told", "what", lines[0], "error", err)
	}
}
