package identity

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// TestMain is also a process that becomes somebody.
func TestMain(m *testing.M) {
	if what := os.Getenv("EDGEFTP_TEST_BECOME"); what != "" {
		if err := become(what); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("in order")
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// become is a process with several threads that becomes 4321:4322 with two groups.
func become(what string) error {
	var all sync.WaitGroup
	stay := make(chan struct{})
	defer func() { close(stay); all.Wait() }()
	for range 8 {
		ready := make(chan struct{})
		all.Go(func() {
			runtime.LockOSThread()
			close(ready)
			<-stay
		})
		<-ready
	}
	u := &User{Name: "somebody", UID: 4321, GID: 4322, Groups: []uint32{4323, 4324}}
	if err := u.Become(what == "low"); err != nil {
		return err
	}
	if err := u.verify(0); what == "low" {
		if !errors.Is(err, ErrKept) {
			return fmt.Errorf("a capability that is left is not seen: %v", err)
		}
	} else if err != nil {
		return err
	}
	other := *u
	other.Groups = other.Groups[:1]
	var keep uint64
	if what == "low" {
		keep = 1 << unix.CAP_NET_BIND_SERVICE
	}
	if err := other.verify(keep); !errors.Is(err, ErrKept) {
		return fmt.Errorf("a group that is left is not seen: %v", err)
	}
	if _, err := os.Open("/proc/1/mem"); err == nil {
		return errors.New("the memory of process 1 can be opened")
	}
	if err := os.Chown(os.Args[0], 4321, 4321); err == nil {
		return errors.New("files can be given away")
	}
	free := everybodys()
	if err := listen(); (err == nil) != (what == "low" || free) {
		return fmt.Errorf("port 1: %v", err)
	}
	if err := Renounce(); err != nil {
		return err
	}
	if err := listen(); err == nil && !free {
		return errors.New("the capability is still there")
	}
	return u.verify(0)
}

func listen() error {
	l, err := net.Listen("tcp", "127.0.0.1:1")
	if err == nil {
		err = l.Close()
	}
	return err
}

// everybodys reports whether low ports need no capability here, as in some containers.
func everybodys() bool {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	return err == nil && slices.Contains([]string{"0", "1"}, strings.TrimSpace(string(text)))
}

// Every thread is the other user, with its groups alone, and none can go back.
func TestBecome(t *testing.T) {
	asRoot(t)
	for _, what := range []string{"none", "low"} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), "EDGEFTP_TEST_BECOME="+what)
		out, err := cmd.CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "in order" {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
	}
}

// Who is not root becomes nobody.
func TestBecomeNeedsRoot(t *testing.T) {
	asRoot(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "EDGEFTP_TEST_BECOME=none")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "cannot become somebody (4321:4322): setgroups") {
		t.Errorf("%v\n%s", err, out)
	}
}
