package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/record"
)

// watch has the server see what crosses the border of a module that answers: crashes
// always, everything while the slot is recorded.
func (m *modules) watch(s *slot, c *candidate, generation uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.about = record.Module{Policy: s.conf.Name, Digest: c.policy.Digest(), Version: c.accepted.Version, Generation: generation,
		Since: time.Now().UTC(), Server: version()}
	m.rewatch(s, c)
}

// rewatch does so anew after the slot's tap has changed. The caller holds mu.
func (m *modules) rewatch(s *slot, c *candidate) {
	about, t := c.about, s.tap
	c.policy.Watch(&wasmhost.Watcher{Failed: t == nil, Tell: func(x *wasmhost.Exchange) {
		if x.Err != nil {
			m.crashes.offer(about, x)
		}
		if t != nil {
			t.offer(&about, x)
		}
	}})
}

// setTap begins or ends the recording of a slot. The caller holds mu.
func (m *modules) setTap(s *slot, t *tap) {
	s.tap = t
	for _, c := range []*candidate{s.now, s.next} {
		if c != nil {
			m.rewatch(s, c)
		}
	}
}

// tapQueue is how many exchanges wait for a recording's writer before they
// are dropped, and tapBytes how many bytes they have together.
const (
	tapQueue = 8192
	tapBytes = 64 << 20
)

// tap takes exchanges of one slot for one recording.
type tap struct {
	what    control.Recording
	queue   chan tapped
	held    atomic.Int64 // bytes in the queue
	over    atomic.Bool  // modules that were replaced meanwhile may still know it
	dropped atomic.Uint64
}

type tapped struct {
	about *record.Module
	x     wasmhost.Exchange // the recording's own: names are replaced in it
}

// offer takes an exchange if it is wanted. It does not block.
func (t *tap) offer(about *record.Module, x *wasmhost.Exchange) {
	if t.over.Load() || !t.wants(x) {
		return
	}
	n := weight(x)
	if x.Lost == 0 && t.held.Add(n) <= tapBytes {
		select {
		case t.queue <- tapped{about, *x}:
			return
		default:
		}
	}
	if x.Lost == 0 {
		t.held.Add(-n)
	}
	t.dropped.Add(1) // also what is not whole, and could not be replayed
}

// take says that an exchange has left the queue.
func (t *tap) take(e *tapped) { t.held.Add(-weight(&e.x)) }

// weight is about how many bytes an exchange has.
func weight(x *wasmhost.Exchange) int64 {
	n := len(x.Record) + len(x.Reply) + len(x.Stderr) + 512
	for i := range x.Host {
		n += len(x.Host[i].In) + len(x.Host[i].Out) + 128
	}
	return int64(n)
}

func (t *tap) wants(x *wasmhost.Exchange) bool {
	if len(t.what.Hooks) > 0 && !slices.Contains(t.what.Hooks, x.Hook) {
		return false
	}
	if t.what.Sample > 0 && t.what.Sample < 100 {
		h := fnv.New32a()
		h.Write(x.Record[abi.OffSession:abi.OffRequest]) // a hash takes everything
		if h.Sum32()%100 >= uint32(t.what.Sample) {
			return false
		}
	}
	if len(t.what.Ops) == 0 && len(t.what.Under) == 0 {
		return true
	}
	op, where := record.About(x.Record)
	return (len(t.what.Ops) == 0 || slices.ContainsFunc(t.what.Ops, func(s string) bool { return strings.EqualFold(s, op) })) &&
		(len(t.what.Under) == 0 || slices.ContainsFunc(t.what.Under, func(dir string) bool {
			return where == dir || strings.HasPrefix(where, strings.TrimSuffix(dir, "/")+"/")
		}))
}

// Record implements control.Recorder.
func (m *modules) Record(ctx context.Context, name string, what control.Recording, w io.Writer) error {
	s, err := m.find(name)
	if err != nil {
		return err
	}
	t := &tap{what: what, queue: make(chan tapped, tapQueue)}
	m.mu.Lock()
	if s.tap != nil {
		m.mu.Unlock()
		return &control.Refusal{Code: control.CodeRecorded, Message: fmt.Sprintf("policy %q is being recorded already", name),
			Help: "wait for its end, or interrupt the other  edgeftp policy record"}
	}
	m.setTap(s, t)
	m.mu.Unlock()
	m.log.Info("policy recording begins", "policy", name, "for", what.For.String(), "names", what.Names)
	end := func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		t.over.Store(true)
		if s.tap == t { // it is told twice, and another recording may have begun
			m.setTap(s, nil)
		}
	}
	n, err := t.write(ctx, w, end)
	m.log.Info("policy recording ended", "policy", name, "exchanges", n, "dropped", t.dropped.Load())
	return err
}

// write writes what is offered until the time is over, the caller has gone, or the
// recording is full. Then it has end called, and what waits is written still.
func (t *tap) write(ctx context.Context, w io.Writer, end func()) (n uint64, err error) {
	defer end()
	ctx, cancel := context.WithTimeout(ctx, t.what.For)
	defer cancel()
	out := &tapWriter{tap: t}
	if !t.what.Names {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		out.hider = record.NewHider(key, t.what.Keep...)
	}
	if out.w, err = record.NewWriter(w, t.what.Max); err != nil {
		return 0, err
	}
	for full := false; !full; {
		select {
		case e := <-t.queue:
			t.take(&e)
			if full, err = out.write(&e); err != nil {
				return out.n, err
			}
			continue
		case <-ctx.Done():
		}
		break
	}
	end()
	for len(t.queue) > 0 {
		e := <-t.queue
		t.take(&e)
		if _, err := out.write(&e); err != nil {
			return out.n, err
		}
	}
	return out.n, out.w.Close(t.dropped.Load())
}

// tapWriter writes one recording.
type tapWriter struct {
	tap   *tap
	w     *record.Writer
	hider *record.Hider  // nil where names stay
	about *record.Module // of the last exchange
	n     uint64
}

func (o *tapWriter) write(e *tapped) (full bool, err error) {
	if o.about == nil || *o.about != *e.about {
		o.about = e.about
		about := *e.about
		about.Hidden = o.hider != nil
		if err := o.w.Module(about); err != nil {
			return false, err
		}
	}
	if o.hider == nil {
		record.Strip(&e.x, true)
	} else if err := o.hider.Hide(&e.x); err != nil {
		o.tap.dropped.Add(1) // names that cannot be hidden are not written
		return false, nil
	}
	written, err := o.w.Exchange(&e.x)
	if written {
		o.n++
	}
	return !written && err == nil, err
}

// reference tells where in a server's log the question of a record is.
func reference(rec []byte) string {
	if len(rec) < abi.HeaderSize {
		return ""
	}
	return fmt.Sprintf("%d-%d", binary.LittleEndian.Uint64(rec[abi.OffSession:]), binary.LittleEndian.Uint64(rec[abi.OffRequest:]))
}

// opOf names the operation of an exchange, for people.
func opOf(x *wasmhost.Exchange) string {
	op, where := record.About(x.Record)
	if op == "" && x.Hook == policy.StageAuth.String() {
		op = "login"
	}
	return strings.TrimSpace(op + " " + where)
}
