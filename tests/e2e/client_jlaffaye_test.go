package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jlaffaye/ftp"
)

// jlaffaye is the Go library github.com/jlaffaye/ftp, with all its jobs in one
// session, and with or without a cache for TLS sessions.
type jlaffaye struct{ cache bool }

const jlaffayePath = "github.com/jlaffaye/ftp"

func (cl jlaffaye) facts() facts {
	f := facts{
		name:  jlaffayePath,
		lacks: noTrees("the library moves files one by one"),
		weak:  func(form) string { return "Go takes no session tickets without a `ClientSessionCache`" },
		notes: []string{"The certificate is verified in full (`tls.Config.RootCAs`)."},
	}
	if cl.cache {
		f.name, f.weak = f.name+", caching", nil
		f.notes = append(f.notes, "Its `tls.Config` has a `ClientSessionCache` and a `ServerName`.")
	}
	return f
}

func (jlaffaye) version(t *testing.T) string {
	args := []string{"list", "-m", "-f", "{{.Path}} {{.Version}}", jlaffayePath}
	return strings.TrimSpace(program{name: needed(t, "go"), args: args, dir: "."}.must(t).stdout)
}

func (cl jlaffaye) do(c *cell, jobs ...job) error {
	done := make(chan error, 1)
	go func() { done <- cl.session(c, jobs) }()
	select {
	case err := <-done:
		return err
	case <-time.After(c.limit()):
		return fmt.Errorf("it is not done after %v", c.limit())
	}
}

func (cl jlaffaye) session(c *cell, jobs []job) error {
	conn, err := cl.dial(c)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	for _, j := range jobs {
		err := conn.ChangeDir("/" + j.Folder)
		if err == nil {
			err = cl.job(conn, j)
		}
		if err != nil {
			_ = conn.Quit()
			return fmt.Errorf("%s: %w", j.Task, err)
		}
	}
	return conn.Quit()
}

func (cl jlaffaye) dial(c *cell) (*ftp.ServerConn, error) {
	options := []ftp.DialOption{ftp.DialWithTimeout(waitWithin), ftp.DialWithShutTimeout(waitWithin)}
	if c.form.version != "" {
		conf := c.house.trust(c.t)
		conf.ServerName = c.host
		if cl.cache {
			conf.ClientSessionCache = tls.NewLRUClientSessionCache(8)
		}
		conf.MinVersion, conf.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
		if c.form.version == "1.3" {
			conf.MinVersion, conf.MaxVersion = tls.VersionTLS13, tls.VersionTLS13
		}
		with := ftp.DialWithExplicitTLS
		if c.form.implicit {
			with = ftp.DialWithTLS
		}
		options = append(options, with(conf))
	}
	conn, err := ftp.Dial(c.addr, options...)
	if err != nil {
		return nil, err
	}
	return conn, conn.Login(c.house.user, c.house.password)
}

func (cl jlaffaye) job(conn *ftp.ServerConn, j job) error {
	switch j.Task {
	case list:
		return cl.list(conn, j)
	case put, putOn:
		return cl.put(conn, j)
	case get, getOn:
		return cl.get(conn, j)
	case rename:
		return conn.Rename(j.Name, j.To)
	case remove:
		return conn.Delete(j.Name)
	case mkdir:
		return conn.MakeDir(j.Name)
	}
	return conn.RemoveDir(j.Name)
}

func (jlaffaye) list(conn *ftp.ServerConn, j job) error {
	entries, err := conn.List("")
	if err != nil {
		return err
	}
	text := ""
	for _, e := range entries {
		text += fmt.Sprintln(e.Size, e.Name)
	}
	return os.WriteFile(j.Local, []byte(text), 0o644)
}

func (jlaffaye) put(conn *ftp.ServerConn, j job) error {
	f, err := os.Open(j.Local)
	if err != nil {
		return err
	}
	defer f.Close()
	if j.Task == put {
		return conn.Stor(j.Name, f)
	}
	at, err := conn.FileSize(j.Name)
	if err != nil {
		return err
	}
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return err
	}
	return conn.StorFrom(j.Name, f, uint64(at))
}

func (jlaffaye) get(conn *ftp.ServerConn, j job) error {
	flags := os.O_CREATE | os.O_WRONLY
	f, err := os.OpenFile(j.Local, flags, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	at, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	r, err := conn.RetrFrom(j.Name, uint64(at))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if end := r.Close(); err == nil {
		err = end
	}
	return err
}

// Connections that share a cache of TLS sessions present each other's tickets, as
// docs/clients.md says of rclone: none of them is let in with another's.
func TestSharedSessionCache(t *testing.T) {
	t.Parallel()
	s := start(t)
	shared := s.trust(t)
	shared.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	dial := func(conf *tls.Config) *ftp.ServerConn {
		c := must(ftp.Dial(s.addr, ftp.DialWithTimeout(waitWithin), ftp.DialWithExplicitTLS(conf)))(t)
		t.Cleanup(func() { _ = c.Quit() })
		ok(t, c.Login(s.user, s.password))
		return c
	}
	first := dial(shared)
	_, err := first.List("")
	ok(t, err)
	dial(shared) // its ticket takes the place of the first one's
	if _, err := first.List(""); err == nil || !refusal.MatchString(err.Error()) {
		t.Errorf("with the ticket of another session: %v, want 522", err)
	}
	own := s.trust(t)
	own.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	third := dial(own)
	dial(s.trust(t))
	_, err = third.List("")
	ok(t, err)
	s.stop(t)
}
