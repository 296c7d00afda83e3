package edge

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// hand gives a server a connection that somebody else has accepted.
func hand(ctx context.Context, srv *Server, name string) (*userpi.Client, <-chan error) {
	ours, theirs := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- srv.ServeConn(ctx, ours, name) }()
	return userpi.New(theirs), done
}

func TestServeConn(t *testing.T) {
	conf := basic(newKeeper())
	conf.Listeners[0].Address = ""
	srv, err := New(conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Listen(t.Context()); err != nil || len(srv.Addresses()) != 0 {
		t.Fatalf("Listen: %v, %v", err, srv.Addresses())
	}
	c, done := hand(t.Context(), srv, "main")
	if err := c.Login("dev", "secret"); err != nil {
		t.Fatal(err)
	}
	if st := srv.Status(); st.Sessions != 1 {
		t.Errorf("%d sessions", st.Sessions)
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("ServeConn: %v", err)
	}
	none, done := hand(t.Context(), srv, "other")
	if err := <-done; err == nil {
		t.Error("a listener that does not exist was found")
	}
	if err := none.Closed(); err != nil {
		t.Error(err)
	}
	abandoned, cancel := context.WithCancel(context.Background())
	c, done = hand(abandoned, srv, "main")
	if err := c.Login("dev", "secret"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Begin(userpi.EPSV, "STOR a"); err == nil {
		t.Error("a pipe has a data port")
	}
	stopped := make(chan error, 1)
	limit, giveUp := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer giveUp()
	go func() { stopped <- srv.Shutdown(limit) }()
	if _, err := c.Expect("Shutdown", 421); err != nil {
		t.Error(err)
	}
	_ = c.Close()
	if err := <-done; err != nil {
		t.Errorf("ServeConn: %v", err)
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	late, done := hand(t.Context(), srv, "main")
	if err := <-done; err == nil {
		t.Error("a session began behind Shutdown's back")
	}
	if err := late.Closed(); err != nil {
		t.Error(err)
	}
}

// The end of its context ends a session that waits for a command.
func TestServeConnCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conf := basic(newKeeper())
		conf.Listeners[0].Address = ""
		srv, err := New(conf)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		c, done := hand(ctx, srv, "main")
		if err := c.Login("dev", "secret"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // until it waits
		began := time.Now()
		cancel()
		if err := <-done; err != nil || time.Since(began) > time.Second {
			t.Errorf("it has ended after %v, %v", time.Since(began), err)
		}
		_ = c.Close()
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
