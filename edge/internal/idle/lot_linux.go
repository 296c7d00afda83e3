package idle

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Lot is where connections are parked. It must be made by New, and is safe for concurrent
// use.
type Lot struct {
	conf  Config
	epoll *os.File
	set   syscall.RawConn // epoll's
	began time.Time
	done  chan struct{} // closed when the poller has ended

	mu      sync.Mutex
	table   table
	stopped bool
	alarm   time.Time // when the poller looks at the clock; zero is never
}

// New makes a Lot and starts its goroutine, which ends with Close.
func New(conf Config) (*Lot, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("idle: epoll_create1: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("idle: an epoll set that does not block: %w", err)
	}
	l := &Lot{conf: conf, epoll: os.NewFile(uintptr(fd), "epoll"), began: time.Now(), done: make(chan struct{}), table: newTable()}
	if err := l.epoll.SetReadDeadline(time.Time{}); err != nil { // the runtime does not watch it
		_ = l.epoll.Close()
		return nil, fmt.Errorf("idle: an epoll set in the runtime's: %w", err)
	}
	if l.set, err = l.epoll.SyscallConn(); err != nil {
		_ = l.epoll.Close()
		return nil, fmt.Errorf("idle: %w", err)
	}
	go l.poll()
	return l, nil
}

// Park takes a connection over, under a token that nothing else is parked under, until it
// has bytes or has ended, or until the tick of the given time, or for ever where that is
// zero. With a nil error the connection, and what the token stands for, is no longer the
// caller's, who must not touch it: it may have been handed back already. With an error it
// still is.
func (l *Lot) Park(conn syscall.Conn, token uint64, until time.Time) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	k, err := l.publish(token, until)
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = l.arm(int(fd), k) })
	if err = errors.Join(err, failed); err == nil {
		return nil
	}
	if _, mine := l.take(k); !mine { // its time has come, or it was stopped
		return nil
	}
	return err
}

// publish takes a slot.
func (l *Lot) publish(token uint64, until time.Time) (ticket, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return ticket{}, ErrStopped
	}
	var due uint32
	now := time.Now()
	if !until.IsZero() {
		due = l.tickOf(until)
		if due <= l.table.now || due <= l.tickOf(now) {
			return ticket{}, ErrNear
		}
	}
	k := l.table.put(token, due)
	if due > 0 {
		l.wakeBy(l.timeOf(due))
	}
	return k, nil
}

// arm asks the kernel for one event. The descriptor is in the set already where the
// connection was parked before, and leaves it when it is closed.
func (l *Lot) arm(fd int, k ticket) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: int32(k.index), Pad: int32(k.gen)}
	var failed error
	err := l.set.Control(func(epoll uintptr) {
		failed = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_MOD, fd, &e)
		if errors.Is(failed, unix.ENOENT) {
			failed = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_ADD, fd, &e)
		}
	})
	return errors.Join(err, failed)
}

// Wake takes out what is parked under a token, if anything is, and hands it back as
// Stopped.
func (l *Lot) Wake(token uint64) {
	l.mu.Lock()
	k, ok := l.table.find(token)
	if ok {
		l.table.take(k)
	}
	l.mu.Unlock()
	if ok {
		go l.conf.Wake(token, Stopped)
	}
}

// Stop hands everything back as Stopped. From then on nothing can be parked.
func (l *Lot) Stop() {
	l.mu.Lock()
	l.stopped = true
	tokens := l.table.clear()
	l.mu.Unlock()
	for _, token := range tokens {
		go l.conf.Wake(token, Stopped)
	}
}

// Close stops the Lot and ends its goroutine.
func (l *Lot) Close() {
	l.Stop()
	_ = l.epoll.Close()
	<-l.done
}

// Len returns how many are parked.
func (l *Lot) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.table.taken
}

// take makes the caller the owner of what has a ticket.
func (l *Lot) take(k ticket) (token uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.table.take(k)
}

// tickOf returns the tick in which a moment lies. The first one is 1.
func (l *Lot) tickOf(t time.Time) uint32 {
	return uint32(min(max(0, t.Sub(l.began)/tick), math.MaxUint32-1)) + 1
}

// timeOf returns when a tick begins.
func (l *Lot) timeOf(n uint32) time.Time { return l.began.Add(time.Duration(n-1) * tick) }

// wakeBy has the poller look at the clock at the given time, if not earlier.
func (l *Lot) wakeBy(t time.Time) {
	if l.alarm.IsZero() || t.Before(l.alarm) {
		l.alarm = t
		_ = l.epoll.SetReadDeadline(t)
	}
}

// poll hands out what becomes readable and what is due. It waits in the runtime's poller,
// as any goroutine does that reads from a socket. The first connection that it finds has
// it: the next poller is another goroutine. Were it the other way round, the connection would
// wait for another thread to run: of 1,000 parked sessions on a busy machine with two
// processors, NOOP took 20 to 81 us at the median then and up to 1.9 ms at the 99th
// percentile, and takes 23 to 30 us and up to 0.4 ms.
func (l *Lot) poll() {
	var events [128]unix.EpollEvent
	for {
		n := 0
		err := l.set.Read(func(fd uintptr) bool {
			n, _ = unix.EpollWait(int(fd), events[:], 0)
			return n > 0
		})
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			l.look(time.Now())
		case err != nil: // closed
			close(l.done)
			return
		}
		var first uint64
		found := false
		for _, e := range events[:max(n, 0)] {
			token, ok := l.take(ticket{uint32(e.Fd), uint32(e.Pad)})
			switch {
			case ok && found:
				go l.conf.Wake(token, Readable)
			case ok:
				first, found = token, true
			}
		}
		if found {
			go l.poll()
			l.conf.Wake(first, Readable)
			return
		}
	}
}

// look hands out what is due, and says when to look again.
func (l *Lot) look(now time.Time) {
	l.mu.Lock()
	tokens := l.table.expire(l.tickOf(now), nil)
	l.alarm = time.Time{}
	if next := l.table.next(); next > 0 {
		l.alarm = l.timeOf(next)
	}
	_ = l.epoll.SetReadDeadline(l.alarm)
	l.mu.Unlock()
	for _, token := range tokens {
		go l.conf.Wake(token, Expired)
	}
}
