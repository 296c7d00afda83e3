package pi

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// call is one call of a filesystem.
type call struct {
	what string   // the method; "Stage+" appends, "Stage*" makes a name up
	p    vfs.Path // its path, of a stage that which it publishes
	p2   vfs.Path // the new name of a rename, what a link leads to
}

func (c call) String() string { return fmt.Sprintf("%s(%q, %q)", c.what, c.p, c.p2) }

// needs are the operations of which one must be permitted for a call. Of the calls
// that only describe a path, and so for the most part answer the policies' own
// questions, nothing is said here.
func (c call) needs() policy.Ops {
	switch c.what {
	case "Open", "OpenPartial":
		return policy.OpsOf(policy.OpRead, policy.OpHash)
	case "ReadDir", "Partials":
		return policy.OpsOf(policy.OpList)
	case "Stage":
		return policy.OpsOf(policy.OpWrite)
	case "Stage+":
		return policy.OpsOf(policy.OpAppend)
	case "Stage*":
		return policy.OpsOf(policy.OpUnique)
	case "Commit":
		return policy.OpsOf(policy.OpCommit)
	case "Mkdir":
		return policy.OpsOf(policy.OpMkdir)
	case "Rmdir":
		return policy.OpsOf(policy.OpRmdir)
	case "Remove", "DropPartial":
		return policy.OpsOf(policy.OpDelete)
	case "Rename":
		return policy.OpsOf(policy.OpRename)
	case "Chmod":
		return policy.OpsOf(policy.OpChmod)
	case "Chtimes", "SetBirth":
		return policy.OpsOf(policy.OpSetTime)
	case "Symlink":
		return policy.OpsOf(policy.OpSymlink)
	case "Space":
		return policy.OpsOf(policy.OpStat)
	}
	return 0
}

// describes reports whether the call only describes a path.
func (c call) describes() bool {
	return slices.Contains([]string{"Stat", "Lstat", "Partial"}, c.what)
}

// changes reports whether the call changes what others see.
func (c call) changes() bool {
	const ops = policy.Ops(1<<policy.OpCommit | 1<<policy.OpMkdir | 1<<policy.OpRmdir | 1<<policy.OpDelete | 1<<policy.OpRename | 1<<policy.OpChmod | 1<<policy.OpSetTime | 1<<policy.OpSymlink)
	return c.needs()&ops != 0
}

// recorder is told of every call of its filesystem before it is done.
type recorder struct{ tell func(call) }

// recorded is a Mem whose calls are told to a recorder. It does not embed the Mem:
// what is not written down here cannot be called.
type recorded struct {
	m *vfs.Mem
	recorder
}

var _ interface {
	vfs.FS
	vfs.Writer
	vfs.Chmodder
	vfs.Chtimer
	vfs.Birther
	vfs.Symlinker
	vfs.Spacer
	vfs.Subber
	vfs.Partials
} = recorded{}

func (r recorded) Open(p vfs.Path) (vfs.File, error) {
	r.tell(call{"Open", p, ""})
	return r.m.Open(p)
}

func (r recorded) Stat(p vfs.Path) (vfs.Info, error) {
	r.tell(call{"Stat", p, ""})
	return r.m.Stat(p)
}

func (r recorded) Lstat(p vfs.Path) (vfs.Info, error) {
	r.tell(call{"Lstat", p, ""})
	return r.m.Lstat(p)
}

func (r recorded) ReadDir(p vfs.Path) (vfs.Dir, error) {
	r.tell(call{"ReadDir", p, ""})
	return r.m.ReadDir(p)
}

func (r recorded) Mkdir(p vfs.Path) error {
	r.tell(call{"Mkdir", p, ""})
	return r.m.Mkdir(p)
}

func (r recorded) Rmdir(p vfs.Path) error {
	r.tell(call{"Rmdir", p, ""})
	return r.m.Rmdir(p)
}

func (r recorded) Remove(p vfs.Path) error {
	r.tell(call{"Remove", p, ""})
	return r.m.Remove(p)
}

func (r recorded) Rename(from, to vfs.Path) error {
	r.tell(call{"Rename", from, to})
	return r.m.Rename(from, to)
}

func (r recorded) Chmod(p vfs.Path, mode fs.FileMode) error {
	r.tell(call{"Chmod", p, ""})
	return r.m.Chmod(p, mode)
}

