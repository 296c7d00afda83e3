package audit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// numberWidth is the width of the number in the name of a file that was moved away.
const numberWidth = 20

// Options are for [Open].
type Options struct {
	// MaxSize is how many bytes the file has before a new one is begun. 0 is never.
	MaxSize int64
	// Log hears of what could not be recorded, with all of it. Nil is nobody.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Log is an audit log. It is made by [Open], and may be used by many at once.
type Log struct {
	path, headPath string
	opts           Options

	mu     sync.Mutex
	file   *os.File
	info   fs.FileInfo // of file
	size   int64       // of what is whole in it
	head   Head
	broken error  // why the last record was not written
	lost   uint64 // records that were not written
	flood  flood
	closed bool
}

// ErrClosed says that the log was closed.
var ErrClosed = errors.New("the audit log is closed")

// Open opens the log at path, which is made with mode 0600 if it does not exist, and whose
// head is kept at head. What is not as it was left is told in the log itself: a last line
// that was not written whole is mended, an end that is missing is not.
func Open(path, head string, opts Options) (*Log, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	l := &Log{path: path, headPath: head, opts: opts}
	kept, err := ReadHead(head)
	if err != nil {
		return nil, fmt.Errorf("the head of the audit log cannot be read: %w\n   = help: edgeftp audit verify says how the log stands; move %s away to begin with what the log has, which is then written in it", err, head)
	}
	if err := l.begin(); err != nil {
		return nil, fmt.Errorf("the audit log cannot be opened: %w", err)
	}
	torn, err := l.find()
	if err == nil {
		err = l.tell(kept, torn)
	}
	if err != nil {
		_ = l.file.Close() // nothing of ours was written
		return nil, fmt.Errorf("the audit log cannot be opened: %w", err)
	}
	return l, nil
}

// begin opens the file.
func (l *Log) begin() error {
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", l.path)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.file, l.info, l.size = f, info, info.Size()
	return nil
}

// find reads the last record, and returns what stands behind it. Of a file that holds
// records of which the last is not whole, what is whole is kept.
func (l *Log) find() (torn []byte, err error) {
	tail := make([]byte, min(l.size, 2*maxLine))
	if _, err := l.file.ReadAt(tail, l.size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for whole := len(tail); ; whole-- {
		whole = bytes.LastIndexByte(tail[:whole], '\n') + 1
		if whole == 0 {
			break
		}
		start := bytes.LastIndexByte(tail[:whole-1], '\n') + 1
		if r, err := Read(tail[start:whole]); err == nil {
			l.head = Head{r.Seq, r.Hash}
			return tail[whole:], nil
		}
	}
	if l.size > int64(len(tail)) {
		return nil, fmt.Errorf("no record is in the last %d bytes of %s\n   = help: edgeftp audit verify says what is wrong with it; move it away to begin a new file, in which it will be told", len(tail), l.path)
	}
	return tail, nil
}

// tell writes what Open has found.
func (l *Log) tell(kept *Head, torn []byte) error {
	found := l.head
	if len(torn) > 0 {
		if err := l.file.Truncate(l.size - int64(len(torn))); err != nil {
			return err
		}
		l.size -= int64(len(torn))
	}
	server := Actor{Via: "server"}
	var notes []Record
	switch {
	case kept == nil && found.Seq > 0:
		notes = append(notes, Record{Actor: server, Action: ActionForgotten, Result: Failed,
			Text: fmt.Sprintf("the head was missing beside a log that ends with record %d: whether its end was cut off cannot be seen", found.Seq)})
	case kept != nil && kept.Seq > found.Seq:
		notes = append(notes, Record{Actor: server, Action: ActionCut, Result: Failed,
			Text: fmt.Sprintf("the log ended with record %d, and the head was record %d with hash %s: its end was cut off", found.Seq, kept.Seq, kept.Hash)})
		l.head = *kept
	case kept != nil && kept.Seq == found.Seq && kept.Hash != found.Hash, kept != nil && kept.Seq+1 < found.Seq:
		notes = append(notes, Record{Actor: server, Action: ActionCut, Result: Failed,
			Text: fmt.Sprintf("the log ended with record %d, and the head was record %d with hash %s: one of them was changed", found.Seq, kept.Seq, kept.Hash)})
	case kept == nil:
		notes = append(notes, Record{Actor: server, Action: ActionBegun, Result: OK})
	}
	if len(torn) > 0 {
		notes = append(notes, Record{Actor: server, Action: ActionMended, Result: OK,
			Text: fmt.Sprintf("%d bytes behind the last record were taken out, base64: %s", len(torn), base64.StdEncoding.EncodeToString(torn[:min(len(torn), maxText/2)]))})
	}
	for i := range notes {
		if notes[i].Result == Failed {
			l.opts.Log.Error("the audit log is not as it was left", "file", l.path, "found", notes[i].Text)
		}
		if err := l.append(&notes[i]); err != nil {
			return err
		}
	}
	if len(notes) == 0 && kept != nil && *kept != l.head { // killed between the two
		return l.keepHead()
	}
	return nil
}

// Append writes a record; its Seq, Time, Prev and Hash are the log's to fill in. It has
// reached the disk when Append returns without an error; after an error it is in the
// program's log instead.
func (l *Log) Append(r Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.write(r)
	if err != nil {
		l.lost++
		l.opts.Log.Error("a record could not be written to the audit log", "error", err, "actor", r.Actor.String(), "action", r.Action,
			"object", r.Object, "reason", r.Reason, "result", r.Result, "code", r.Code)
	}
	l.broken = err
	return err
}

// Refuse is Append for a request that was refused. Of those that are too many only the
// number is written: nobody fills the disk by asking for what he may not have.
func (l *Log) Refuse(r Record) {
	r.Result = Refused
	l.mu.Lock()
	now := l.opts.Now()
	ok := l.flood.take(now)
	dropped := l.flood.dropped
	if ok {
		l.flood.dropped = 0
	}
	l.mu.Unlock()
	if !ok {
		return
	}
	if dropped > 0 {
		_ = l.Append(Record{Actor: Actor{Via: "server"}, Action: ActionDropped, Result: OK, Text: fmt.Sprintf("%d refused requests were not written", dropped)})
	}
	_ = l.Append(r) // what failed is in the program's log
}

// write does Append's work, and tells what was lost before.
func (l *Log) write(r Record) error {
	if l.closed {
		return ErrClosed
	}
	if err := l.renew(); err != nil {
		return err
	}
	if err := l.tellLost(); err != nil {
		return err
	}
	return l.append(&r)
}

// tellLost writes how many records were not written.
func (l *Log) tellLost() error {
	if l.lost == 0 {
		return nil
	}
	r := Record{Actor: Actor{Via: "server"}, Action: ActionLost, Result: OK, Text: fmt.Sprintf("%d records could not be written", l.lost)}
	if err := l.append(&r); err != nil {
		return err
	}
	l.lost = 0
	return nil
}

// append writes one record and keeps the head.
func (l *Log) append(r *Record) error {
	r.Seq, r.Time = l.head.Seq+1, l.opts.Now()
	line, err := r.seal(l.head.Hash)
	if err != nil {
		return err
	}
	before := l.head
	if _, err = l.file.Write(line); err == nil {
		err = l.file.Sync()
	}
	if err == nil {
		l.head = Head{r.Seq, r.Hash}
		err = l.keepHead()
	}
	if err != nil { // then it was not written at all
		l.head = before
		if cut := l.file.Truncate(l.size); cut != nil { // half a line, which the next start mends
			err = errors.Join(err, cut)
		}
		return err
	}
	l.size += int64(len(line))
	return nil
}

// keepHead writes the head beside the old one and puts it in its place.
func (l *Log) keepHead() error {
	text, err := json.Marshal(l.head)
	if err != nil {
		return err
	}
	next := l.headPath + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was killed, or a link
		return err
	}
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(next, l.headPath)
}

// renew begins a new file where the old one is full, or was moved away.
func (l *Log) renew() error {
	if now, err := os.Stat(l.path); err != nil || !os.SameFile(now, l.info) {
		return l.reopen()
	}
	if l.opts.MaxSize <= 0 || l.size < l.opts.MaxSize {
		return nil
	}
	first, err := l.first()
	if err != nil {
		return err
	}
	ext := filepath.Ext(l.path)
	to := fmt.Sprintf("%s-%0*d%s", strings.TrimSuffix(l.path, ext), numberWidth, first, ext)
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s is in the way of the audit log: move it away", to)
	}
	if err := os.Rename(l.path, to); err != nil {
		// It is written on as it is: nothing is lost by a file that is long.
		l.opts.Log.Warn("no new file could be begun for the audit log", "error", err)
		l.opts.MaxSize *= 2
		return nil
	}
	return l.reopen()
}

