package kv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// The file has two buckets: spaces, with one for each namespace, in it the records
// under their keys; and about, with the number of the last write.
const (
	bucketSpaces = "spaces"
	bucketAbout  = "about"
	keyWrite     = "write"
)

// file is the bbolt file of a store. It is used by one goroutine at a time.
type file struct {
	path   string
	db     *bbolt.DB
	raw    *os.File // what db has open
	number uint64   // of the last write
	broken error    // why db may not be touched any more
}

// openFile opens a file that nobody else has and that is found to be in order.
func openFile(path string, wait time.Duration) (*file, error) {
	f := &file{path: path}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("not a file: %s", info.Mode().Type())
	case runtime.GOOS != "windows" && info.Mode()&0o077 != 0:
		if err := os.Chmod(path, 0o600); err != nil {
			return nil, err
		}
	}
	created := info == nil
	if info != nil && info.Size() > 0 {
		if err := f.examine(wait); err != nil {
			return nil, err
		}
	}
	if err := f.open(wait, false); err != nil {
		return nil, err
	}
	if created {
		syncDir(filepath.Dir(path))
	}
	return f, nil
}

// syncDir makes it last that a file was created. Not every system can.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// examine looks at every page before anything relies on what is in it. The lock
// keeps others from writing meanwhile; to read the file needs none.
func (f *file) examine(wait time.Duration) (err error) {
	if err := f.open(wait, true); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	r, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	if err := checkPages(r); err != nil {
		return damaged(err)
	}
	return nil
}

// damaged says what to do about a file that is.
func damaged(why any) error {
	return fmt.Errorf("%w and was left as it is (%v); restore it from a backup, or move it away, then policies begin with nothing remembered", ErrDamaged, why)
}

// open opens the file with bbolt. The list of free pages stays in the file, which
// is bbolt's default: without it the whole tree is read after each write that
// failed, in a goroutine of which a panic ends the process. That the list is right
// was seen by examine.
func (f *file) open(wait time.Duration, readOnly bool) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if f.raw != nil {
				_ = unlock(f.raw)
				_ = f.raw.Close()
			}
			err = damaged(r)
		}
	}()
	f.db, err = bbolt.Open(f.path, 0o600, &bbolt.Options{
		Timeout: wait, ReadOnly: readOnly, NoStatistics: true,
		FreelistType: bbolt.FreelistMapType,
		OpenFile: func(name string, flag int, mode fs.FileMode) (*os.File, error) {
			raw, err := os.OpenFile(name, flag, mode)
			f.raw = raw
			return raw, err
		},
	})
	var number syscall.Errno
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return ErrInUse
	case err == nil, errors.As(err, &number):
		return err
	}
	return damaged(err) // no error of the system: bbolt does not like what it sees
}

func (f *file) close() error {
	if f.broken != nil { // then it stays mapped, which keeps the lock as well
		return errors.Join(unlock(f.raw), f.raw.Close())
	}
	return f.db.Close()
}

// guard turns a panic of bbolt, or a fault in the mapped file, into an error. After
// one the file is not touched again: its locks may be held.
func (f *file) guard(do func() error) (err error) {
	if f.broken != nil {
		return f.broken
	}
	defer func() {
		if r := recover(); r != nil {
			f.broken = fmt.Errorf("the file cannot be used any more until the server is started again: %v", r)
			err = f.broken
		}
	}()
	return do()
}

// load hands over every record.
func (f *file) load(each func(space string, r record)) error {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	err := f.guard(func() error {
		return f.db.View(func(tx *bbolt.Tx) error {
			spaces, about, err := structure(tx)
			if err != nil {
				return err
			}
			if about != nil {
				if n := about.Get([]byte(keyWrite)); len(n) == 8 {
					f.number = binary.LittleEndian.Uint64(n)
				}
			}
			if spaces == nil {
				return nil
			}
			return spaces.ForEachBucket(func(name []byte) error {
				return spaces.Bucket(name).ForEach(func(key, data []byte) error {
					r, err := decode(string(name), string(key), data)
					if err == nil {
						each(string(name), r)
					}
					return err
				})
			})
		})
	})
	if f.broken != nil {
		return damaged(err)
	}
	return err
}

