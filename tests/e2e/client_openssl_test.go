package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// sClient is openssl s_client: one process holds the control connection, over
// which the test speaks FTP, and one more is each data connection, which resumes
// the session that the first one has written to a file.
type sClient struct{}

func (sClient) facts() facts {
	return facts{
		name:  "openssl s_client",
		lacks: noTrees("s_client knows nothing of files"),
		speak: func(f form) string {
			if f.version == "" {
				return "s_client speaks TLS alone"
			}
			return ""
		},
		notes: []string{
			"The certificate is verified in full (`-CAfile`, `-verify_return_error`, `-verify_ip`), on data connections as well.",
			"The dialogue is written by hand; data connections resume by `-sess_out` and `-sess_in`.",
		},
	}
}

func (sClient) version(t *testing.T) string {
	return versionOf(t, `OpenSSL \S+`, "openssl", "version")
}

func (cl sClient) do(c *cell, jobs ...job) error {
	ctx, cancel := context.WithTimeout(c.t.Context(), c.limit())
	defer cancel()
	d, err := cl.open(ctx, c)
	if err != nil {
		return err
	}
	err = d.begin()
	for _, j := range jobs {
		if err == nil {
			err = d.job(ctx, j)
		}
	}
	if err == nil {
		err = d.Quit()
	}
	d.end()
	if err != nil {
		return fmt.Errorf("s_client: %w\n%s", err, &d.said)
	}
	return nil
}

// dialogue is the control connection.
type dialogue struct {
	*userpi.Client
	cell    *cell
	cmd     *exec.Cmd
	session string // a file
	said    bytes.Buffer
}

// flags are those of every connection.
func (cl sClient) flags(c *cell, to string) []string {
	version := map[string]string{"1.2": "-tls1_2", "1.3": "-tls1_3"}[c.form.version]
	return []string{"s_client", "-connect", to, "-CAfile", c.house.ca, "-verify_return_error", "-verify_quiet", "-verify_ip", c.host, "-quiet", "-nocommands", version}
}

func (cl sClient) open(ctx context.Context, c *cell) (*dialogue, error) {
	session := c.here("session.pem")
	args := append(cl.flags(c, c.addr), "-sess_out", session)
	if !c.form.implicit {
		args = append(args, "-starttls", "ftp")
	}
	cmd := program{name: needed(c.t, "openssl"), args: args, dir: c.work}.command(ctx, c.t)
	in := must(cmd.StdinPipe())(c.t)
	out := must(cmd.StdoutPipe())(c.t)
	d := &dialogue{Client: userpi.New(&pipes{out.(*os.File), in, c.addr}), cell: c, cmd: cmd, session: session}
	d.Timeout = userpi.Timeout
	cmd.Stderr = &d.said
	return d, cmd.Start()
}

// begin logs in. The greeting of an explicit listener was s_client's to read.
func (d *dialogue) begin() error {
	if d.cell.form.implicit {
		if _, err := d.Expect("the connection", 220); err != nil {
			return err
		}
	}
	if err := d.Identify(d.cell.house.user, d.cell.house.password); err != nil {
		return err
	}
	for _, line := range []string{"PBSZ 0", "PROT P", "TYPE I"} {
		if _, err := d.Must(line, 200); err != nil {
			return err
		}
	}
	return nil
}

func (d *dialogue) end() {
	d.Close()
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

func (d *dialogue) job(ctx context.Context, j job) error {
	if _, err := d.Must("CWD /"+j.Folder, 250); err != nil {
		return err
	}
	var err error
	switch j.Task {
	case list:
		err = d.receive(ctx, "LIST", j.Local, 0)
	case put:
		err = d.send(ctx, "STOR "+j.Name, j.Local, 0)
	case putOn:
		var r userpi.Reply
		if r, err = d.Must("SIZE "+j.Name, 213); err == nil {
			err = d.send(ctx, "STOR "+j.Name, j.Local, number(d.cell.t, r.Text()))
		}
	case get:
		err = d.receive(ctx, "RETR "+j.Name, j.Local, 0)
	case getOn:
		info, e := os.Stat(j.Local)
		if err = e; e == nil {
			err = d.receive(ctx, "RETR "+j.Name, j.Local, info.Size())
		}
	case rename:
		if _, err = d.Must("RNFR "+j.Name, 350); err == nil {
			_, err = d.Must("RNTO "+j.To, 250)
		}
	case remove:
		_, err = d.Must("DELE "+j.Name, 250)
	case mkdir:
		_, err = d.Must("MKD "+j.Name, 257)
	case rmdir:
		_, err = d.Must("RMD "+j.Name, 250)
	}
	return err
}

// send uploads the file from an offset on.
func (d *dialogue) send(ctx context.Context, line, local string, at int64) error {
	f, err := os.Open(local)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return err
	}
	// At the end of its input s_client sends close_notify and ends.
	return d.transfer(ctx, line, at, f, io.Discard, "-no_ign_eof")
}

// receive writes what comes behind the first bytes of the file.
func (d *dialogue) receive(ctx context.Context, line, local string, at int64) error {
	f, err := os.OpenFile(local, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	return d.transfer(ctx, line, at, nil, f)
}

func (d *dialogue) transfer(ctx context.Context, line string, at int64, in io.Reader, out io.Writer, flags ...string) error {
	r, err := d.Must("EPSV", 229)
	if err != nil {
		return err
	}
	addr, err := userpi.Address(r, &net.TCPAddr{IP: net.ParseIP(d.cell.host)})
	if err != nil {
		return err
	}
	if at > 0 {
		if _, err := d.Must(fmt.Sprintf("REST %d", at), 350); err != nil {
			return err
		}
	}
	if _, err := d.Must(line, 125, 150); err != nil {
		return err
	}
	args := append(sClient{}.flags(d.cell, addr), append(flags, "-sess_in", d.session)...)
	cmd := program{name: d.cmd.Path, args: args, dir: d.cell.work}.command(ctx, d.cell.t)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, &said
	ended := cmd.Run()
	if _, err := d.Expect(line, 226); err != nil {
		return fmt.Errorf("%w; %v %s", err, ended, &said)
	}
	return nil
}

// pipes are a process's standard output and input, as a connection.
type pipes struct {
	*os.File
	in   io.WriteCloser
	addr string
}

func (p *pipes) Write(b []byte) (int, error) { return p.in.Write(b) }
func (p *pipes) Close() error                { return errors.Join(p.in.Close(), p.File.Close()) }
func (p *pipes) LocalAddr() net.Addr         { return &net.TCPAddr{} }
func (p *pipes) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(p.addr))
}

// The server is waited for when it is read from; what is written is short.
func (p *pipes) SetDeadline(t time.Time) error    { return p.SetReadDeadline(t) }
func (p *pipes) SetWriteDeadline(time.Time) error { return nil }
