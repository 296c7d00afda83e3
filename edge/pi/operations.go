package pi

import (
	"errors"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// OperationTally counts what sessions ask of the storage: how it went, and how long it
// took. The zero value is ready for use, by many sessions at once and without a lock; a nil
// one counts nothing. It must not be copied.
type OperationTally [opKinds]struct {
	took [results][operationSteps + 1]atomic.Uint64 // by how it went, and by how long it took
	sum  atomic.Int64                               // nanoseconds of all
}

// operation is what the storage is asked to do. Reading and writing the bytes of a file, and
// the entries of a directory, are none: transfers and listings have figures of their own.
type operation uint8

const (
	opStat    operation = iota // what there is at a path
	opPartial                  // what is kept of interrupted uploads
	opOpen                     // a file, for reading
	opList                     // to open a directory
	opStage                    // to begin an upload
	opCommit                   // to publish one, for good
	opDiscard                  // to give one up
	opMkdir
	opRmdir
	opDelete
	opRename
	opChmod
	opTimes // to set the times of a file
	opSymlink
	opSpace // how much room there is
	opKinds
)

func (o operation) String() string {
	return [...]string{"stat", "partial", "open", "list", "stage", "commit", "discard", "mkdir", "rmdir", "delete",
		"rename", "chmod", "times", "symlink", "space"}[o]
}

// result is how an operation went.
type result uint8

const (
	wentWell result = iota
	notThere
	declined // for a reason that lies with what was asked: it is a directory, it exists
	broken   // what StorageTally counts, too: the storage cannot do it
	results
)

// resultOf tells how what has ended with an error went.
func resultOf(err error) result {
	switch {
	case err == nil:
		return wentWell
	case errors.Is(err, fs.ErrNotExist):
		return notThere
	}
	_, known := answerFile(err)
	if faultOf(err, known) != noFault {
		return broken
	}
	return declined
}

// operationBounds are the bounds of the times of operations, of which a filesystem in memory has
// the first ones and a disk over a network the last.
func operationBounds() [operationSteps]time.Duration {
	const us, ms = time.Microsecond, time.Millisecond
	return [...]time.Duration{10 * us, 25 * us, 50 * us, 100 * us, 250 * us, ms, 5 * ms, 25 * ms, 100 * ms, 500 * ms, 2500 * ms, 10 * time.Second}
}

const operationSteps = 12

// OperationStatus is what the storage was asked of one kind, since the start.
type OperationStatus struct {
	Operation string    // such as "stat" or "commit"
	OK        uint64    // those that went well
	NotFound  uint64    // there was nothing at the path
	Refused   uint64    // it was not possible as asked: it is a directory, or exists
	Failed    uint64    // the storage could not do it, as StorageStatus has it by the cause
	Times     dtp.Times // how long they took, all results together
}

// Status returns what was counted so far of every kind of operation.
func (t *OperationTally) Status() []OperationStatus {
	if t == nil {
		return nil
	}
	all := make([]OperationStatus, opKinds)
	bounds := operationBounds()
	for o := range opKinds {
		st, own := &all[o], &t[o]
		st.Operation, st.Times.Sum = o.String(), time.Duration(own.sum.Load())
		of := [results]*uint64{&st.OK, &st.NotFound, &st.Refused, &st.Failed}
		for i := range operationSteps + 1 {
			for r := range results {
				n := own.took[r][i].Load()
				*of[r] += n
				st.Times.Total += n
			}
			if i < operationSteps {
				st.Times.UpTo = append(st.Times.UpTo, bounds[i].Seconds())
				st.Times.Count = append(st.Times.Count, st.Times.Total)
			}
		}
	}
	return all
}

// took counts an operation that has ended with the error that it returns. As the arguments
// of a call are evaluated from left to right, time.Now() may stand before the operation itself:
//
//	return t.took(opMkdir, time.Now(), w.Mkdir(p))
func (t *OperationTally) took(o operation, began time.Time, err error) error {
	if t == nil {
		return err
	}
	d, bounds, i := time.Since(began), operationBounds(), 0
	for i < operationSteps && d > bounds[i] {
		i++
	}
	t[o].took[resultOf(err)][i].Add(1)
	t[o].sum.Add(int64(d))
	return err
}

// nvfs is the filesystem (RFC 959 §2.2: NVFS) as the session asks it: each question is counted,
// with its time.
type nvfs struct {
	vfs.FS
	tally *OperationTally
}

// files returns the session's.
func (s *Session) files() nvfs { return nvfs{s.fs, s.conf.Operations} }

// Open implements vfs.FS.
func (f nvfs) Open(p vfs.Path) (vfs.File, error) {
	began := time.Now()
	file, err := f.FS.Open(p)
	return file, f.tally.took(opOpen, began, err)
}

// Stat implements vfs.FS.
func (f nvfs) Stat(p vfs.Path) (vfs.Info, error) {
	began := time.Now()
	info, err := f.FS.Stat(p)
	return info, f.tally.took(opStat, began, err)
}

// Lstat implements vfs.FS.
func (f nvfs) Lstat(p vfs.Path) (vfs.Info, error) {
	began := time.Now()
	info, err := f.FS.Lstat(p)
	return info, f.tally.took(opStat, began, err)
}

// ReadDir implements vfs.FS.
func (f nvfs) ReadDir(p vfs.Path) (vfs.Dir, error) {
	began := time.Now()
	dir, err := f.FS.ReadDir(p)
	return dir, f.tally.took(opList, began, err)
}

// Partial is that of vfs.Partials: fs.ErrNotExist where the filesystem keeps none, or for nobody
// in particular.
func (f nvfs) Partial(owner string, p vfs.Path) (vfs.Info, error) {
	parts, ok := f.FS.(vfs.Partials)
	if !ok || owner == "" {
		return vfs.Info{}, fs.ErrNotExist
	}
	began := time.Now()
	info, err := parts.Partial(owner, p)
	return info, f.tally.took(opPartial, began, err)
}

// Partials is that of vfs.Partials: none where the filesystem keeps none, or for nobody in
// particular.
func (f nvfs) Partials(owner string, p vfs.Path) ([]vfs.Info, error) {
	parts, ok := f.FS.(vfs.Partials)
	if !ok || owner == "" {
		return nil, nil
	}
	began := time.Now()
	infos, err := parts.Partials(owner, p)
	return infos, f.tally.took(opPartial, began, err)
}

// changer is an nvfs that can be changed.
type changer struct {
	below vfs.Writer
	tally *OperationTally
}

// writer returns the files as what can be changed, or vfs.ErrReadOnly.
func (f nvfs) writer() (changer, error) {
	w, ok := f.FS.(vfs.Writer)
	if !ok {
		return changer{}, vfs.ErrReadOnly
	}
	return changer{w, f.tally}, nil
}

// stage is vfs.Writer's Stage; the Stage is the filesystem's own.
func (c changer) stage(p vfs.Path, opt vfs.StageOptions) (vfs.Stage, error) {
	began := time.Now()
	stage, err := c.below.Stage(p, opt)
	return stage, c.tally.took(opStage, began, err)
}

func (c changer) mkdir(p vfs.Path) error { return c.tally.took(opMkdir, time.Now(), c.below.Mkdir(p)) }
func (c changer) rmdir(p vfs.Path) error { return c.tally.took(opRmdir, time.Now(), c.below.Rmdir(p)) }
func (c changer) remove(p vfs.Path) error {
	return c.tally.took(opDelete, time.Now(), c.below.Remove(p))
}

func (c changer) rename(from, to vfs.Path) error {
	return c.tally.took(opRename, time.Now(), c.below.Rename(from, to))
}
