package pi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// services is what policies may ask while they answer a question. It holds what it
// needs of the session by value, and never the session itself: a policy may ask from
// any goroutine while the owner goes on.
type services struct {
	fs    nvfs   // of nothing before the login: there is nothing to be seen
	owner string // of interrupted uploads
	// asked is the question at hand, of which the owner has one at a time.
	asked atomic.Pointer[policy.Action]
	// staged is the upload that is about to become visible, size its length.
	staged io.ReaderAt
	size   int64
	// verify compares a stored hash with the password that the login brought.
	verify   func(ctx context.Context, hash string) (bool, error)
	verified atomic.Bool // it has done so
}

var _ policy.Services = (*services)(nil)

var (
	errNoPassword = errors.New("this question came with no password")
	errNoFile     = errors.New("this question is about no file")
	errNoDigest   = fmt.Errorf("%w: there is no such algorithm", fs.ErrInvalid) // policy.Services tells errors of io/fs
)

// asking is the context of the questions that a session's owner puts. It is made
// with the first one and forgotten when the session sees other files.
type asking struct {
	services
	ctx context.Context
}

// services returns those of this moment, for a question about a, which may be nil.
func (s *Session) services(a *policy.Action) *services {
	v := new(services)
	s.lend(v)
	v.asked.Store(a)
	return v
}

func (s *Session) lend(v *services) {
	if s.rank.in {
		v.fs, v.owner = s.files(), s.owner()
	}
}

// asks returns the context of a question that the owner puts, about a or, with nil,
// about no file. It has no end: how long a policy may take is between the two.
func (s *Session) asks(a *policy.Action) context.Context {
	if s.asking == nil {
		s.asking = &asking{}
		s.lend(&s.asking.services)
		s.asking.ctx = policy.WithServices(context.Background(), &s.asking.services)
	}
	s.asking.asked.Store(a)
	return s.asking.ctx
}

// Stat implements policy.Services.
func (v *services) Stat(_ context.Context, path string) (policy.Entry, error) {
	if v.fs.FS == nil {
		return policy.Entry{}, fs.ErrPermission
	}
	p, err := vfs.Clean(vfs.Root, path)
	if err != nil {
		return policy.Entry{}, err
	}
	info, err := statAs(v.fs, v.owner, p)
	return entryOf(info), err
}

func entryOf(i vfs.Info) policy.Entry {
	return policy.Entry{Name: i.Name, Mode: i.Mode, Size: i.Size, Time: i.ModTime}
}

// Verify implements policy.Services.
func (v *services) Verify(ctx context.Context, hash string) (bool, error) {
	if v.verify == nil {
		return false, errNoPassword
	}
	ok, err := v.verify(ctx, hash)
	if err == nil {
		v.verified.Store(true)
	}
	return ok, err
}

// Digest implements policy.Services.
func (v *services) Digest(ctx context.Context, algorithm string) ([]byte, error) {
	d, ok := ParseDigest(algorithm)
	if !ok {
		return nil, errNoDigest
	}
	if v.staged != nil {
		return digestOf(ctx, d, io.NewSectionReader(v.staged, 0, v.size))
	}
	a := v.asked.Load()
	if a == nil || v.fs.FS == nil || a.Op == policy.OpCommit {
		return nil, errNoFile
	}
	file, err := v.fs.Open(vfs.Path(a.Path))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return digestOf(ctx, d, file)
}

func digestOf(ctx context.Context, d Digest, r io.Reader) ([]byte, error) {
	h := d.new()
	_, err := io.Copy(h, &upTo{ctx: ctx, r: r})
	return h.Sum(nil), err
}
