package wasmhost

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// callState is what the host's functions may know of the question that the guest
// is answering. The zero value is no question: the guest is starting.
type callState struct {
	ctx   context.Context // the caller's, nil while the guest starts
	hook  abi.Hook        // 0 while the guest starts
	early bool            // auth is asked at USER: there is no password
	about any             // the question; nil of one that is there as a record alone
}

// enter notes the question for the host's functions until leave.
func (in *instance) enter(ctx context.Context, h abi.Hook, early bool, about any) {
	in.call = callState{ctx: ctx, hook: h, early: early, about: about}
}

// services are those of the question, nil for one without a session. Most calls
// never want them, so nobody looks before.
func (c *callState) services() policy.Services {
	if c.ctx == nil {
		return nil
	}
	return policy.ServicesOf(c.ctx)
}

func (in *instance) leave() { in.call = callState{} }

// Times that a host function may take by itself.
const (
	statTime   = 2 * time.Second
	verifyTime = 10 * time.Second // it takes its turn among all verifications
	digestTime = 60 * time.Second // it reads the whole file
)

// waitTime bounds the time that one call of a guest waits for others, all in all:
// this time is not the guest's, and without a bound a loop of slow fetches would hold
// a session for hours.
func waitTime(h abi.Hook) time.Duration {
	if h == abi.HookFS {
		return digestTime
	}
	return 10 * time.Second
}

// request has the server, or another one, do something outside the guest's time,
// and within a time of its own.
func (in *instance) request(limit time.Duration, f func(ctx context.Context) error) (err error) {
	limit = min(limit, waitTime(in.call.hook)-in.meter.paused)
	if limit <= 0 {
		return context.DeadlineExceeded
	}
	in.pause(func() {
		ctx, cancel := context.WithTimeout(in.call.ctx, limit)
		defer cancel()
		err = f(ctx)
	})
	return err
}

// errno gives an error of the server's the number that the guest is told. other is
// for what has no number of its own.
func errno(err error, other abi.Errno) abi.Errno {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return abi.ErrnoTimeout
	case errors.Is(err, fs.ErrNotExist):
		return abi.ErrnoNotFound
	case errors.Is(err, fs.ErrPermission):
		return abi.ErrnoDenied
	case errors.Is(err, fs.ErrInvalid), errors.Is(err, errors.ErrUnsupported):
		return abi.ErrnoInvalid
	case errors.Is(err, policy.ErrKVFull):
		return abi.ErrnoFull
	case errors.Is(err, policy.ErrKVSize):
		return abi.ErrnoSize
	case errors.Is(err, policy.ErrKVType):
		return abi.ErrnoType
	}
	return other
}

// result32 and result64 put a number or an error where the guest finds it.
func result32(stack []uint64, n int32)     { stack[0] = uint64(uint32(n)) }
func result64(stack []uint64, n int64)     { stack[0] = uint64(n) }
func fail32(stack []uint64, e abi.Errno)   { result32(stack, int32(e)) }
func fail64(stack []uint64, e abi.Errno)   { result64(stack, int64(e)) }
func size(stack []uint64, i int) uint32    { return uint32(stack[i]) }
func guestText(b []byte, limit int) string { return abi.Clean(string(b[:min(len(b), limit)]), limit) }
