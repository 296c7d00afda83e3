//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/edgeftp/edgeftp/tests/bench/load/account"
	"github.com/edgeftp/edgeftp/tests/bench/load/client"
)

// barePath is what a server would do for a scenario if there were no FTP around it:
// the limit of the machine. The server is a process of its own, bareServer, which is
// told by one byte; the client is the same as for the others.
type barePath struct {
	name    string
	mode    byte
	up      bool
	secure  bool
	entries int    // of a listing
	dir     string // that is listed
}

func barePaths() []barePath {
	return []barePath{
		{name: "down-sendfile", mode: 'd'}, {name: "down-sendfile-blocking", mode: 'b'}, {name: "down-read-write", mode: 'r'},
		{name: "up-splice", mode: 's', up: true}, {name: "up-io.Copy", mode: 'u', up: true}, {name: "up-read-write", mode: 'w', up: true},
		{name: "tlsdown-plain", mode: 'D', secure: true}, {name: "tlsdown-gather", mode: 'G', secure: true},
		{name: "tlsup-plain", mode: 'U', up: true, secure: true}, {name: "tlsup-gather", mode: 'V', up: true, secure: true},
		{name: "listing-10k", mode: 'l', entries: 10000, dir: "d10k"}, {name: "listing-100k", mode: 'L', entries: 100000, dir: "d100k"},
	}
}

func bareScenarios() []scenario {
	sc := scenario{name: "bare", main: "srv_cpu_s/GB", does: "all bare paths, with nothing beside them"}
	for _, p := range barePaths() {
		sc.bare = append(sc.bare, p.name)
	}
	return []scenario{sc}
}

// bareServer is the process that serves bare paths.
type bareServer struct {
	server
	cmd *exec.Cmd
	in  io.WriteCloser
}

// bareWord is how this program starts itself as one.
const bareWord = "bare-server"

// startBare starts the process.
func (f *field) startBare(ctx context.Context) (*bareServer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &bareServer{cmd: exec.CommandContext(ctx, self, bareWord, f.root)}
	b.cmd.Stderr = os.Stderr
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if b.in, err = b.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	f.own(b.cmd.Process.Pid)
	b.tree = account.Tree{PID: b.cmd.Process.Pid, Others: f.owns}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		b.account.Addr, err = net.ResolveTCPAddr("tcp", strings.TrimSpace(line))
	}
	if err != nil {
		b.stop()
		return nil, fmt.Errorf("the server of bare paths does not start: %w", err)
	}
	return b, nil
}

// stop lets the process end: it does when its standard input does.
func (b *bareServer) stop() {
	b.in.Close()
	_ = b.cmd.Wait()
}

// run measures one path.
func (p barePath) run(t *turn) (figures, error) {
	var total int64
	m := t.meter()
	for first := true; first || m.goesOn(); first = false {
		if err := p.once(t); err != nil {
			return nil, fmt.Errorf("bare path %s: %w", p.name, err)
		}
		total += int64(max(1, p.entries))
	}
	m.stop()
	if p.entries > 0 {
		return figures{"entries/s": float64(total) / m.wall.Seconds(), "srv_cpu_us/entry": micro(m.server) / float64(total)}, nil
	}
	return m.perGB(total * bigSize), nil
}

// once moves one file, or has one directory listed.
func (p barePath) once(t *turn) error {
	c, err := net.DialTCP("tcp", nil, t.s.account.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(client.Patience)); err != nil {
		return err
	}
	if _, err := c.Write([]byte{p.mode}); err != nil {
		return err
	}
	switch {
	case p.entries > 0:
	case p.up && p.secure:
		s, w, err := client.Handshake(c, client.TLS(nil))
		if err != nil {
			return err
		}
		if err := t.kit.Pour(s, w, bigSize); err != nil {
			return err
		}
	case p.up:
		if err := client.SendFile(c, t.src, bigSize); err != nil {
			return err
		}
	case p.secure:
		_, err := t.kit.Follow(c, client.TLS(nil))
		return err
	default:
		n, err := t.kit.Drop(c, true)
		if err == nil && n != bigSize {
			err = fmt.Errorf("%d bytes of %d", n, bigSize)
		}
		return err
	}
	if err := c.CloseWrite(); err != nil {
		return err
	}
	// The server says in the clear that it has everything.
	if err := c.SetDeadline(time.Now().Add(client.Patience)); err != nil {
		return err
	}
	said, err := io.ReadAll(c)
	if err == nil && !bytes.HasSuffix(said, []byte{bareDone}) {
		err = errors.New("the server did not finish")
	}
	return err
}

// bareDone is the last byte of an answer.
const bareDone = 'k'

// bareMain is that process: it serves until its standard input ends.
func bareMain(root string) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	conf, err := bareTLS()
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		l.Close()
	}()
	for {
		c, err := l.Accept()
		if err != nil {
			return nil // closed above
		}
		go func() {
			defer c.Close()
			if err := bareServe(c.(*net.TCPConn), root, conf); err != nil {
				fmt.Fprintln(os.Stderr, "bare path:", err)
			}
		}()
	}
}

// bareTLS is as edgeftp's: full records at once.
func bareTLS() (*tls.Config, error) {
	pair, err := throwAway()
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, DynamicRecordSizingDisabled: true}, nil
}
