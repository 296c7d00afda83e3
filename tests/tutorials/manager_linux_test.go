package tutorials

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// unitsDir is where systemd looks for what an administrator has installed.
const unitsDir = "/etc/systemd/system"

// capNetBindService is the capability of ports below 1024.
const capNetBindService = 10

// manager does what systemctl would have systemd do, with the units that are installed, as
// far as the program can notice. What units shut off is not shut off.
type manager struct {
	sockets []*os.File
	names   []string
	service map[string]string // the keys of the service with its drop-ins; the last one counts
	cmd     *exec.Cmd
	ended   chan struct{}
	said    bytes.Buffer
	notify  *net.UnixConn
}

// keys reads units, one over the other.
func keys(files ...string) (map[string]string, []string, error) {
	values := map[string]string{}
	var streams []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		for line := range strings.Lines(string(text)) {
			key, value, is := strings.Cut(strings.TrimSpace(line), "=")
			if !is || strings.HasPrefix(key, "#") {
				continue
			}
			if key == "ListenStream" {
				streams = append(streams, value)
			}
			values[key] = value
		}
	}
	return values, streams, nil
}

// control carries out lines of systemctl.
func (m *manager) control(ctx context.Context, text string) error {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "systemctl" {
			return fmt.Errorf("%q is not for systemd", line)
		}
		var err error
		switch verb, units := words[1], words[2:]; verb {
		case "daemon-reload":
			drops, _ := filepath.Glob(unitsDir + "/edgeftp.service.d/*.conf") // the pattern is right
			m.service, _, err = keys(append([]string{unitsDir + "/edgeftp.service"}, drops...)...)
		case "enable":
			for _, unit := range units {
				switch unit {
				case "--now":
				case "edgeftp.socket":
					err = m.open()
				case "edgeftp.service":
					err = m.start(ctx)
				default:
					err = fmt.Errorf("there is no unit %s", unit)
				}
				if err != nil {
					break
				}
			}
		case "reload":
			err = m.once(ctx, "ExecReload")
		case "restart":
			if err = m.stop(); err == nil {
				err = m.start(ctx)
			}
		default:
			err = fmt.Errorf("systemctl %s is not known", verb)
		}
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.TrimSpace(line), err, m.said.String())
		}
	}
	return nil
}

// open binds what the socket unit names.
func (m *manager) open() error {
	unit, streams, err := keys(unitsDir + "/edgeftp.socket")
	if err != nil {
		return err
	}
	for _, s := range streams {
		if !strings.Contains(s, ":") {
			s = ":" + s
		}
		l, err := net.Listen("tcp", s)
		if err != nil {
			return err
		}
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			return err
		}
		m.sockets, m.names = append(m.sockets, f), append(m.names, unit["FileDescriptorName"])
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

// as is a command of the unit's, as its user.
func (m *manager) as(ctx context.Context, line string) (*exec.Cmd, error) {
	u, err := user.Lookup(m.service["User"])
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	// systemd takes the program at its path; $$ is the process that the sockets are for.
	words := append([]string{"-c", `LISTEN_PID=$$ exec "$@"`, "sh"}, strings.Fields(line)...)
	cmd := exec.CommandContext(ctx, "/bin/sh", words...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", &m.said, &m.said
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "STATE_DIRECTORY=/var/lib/" + m.service["StateDirectory"]}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, Pdeathsig: syscall.SIGKILL}
	if m.service["AmbientCapabilities"] == "CAP_NET_BIND_SERVICE" {
		cmd.SysProcAttr.AmbientCaps = []uintptr{capNetBindService}
	}
	return cmd, nil
}

// once runs a command of the unit to its end.
func (m *manager) once(ctx context.Context, key string) error {
	cmd, err := m.as(ctx, m.service[key])
	if err != nil {
		return err
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s=%s: %w", key, m.service[key], err)
	}
	return nil
}

// start runs ExecStartPre and ExecStart, and waits until the server says that it is ready.
func (m *manager) start(ctx context.Context) error {
	if m.service == nil {
		return fmt.Errorf("systemd does not know the units: daemon-reload is missing")
	}
	if err := m.once(ctx, "ExecStartPre"); err != nil {
		return err
	}
	path := "/srv/notify" // which the service's user reaches
	_ = os.Remove(path)   // of an earlier start
	var err error
	if m.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"}); err != nil {
		return err
	}
	if err := os.Chmod(path, 0o777); err != nil {
		return err
	}
	// The lifetime of a service is not that of one block.
	if m.cmd, err = m.as(context.WithoutCancel(ctx), m.service["ExecStart"]); err != nil {
		return err
	}
	m.cmd.ExtraFiles = m.sockets
	m.cmd.Env = append(m.cmd.Env, "NOTIFY_SOCKET="+path, "LISTEN_FDS="+strconv.Itoa(len(m.sockets)), "LISTEN_FDNAMES="+strings.Join(m.names, ":"))
	if err := m.cmd.Start(); err != nil {
		m.cmd = nil
		return err
	}
	cmd, notify, ended := m.cmd, m.notify, make(chan struct{})
	m.ended = ended
	go func() {
		defer close(ended)
		_ = cmd.Wait()                         // its words tell why
		_ = notify.SetReadDeadline(time.Now()) // nothing more will come
	}()
	return m.ready()
}

// ready waits for READY=1.
func (m *manager) ready() error {
	b := make([]byte, 4096)
	for {
		n, err := m.notify.Read(b)
		if err != nil {
			return fmt.Errorf("the service does not say that it is ready: %w", err)
		}
		if strings.Contains(string(b[:n]), "READY=1") {
			return nil
		}
	}
}

// stop ends the service, and leaves the sockets open.
func (m *manager) stop() error {
	if m.cmd == nil {
		return nil
	}
	err := m.cmd.Process.Signal(syscall.SIGTERM)
	<-m.ended
	err = errors.Join(err, m.notify.Close())
	if state := m.cmd.ProcessState; err == nil && !state.Success() {
		err = fmt.Errorf("the service ended with %s", state)
	}
	m.cmd = nil
	return err
}

func (m *manager) close(t *testing.T) {
	if err := m.stop(); err != nil {
		t.Errorf("%v\n%s", err, m.said.String())
	}
	for _, f := range m.sockets {
		_ = f.Close() // nothing is read from it
	}
}
