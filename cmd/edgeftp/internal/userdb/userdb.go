// Package userdb keeps the users that an operator makes while the server runs or stands
// still: one record for each (USER of RFC 959 §4.1.1), in a bbolt file.
//
// A change is on the disk when it returns, whole or not at all, also when the process is
// killed in the middle of it. What a record holds is the caller's: it comes back as it
// was given. The file is one process's at a time.
package userdb

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/edgeftp/edgeftp/edge/kv"
)

// Errors of [Open] and of a [DB].
var (
	// ErrInUse says that another process has the file.
	ErrInUse = errors.New("another process has the users' file")
	// ErrDamaged says that what is in the file cannot be right. Nothing was changed in it.
	ErrDamaged = errors.New("the users' file is damaged")
	// ErrNewer says that a later version of the program has written the file.
	ErrNewer = errors.New("the users' file is of a later version of edgeftp")
	// ErrExists says that a user of that name is there already.
	ErrExists = errors.New("there is such a user already")
	// ErrUnknown says that there is no user of that name.
	ErrUnknown = errors.New("there is no such user")
)

// schema is the form of the file. A file of a higher one is left alone.
const schema = 1

// The buckets: about with the form of the file, users with a record for each name, and
// logins with the second of each one's latest login, apart since it changes so often.
const (
	bucketAbout  = "about"
	bucketUsers  = "users"
	bucketLogins = "logins"
	keySchema    = "schema"
)

// MaxName is how many bytes the name of a user may have.
const MaxName = 255

// maxRecord is how many bytes a record may have.
const maxRecord = 1 << 20

// Record is one user. Times are in UTC, of whole seconds.
type Record struct {
	Name    string
	Entry   json.RawMessage // what there is to know about the user
	Created time.Time
	Changed time.Time
	Login   time.Time // the latest one; zero for none
}

// stored is a Record in the file, under the name.
type stored struct {
	Entry   json.RawMessage `json:"entry"`
	Created int64           `json:"created"` // seconds since 1970
	Changed int64           `json:"changed"`
}

// DB is an open file of users. It is made by [Open] and safe for concurrent use.
type DB struct {
	path string
	mu   sync.Mutex // orders changes, and guards broken
	db   *bbolt.DB
	// broken is why db may not be touched any more.
	broken error
}

// Open opens the file at path, or makes it, for its owner alone, waiting as long as wait
// for another process that has it. The errors that a caller may tell apart are
// [ErrInUse], [ErrDamaged] and [ErrNewer]; after one the file is as it was.
func Open(path string, wait time.Duration) (*DB, error) {
	d := &DB{path: path}
	if err := d.open(wait); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

func (d *DB) open(wait time.Duration) error {
	info, err := os.Lstat(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("it is no file: %s", info.Mode().Type())
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0: // it holds hashes
		if err := os.Chmod(d.path, 0o600); err != nil {
			return err
		}
	}
	if info != nil && info.Size() > 0 {
		if err := d.examine(wait); err != nil {
			return err
		}
	}
	if d.db, err = openBolt(d.path, wait, false); err != nil {
		return err
	}
	if err := d.begin(); err != nil {
		return errors.Join(err, d.Close())
	}
	if info == nil {
		return d.adopt()
	}
	return nil
}

// adopt gives a file that root has made to the owner of its directory, who is to serve,
// and makes it last that it is there.
func (d *DB) adopt() error {
	dir := filepath.Dir(d.path)
	if err := inherit(d.path, dir); err != nil {
		return errors.Join(err, d.Close())
	}
	if f, err := os.Open(dir); err == nil {
		_ = f.Sync() // not every system can
		_ = f.Close()
	}
	return nil
}

// examine looks at every page before anything relies on what is in it.
func (d *DB) examine(wait time.Duration) error {
	db, err := openBolt(d.path, wait, true) // whose lock keeps others from writing
	if err != nil {
		return err
	}
	f, err := os.Open(d.path)
	if err == nil {
		if err = kv.CheckFile(f); err != nil {
			err = damaged(err)
		}
		err = errors.Join(err, f.Close())
	}
	return errors.Join(err, db.Close())
}

func damaged(why any) error {
	return fmt.Errorf("%w and was left as it is (%v)\n   = help: restore it from a backup, or move it away, which leaves no user of the store", ErrDamaged, why)
}

// openBolt opens the file with bbolt, of which a damaged one may make a panic.
func openBolt(path string, wait time.Duration, readOnly bool) (db *bbolt.DB, err error) {
	var raw *os.File
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if raw != nil {
				_ = raw.Close()
			}
			db, err = nil, damaged(r)
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: max(wait, time.Millisecond), ReadOnly: readOnly, NoStatistics: true,
		OpenFile: func(name string, flag int, mode fs.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, mode)
			raw = f
			return f, err
		}})
	var number syscall.Errno
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, ErrInUse
	case err == nil, errors.As(err, &number):
		return db, err
	}
	return nil, damaged(err)
}

