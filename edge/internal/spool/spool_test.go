package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, dir string, opt Options) *Spool {
	t.Helper()
	s, err := Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func again(t testing.TB, s *Spool) *Spool {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, s.dir.Name(), s.opt)
}

// text is the record of a number, of any length.
func text(n uint64) []byte {
	return []byte(fmt.Sprint("record ", n, strings.Repeat(".", int(n*n%90))))
}

func appendAll(t testing.TB, s *Spool, from, to uint64) {
	t.Helper()
	for n := from; n <= to; n++ {
		if err := s.Append(text(n)); err != nil {
			t.Fatal(err)
		}
	}
}

// reads fails unless the next record is n.
func reads(t testing.TB, s *Spool, n uint64) {
	t.Helper()
	r, err := s.Next(t.Context())
	if err != nil || r.N != n || !bytes.Equal(r.Data, text(n)) {
		t.Fatalf("record %d %q, %v; want %d", r.N, r.Data, err, n)
	}
}

// empty fails unless there is nothing to read.
func empty(t testing.TB, s *Spool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := s.Next(ctx); err != context.Canceled {
		t.Fatalf("record %d, %v", r.N, err)
	}
}

func ack(t testing.TB, s *Spool, n uint64) {
	t.Helper()
	if err := s.Ack(n); err != nil {
		t.Fatal(err)
	}
}

func files(t testing.TB, s *Spool) int {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(s.dir.Name(), "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestInOrder(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxBytes: 64 << 10, SegmentBytes: 1 << 10})
	empty(t, s)
	appendAll(t, s, 1, 100)
	for n := uint64(1); n <= 100; n++ {
		reads(t, s, n)
	}
	empty(t, s)
	s.Rewind()
	reads(t, s, 1)
	ack(t, s, 40)
	reads(t, s, 41)
	s = again(t, s)
	if st := s.Stats(); st.Records != 60 || st.Dropped != 0 || st.Lost != 0 || st.Segments != files(t, s) {
		t.Errorf("%+v, %d files", st, files(t, s))
	}
	appendAll(t, s, 101, 110)
	for n := uint64(41); n <= 110; n++ {
		reads(t, s, n)
		ack(t, s, n)
	}
	empty(t, s)
	if err := s.Ack(111); err == nil {
		t.Error("a record is acknowledged that is not there")
	}
	ack(t, s, 7) // long ago
	s = again(t, s)
	if st := s.Stats(); st.Records != 0 || st.Segments != 0 || files(t, s) != 0 || st.Bytes != 0 {
		t.Errorf("%+v, %d files", st, files(t, s))
	}
	appendAll(t, s, 111, 111)
	s = again(t, again(t, s))
	reads(t, s, 111)
}

func TestSizes(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxBytes: 8 << 10, SegmentBytes: 1 << 10})
	if err := s.Append(make([]byte, s.MaxRecord()+1)); err != ErrSize {
		t.Error(err)
	}
	for _, n := range []int{0, s.MaxRecord(), 0, 1, s.MaxRecord()} {
		if err := s.Append(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		if r, err := s.Next(t.Context()); err != nil || len(r.Data) != n {
			t.Errorf("%d bytes, %v; want %d", len(r.Data), err, n)
		}
	}
	// Smaller segments leave what there is.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, s.dir.Name(), Options{MaxBytes: 8 << 10, SegmentBytes: 512})
	if st := s.Stats(); st.Records != 5 || st.Lost != 0 {
		t.Errorf("%+v", st)
	}
}

// What is dropped is the oldest, and is counted exactly, by whole segments; what is
// acknowledged is not.
func TestDropOldest(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxBytes: 8 << 10, SegmentBytes: 1 << 10})
	appendAll(t, s, 1, 50)
	reads(t, s, 1)
	ack(t, s, 10)
	appendAll(t, s, 51, 1000)
	for range 2 {
		st := s.Stats()
		if st.Bytes > 8<<10 || st.Records+st.Dropped != 990 || st.Dropped == 0 || st.Segments != files(t, s) || st.Bytes < 6<<10 {
			t.Errorf("%+v, %d files", st, files(t, s))
		}
		for n := 11 + st.Dropped; n <= 1000; n++ {
			reads(t, s, n)
		}
		empty(t, s)
		s = again(t, s)
	}
	// The reader is passed while it is at it.
	before := s.Stats().Dropped
	reads(t, s, 11+before)
	appendAll(t, s, 1001, 2000)
	reads(t, s, 11+s.Stats().Dropped)
}

// Next waits for a record, for its context, and for Close.
func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir(), Options{})
		got := make(chan uint64)
		go func() {
			for {
				r, err := s.Next(context.Background())
				if err != nil {
					if err != ErrClosed {
						t.Error(err)
					}
					close(got)
					return
				}
				got <- r.N
			}
		}()
		synctest.Wait()
		for n := uint64(1); n <= 3; n++ {
			appendAll(t, s, n, n)
			if g := <-got; g != n {
				t.Errorf("record %d, want %d", g, n)
			}
		}
		synctest.Wait()
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, ok := <-got; ok {
			t.Error("a record after Close")
		}
		_, next := s.Next(t.Context())
		for _, err := range []error{s.Append(nil), s.Ack(1), next} {
			if err != ErrClosed {
				t.Error(err)
			}
		}
	})
}

// What was appended is synced by itself; nothing is where nothing was.
func TestSyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir(), Options{})
		dirty := func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.dirty || len(s.old) > 0
		}
		appendAll(t, s, 1, 3)
		if !dirty() {
			t.Error("nothing to sync")
		}
		<-time.After(defaultSyncEvery + time.Millisecond)
		synctest.Wait()
		if st := s.Stats(); dirty() || st.SyncErr != nil {
			t.Errorf("not synced: %v", st.SyncErr)
		}
	})
}

func TestInUse(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	if other, err := Open(s.dir.Name(), Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("%v, %v", other, err)
	}
	again(t, s)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, Options{}); err == nil {
		t.Error("a file is a directory")
	}
}

// Many append while one reads and acknowledges and the spool is too small: every
// record is read once, or dropped and counted.
func TestTogether(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxBytes: 16 << 10, SyncEvery: time.Millisecond})
	const writers, each = 8, 2000
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if err := s.Append([]byte("a record of some length")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	written := make(chan struct{})
	go func() { wg.Wait(); close(written) }()
	seen, last := uint64(0), uint64(0)
	for last < writers*each {
		r, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r.N <= last {
			t.Fatalf("record %d after %d", r.N, last)
		}
		seen, last = seen+1, r.N
		if r.N%50 == 0 {
			if err := s.Ack(r.N); err != nil {
				t.Fatal(err)
			}
		}
	}
	<-written
	if st := s.Stats(); seen+st.Dropped < writers*each || st.Lost != 0 || st.SyncErr != nil {
		t.Errorf("%d seen, %+v", seen, st)
	}
}
