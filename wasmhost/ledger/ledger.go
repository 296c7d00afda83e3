package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// The errors to test for.
var (
	// ErrCorrupt is wrapped by the error of [Open] for an index that cannot be
	// read or has gone. Nothing was changed: see [SetAside].
	ErrCorrupt = errors.New("the index of accepted policy modules is damaged")
	// ErrUnknown is wrapped where a module is asked for that is not kept.
	ErrUnknown = errors.New("no such module is kept")
	// ErrChanged is wrapped where a kept module has gone or is not what was kept.
	ErrChanged = errors.New("the kept module is not the one that was accepted")
	// ErrFull is wrapped by the error of [Ledger.Accept] for a module that does
	// not fit beside the newest of the other slots.
	ErrFull = errors.New("no room for another policy module")
)

// Options bound what is kept. The zero value has defaults.
type Options struct {
	// Previous is how many generations of a slot are kept beside its newest: 0
	// for 5, negative for none, at most 99.
	Previous int
	// MaxBytes bounds the modules of all slots together, 0 for 256 MiB. The
	// oldest generations go first, a slot's newest never goes. While one is
	// accepted, it takes its size once more.
	MaxBytes int64
}

// Ledger is an open ledger. It is safe for concurrent use.
type Ledger struct {
	options Options
	disk    *disk

	mu    sync.Mutex // guards what follows, and every change of the directory
	slots slots
}

// Open opens the ledger in a directory, which is made with mode 0700 if there is
// none. It fails if others than the owner may write there, and with [ErrCorrupt]
// if the index is damaged. What a server that died had left unfinished is
// removed.
func Open(dir string, o Options) (*Ledger, error) {
	dir = filepath.Clean(dir)
	d, err := openDisk(dir)
	if err != nil {
		return nil, fmt.Errorf("policy ledger: %w", err)
	}
	l, err := open(d, o)
	if errors.Is(err, ErrCorrupt) {
		err = fmt.Errorf("%w\n   = help:   nothing was changed; move %s away to begin anew: what the modules were, and how new, is then forgotten", err, dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("policy ledger: %w", err), d.root.Close())
	}
	return l, nil
}

func open(d *disk, o Options) (*Ledger, error) {
	if o.Previous == 0 {
		o.Previous = 5
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 256 << 20
	}
	o.Previous = min(max(o.Previous, 0), maxHistory-1)
	l := &Ledger{options: o, disk: d, slots: slots{}}
	text, err := d.read(indexName, maxIndex)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// The index is there before the first module is, so modules without one
		// have lost it.
		if modules, _, err := d.list(); err != nil {
			return nil, err
		} else if len(modules) > 0 {
			return nil, fmt.Errorf("%w: %s has gone, and %d modules are there", ErrCorrupt, indexName, len(modules))
		}
		return l, l.write(l.slots)
	case err != nil:
		return nil, err
	}
	if l.slots, err = decode(text); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCorrupt, indexName, err)
	}
	// A server that was killed may have left an index whose name is not durable
	// yet, and what it leaves out must not go before it.
	if err := d.sync(); err != nil {
		return nil, err
	}
	return l, l.sweep()
}

// SetAside renames the directory of a ledger, with all that is in it, to the same
// name with ".bad" behind, or ".bad-2" and so on, and returns the new name. After
// it [Open] begins anew. No ledger may be open there.
func SetAside(dir string) (string, error) {
	dir = filepath.Clean(dir)
	for n := 1; n < 1000; n++ {
		to := dir + ".bad"
		if n > 1 {
			to += "-" + strconv.Itoa(n)
		}
		if _, err := os.Lstat(to); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if err := os.Rename(dir, to); err != nil {
			return "", err
		}
		return to, syncParent(dir)
	}
	return "", fmt.Errorf("%s has been set aside too often: remove what is not needed", dir)
}

// Close ends the use of the directory. Everything is on disk already.
func (l *Ledger) Close() error { return l.disk.root.Close() }