// guard turns a panic of bbolt, or a fault in the mapped file, into an error. After one
// the file is not touched again: its locks may be held. The caller holds mu.
func (d *DB) guard(do func() error) (err error) {
	if d.broken != nil {
		return d.broken
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			d.broken = fmt.Errorf("%w: it cannot be used any more until the program is started again (%v)", ErrDamaged, r)
			err = d.broken
		}
	}()
	return do()
}

// begin makes the buckets of a new file, and reads those of an old one.
func (d *DB) begin() error {
	return d.locked(func() error {
		fresh := false
		err := d.db.View(func(tx *bbolt.Tx) error {
			about := tx.Bucket([]byte(bucketAbout))
			if about == nil {
				first, _ := tx.Cursor().First()
				if fresh = first == nil; !fresh {
					return damaged("it does not say of which form it is")
				}
				return nil
			}
			form := about.Get([]byte(keySchema))
			switch {
			case len(form) != 4:
				return damaged("it does not say of which form it is")
			case binary.BigEndian.Uint32(form) > schema:
				return fmt.Errorf("%w: its form is %d, and this one knows %d\n   = help: use the later version, or restore the backup that was made before", ErrNewer, binary.BigEndian.Uint32(form), schema)
			case tx.Bucket([]byte(bucketUsers)) == nil || tx.Bucket([]byte(bucketLogins)) == nil:
				return damaged("a part of it is missing")
			}
			return each(tx, func(Record) error { return nil })
		})
		if err != nil || !fresh {
			return err
		}
		return d.db.Update(func(tx *bbolt.Tx) error {
			for _, name := range []string{bucketUsers, bucketLogins} {
				if _, err := tx.CreateBucket([]byte(name)); err != nil {
					return err
				}
			}
			about, err := tx.CreateBucket([]byte(bucketAbout))
			if err != nil {
				return err
			}
			return about.Put([]byte(keySchema), binary.BigEndian.AppendUint32(nil, schema))
		})
	})
}

func (d *DB) locked(do func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.guard(do)
}

// each hands every record over.
func each(tx *bbolt.Tx, f func(Record) error) error {
	logins := tx.Bucket([]byte(bucketLogins))
	return tx.Bucket([]byte(bucketUsers)).ForEach(func(name, value []byte) error {
		r, err := decode(name, value, logins)
		if err != nil {
			return err
		}
		return f(r)
	})
}

func decode(name, value []byte, logins *bbolt.Bucket) (Record, error) {
	var s stored
	if err := json.Unmarshal(value, &s); err != nil || s.Entry == nil || len(name) == 0 || len(name) > MaxName {
		return Record{}, damaged(fmt.Sprintf("the record of the user %.300q is none", name))
	}
	r := Record{Name: string(name), Entry: slices.Clone(s.Entry), Created: moment(s.Created), Changed: moment(s.Changed)}
	if at := logins.Get(name); len(at) == 8 {
		r.Login = moment(int64(binary.BigEndian.Uint64(at)))
	}
	return r, nil
}

func moment(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

// All returns every record, sorted by name.
func (d *DB) All() ([]Record, error) {
	var all []Record
	err := d.locked(func() error {
		return d.db.View(func(tx *bbolt.Tx) error {
			return each(tx, func(r Record) error {
				all = append(all, r)
				return nil
			})
		})
	})
	slices.SortFunc(all, func(a, b Record) int { return cmp.Compare(a.Name, b.Name) })
	return all, err
}

// Get returns one record. It fails with [ErrUnknown].
func (d *DB) Get(name string) (r Record, err error) {
	err = d.locked(func() error {
		return d.db.View(func(tx *bbolt.Tx) (err error) {
			r, err = get(tx, name)
			return err
		})
	})
	return r, err
}

func get(tx *bbolt.Tx, name string) (Record, error) {
	value := tx.Bucket([]byte(bucketUsers)).Get([]byte(name))
	if value == nil {
		return Record{}, ErrUnknown
	}
	return decode([]byte(name), value, tx.Bucket([]byte(bucketLogins)))
}

// Snapshot writes the whole file as it stands, for a backup. Changes wait for it.
func (d *DB) Snapshot(w io.Writer) (n int64, err error) {
	err = d.locked(func() error {
		return d.db.View(func(tx *bbolt.Tx) (err error) {
			n, err = tx.WriteTo(w)
			return err
		})
	})
	return n, err
}

// Close gives the file back.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil || d.db == nil { // then its locks may be held
		return nil
	}
	err := d.db.Close()
	d.broken = errors.New("the users' file is closed")
	return err
}
