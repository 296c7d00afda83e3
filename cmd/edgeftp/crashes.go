package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/record"
)

// Crashes are kept so that one in a row of thousands can be looked at, not all.
const (
	crashesKept  = 20               // files
	crashesEvery = 10 * time.Second // of one policy and cause
	crashBytes   = 4 << 20          // of one file
)

// crashes keeps what a module was asked when it crashed: recordings of one exchange,
// with all names and without any password or stored hash, in a directory of the server's own. A nil
// one keeps nothing.
type crashes struct {
	dir  string
	log  *slog.Logger
	work chan crash // to the one goroutine that writes
	done chan struct{}

	mu   sync.Mutex
	last map[string]time.Time // nil when it is closed
}

type crash struct {
	about record.Module
	x     *wasmhost.Exchange
	at    time.Time
}

// newCrashes begins to keep crashes in a directory, which is made when there is one.
func newCrashes(dir string, log *slog.Logger) *crashes {
	c := &crashes{dir: dir, log: log, work: make(chan crash, 16), done: make(chan struct{}), last: map[string]time.Time{}}
	go func() {
		defer close(c.done)
		for one := range c.work {
			if err := c.tryKeep(one); err != nil {
				log.Warn("what crashed a policy module could not be kept", "policy", one.about.Policy, "error", err)
			}
		}
	}()
	return c
}

// tryKeep is keep, which reads what a broken guest has made and must not be the server's
// end.
func (c *crashes) tryKeep(one crash) (err error) {
	defer func() {
		if p := recover(); p != nil {
			pi.LogPanic(c.log, p)
			err = errors.New("a mistake of the server's")
		}
	}()
	return c.keep(one)
}

// close waits until the last crash is written. Those that are offered later are lost.
func (c *crashes) close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.last = nil
	c.mu.Unlock()
	close(c.work)
	<-c.done
}

// offer takes a failed exchange if it was a crash and not one of a row. It does not
// block.
func (c *crashes) offer(about record.Module, x *wasmhost.Exchange) {
	var fault *wasmhost.CallError
	if c == nil || !errors.As(x.Err, &fault) {
		return
	}
	switch fault.Cause {
	case wasmhost.CauseFailed, wasmhost.CauseNoInstance, wasmhost.CauseQuestion, wasmhost.CauseClosed:
		return
	}
	now, key := time.Now(), fmt.Sprintf("%s %d", about.Policy, fault.Cause)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil || now.Sub(c.last[key]) < crashesEvery {
		return
	}
	select {
	case c.work <- crash{about, x, now}:
		c.last[key] = now
	default: // it is one of many
	}
}

// keep writes one crash and removes the oldest.
func (c *crashes) keep(one crash) error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	name := fmt.Sprintf("%s-%s-g%d.rec", one.at.UTC().Format("20060102T150405.000"), one.about.Policy, one.about.Generation)
	path := filepath.Join(c.dir, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w, err := record.NewWriter(f, crashBytes)
	if err == nil {
		err = w.Module(one.about)
	}
	if err == nil {
		kept := *one.x // a recording may have the same exchange
		record.Strip(&kept, false)
		_, err = w.Exchange(&kept)
	}
	if err == nil {
		err = w.Close(0)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	c.log.Warn("policy crashed", "event", "policy_failed", "policy", one.about.Policy, "policy_gen", one.about.Generation,
		"about", opOf(one.x), "ref", reference(one.x.Record), "bundle", path, "error", one.x.Err)
	return c.prune()
}

// prune removes the oldest files over the number that is kept.
func (c *crashes) prune() error {
	names, err := crashFiles(c.dir)
	if err != nil {
		return err
	}
	for _, name := range names[:max(0, len(names)-crashesKept)] {
		err = errors.Join(err, os.Remove(filepath.Join(c.dir, name)))
	}
	return err
}

// crashFiles lists the crashes in a directory, the oldest first.
func crashFiles(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".rec") && e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names) // they begin with the time
	return names, err
}
