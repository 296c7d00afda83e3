//go:build unix

package hostile

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// childVariable makes the test program a server that has few descriptors.
const childVariable = "EDGEFTP_HOSTILE_CHILD"

// fewDescriptors is how many the server in the child has beyond those that it needs
// to begin with.
const fewDescriptors = 60

// child serves until its standard input ends. It tells its address first.
func child() {
	conf := edge.Config{FS: vfs.NewMem(), Listeners: []edge.Listener{{Address: "127.0.0.1:0"}}, Logins: edge.Logins{FailDelay: -1},
		Limits: edge.Limits{SessionsPerIP: -1}, Policies: []edge.Slot{{Name: "porter", Policy: newPorter()}}, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	few := childMode(os.Getenv(childVariable), &conf)
	srv, err := edge.New(conf)
	if err != nil {
		panic(err)
	}
	if err := srv.Listen(context.Background()); err != nil {
		panic(err)
	}
	if few > 0 {
		most := uint64(descriptors() + few)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
			panic(err)
		}
	}
	fmt.Println(srv.Addresses()[0])
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
	cancel()
	if err := <-served; err != nil {
		panic(err)
	}
}

// begin starts a child in a mode. What its log says goes to out. The function that it
// returns ends it, and must be called.
func (r *rig) begin(mode string, out io.Writer) (pid int, end func()) {
	r.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childVariable+"="+mode)
	in, err := cmd.StdinPipe()
	r.must(err)
	told, err := cmd.StdoutPipe()
	r.must(err)
	cmd.Stderr = out
	r.must(cmd.Start())
	end = func() {
		r.hangUp()
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			r.Errorf("the server ended with %v", err)
		}
	}
	addr, err := bufio.NewReader(told).ReadString('\n')
	if err != nil {
		end()
		r.Fatal(err)
	}
	r.addrs = []string{strings.TrimSpace(addr)}
	return cmd.Process.Pid, end
}

// noDescriptors takes all descriptors that the server may have: it goes on, does not
// turn on the spot, and has room again when others leave.
func noDescriptors(t *testing.T) {
	r := &rig{T: t}
	var warned atomic.Int64
	_, end := r.begin(modeFew, counter{&warned})
	defer end()
	first := r.login()
	r.put(first, "STOR file", "x")
	for range 2 * fewDescriptors {
		r.dial(r.addrs[0])
	}
	r.until("the server is out of descriptors", func() bool { return warned.Load() > 0 })
	r.do(first, "PWD", 257)
	reply := r.do(first, "EPSV", 425, 229)
	t.Logf("EPSV without a descriptor: %q", reply)
	before, began := warned.Load(), time.Now()
	r.until("some time has passed", func() bool { return time.Since(began) > 3*time.Second })
	r.bounded("attempts to accept in three seconds", warned.Load()-before, 20)
	r.do(first, "NOOP", 200)
	r.mu.Lock()
	for _, c := range r.conns[1:] {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.until("there are descriptors again", func() bool { return r.do(first, "EPSV", 229, 425).Code == 229 })
	r.put(first, "STOR after", "x")
	c := userpi.New(r.dial(r.addrs[0]))
	c.Timeout = userpi.Timeout
	r.must(c.Login(user, password))
	r.put(c, "STOR again", "x")
}

// counter counts the lines that tell of connections which could not be accepted.
type counter struct{ n *atomic.Int64 }

func (c counter) Write(b []byte) (int, error) {
	c.n.Add(int64(strings.Count(string(b), "could not be accepted")))
	return len(b), nil
}
