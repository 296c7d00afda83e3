package userdb

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Tx is a change under way, in [DB.Change].
type Tx struct {
	tx  *bbolt.Tx
	now time.Time
}

// Change makes a change: f's error undoes all of it, and is returned. What f has done is
// on the disk when Change returns nil. f must not use the DB but by its Tx.
func (d *DB) Change(now time.Time, f func(*Tx) error) error {
	return d.locked(func() error {
		return d.db.Update(func(tx *bbolt.Tx) error { return f(&Tx{tx, now}) })
	})
}

// Get returns one record as it stands in the change. It fails with [ErrUnknown].
func (t *Tx) Get(name string) (Record, error) { return get(t.tx, name) }

// Add adds a user. It fails with [ErrExists].
func (t *Tx) Add(name string, entry json.RawMessage) error {
	switch {
	case name == "" || len(name) > MaxName:
		return fmt.Errorf("the name of a user has 1 to %d bytes, not %d", MaxName, len(name))
	case t.tx.Bucket([]byte(bucketUsers)).Get([]byte(name)) != nil:
		return ErrExists
	}
	if err := t.tx.Bucket([]byte(bucketLogins)).Delete([]byte(name)); err != nil {
		return err
	}
	return t.put(name, stored{Entry: entry, Created: t.now.Unix(), Changed: t.now.Unix()})
}

// Set changes what there is to know about a user. It fails with [ErrUnknown].
func (t *Tx) Set(name string, entry json.RawMessage) error {
	r, err := t.Get(name)
	if err != nil {
		return err
	}
	return t.put(name, stored{Entry: entry, Created: r.Created.Unix(), Changed: t.now.Unix()})
}

func (t *Tx) put(name string, s stored) error {
	value, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if len(value) > maxRecord {
		return fmt.Errorf("the record of the user %.300q has %d bytes, at most %d are kept", name, len(value), maxRecord)
	}
	return t.tx.Bucket([]byte(bucketUsers)).Put([]byte(name), value)
}

// Remove removes a user, and all that was kept about him. It fails with [ErrUnknown].
func (t *Tx) Remove(name string) error {
	if _, err := t.Get(name); err != nil {
		return err
	}
	if err := t.tx.Bucket([]byte(bucketLogins)).Delete([]byte(name)); err != nil {
		return err
	}
	return t.tx.Bucket([]byte(bucketUsers)).Delete([]byte(name))
}

// Login notes when a user has logged in. Somebody who is not there is passed over.
func (t *Tx) Login(name string, at time.Time) error {
	if t.tx.Bucket([]byte(bucketUsers)).Get([]byte(name)) == nil {
		return nil
	}
	return t.tx.Bucket([]byte(bucketLogins)).Put([]byte(name), binary.BigEndian.AppendUint64(nil, uint64(at.Unix())))
}
