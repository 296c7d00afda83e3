//go:build linux

package main

import (
	"crypto/tls"
	"slices"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/tests/bench/load/client"
)

// logins are clients that come, log in and go.
type logins struct {
	secure  bool
	resumes bool // the TLS sessions of connections before
}

const (
	loginClients = 8
	loginMost    = 8000 // as smallMost
)

func loginScenarios() []scenario {
	return []scenario{
		{name: "loginplain", main: "ops/s", does: "8 clients: connect, USER, PASS, QUIT, again and again", run: logins{}.run},
		{name: "logintlsfull", main: "srv_cpu_us/op", tls: true, does: "the same with AUTH TLS, PBSZ and PROT, and a full handshake", run: logins{secure: true}.run},
		{name: "logintlsresumed", main: "srv_cpu_us/op", tls: true, does: "the same by clients that offer to resume a session", run: logins{secure: true, resumes: true}.run},
	}
}

func (l logins) run(t *turn) (figures, error) {
	caches := make([]tls.ClientSessionCache, loginClients)
	for i := range caches {
		if !l.resumes {
			break
		}
		caches[i] = cache()
		c, err := t.kit.Login(t.s.account, client.TLS(caches[i]), 1024)
		if err != nil {
			return nil, err
		}
		c.Quit() // leaves a ticket
	}
	var n, resumed atomic.Int64
	took := make([][]time.Duration, loginClients)
	m := t.meter()
	err := each(make([]*client.Conn, loginClients), func(i int, _ *client.Conn) error {
		for n.Load() < loginMost && m.goesOn() {
			start := time.Now()
			did, err := l.one(t, caches[i])
			if err != nil {
				return err
			}
			if did {
				resumed.Add(1)
			}
			took[i] = append(took[i], time.Since(start))
			n.Add(1)
		}
		return nil
	})
	wall := time.Since(m.start)
	time.Sleep(100 * time.Millisecond) // until a server that forks has waited for its children
	m.stop()
	m.wall = wall
	if err != nil {
		return nil, err
	}
	f := m.perOp(n.Load())
	f.quantiles(slices.Concat(took...), time.Microsecond, "_us")
	if l.resumes {
		f["resumed_share"] = float64(resumed.Load()) / float64(n.Load())
	}
	return f, nil
}

// one is one visit.
func (l logins) one(t *turn, cache tls.ClientSessionCache) (resumed bool, err error) {
	var conf *tls.Config
	if l.secure {
		conf = client.TLS(cache)
	}
	c, err := t.kit.Login(t.s.account, conf, 1024)
	if err != nil {
		return false, err
	}
	defer c.Raw.Close()
	return c.Resumed(), c.Want("QUIT", 221)
}
