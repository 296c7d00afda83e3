package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/record"
)

// exchanged is a failed call of a login, with names and a stored hash.
func exchanged(t *testing.T) *wasmhost.Exchange {
	t.Helper()
	rec, err := abi.AppendLogin(nil, "guard", &policy.Login{Meta: policy.Meta{Session: &policy.Session{ID: 1, User: "annabel", Root: "/"}}})
	if err != nil {
		t.Fatal(err)
	}
	hash := "$2a$04$storedstoredstored"
	return &wasmhost.Exchange{Hook: "auth", Record: rec, Err: &wasmhost.CallError{Cause: wasmhost.CauseTrap, Hook: "auth", Err: errors.New("annabel")},
		Host: []wasmhost.HostCall{{Import: "pw_verify", In: append([]byte{byte(len(hash)), 0, 0, 0}, hash...), Result: 1}}}
}

// quiet are modules with one slot, which nothing answers.
func quiet() (*modules, *slot) {
	s := &slot{conf: &config.Module{Name: "guard"}, now: &candidate{policy: new(wasmhost.Policy)}}
	return &modules{log: slog.New(slog.DiscardHandler), slots: map[string]*slot{"guard": s}}, s
}

// TestCrashWhileRecorded holds that a crash is kept with its names while a recording
// replaces them, and that neither has the stored hash.
func TestCrashWhileRecorded(t *testing.T) {
	x := exchanged(t)
	dir := filepath.Join(t.TempDir(), "crashes")
	keep := newCrashes(dir, slog.New(slog.DiscardHandler))
	tp := &tap{queue: make(chan tapped, 1)}
	about := record.Module{Policy: "guard"}
	keep.offer(about, x)
	tp.offer(&about, x)
	var b bytes.Buffer
	w, err := record.NewWriter(&b, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := &tapWriter{tap: tp, w: w, hider: record.NewHider([]byte("key"))}
	e := <-tp.queue
	if _, err := out.write(&e); err != nil || out.n != 1 {
		t.Fatalf("%d, %v", out.n, err)
	}
	keep.close()
	files, err := crashFiles(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	crash, err := os.ReadFile(filepath.Join(dir, files[0]))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "annabel") || !strings.Contains(string(crash), "annabel") {
		t.Errorf("a recording\n%q\nand a crash\n%q", b.String(), crash)
	}
	if strings.Contains(b.String()+string(crash), "stored") {
		t.Error("the hash is in one of them")
	}
	var told bytes.Buffer
	for _, file := range []string{filepath.Join(dir, files[0]), whole(t, dir)} {
		printCrash(&told, file, "")
	}
	if got := told.String(); !strings.Contains(got, "annabel") || !strings.Contains(got, "no crash") {
		t.Error(got)
	}
}

// whole is a recording of what did not fail, in the place of a crash.
func whole(t *testing.T, dir string) string {
	t.Helper()
	x := exchanged(t)
	x.Err = nil
	var b bytes.Buffer
	w, err := record.NewWriter(&b, 0)
	if err == nil {
		err = w.Module(record.Module{Policy: "guard"})
	}
	if err == nil {
		_, err = w.Exchange(x)
	}
	name := filepath.Join(dir, "other.rec")
	if err = errors.Join(err, w.Close(0), os.WriteFile(name, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestTapIsBounded holds that what waits for a slow reader has a size, not only a
// number, and that an exchange that is not whole is not recorded.
func TestTapIsBounded(t *testing.T) {
	tp := &tap{queue: make(chan tapped, tapQueue)}
	x := &wasmhost.Exchange{Hook: "data", Record: make([]byte, 1<<20)}
	for range 2 * tapBytes >> 20 {
		tp.offer(nil, x)
	}
	n := len(tp.queue)
	if n == 0 || n > tapBytes>>20 || tp.dropped.Load() != uint64(2*tapBytes>>20-n) {
		t.Errorf("%d wait, %d were dropped", n, tp.dropped.Load())
	}
	for range n {
		e := <-tp.queue
		tp.take(&e)
	}
	if tp.held.Load() != 0 {
		t.Errorf("%d bytes wait in an empty queue", tp.held.Load())
	}
	tp.over.Store(true)
	if tp.offer(nil, x); len(tp.queue) != 0 {
		t.Error("a recording that has ended goes on")
	}
	tp.over.Store(false)
	x.Lost = 1
	if tp.offer(nil, x); len(tp.queue) != 0 || tp.held.Load() != 0 {
		t.Error("an exchange that is not whole is recorded")
	}
}

// writing is a writer that is asked before each piece.
type writing func(b []byte)

func (f writing) Write(b []byte) (int, error) {
	f(b)
	return len(b), nil
}

// TestRecordingAfterAnother holds that the end of one recording is not that of the next,
// which may begin while the first one writes its last words.
func TestRecordingAfterAnother(t *testing.T) {
	m, s := quiet()
	ctx, cancel := context.WithCancel(t.Context())
	begun, ended := make(chan struct{}), make(chan error, 1)
	next := writing(func(b []byte) {
		if strings.HasPrefix(string(b), "edgeftp recording") {
			close(begun)
		}
	})
	first := writing(func(b []byte) {
		if len(b) > 8 && b[8] == 'e' {
			go func() { ended <- m.Record(ctx, "guard", control.Recording{For: time.Minute}, next) }()
			<-begun
		}
	})
	if err := m.Record(t.Context(), "guard", control.Recording{For: time.Millisecond}, first); err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	there := s.tap != nil
	m.mu.Unlock()
	if !there {
		t.Error("the end of the first recording ended the second")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if m.mu.Lock(); s.tap != nil {
		t.Error("the second has not ended")
	}
	m.mu.Unlock()
	if err := m.Record(t.Context(), "guard", control.Recording{For: time.Minute}, failing{}); err == nil || s.tap != nil {
		t.Errorf("a reader that is gone: %v", err)
	}
}

// failing takes nothing.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, fmt.Errorf("gone: %w", io.ErrClosedPipe) }
