//go:build linux

package main

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/edgeftp/edgeftp/tests/bench/load/client"
)

// bulk is what a transfer of large files is.
type bulk struct {
	sessions int
	up       bool
	secure   bool
	dir      string // of uploads
}

func bulkScenarios() []scenario {
	one := func(name string, b bulk, bare ...string) scenario {
		does := "RETR of 256 MiB, again and again"
		if b.up {
			does = "STOR of 256 MiB, again and again, to " + b.dir
		}
		if b.secure {
			does += ", over TLS"
		}
		return scenario{name: name, main: "srv_cpu_s/GB", tls: b.secure, bare: bare, disk: b.dir == "disk",
			does: fmt.Sprintf("%d × %s", b.sessions, does), run: b.run}
	}
	durableOne := one("ul1durable", bulk{sessions: 1, up: true, dir: "disk"})
	durableOne.variant, durableOne.does = durable, durableOne.does+" with `durability: full`: compare with ul1disk"
	return []scenario{
		one("dl1", bulk{sessions: 1}, "down-sendfile"), one("dl4", bulk{sessions: 4}, "down-sendfile"), one("dl16", bulk{sessions: 16}, "down-sendfile"),
		one("ul1", bulk{sessions: 1, up: true, dir: "up"}, "up-splice"), one("ul4", bulk{sessions: 4, up: true, dir: "up"}, "up-splice"),
		one("ul1disk", bulk{sessions: 1, up: true, dir: "disk"}), durableOne,
		one("tlsdl1", bulk{sessions: 1, secure: true}, "tlsdown-gather"), one("tlsdl4", bulk{sessions: 4, secure: true}, "tlsdown-gather"),
		one("tlsul1", bulk{sessions: 1, up: true, secure: true, dir: "up"}, "tlsup-gather"), one("tlsul4", bulk{sessions: 4, up: true, secure: true, dir: "up"}, "tlsup-gather"),
	}
}

func (b bulk) run(t *turn) (figures, error) {
	all, err := t.ready(b.sessions, b.secure, 4096)
	if err != nil {
		return nil, err
	}
	defer client.Leave(all)
	var total atomic.Int64
	m := t.meter()
	err = each(all, func(i int, c *client.Conn) error {
		for first := true; first || m.goesOn(); first = false {
			if err := b.one(t, i, c); err != nil {
				return err
			}
			total.Add(bigSize)
		}
		return nil
	})
	m.stop()
	if err == nil && b.up {
		err = b.check(t, all)
	}
	if err != nil {
		return nil, err
	}
	return m.perGB(total.Load()), nil
}

// one moves one file.
func (b bulk) one(t *turn, i int, c *client.Conn) error {
	if b.up {
		return c.Store("STOR "+t.path(fmt.Sprintf("%s/big%02d", b.dir, i)), client.Source{File: t.src, Size: bigSize})
	}
	n, err := c.Retrieve("RETR "+t.path("pub/big"), true)
	if err == nil && (n > bigSize+1<<20 || n < bigSize-1<<20 || !b.secure && n != bigSize) {
		err = fmt.Errorf("RETR: %d bytes of %d", n, bigSize)
	}
	return err
}

// check looks at the files that were uploaded, and has them deleted.
func (b bulk) check(t *turn, all []*client.Conn) error {
	for i, c := range all {
		name := fmt.Sprintf("%s/big%02d", b.dir, i)
		st, err := os.Stat(t.in(name))
		if err != nil {
			return err
		}
		if st.Size() != bigSize {
			return fmt.Errorf("STOR: the file has %d bytes of %d", st.Size(), bigSize)
		}
		if err := c.Want("DELE "+t.path(name), 250); err != nil {
			return err
		}
	}
	return nil
}

// verify moves 4 MiB both ways and looks at every byte.
func verify(t *turn) (figures, error) {
	f := figures{"ok": 1}
	if err := verifyWith(t, nil, f); err != nil {
		return nil, err
	}
	if !t.s.tls {
		return f, nil
	}
	if err := verifyWith(t, client.TLS(cache()), f); err != nil {
		return nil, fmt.Errorf("over TLS: %w", err)
	}
	return f, nil
}

func verifyWith(t *turn, conf *tls.Config, f figures) error {
	c, err := t.kit.Login(t.s.account, conf, 4096)
	if err != nil {
		return err
	}
	defer c.Quit()
	if err := c.Want("TYPE I", 200); err != nil {
		return err
	}
	if err := c.Store("STOR "+t.path("up/verify"), client.Source{File: t.src, Size: 4 << 20}); err != nil {
		return err
	}
	want, err := os.ReadFile(t.in("pub/m4"))
	if err != nil {
		return err
	}
	got, err := os.ReadFile(t.in("up/verify"))
	if err != nil {
		return err
	}
	if sha256.Sum256(got) != sha256.Sum256(want) {
		return errors.New("STOR: the file holds something else")
	}
	d, err := c.Open("RETR " + t.path("up/verify"))
	if err != nil {
		return err
	}
	defer d.Close()
	var r io.Reader = d
	if conf != nil {
		sealed, _, err := client.Handshake(d, conf)
		if err != nil {
			return err
		}
		defer sealed.CloseWrite()
		state := sealed.ConnectionState()
		f["tls_version"], f["tls_cipher"] = float64(state.Version), float64(state.CipherSuite)
		r = sealed
	}
	if got, err = io.ReadAll(r); err != nil {
		return err
	}
	d.Close()
	if sha256.Sum256(got) != sha256.Sum256(want) {
		return errors.New("RETR: something else came")
	}
	if err := c.Done(); err != nil {
		return err
	}
	return c.Want("DELE "+t.path("up/verify"), 250)
}
