package kv

import (
	"context"
	"io"

	"go.etcd.io/bbolt"
)

// Snapshot writes what was changed before it was called and copies the file to w, as it is
// at one moment. Reads and writes of policies go on; what they change reaches the disk
// when the copy is done, so that w is to be something fast, such as a file. A store in
// memory has no file, and copies nothing; one that was handed over fails with [ErrNoFile].
// Else it fails as [Store.Sync] does, and with the error of w; when ctx ends, w may still
// be written to for a moment.
func (s *Store) Snapshot(ctx context.Context, w io.Writer) error {
	if s.queue == nil {
		return s.Sync(ctx)
	}
	return s.ask(ctx, func() error {
		if s.file == nil {
			return ErrNoFile
		}
		if err := s.flush(); err != nil {
			return err
		}
		return s.file.copyTo(w)
	})
}

// copyTo copies the file in a transaction that reads.
func (f *file) copyTo(w io.Writer) error {
	return f.guard(func() error {
		return f.db.View(func(tx *bbolt.Tx) error {
			_, err := tx.WriteTo(w)
			return err
		})
	})
}