// Accept records that a slot took a module, and keeps its bytes: when it returns
// nil both are durable. A's digest may be zero, and must otherwise be the
// module's; a zero time is filled in. A module that the slot had before becomes
// its newest again. Long texts are cut at 1,000 bytes.
//
// After an error the ledger is as it was; only if a disk failed while syncing,
// the next [Open] may find the module recorded nevertheless.
func (l *Ledger) Accept(slot string, module []byte, a trust.Accepted) error {
	digest := trust.Sum(module)
	if err := checkSlot(slot); err != nil {
		return err
	}
	if a.Digest != (trust.Digest{}) && a.Digest != digest {
		return fmt.Errorf("%w: recorded as %v, the bytes are %v", ErrChanged, a.Digest, digest)
	}
	if a.At.IsZero() {
		a.At = time.Now()
	}
	a.Digest, a.At = digest, a.At.UTC().Round(0)
	a.Version, a.Signer, a.Source = clip(a.Version), clip(a.Signer), clip(a.Source)
	l.mu.Lock()
	defer l.mu.Unlock()
	next := l.slots.with(slot, Entry{Accepted: a, Size: int64(len(module))}, l.options.Previous)
	if !next.shrink(l.options.MaxBytes) || len(next) > maxSlots {
		return fmt.Errorf("%w: %d bytes for slot %q, %d bytes and %d slots are the limit", ErrFull, len(module), slot, l.options.MaxBytes, maxSlots)
	}
	if err := l.keep(digest, module); err != nil {
		return fmt.Errorf("policy ledger: %w", err)
	}
	return l.commit(next)
}

// Forget removes a slot and its history. A slot that is not there is no error.
func (l *Ledger) Forget(slot string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.slots[slot]; !ok {
		return nil
	}
	next := maps.Clone(l.slots)
	delete(next, slot)
	return l.commit(next)
}

// Slots lists the names of the slots that took a module, sorted.
func (l *Ledger) Slots() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.slots))
}

// History lists what a slot took, the newest first: none for an unknown slot. Each
// module occurs once, where it was last accepted.
func (l *Ledger) History(slot string) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.slots[slot])
}

// Newest returns what a slot took last.
func (l *Ledger) Newest(slot string) (Entry, bool) { return l.at(slot, 0) }

// Previous returns what a slot took before its newest.
func (l *Ledger) Previous(slot string) (Entry, bool) { return l.at(slot, 1) }

func (l *Ledger) at(slot string, i int) (Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if list := l.slots[slot]; i < len(list) {
		return list[i], true
	}
	return Entry{}, false
}

// Module returns the bytes of a module that is kept. It fails with [ErrUnknown] if
// none has the digest, and with [ErrChanged] if the file has gone or holds other
// bytes: they are never returned.
func (l *Ledger) Module(digest trust.Digest) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	size, ok := l.slots.sizes()[digest]
	if !ok {
		return nil, fmt.Errorf("%w: %v", ErrUnknown, digest)
	}
	module, err := l.disk.read(fileName(digest), size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if trust.Sum(module) != digest {
		return nil, fmt.Errorf("%w: %s holds %d bytes of something else", ErrChanged, fileName(digest), len(module))
	}
	return module, nil
}

// fileName is the name of a module's file.
func fileName(d trust.Digest) string {
	return modulePrefix + strings.TrimPrefix(d.String(), "sha256:") + moduleSuffix
}

// keep puts a module's bytes on disk, unless they are there.
func (l *Ledger) keep(digest trust.Digest, module []byte) error {
	if old, err := l.disk.read(fileName(digest), int64(len(module))); err == nil && trust.Sum(old) == digest {
		// It may have been renamed by a write whose sync failed.
		return l.disk.sync()
	}
	return l.disk.replace(fileName(digest), module)
}

// commit makes next the ledger's state. The caller holds mu.
func (l *Ledger) commit(next slots) error {
	if err := l.write(next); err != nil {
		return fmt.Errorf("policy ledger: %w", err)
	}
	l.slots = next
	_ = l.sweep() // what stays behind is removed the next time
	return nil
}

func (l *Ledger) write(s slots) error {
	text, err := s.encode()
	if err != nil {
		return err
	}
	return l.disk.replace(indexName, text)
}

// sweep removes modules that no slot has, and unfinished files. The index on disk
// is the one in memory, and durable.
func (l *Ledger) sweep() error {
	modules, leftovers, err := l.disk.list()
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for d := range l.slots.sizes() {
		kept[fileName(d)] = true
	}
	for _, name := range modules {
		if !kept[name] {
			leftovers = append(leftovers, name)
		}
	}
	var errs []error
	for _, name := range leftovers {
		errs = append(errs, l.disk.remove(name))
	}
	return errors.Join(errs...)
}
