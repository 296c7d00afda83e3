package sandbox

import (
	"fmt"
	"os"
	"runtime"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// close puts the layers on. NoNewPrivs is first, which the others stand on. The end of
// core dumps is last: from then on the files in /proc of this process are root's, and
// the library that reaches all threads looks there.
func (s *State) close(o Options) {
	runtime.LockOSThread() // what is for one thread is for that of the system calls' list
	defer runtime.UnlockOSThread()
	privileges := Layer{Name: Privileges, State: LayerOff, Text: "not wanted"}
	dumps := Layer{Name: CoreDumps, State: LayerOff, Text: "not wanted"}
	calls := Layer{Name: SystemCalls, State: LayerOff, Text: "not wanted (sandbox.seccomp: off)"}
	own := offLayers()
	// The library that reaches all threads ends the process where it cannot list them.
	_, unlisted := os.ReadDir("/proc/self/task")
	switch {
	case o.none():
	case unlisted != nil:
		privileges = noNewPrivsHere()
	default:
		privileges = noNewPrivs()
	}
	switch {
	case o.Landlock == Off:
	case unlisted != nil:
		own = unreached(unlisted)
	default:
		own = s.restrict()
	}
	if o.Seccomp {
		calls = denyCalls()
	}
	if !o.none() {
		dumps = noCores()
	}
	for i := range own {
		if n := &own[i]; n.Name == Network && n.State == LayerOn && calls.State != LayerOn {
			n.State, n.Text, n.Help = LayerPartly, n.Text+"; but Multipath TCP and TCP Fast Open are free, which Landlock does not know", "sandbox.seccomp: on denies them"
		}
	}
	s.Layers = append(own, calls, privileges, dumps)
}

// noNewPrivs makes sure that no thread gets more rights by executing a program
// (prctl(2), PR_SET_NO_NEW_PRIVS).
func noNewPrivs() Layer {
	l := Layer{Name: Privileges, State: LayerOn, Text: "no program that is executed gets more rights (no_new_privs)"}
	if err := ll.AllThreadsPrctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		l.State, l.Text = LayerMissing, "no_new_privs cannot be set: "+err.Error()
	}
	return l
}

// noNewPrivsHere is noNewPrivs for the calling thread, from which the list of denied
// system calls brings it to all others (seccomp(2), SECCOMP_FILTER_FLAG_TSYNC).
func noNewPrivsHere() Layer {
	l := Layer{Name: Privileges, State: LayerPartly, Text: "no_new_privs holds for the threads that the list of denied system calls reaches", Help: "mount /proc"}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		l.State, l.Text = LayerMissing, "no_new_privs cannot be set: "+err.Error()
	}
	return l
}

// unreached are the layers of Landlock where not all threads can be listed.
func unreached(why error) (list []Layer) {
	for _, name := range []string{Files, Network, Processes} {
		list = append(list, Layer{Name: name, State: LayerMissing, Text: "the threads of the process cannot be listed: " + why.Error(), Help: "mount /proc"})
	}
	return list
}

// noCores makes sure that keys and passwords are in no core file, and that no process of
// the same user can look into this one (prctl(2), PR_SET_DUMPABLE; setrlimit(2)).
func noCores() Layer {
	l := Layer{Name: CoreDumps, State: LayerOn, Text: "none is written, and no process of the same user can read this one's memory"}
	limit := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	dumpable := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	for what, err := range map[string]error{"RLIMIT_CORE": limit, "PR_SET_DUMPABLE": dumpable} {
		if err != nil {
			l.State, l.Text = LayerPartly, fmt.Sprintf("%s cannot be set: %v", what, err)
		}
	}
	return l
}
