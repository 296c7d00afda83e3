package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"time"

	"github.com/edgeftp/edgeftp/tests/peers"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// What the honest user fetches.
const (
	fetched     = "one-mebibyte"
	fetchedSize = 1 << 20
)

// honest is a user who means well, at an address that no attacker has.
type honest struct {
	addr   string
	tls    bool
	took   []time.Duration // of fetches that succeeded
	failed int
	first  error // why the first of all fetches failed, if none succeeded
}

// pace is the pause between two fetches.
const pace = 20 * time.Millisecond

// work fetches until ctx is over, and once at least.
func (h *honest) work(ctx context.Context) {
	for first := true; first || ctx.Err() == nil; first = false {
		began := time.Now()
		if err := h.fetch(); err != nil {
			h.failed++
			if h.first == nil {
				h.first = err
			}
		} else {
			h.took = append(h.took, time.Since(began))
		}
		_ = settle(ctx, pace)
	}
	if len(h.took) > 0 {
		h.first = nil
	}
	slices.Sort(h.took)
}

// fetch connects, logs in, fetches 1 MiB and leaves.
func (h *honest) fetch() error {
	d := net.Dialer{Timeout: userpi.Timeout, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 99, 0, 1)}}
	conn, err := d.Dial("tcp", h.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	c := userpi.New(conn)
	c.Timeout = userpi.Timeout
	if _, err := c.Expect("the connection", 220); err != nil {
		return err
	}
	if h.tls {
		if err := c.Protect(anyTLS()); err != nil {
			return err
		}
	}
	if err := c.Identify(peers.User, peers.Password); err != nil {
		return err
	}
	if _, err := c.Must("TYPE I", 200); err != nil {
		return err
	}
	data, err := c.Begin(userpi.EPSV, "RETR /"+fetched)
	if err != nil {
		return err
	}
	defer data.Close()
	n, err := io.Copy(io.Discard, data)
	if err == nil && n != fetchedSize {
		err = fmt.Errorf("%d bytes came", n)
	}
	if err != nil {
		return err
	}
	data.Close()
	if _, err := c.Expect("RETR", 226); err != nil {
		return err
	}
	_, err = c.Must("QUIT", 221)
	return err
}

// quantile is in milliseconds.
func (h *honest) quantile(q float64) float64 {
	if len(h.took) == 0 {
		return math.NaN()
	}
	i := min(int(math.Ceil(q*float64(len(h.took))))-1, len(h.took)-1)
	return float64(h.took[max(i, 0)].Microseconds()) / 1000
}

// anyTLS trusts everybody.
func anyTLS() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: userpi.ServerName, MinVersion: tls.VersionTLS12}
}
