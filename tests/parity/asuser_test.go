package parity

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// nobody is a user of the host who owns nothing.
func nobody() vfs.Credentials { return vfs.Credentials{UID: 65534, GID: 65534} }

// The session of a login has the rights of its user: what that user may not read is
// 550, and what is stored belongs to it. Only a server that may become others can
// do that; where it cannot, nobody gets in with the server's own rights.
func testAsUser(t *testing.T) {
	onLinux(t)
	s := serve(t, func(c *edge.Config) {
		own := c.FS
		c.Home = func(context.Context, policy.Session, policy.Identity) (vfs.FS, func(), error) {
			fs, err := vfs.AsUser(own, nobody())
			return fs, nil, err
		}
	})
	s.write("private", "content")
	s.must(os.Chmod(s.path("private"), 0o600))
	s.must(os.Chmod(s.root, 0o777))
	s.mkdir("closed")
	err := vfs.RunAs(nobody(), func() error {
		_, err := os.ReadFile(s.path("private"))
		return err
	})
	if errors.Is(err, vfs.ErrNoAsUser) && os.Getuid() != 0 {
		s.greeted().says("USER dev", "331", "PASS "+password, "530")
		return
	}
	if !errors.Is(err, os.ErrPermission) {
		t.Errorf("nobody reads what is not nobody's: %v", err)
	}
	c := s.binary()
	c.says("EPSV", "229", "RETR private", "550", "MKD closed/d", "550")
	c.put("STOR a", "content")
	s.holds("a", "content")
	s.owned("a", 65534)
	c.says("MKD d", "257")
	s.owned("d", 65534)
}