func (l *Log) reopen() error {
	old := l.file
	if err := l.begin(); err != nil {
		return err
	}
	return old.Close()
}

// first is the number of the file's first record.
func (l *Log) first() (uint64, error) {
	line := make([]byte, min(l.size, maxLine))
	n, err := l.file.ReadAt(line, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	end := bytes.IndexByte(line[:n], '\n') + 1
	r, err := Read(line[:end])
	if err != nil {
		return 0, fmt.Errorf("the first record of the audit log: %w", err)
	}
	return r.Seq, nil
}

// Ready returns why records cannot be written, nil if they can as far as is known. After a
// failure it tries again.
func (l *Log) Ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if l.broken == nil {
		return nil
	}
	if l.broken = l.renew(); l.broken == nil {
		l.broken = l.tellLost()
	}
	return l.broken
}

// Head returns the newest record's place in the chain.
func (l *Log) Head() Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// Path returns the file's path.
func (l *Log) Path() string { return l.path }

// Close closes the file. A second call does nothing.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	return l.file.Close()
}

// Yield closes the file, for another process to go on with it: what is to be written from
// then on is an error, which is ErrClosed, until Resume.
func (l *Log) Yield() error { return l.Close() }

// Resume goes on where the file ends after Yield, by what Open found in it.
func (l *Log) Resume() error {
	again, err := Open(l.path, l.headPath, l.opts)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file, l.info, l.size, l.head, l.broken, l.closed = again.file, again.info, again.size, again.head, nil, false
	return nil
}
