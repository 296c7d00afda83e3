package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// The versions of Landlock's ABI that brought what the layers are made of.
const (
	abiRefer    = 2 // moving between directories: before it no upload could be renamed there
	abiTruncate = 3 // Linux 6.2
	abiTCP      = 4 // Linux 6.7
	abiScope    = 6 // Linux 6.12: signals and abstract sockets
	abiSockets  = 9 // sockets by path
)

// signalFixed is the erratum without which scoped signals do not reach other threads of
// the same process, on which the Go runtime stands.
const signalFixed = 1 << 1

// landlockABI is the version that can be used, 0 for none.
func landlockABI() int {
	v, err := ll.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	if v >= abiScope {
		if errata, err := ll.LandlockGetErrata(); err != nil || errata&signalFixed == 0 {
			v = abiScope - 1
		}
	}
	return v
}

const (
	rightsRead   = ll.AccessFSReadFile | ll.AccessFSReadDir
	rightsAppend = ll.AccessFSWriteFile | ll.AccessFSMakeReg
	rightsTree   = rightsRead | rightsAppend | ll.AccessFSTruncate | ll.AccessFSRemoveFile | ll.AccessFSRemoveDir | ll.AccessFSMakeDir | ll.AccessFSMakeSym | ll.AccessFSRefer
	// rightsFile are those that a rule about a file can give.
	rightsFile = ll.AccessFSReadFile | ll.AccessFSWriteFile | ll.AccessFSTruncate
)

func (a Access) rights() landlock.AccessFSSet {
	switch a {
	case Read:
		return rightsRead
	case Append:
		return rightsAppend
	case Socket:
		return ll.AccessFSMakeSock | ll.AccessFSRemoveFile
	case Tree:
		return rightsTree
	}
	return 0
}

// landlockConfig is all that an ABI can restrict, less what the plan leaves free. UDP
// stays free: names are looked up by it.
func landlockConfig(p *Plan, abi int) landlock.Config {
	c := landlock.Config{HandledAccessFS: 1<<13 - 1 | ll.AccessFSRefer}
	if abi >= abiTruncate {
		c.HandledAccessFS |= ll.AccessFSTruncate
	}
	if abi >= abiTCP {
		c.HandledAccessNet = ll.AccessNetBindTCP
		if len(p.Connect) == 0 {
			c.HandledAccessNet |= ll.AccessNetConnectTCP
		}
	}
	if abi >= abiTCP+1 {
		c.HandledAccessFS |= ll.AccessFSIoctlDev
	}
	if abi >= abiScope {
		c.Scoped = ll.ScopeAbstractUnixSocket
		if !p.Children {
			c.Scoped |= ll.ScopeSignal
		}
	}
	if abi >= abiSockets {
		c.HandledAccessFS |= ll.AccessFSResolveUnix
	}
	return c
}

// landlockRules are the rules of a plan for what c restricts.
func landlockRules(p *Plan, c landlock.Config) []landlock.Rule {
	var rules []landlock.Rule
	path := func(name string, rights landlock.AccessFSSet) {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return // it was there a moment ago
		}
		if err == nil && !info.IsDir() {
			rights &= rightsFile
		}
		rules = append(rules, landlock.PathAccess(rights&c.HandledAccessFS, name))
	}
	for _, r := range p.Paths {
		path(r.Path, r.Access.rights())
	}
	for _, b := range p.Bind {
		for port := int(b.First); c.HandledAccessNet != 0 && port <= int(b.Last); port++ {
			rules = append(rules, landlock.BindTCP(uint16(port)))
		}
	}
	for _, b := range p.ConnectTo {
		if c.HandledAccessNet == 0 || len(p.Connect) > 0 {
			break
		}
		rules = append(rules, landlock.ConnectTCP(b.First))
	}
	return rules
}

// restrict puts Landlock on and returns the layers that are made of it.
func (s *State) restrict() []Layer {
	s.ABI = landlockABI()
	files := Layer{Name: Files, State: LayerMissing}
	network := Layer{Name: Network, State: LayerMissing, Text: "the kernel's Landlock cannot restrict TCP", Help: "Linux 6.7 or later can"}
	processes := Layer{Name: Processes, State: LayerMissing, Text: "the kernel's Landlock cannot restrict signals and abstract sockets", Help: "Linux 6.12 or later can"}
	if s.ABI < abiRefer {
		files.Text, files.Help = noLandlock(s.ABI)
		network.Text, network.Help, processes.Text, processes.Help = files.Text, files.Help, files.Text, files.Help
		return []Layer{files, network, processes}
	}
	c := landlockConfig(&s.Rules, s.ABI)
	if err := c.Restrict(landlockRules(&s.Rules, c)...); err != nil {
		for _, l := range []*Layer{&files, &network, &processes} {
			l.Text, l.Help = "the kernel refused the rules: "+err.Error(), "edgeftp doctor shows them"
		}
		return []Layer{files, network, processes}
	}
	s.pin()
	files.State, files.Text = LayerOn, fmt.Sprintf("%d rules; nothing else can be opened or made, and nothing can be executed", len(s.Rules.Paths))
	if s.ABI < abiTruncate {
		files.State, files.Text, files.Help = LayerPartly, files.Text+", but any file of the same user can be cut", "Linux 6.2 or later prevents that"
	}
	if s.ABI >= abiTCP {
		network.State, network.Text, network.Help = LayerOn, networkText(&s.Rules), ""
	}
	if s.ABI >= abiScope {
		processes.State, processes.Text, processes.Help = LayerOn, processesText(&s.Rules, s.ABI), ""
	}
	return []Layer{files, network, processes}
}

// pin keeps entries of /proc open for the life of the process: a rule is about the
// entry as the kernel has it in memory, and of /proc it makes others when memory is short.
func (s *State) pin() {
	for _, r := range s.Rules.Paths {
		if strings.HasPrefix(r.Path, "/proc/") {
			_, _ = unix.Open(r.Path, unix.O_PATH|unix.O_CLOEXEC, 0) // without it only figures would be missing
		}
	}
}

// noLandlock says why there is none.
func noLandlock(abi int) (text, help string) {
	if abi == 1 {
		return "the kernel's Landlock is the first one, which does not let files move between directories", "Linux 5.19 or later does"
	}
	_, err := ll.LandlockGetABIVersion()
	switch {
	case errors.Is(err, unix.EOPNOTSUPP):
		return "the kernel's Landlock is switched off", "add landlock to the list in the boot parameter lsm="
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return "Landlock is denied to this process, as by the filter of a container", "let the container's seccomp profile allow landlock_create_ruleset, landlock_add_rule and landlock_restrict_self"
	}
	return "the kernel has no Landlock", "Linux 6.12 or later with CONFIG_SECURITY_LANDLOCK has all of it; some container runtimes hide it"
}
