// Package drop watches a directory for policy modules: a file SLOT.wasm that is
// put there is offered to the server for the slot, once it is complete.
//
// Beside a module may lie its signature, SLOT.wasm.minisig, and its digest,
// SLOT.wasm.sha256, as sha256sum writes it. The best way to put files there is to
// write them under other names and rename them, the module last. Files that are
// written in place are waited for: nothing is offered before two looks, a while
// apart, have found the same files, every section of the module is there, and the
// digest, if there is one, is right.
//
// A module is offered once. Whether it was taken or not, it is offered again only
// after one of its files has changed. Removing files does nothing: a module in
// force stays.
package drop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/ring"
)

// Candidate is a complete file for a slot.
type Candidate struct {
	Slot      string // the file's name without ".wasm"
	Path      string // of the module
	Module    []byte
	Signature []byte // the bytes of the .minisig file, nil if there is none
}

// Options bound a watch. The zero value has defaults.
type Options struct {
	// Settle is the time between two looks that must find the same, 0 for 1 s. A
	// file whose writer stalls for longer may be looked at before it is complete,
	// and is then told by its form.
	Settle time.Duration
	// Poll is the time after which the directory is looked at without a word of
	// the system, 0 for 10 s: some file systems send none.
	Poll time.Duration
	// MaxModule is the greatest size of a module in bytes, 0 for 8 MiB.
	MaxModule int64
	// Signed says that signatures are required: a module waits for its own.
	Signed bool
	// Log is told of everything that is not offered, once each, and of errors of
	// the taker. Nil discards.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Settle <= 0 {
		o.Settle = time.Second
	}
	if o.Poll <= 0 {
		o.Poll = 10 * time.Second
	}
	if o.MaxModule <= 0 {
		o.MaxModule = 8 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Watch offers the modules that are in the directory, and then those that come,
// to take, one at a time, until ctx ends. An error of take is logged; the module
// counts as refused.
//
// It returns nil after ctx has ended, and an error at once if the directory is
// not there, or if everybody may write in it. If that becomes so later it is
// logged, and nothing is offered until it is set right.
func Watch(ctx context.Context, dir string, o Options, take func(context.Context, Candidate) error) error {
	o = o.withDefaults()
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("policy directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("policy directory: %w", err)
	}
	if err := checkDir(dir, info); err != nil {
		return fmt.Errorf("policy directory: %w\n   = help:   chmod o-w %s", err, dir)
	}
	bell, err := newBell(dir)
	if err != nil {
		o.Log.Warn("the system does not tell of changes in the policy directory: it is looked at from time to time", "every", o.Poll, "error", err)
		bell = silent()
	}
	defer bell.close()
	newWatcher(dir, o, take).run(ctx, bell)
	return nil
}

// checkDir refuses what no module may come from.
func checkDir(dir string, info fs.FileInfo) error {
	switch {
	case !info.IsDir():
		return &fs.PathError{Op: "watch", Path: dir, Err: errors.New("it is not a directory")}
	case writableByAll(info):
		return &fs.PathError{Op: "watch", Path: dir, Err: fmt.Errorf("everybody may write there (mode %v)", info.Mode())}
	}
	return nil
}

// bell rings when something may have changed in the directory.
type bell struct {
	rung  chan struct{} // holds one ring
	again func() error  // watches the directory anew, after another took its place
	close func()
}

// silent is a bell that never rings.
func silent() bell {
	return bell{again: func() error { return nil }, close: func() {}}
}

// newBell rings for the system's word.
func newBell(dir string) (bell, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return bell{}, err
	}
	if err := w.Add(dir); err != nil {
		return bell{}, errors.Join(err, w.Close())
	}
	b := bell{again: func() error { return w.Add(dir) }}
	b.rung, b.close = ring.Of(w)
	return b, nil
}
