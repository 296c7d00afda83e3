package main

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// The two ends of the link.
const (
	near = "edgeftp-near" // the client's namespace
	far  = "edgeftp-far"  // the server's
	nearAddr,
	farAddr = "10.77.0.1", "10.77.0.2"
)

// shape is what the link does to packets.
type shape struct {
	delay  time.Duration // one way
	loss   float64       // of packets, each way
	rate   float64       // Mbit/s each way; 0 is no limit
	queue  time.Duration // what waits longer at the bottleneck is dropped
	rebind time.Duration // how often the client's UDP port is another one; 0 is never
	seed   uint64
}

// emulator is a link that is up.
type emulator struct {
	near, far *os.File
	shape     shape
	since     time.Time
	lost      atomic.Int64
}

// ip runs ip(8).
func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// emulate makes the namespaces and the link between them.
func emulate(s shape) (*emulator, error) {
	e := &emulator{shape: s, since: time.Now()}
	for _, end := range []struct {
		name, addr string
		dev        **os.File
	}{{near, nearAddr, &e.near}, {far, farAddr, &e.far}} {
		_ = ip("netns", "del", end.name) // of a run that was killed
		if err := ip("netns", "add", end.name); err != nil {
			return nil, err
		}
		dev, err := openTun(end.name)
		if err != nil {
			e.close()
			return nil, err
		}
		*end.dev = dev
		for _, args := range [][]string{{"addr", "add", end.addr + "/24", "dev", "tun0"}, {"link", "set", "tun0", "up"}, {"link", "set", "lo", "up"}} {
			if err := ip(append([]string{"-n", end.name}, args...)...); err != nil {
				e.close()
				return nil, err
			}
		}
	}
	go e.carry(e.near, e.far, rand.New(rand.NewPCG(s.seed, 1)), func(p []byte) { shiftPort(p, 0, e.shift()) })
	go e.carry(e.far, e.near, rand.New(rand.NewPCG(s.seed, 2)), func(p []byte) { shiftPort(p, 2, -e.shift()) })
	return e, nil
}

func (e *emulator) close() {
	for _, f := range []*os.File{e.near, e.far} {
		if f != nil {
			_ = f.Close()
		}
	}
	_ = ip("netns", "del", near)
	_ = ip("netns", "del", far)
}

// shift is how far the client's ports are moved now.
func (e *emulator) shift() int {
	if e.shape.rebind <= 0 {
		return 0
	}
	return int(time.Since(e.since) / e.shape.rebind)
}

// shiftPort moves the UDP port at an offset of the header, and drops the checksum, which
// IPv4 can do without.
func shiftPort(p []byte, off, by int) {
	if by == 0 || len(p) < 28 || p[0]>>4 != 4 || p[9] != unix.IPPROTO_UDP {
		return
	}
	start := int(p[0]&15) * 4
	if start+8 > len(p) {
		return
	}
	h := p[start:]
	binary.BigEndian.PutUint16(h[off:], binary.BigEndian.Uint16(h[off:])+uint16(by))
	binary.BigEndian.PutUint16(h[6:], 0)
}

// openTun opens a TUN device in a namespace.
func openTun(ns string) (*os.File, error) {
	type opened struct {
		f   *os.File
		err error
	}
	done := make(chan opened)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread, which is elsewhere, ends with the goroutine
		f, err := tunHere(ns)
		done <- opened{f, err}
	}()
	o := <-done
	return o.f, o.err
}

// tunHere takes the thread into the namespace.
func tunHere(ns string) (*os.File, error) {
	space, err := os.Open("/var/run/netns/" + ns)
	if err != nil {
		return nil, err
	}
	defer space.Close()
	if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("setns: %w", err)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	req, err := unix.NewIfreq("tun0")
	if err != nil {
		return nil, err
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return nil, fmt.Errorf("TUNSETIFF: %w", err)
	}
	return os.NewFile(uintptr(fd), "tun0"), nil
}

// packet is one under way.
type packet struct {
	at    time.Time
	order int
	bytes []byte
}

// packets is a heap by time.
type packets []packet

func (p packets) Len() int { return len(p) }
func (p packets) Less(i, j int) bool {
	return p[i].at.Before(p[j].at) || p[i].at.Equal(p[j].at) && p[i].order < p[j].order
}
func (p packets) Swap(i, j int) { p[i], p[j] = p[j], p[i] }

// Push implements heap.Interface.
func (p *packets) Push(x any) { *p = append(*p, x.(packet)) }

// Pop implements heap.Interface.
func (p *packets) Pop() any {
	old := *p
	last := old[len(old)-1]
	*p = old[:len(old)-1]
	return last
}

// carry takes packets from one end to the other until the link is closed.
func (e *emulator) carry(from, to *os.File, luck *rand.Rand, edit func([]byte)) {
	var mu sync.Mutex
	var under packets
	wake := make(chan struct{}, 1)
	done := make(chan struct{})
	defer close(done)
	go deliver(&mu, &under, wake, done, to)
	free := time.Now()
	buf := make([]byte, 64<<10)
	for order := 0; ; order++ {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		now := time.Now()
		if free.Before(now) {
			free = now
		}
		if luck.Float64() < e.shape.loss || e.shape.rate > 0 && free.Sub(now) > e.shape.queue {
			e.lost.Add(1)
			continue
		}
		if e.shape.rate > 0 {
			free = free.Add(time.Duration(float64(n*8) / e.shape.rate * 1e3))
		}
		b := append([]byte(nil), buf[:n]...)
		edit(b)
		mu.Lock()
		heap.Push(&under, packet{free.Add(e.shape.delay), order, b})
		mu.Unlock()
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// deliver hands packets over when their time has come.
func deliver(mu *sync.Mutex, under *packets, wake, done <-chan struct{}, to *os.File) {
	for {
		wait := time.Hour
		mu.Lock()
		for len(*under) > 0 {
			if wait = time.Until((*under)[0].at); wait > 0 {
				break
			}
			p := heap.Pop(under).(packet)
			mu.Unlock()
			_, _ = to.Write(p.bytes)
			mu.Lock()
			wait = time.Hour
		}
		mu.Unlock()
		select {
		case <-wake:
		case <-time.After(wait):
		case <-done:
			return
		}
	}
}
