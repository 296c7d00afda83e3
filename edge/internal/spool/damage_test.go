package spool

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// change changes the segment that begins with a number.
func change(t testing.TB, s *Spool, first uint64, do func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(s.path(first))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path(first), do(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Of a torn end only the torn record is lost, and what follows is appended after it.
func TestTorn(t *testing.T) {
	for cut := 1; cut < 40; cut++ {
		s := open(t, t.TempDir(), Options{})
		appendAll(t, s, 1, 9)
		if err := s.Append(bytes.Repeat([]byte("torn"), 8)); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		change(t, s, 1, func(b []byte) []byte { return b[:len(b)-cut] })
		s = open(t, s.dir.Name(), Options{})
		appendAll(t, s, 10, 12)
		for range 2 {
			for n := uint64(1); n <= 12; n++ {
				reads(t, s, n)
			}
			empty(t, s)
			if st := s.Stats(); st.Records != 12 || st.Lost != 0 {
				t.Errorf("%+v", st)
			}
			s = again(t, s)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Damage loses the rest of its segment, and is counted once: when it is read, or
// when the spool is opened.
func TestDamage(t *testing.T) {
	for name, atOpen := range map[string]bool{"at open": true, "while open": false} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir(), Options{MaxBytes: 64 << 10, SegmentBytes: 1 << 10})
			appendAll(t, s, 1, 100)
			ack(t, s, 1)
			second, third := s.segs[1].first, s.segs[2].first
			if atOpen {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			change(t, s, second, func(b []byte) []byte { // in its third record
				at := len(segmentHead) + 3*frameHead + len(text(second)) + len(text(second+1)) + 3
				b[at]++
				return b
			})
			if atOpen {
				s = open(t, s.dir.Name(), s.opt)
			}
			want := third - second - 2
			for range 2 {
				for n := uint64(2); n <= 100; n++ {
					if n < second+2 || n >= third {
						reads(t, s, n)
					}
				}
				empty(t, s)
				if st := s.Stats(); st.Lost != want || st.Dropped != 0 || st.Records != 99-want {
					t.Errorf("%+v, want %d lost", st, want)
				}
				s = again(t, s)
			}
			// What was lost is not dropped, too.
			appendAll(t, s, 101, 2000)
			if st := s.Stats(); st.Lost != want || st.Lost+st.Dropped+st.Records != 1999 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// A segment that was lost as a whole, and other files.
func TestGone(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxBytes: 64 << 10, SegmentBytes: 1 << 10})
	appendAll(t, s, 1, 100)
	ack(t, s, 1)
	second, third := s.segs[1].first, s.segs[2].first
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.path(second)); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(s.dir.Name(), "other"+suffix)
	if err := os.WriteFile(other, []byte("not ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, s.dir.Name(), s.opt)
	if st := s.Stats(); st.Lost != third-second {
		t.Errorf("%+v, want %d lost", st, third-second)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// Without the state everything that there is begins anew.
	if err := os.WriteFile(filepath.Join(s.dir.Name(), stateName), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, s.dir.Name(), s.opt)
	reads(t, s, 1)
	if st := s.Stats(); st.Lost != 0 || st.Records != 100-(third-second) {
		t.Errorf("%+v", st)
	}
}

// FuzzReader opens what somebody may have left in a directory. Nothing panics; what
// is read are whole records in the order of their numbers; and it goes on.
func FuzzReader(f *testing.F) {
	var good []byte
	good = append(good, segmentHead...)
	for n := uint64(1); n <= 5; n++ {
		good = appendFrame(good, n, text(n))
	}
	f.Add(good, []byte{}, uint16(0), byte(0))
	f.Add(good[:50], good, uint16(9), byte(1))
	f.Add([]byte{}, state{turn: 3, acked: 2}.encode(), uint16(40), byte(0x80))
	f.Add(good, append(state{turn: 2, acked: 1}.encode(), state{turn: 3, acked: 1 << 63}.encode()...), uint16(0), byte(0))
	dir, i := f.TempDir(), 0
	f.Fuzz(func(t *testing.T, segment, slots []byte, at uint16, bit byte) {
		if len(segment) > 0 {
			segment[int(at)%len(segment)] ^= bit
		}
		i++
		s := &Spool{opt: Options{MaxBytes: 4 << 10}}
		path := filepath.Join(dir, fmt.Sprint(i))
		defer func() { _ = os.RemoveAll(path) }()
		for name, data := range map[string][]byte{"0000000000000001" + suffix: segment, stateName: slots} {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(path, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Open(path, s.opt)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		if err := s.Append([]byte("one more")); err != nil {
			t.Fatal(err)
		}
		for last := uint64(0); ; {
			r, err := s.Next(t.Context())
			if err != nil || r.N <= last {
				t.Fatalf("record %d after %d: %v", r.N, last, err)
			}
			if last = r.N; string(r.Data) == "one more" {
				break
			}
		}
	})
}

// A record that cannot be written is not there; the next one can be.
func TestAppendFails(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	appendAll(t, s, 1, 3)
	for _, there := range []uint64{3, 0} { // also where the segment has nothing yet
		s.mu.Lock()
		if there == 0 {
			if err := s.begin(); err != nil {
				t.Fatal(err)
			}
		}
		file := s.file
		broken, err := os.Open(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		s.file = broken // which cannot be written, nor cut
		s.mu.Unlock()
		if err := s.Append([]byte("nowhere")); err == nil {
			t.Fatal("it was written")
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	appendAll(t, s, 4, 6)
	for range 2 {
		for n := uint64(1); n <= 6; n++ {
			reads(t, s, n)
		}
		empty(t, s)
		if st := s.Stats(); st.Records != 6 || st.Lost != 0 || st.Segments != 2 || files(t, s) != 2 {
			t.Errorf("%+v, %d files", st, files(t, s))
		}
		s = again(t, s)
	}
}

// BenchmarkAppend is one record of 300 bytes, while what is there is synced and the
// oldest is dropped.
func BenchmarkAppend(b *testing.B) {
	s := open(b, b.TempDir(), Options{})
	record := make([]byte, 300)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Append(record); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNext is one such record, read and acknowledged.
func BenchmarkNext(b *testing.B) {
	s := open(b, b.TempDir(), Options{})
	record := make([]byte, 300)
	for b.Loop() {
		if err := s.Append(record); err != nil {
			b.Fatal(err)
		}
		r, err := s.Next(b.Context())
		if err == nil {
			err = s.Ack(r.N)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
