// Package sandbox shuts the serving process off from what it does not need. Once
// everything is opened and bound, [Close] puts the layers of the kernel on: which
// files can be opened (Landlock), which TCP ports can be bound and connected to
// (Landlock), whom signals and abstract sockets reach (Landlock), which system calls
// there are (a seccomp deny list), that no program gets more rights by being executed,
// and that no core is dumped.
//
// Nothing of it can be taken back. What the rules are is fixed by the [Plan], which
// [PlanFor] makes of the configuration. A kernel without a layer is no error: the
// layer is reported as missing, by the log, by the admin socket and by edgeftp doctor.
// Only [Required] refuses then.
package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Mode says what becomes of a kernel that does not have every layer.
type Mode string

// The modes. The zero value is On.
const (
	On       Mode = "on"       // what is missing is reported
	Required Mode = "required" // what is missing is an error
	Off      Mode = "off"      // Landlock is left out
)

// Options say which layers are wanted. NoNewPrivs and the end of core dumps are left
// out where both others are.
type Options struct {
	Landlock Mode
	Seccomp  bool
}

// none reports whether nothing is wanted.
func (o Options) none() bool { return o.Landlock == Off && !o.Seccomp }

// The states of a layer.
const (
	LayerOn      = "on"
	LayerPartly  = "partly"
	LayerMissing = "missing"
	LayerOff     = "off" // not wanted
)

// The names of the layers, in the order in which they are told.
const (
	Files       = "files"
	Network     = "network"
	Processes   = "processes"
	SystemCalls = "system calls"
	Privileges  = "privileges"
	CoreDumps   = "core dumps"
)

// Layer is one layer and how far it is there.
type Layer struct {
	Name  string `json:"name"`
	State string `json:"state"`          // LayerOn, LayerPartly, LayerMissing or LayerOff
	Text  string `json:"text"`           // what it does, or why it does not
	Help  string `json:"help,omitempty"` // what helps where it is not on
}

// State is what a process is shut off by. It does not change.
type State struct {
	Landlock Mode          `json:"landlock"` // as it was wanted
	ABI      int           `json:"abi"`      // version of the kernel's Landlock, 0 without it
	Layers   []Layer       `json:"layers"`
	Rules    Plan          `json:"rules"`
	Took     time.Duration `json:"took_ns"`
}

// Lacking lists the layers that were wanted and are not whole.
func (s *State) Lacking() []Layer {
	return slices.DeleteFunc(slices.Clone(s.Layers), func(l Layer) bool { return l.State == LayerOn || l.State == LayerOff })
}

// String is the state in one line, such as "on" or "on, but: files missing".
func (s *State) String() string {
	var out []string
	wanted := false
	for _, l := range s.Layers {
		wanted = wanted || l.State != LayerOff
		if l.State != LayerOn {
			out = append(out, l.Name+" "+l.State)
		}
	}
	switch {
	case !wanted:
		return "off"
	case len(out) == 0:
		return "on"
	}
	return "on, but: " + strings.Join(out, ", ")
}

// ErrLacking says that Landlock is required and something of the sandbox is missing.
var ErrLacking = errors.New("the sandbox is required, and it is not whole")

// Close shuts the process off, all its threads, for good. It is called once. The error
// wraps [ErrLacking] in mode [Required] if a layer that is wanted is not whole; some of
// the layers are on nevertheless, and the process is to end.
func Close(p *Plan, o Options) (*State, error) {
	start := time.Now()
	if o.Landlock == "" {
		o.Landlock = On
	}
	_ = time.Local.String() // the runtime reads the machine's zone when it is first asked, wherever TZ says it is
	s := &State{Landlock: o.Landlock, Rules: *p}
	s.close(o)
	s.Took = time.Since(start)
	if o.Landlock == Required {
		return s, s.required()
	}
	return s, nil
}

// required says what is not whole.
func (s *State) required() error {
	lacking := s.Lacking()
	if len(lacking) == 0 {
		return nil
	}
	text := ""
	for _, l := range lacking {
		text += fmt.Sprintf("\n   = %s %s: %s", l.Name, l.State, l.Text)
		if l.Help != "" {
			text += "\n   = help: " + l.Help
		}
	}
	return fmt.Errorf("%w%s\n   = help: sandbox.landlock: on starts with what the machine has; edgeftp doctor shows that", ErrLacking, text)
}

// ErrOutside says that the sandbox refused what the operating system would have allowed,
// or might have.
var ErrOutside = errors.New("it lies outside of the sandbox, whose rules were fixed at the start")

// Explain adds to the error of opening path that the sandbox may be the reason, if it may: a
// refused permission for what the rules do not name. Other errors are returned as they are.
// A nil State explains nothing.
func (s *State) Explain(path string, err error) error {
	if s == nil || !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EXDEV) || errors.Is(err, ErrOutside) {
		return err
	}
	if !s.Guards() || s.Rules.covers(path) {
		return err
	}
	return fmt.Errorf("%w: %w\n   = help: restart the server: a start makes the rules anew. Or put it where the configuration has named a directory already", err, ErrOutside)
}

// Guards reports whether files that no rule names cannot be opened. A nil State guards
// nothing.
func (s *State) Guards() bool {
	return s != nil && !slices.ContainsFunc(s.Layers, func(l Layer) bool {
		return l.Name == Files && (l.State == LayerOff || l.State == LayerMissing)
	})
}

// offLayers are those of Landlock where it is not wanted.
func offLayers() []Layer {
	var list []Layer
	for _, name := range []string{Files, Network, Processes} {
		list = append(list, Layer{Name: name, State: LayerOff, Text: "not wanted (sandbox.landlock: off)"})
	}
	return list
}