// structure returns the two buckets of a file, nil for one that there is not. Pages may
// be in order and say that a bucket is a value, or a value a bucket: that would be found
// when something is written.
func structure(tx *bbolt.Tx) (spaces, about *bbolt.Bucket, err error) {
	all := func(c *bbolt.Cursor, buckets bool) error {
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if (v == nil) != buckets {
				return damaged(fmt.Sprintf("%q is of another kind", k))
			}
		}
		return nil
	}
	err = all(tx.Cursor(), true)
	if spaces = tx.Bucket([]byte(bucketSpaces)); err == nil && spaces != nil {
		err = all(spaces.Cursor(), true)
	}
	if about = tx.Bucket([]byte(bucketAbout)); err == nil && about != nil {
		err = all(about.Cursor(), false)
	}
	return spaces, about, err
}

// write writes ops in one transaction. If it fails it may all the same be in the
// file: landed says so.
func (f *file) write(ops []op) (landed bool, err error) {
	number := f.number + 1
	err = f.guard(func() error { return f.db.Update(func(tx *bbolt.Tx) error { return put(tx, ops, number) }) })
	if err == nil {
		f.number = number
		return true, nil
	}
	if f.guard(func() error { return f.db.View(func(tx *bbolt.Tx) error { return hasWrite(tx, number) }) }) == nil {
		f.number = number
		return true, err
	}
	return false, err
}

func put(tx *bbolt.Tx, ops []op, number uint64) error {
	spaces, err := tx.CreateBucketIfNotExists([]byte(bucketSpaces))
	if err != nil {
		return err
	}
	var b *bbolt.Bucket
	var of *space
	for i := range ops {
		o := &ops[i]
		if o.space != of {
			if b, err = spaces.CreateBucketIfNotExists([]byte(o.space.name)); err != nil {
				return err
			}
			of = o.space
		}
		if o.data == nil {
			err = b.Delete([]byte(o.entry.key))
		} else {
			err = b.Put([]byte(o.entry.key), o.data)
		}
		if err != nil {
			return err
		}
	}
	about, err := tx.CreateBucketIfNotExists([]byte(bucketAbout))
	if err != nil {
		return err
	}
	return about.Put([]byte(keyWrite), binary.LittleEndian.AppendUint64(nil, number))
}

var errNotWritten = errors.New("not written")

func hasWrite(tx *bbolt.Tx, number uint64) error {
	if about := tx.Bucket([]byte(bucketAbout)); about != nil {
		if n := about.Get([]byte(keyWrite)); len(n) == 8 && binary.LittleEndian.Uint64(n) == number {
			return nil
		}
	}
	return errNotWritten
}

// record is what the file has of a key: a byte for the form, the time at which the
// key vanishes in nanoseconds since 1970 or 0, the value, and a CRC-32C of all that
// with the names.
type record struct {
	key     string
	value   []byte
	expires int64
}

const (
	recordForm = 1
	recordMin  = 1 + 8 + 4
)

func encode(space string, e *entry) []byte {
	data := make([]byte, 0, recordMin+len(e.value))
	data = append(data, recordForm)
	data = binary.LittleEndian.AppendUint64(data, uint64(e.expires))
	data = append(data, e.value...)
	return binary.LittleEndian.AppendUint32(data, recordSum(space, e.key, data))
}

// decode returns a record whose value is a part of data.
func decode(space, key string, data []byte) (record, error) {
	if len(data) < recordMin || len(key) == 0 {
		return record{}, damaged(fmt.Sprintf("key %q of %q", key, space))
	}
	body := data[:len(data)-4]
	if binary.LittleEndian.Uint32(data[len(body):]) != recordSum(space, key, body) {
		return record{}, damaged(fmt.Sprintf("checksum of key %q of %q", key, space))
	}
	if body[0] != recordForm {
		return record{}, fmt.Errorf("written by a newer version: a record of form %d; use that version, or move the file away", body[0])
	}
	return record{key: key, value: body[9:], expires: int64(binary.LittleEndian.Uint64(body[1:]))}, nil
}

func recordSum(space, key string, body []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	crc := crc32.Update(0, table, append([]byte(space), 0))
	crc = crc32.Update(crc, table, append([]byte(key), 0))
	return crc32.Update(crc, table, body)
}
