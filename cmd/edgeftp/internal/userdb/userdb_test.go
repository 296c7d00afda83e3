package userdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, path string) *DB {
	t.Helper()
	d, err := Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func add(name, entry string) func(*Tx) error {
	return func(tx *Tx) error { return tx.Add(name, json.RawMessage(entry)) }
}

func names(t *testing.T, d *DB) string {
	t.Helper()
	all, err := d.All()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range all {
		out = append(out, r.Name)
	}
	return strings.Join(out, " ")
}

func TestRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.db")
	d := open(t, path)
	for _, c := range []struct {
		at   time.Time
		do   func(*Tx) error
		want error
	}{
		{noon, add("bob", `{"a":1}`), nil},
		{noon, add("alice", `{"b":"<&>"}`), nil},
		{noon, add("bob", `{}`), ErrExists},
		{noon, func(tx *Tx) error { return tx.Login("bob", noon.Add(time.Minute)) }, nil},
		{noon, func(tx *Tx) error { return tx.Login("nobody", noon) }, nil},
		{noon.Add(time.Hour), func(tx *Tx) error { return tx.Set("bob", json.RawMessage(`{"a":2}`)) }, nil},
		{noon, func(tx *Tx) error { return tx.Set("nobody", json.RawMessage(`{}`)) }, ErrUnknown},
		{noon, func(tx *Tx) error { return tx.Remove("nobody") }, ErrUnknown},
		{noon, func(tx *Tx) error { // all or nothing
			return errors.Join(tx.Add("carol", json.RawMessage(`{}`)), tx.Remove("alice"), tx.Set("nobody", nil))
		}, ErrUnknown},
	} {
		if err := d.Change(c.at, c.do); !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
	for _, name := range []string{"", strings.Repeat("x", MaxName+1)} {
		if err := d.Change(noon, add(name, `{}`)); err == nil {
			t.Errorf("the name %.10q is taken", name)
		}
	}
	if err := d.Change(noon, add("big", `"`+strings.Repeat("x", maxRecord)+`"`)); err == nil {
		t.Error("a record of 1 MiB is taken")
	}
	for range 2 { // and by the next process
		r, err := d.Get("bob")
		if err != nil || string(r.Entry) != `{"a":2}` || !r.Created.Equal(noon) || !r.Changed.Equal(noon.Add(time.Hour)) || !r.Login.Equal(noon.Add(time.Minute)) {
			t.Errorf("bob: %+v, %v", r, err)
		}
		if got := names(t, d); got != "alice bob" {
			t.Errorf("there are %s", got)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if _, err := d.Get("bob"); err == nil {
			t.Error("a closed file is read")
		}
		d = open(t, path)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	// Who comes back under a name has not logged in.
	if err := errors.Join(d.Change(noon, func(tx *Tx) error { return tx.Remove("bob") }), d.Change(noon, add("bob", `{}`))); err != nil {
		t.Error(err)
	}
	if r, err := d.Get("bob"); err != nil || !r.Login.IsZero() {
		t.Errorf("bob came back: %+v, %v", r, err)
	}
}

func TestInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.db")
	open(t, path)
	if _, err := Open(path, 0); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
}

func TestTwoWriters(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "users.db"))
	var all sync.WaitGroup
	for w := range 2 {
		all.Go(func() {
			for i := range 20 {
				if err := d.Change(noon, add(fmt.Sprintf("%d-%d", w, i), `{}`)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := len(strings.Fields(names(t, d))); got != 40 {
		t.Errorf("%d users are there", got)
	}
}

func TestSnapshot(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "users.db"))
	if err := d.Change(noon, add("bob", `{}`)); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if n, err := d.Snapshot(&b); err != nil || n != int64(b.Len()) {
		t.Fatal(n, err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := names(t, open(t, path)); got != "bob" {
		t.Errorf("the copy has %q", got)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the hashes: %v", info.Mode())
	}
}

// raw changes a file behind the package's back.
func raw(t *testing.T, path string, f func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(f), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// What cannot be right is told of, and left as it is.
func TestHostileFiles(t *testing.T) {
	good := func(t *testing.T) string {
		path := filepath.Join(t.TempDir(), "users.db")
		d := open(t, path)
		for i := range 200 {
			if err := d.Change(noon, add(fmt.Sprintf("user%d", i), `{"note":"`+strings.Repeat("x", 300)+`"}`)); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put := func(bucket, key, value string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			raw(t, path, func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucket)).Put([]byte(key), []byte(value)) })
		}
	}
	drop := func(bucket string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			raw(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(bucket)) })
		}
	}
	for name, c := range map[string]struct {
		harm func(t *testing.T, path string)
		want error
	}{
		"record":    {put(bucketUsers, "user7", "no json"), ErrDamaged},
		"no entry":  {put(bucketUsers, "user7", "{}"), ErrDamaged},
		"newer":     {put(bucketAbout, keySchema, "\x00\x00\x00\x02"), ErrNewer},
		"no number": {put(bucketAbout, keySchema, "1"), ErrDamaged},
		"no users":  {drop(bucketUsers), ErrDamaged},
		"no logins": {drop(bucketLogins), ErrDamaged},
		"no about":  {drop(bucketAbout), ErrDamaged},
		"bucket": {func(t *testing.T, path string) {
			raw(t, path, func(tx *bbolt.Tx) error {
				_, err := tx.Bucket([]byte(bucketUsers)).CreateBucket([]byte("a"))
				return err
			})
		}, ErrDamaged},
		"text": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("these are no users\n", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ErrDamaged},
		"half": {func(t *testing.T, path string) {
			if err := os.Truncate(path, 12000); err != nil {
				t.Fatal(err)
			}
		}, ErrDamaged},
		"zeros": {func(t *testing.T, path string) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			clear(b[2*os.Getpagesize():])
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}, ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			path := good(t)
			c.harm(t, path)
			before, _ := os.ReadFile(path)
			d, err := Open(path, 0)
			if d != nil || !errors.Is(err, c.want) || !strings.Contains(err.Error(), "= help:") {
				t.Fatalf("%v, %v", d, err)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
	if _, err := Open(t.TempDir(), 0); err == nil {
		t.Error("a directory is a file of users")
	}
}

// FuzzOpen: a file may hold anything; it is opened, or refused and left alone.
func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed.db")
	d, err := Open(path, 0)
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(d.Change(noon, add("bob", `{"a":1}`)), d.Close()); err != nil {
		f.Fatal(err)
	}
	seed, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(0), []byte{})
	f.Add(uint16(40), []byte{1, 2, 3})
	f.Add(uint16(4096*3+30), []byte("\xff\xff"))
	f.Fuzz(func(t *testing.T, at uint16, with []byte) {
		b := bytes.Clone(seed)
		copy(b[min(int(at), len(b)):], with)
		path := filepath.Join(t.TempDir(), "users.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := Open(path, 0)
		if err != nil {
			if after, _ := os.ReadFile(path); !bytes.Equal(b, after) {
				t.Error("a refused file was changed")
			}
			return
		}
		all, err := d.All()
		if err == nil {
			_ = d.Change(noon, add("carol", `{}`))
			if more, err := d.All(); err == nil && len(more) < len(all) {
				t.Error("users were lost")
			}
		}
		_ = d.Close()
	})
}
