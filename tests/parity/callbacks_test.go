package parity

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func connectionCallbacks() []line {
	const key = "events.file"
	return []line{
		{"FTPHandler.on_connect", "callback: a client has connected", "policy.EventConnect, policy.Observer", key, same, "", testOnConnect},
		{"FTPHandler.on_disconnect", "callback: the control connection is closed, also of a client that was turned away", "policy.EventDisconnect", key, same, "", testOnDisconnect},
		{"FTPHandler.on_login", "callback (username): a user is logged in", "policy.EventLogin, policy.Session.User", key, same, "", testOnLogin},
		{"FTPHandler.on_login_failed", "callback (username; in the library the password too): a login was refused", "policy.EventLoginFailed", key, safer,
			"no password is ever told, as the page says and the library does not do", testOnLoginFailed},
		{"FTPHandler.on_logout", "callback (username): QUIT, REIN or USER ended a login, not the end of the connection", "policy.EventLogout", key, same, "", testOnLogout},
	}
}

func transferCallbacks() []line {
	const key, path = "events.file", "the path is that which clients see; vfs.Disk.HostPath makes the host's of it"
	return []line{
		{"FTPHandler.on_file_sent", "callback (file): RETR has ended well; file is an absolute path of the host", "policy.EventFileSent, policy.Event.Path, vfs.Disk.HostPath", key, different, path, testOnFileSent},
		{"FTPHandler.on_file_received", "callback (file): STOR, APPE or STOU has ended well", "policy.EventFileReceived, policy.Event.Path", key, different,
			path + "; the file has been published, and not before", testOnFileReceived},
		{"FTPHandler.on_incomplete_file_sent", "callback (file): RETR was interrupted", "policy.EventIncompleteFileSent", key, different, path, testOnIncompleteSent},
		{"FTPHandler.on_incomplete_file_received", "callback (file): STOR, APPE or STOU was interrupted", "policy.EventIncompleteFileReceived", key, safer,
			"a connection that was reset, or ended without close_notify, is an interruption; the model takes it for the end of the file", testOnIncompleteReceived},
	}
}

func testOnConnect(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		c := s.greeted()
		if e := s.event("connect"); e.Remote != c.Raw().LocalAddr().String() || e.Local != s.addrs[0] || e.Listener != "main" {
			s.Errorf("connect: %+v", e)
		}
	})
}

func testOnDisconnect(t *testing.T) {
	set := func(c *edge.Config) { c.Limits.Sessions = 1 }
	both(t, set, file{top: "limits: { sessions: { total: 1 } }\n"}, func(s *site) {
		c := s.login()
		s.dial().next("421")
		if e := s.event("disconnect"); e.Session != 0 {
			s.Errorf("of the one that was turned away: %+v", e)
		}
		c.must(c.Close())
		if e := s.event("disconnect"); e.Session != 1 || e.User != user {
			s.Errorf("disconnect: %+v", e)
		}
		s.told(1, "connect", "login", "disconnect")
	})
}

func testOnLogin(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		s.login()
		if e := s.event("login"); e.User != user || e.Session != 1 || e.Anonymous {
			s.Errorf("login: %+v", e)
		}
	})
}

func testOnLoginFailed(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		c := s.greeted()
		c.says("USER somebody", "331", "PASS wr0ng", "530")
		if e := s.event("login_failed"); e.User != "somebody" {
			s.Errorf("login_failed: %+v", e)
		}
		c.says("QUIT", "221")
		s.told(1, "connect", "login_failed", "disconnect")
		text, err := os.ReadFile(s.events)
		s.must(err)
		if all := string(text) + s.logs.String(); strings.Contains(all, "wr0ng") || strings.Contains(all, password) {
			s.Errorf("a password was told:\n%s", all)
		}
	})
}

func testOnLogout(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		c := s.login()
		c.says("USER dev", "331", "PASS "+password, "230", "REIN", "220", "USER dev", "331", "PASS "+password, "230", "QUIT", "221")
		s.told(1, "connect", "login", "logout", "login", "logout", "login", "logout", "disconnect")
		if e := s.event("logout"); e.User != user {
			s.Errorf("logout: %+v", e)
		}
		c = s.login()
		c.must(c.Close())
		s.told(2, "connect", "login", "disconnect")
	})
}

func testOnFileSent(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		s.write("d/a", "content")
		c := s.binary()
		c.says("CWD d", "250")
		c.get("RETR a")
		e := s.event("file_sent")
		if e.Path != "/d/a" || e.User != user || e.Op != "read" || *e.Bytes != 7 || e.Seconds == nil || e.Code != 226 {
			s.Errorf("file_sent: %+v", e)
		}
		if real, err := filepath.EvalSymlinks(s.path("d/a")); s.disk != nil && s.disk.HostPath(vfs.Path(e.Path)) != real {
			s.Errorf("on the host it is %s, not %s, %v", s.disk.HostPath(vfs.Path(e.Path)), real, err)
		}
		c.get("NLST") // no file's transfer
		c.says("QUIT", "221")
		s.told(1, "connect", "login", "file_sent", "logout", "disconnect")
	})
}

func testOnFileReceived(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		c := s.binary()
		c.put("STOR a", "content")
		c.put("APPE a", "more")
		c.put("STOU", "unique")
		for _, want := range []struct {
			path, op string
			bytes    int64
		}{{"/a", "write", 7}, {"/a", "append", 4}, {"/ftpd", "unique", 6}} {
			e := s.event("file_received")
			if !strings.HasPrefix(e.Path, want.path) || e.Op != want.op || *e.Bytes != want.bytes {
				s.Errorf("file_received: %+v, want %+v", e, want)
			}
			if _, err := os.Stat(s.path(e.Path)); err != nil {
				s.Error(err)
			}
		}
		s.never("incomplete_file_received")
	})
}

func testOnIncompleteSent(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		s.write("a", strings.Repeat("x", 16<<20))
		c := s.binary()
		for _, end := range []string{"ABOR", "reset", "control"} {
			conn, err := c.Begin(userpi.EPSV, "RETR a")
			s.must(err)
			switch _, err = conn.Read(make([]byte, 1000)); end {
			case "ABOR":
				c.says("ABOR", "426")
				c.next("226")
			case "reset":
				s.must(userpi.Reset(conn))
				c.next("426")
			case "control":
				s.must(c.Close())
			}
			s.must(err)
			conn.Close()
			if e := s.event("incomplete_file_sent"); e.Path != "/a" || *e.Bytes < 1000 || *e.Bytes >= 16<<20 {
				s.Errorf("%s: %+v", end, e)
			}
		}
		s.never("file_sent")
	})
}

func testOnIncompleteReceived(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		s.write("a", "old")
		c := s.binary()
		for _, end := range []string{"ABOR", "reset", "control"} {
			conn, err := c.Begin(userpi.EPSV, "STOR a")
			s.must(err)
			_, err = conn.Write([]byte("new"))
			s.must(err)
			switch end {
			case "ABOR":
				c.says("ABOR", "426")
				c.next("226")
			case "reset":
				s.must(userpi.Reset(conn))
				c.next("426")
			case "control":
				s.must(c.Close())
			}
			if e := s.event("incomplete_file_received"); e.Path != "/a" || e.Op != "write" {
				s.Errorf("%s: %+v", end, e)
			}
			conn.Close()
			s.holds("a", "old")
		}
		s.never("file_received")
	})
}