func (r recorded) Chtimes(p vfs.Path, atime, mtime time.Time) error {
	r.tell(call{"Chtimes", p, ""})
	return r.m.Chtimes(p, atime, mtime)
}

func (r recorded) SetBirth(p vfs.Path, t time.Time) error {
	r.tell(call{"SetBirth", p, ""})
	return r.m.SetBirth(p, t)
}

func (r recorded) Symlink(target string, p vfs.Path) error {
	to, _ := clean(p.Dir(), target)
	r.tell(call{"Symlink", p, to})
	return r.m.Symlink(target, p)
}

func (r recorded) Space(p vfs.Path) (int64, error) {
	r.tell(call{"Space", p, ""})
	return r.m.Space(p)
}

func (r recorded) Partial(owner string, p vfs.Path) (vfs.Info, error) {
	r.tell(call{"Partial", p, ""})
	return r.m.Partial(owner, p)
}

func (r recorded) Partials(owner string, p vfs.Path) ([]vfs.Info, error) {
	r.tell(call{"Partials", p, ""})
	return r.m.Partials(owner, p)
}

func (r recorded) OpenPartial(owner string, p vfs.Path) (vfs.File, error) {
	r.tell(call{"OpenPartial", p, ""})
	return r.m.OpenPartial(owner, p)
}

func (r recorded) DropPartial(owner string, p vfs.Path) error {
	r.tell(call{"DropPartial", p, ""})
	return r.m.DropPartial(owner, p)
}

func (r recorded) Masked(umask fs.FileMode) vfs.FS {
	r.m = r.m.Masked(umask).(*vfs.Mem)
	return r
}

func (r recorded) Sub(dir vfs.Path) (vfs.FS, error) {
	view, err := r.m.Sub(dir)
	if err != nil {
		return nil, err
	}
	return recorded{view.(*vfs.Mem), r.recorder}, nil
}

func (r recorded) Stage(p vfs.Path, opt vfs.StageOptions) (vfs.Stage, error) {
	what := "Stage"
	switch {
	case opt.Append:
		what = "Stage+"
	case opt.Unique:
		what = "Stage*"
	}
	r.tell(call{what, p, ""})
	st, err := r.m.Stage(p, opt)
	if err != nil {
		return nil, err
	}
	return recordedStage{st.(readable), r.recorder}, nil
}

// readable is what the stages of a Mem are.
type readable interface {
	vfs.Stage
	io.ReaderAt
}

type recordedStage struct {
	readable
	recorder
}

func (s recordedStage) Commit(ctx context.Context) error {
	s.tell(call{"Commit", s.Path(), ""})
	return s.readable.Commit(ctx)
}

// TestRecordedIsWhole: what a Mem can do, the recorded one can do, so that no way to
// the files goes untried.
func TestRecordedIsWhole(t *testing.T) {
	ours := reflect.TypeFor[recorded]()
	for m := range reflect.TypeFor[*vfs.Mem]().Methods() {
		if slices.Contains([]string{"WriteFile", "WriteLink", "SetSpace"}, m.Name) { // for tests alone
			continue
		}
		if _, ok := ours.MethodByName(m.Name); !ok {
			t.Errorf("Mem.%s is not recorded", m.Name)
		}
	}
}

// judge is a policy whose answers are a function, which lets in whoever says
// "secret".
type judge struct {
	admitAll
	answer func(*policy.Action) policy.Answer
	own    policy.Identity // what a login gives
}

func (j *judge) Hooks() policy.Hooks { return policy.Hooks{Authenticator: j, Authorizer: j} }

func (j *judge) Authenticate(ctx context.Context, l *policy.Login) (policy.Identity, error) {
	id, err := j.admitAll.Authenticate(ctx, l)
	if id.Verdict == policy.Allow {
		id = j.own
		id.Verdict = policy.Allow
	}
	return id, err
}

func (j *judge) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	return j.answer(a), nil
}

// journal keeps what was called and asked, in order.
type journal struct {
	mu    sync.Mutex
	calls []call
	asked []policy.Action
}

func (j *journal) tell(c call) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls = append(j.calls, c)
}

func (j *journal) ask(a *policy.Action) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.asked = append(j.asked, *a)
}

// take returns what was kept, and forgets it.
func (j *journal) take() (calls []call, asked []policy.Action) {
	j.mu.Lock()
	defer j.mu.Unlock()
	calls, asked = j.calls, j.asked
	j.calls, j.asked = nil, nil
	return calls, asked
}
