package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Access is what may be done below a path. Nothing allows execution.
type Access string

// The kinds of access.
const (
	Read   Access = "read"   // files and lists of directories
	Append Access = "append" // files can be written and made, but neither cut nor removed nor read
	Socket Access = "socket" // sockets can be put into a directory, and its files removed
	Tree   Access = "tree"   // everything but to execute and to make devices
)

// Path is one rule: what may be done with a file, or a directory and all below it.
type Path struct {
	Path   string `json:"path"`
	Access Access `json:"access"`
	Why    string `json:"why"`
}

// Ports are the TCP ports First to Last, both included. Port 0 is the kernel's choice.
type Ports struct {
	First uint16 `json:"first"`
	Last  uint16 `json:"last"`
	Why   string `json:"why"`
}

// Plan is what a server may need while it serves. The zero value allows nothing.
type Plan struct {
	Paths []Path  `json:"paths"`
	Bind  []Ports `json:"bind"`
	// Connect says why TCP connections to any port are made. It is empty if none is.
	Connect []string `json:"connect"`
	// ConnectTo are the ports to which others are connected to, where Connect is empty.
	ConnectTo []Ports `json:"connect_to,omitempty"`
	// Children says that the process has started others before, which it may have to end
	// by a signal.
	Children bool `json:"children,omitempty"`
	// Left is what has no rule, and why.
	Left []string `json:"left_out,omitempty"`
}

// wide are directories that hold so much of a machine that no rule names them because a
// file lies there.
func wide(dir string) bool {
	switch dir {
	case "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/sbin", "/srv",
		"/sys", "/tmp", "/usr", "/usr/local", "/usr/share", "/var", "/var/lib", "/var/run", "/var/tmp":
		return true
	}
	home, err := os.UserHomeDir()
	return err == nil && dir == home
}

// add makes a rule of a path, links resolved. One that is not there is left out.
func (p *Plan) add(path string, a Access, why string) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		p.leave(path + " (" + why + "): it is not there")
		return
	}
	next := Path{Path: real, Access: a, Why: why}
	if !slices.ContainsFunc(p.Paths, func(have Path) bool { return have.Path == real && have.Access == a }) {
		p.Paths = append(p.Paths, next)
	}
}

func (p *Plan) leave(text string) {
	if !slices.Contains(p.Left, text) {
		p.Left = append(p.Left, text)
	}
}

// maybe is add for what need not be there, of which nothing is said then.
func (p *Plan) maybe(path string, a Access, why string) {
	if _, err := os.Stat(path); err == nil {
		p.add(path, a, why)
	}
}

// Serve makes a directory the tree of users whom the configuration does not name.
func (p *Plan) Serve(root string) { p.add(root, Tree, "it is served (a user of the store)") }

// Watch makes a directory readable that is looked at while the server serves, or a file
// that others replace.
func (p *Plan) Watch(path, why string) {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		p.file(path, why)
		return
	}
	p.maybe(path, Read, why)
}

// file makes a file readable that others replace: it and what lies in its directory,
// and the same where a link to it leads. Of a wide directory it is the file alone.
func (p *Plan) file(path, why string) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		real = path
	}
	for _, f := range []string{path, real} {
		dir := filepath.Dir(f)
		if d, err := filepath.EvalSymlinks(dir); err == nil {
			dir = d
		}
		if wide(dir) {
			p.add(f, Read, why)
			p.leave("a file that replaces " + f + " (" + why + "): " + dir + " holds too much; put it into a directory of its own, or restart after a change")
			continue
		}
		p.add(dir, Read, why)
	}
}

// log makes a file one that can be opened anew after it was moved away.
func (p *Plan) log(path, why string) {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err == nil && wide(dir) {
		p.add(path, Append, why)
		p.leave("a new " + path + " (" + why + "): " + dir + " holds too much; put it into a directory of its own, or copy and cut it in rotation")
		return
	}
	p.add(filepath.Dir(path), Append, why)
	if real, err := filepath.EvalSymlinks(path); err == nil && filepath.Dir(real) != dir { // a link elsewhere
		p.add(real, Append, why)
	}
}

// bind allows ports.
func (p *Plan) bind(first, last uint16, why string) {
	next := Ports{first, last, why}
	if !slices.ContainsFunc(p.Bind, func(b Ports) bool { return b.First <= first && last <= b.Last }) {
		p.Bind = append(p.Bind, next)
	}
}

// Choose allows ports that the server chooses by itself where the kernel may choose, for
// whom it may be; elsewhere it does nothing.
func (p *Plan) Choose(first, last uint16) {
	for _, b := range p.Bind {
		if b.First == 0 {
			p.bind(first, last, b.Why+", chosen by the server")
			return
		}
	}
}

// connect allows TCP connections.
func (p *Plan) connect(why string) {
	if !slices.Contains(p.Connect, why) {
		p.Connect = append(p.Connect, why)
	}
}

// connectTo allows TCP connections to a port.
func (p *Plan) connectTo(port uint16, why string) {
	next := Ports{port, port, why}
	if !slices.ContainsFunc(p.ConnectTo, func(c Ports) bool { return c.First == port }) {
		p.ConnectTo = append(p.ConnectTo, next)
	}
}

// covers reports whether a rule names path or a directory above it, links resolved as
// far as the path is there.
func (p *Plan) covers(path string) bool {
	real := path
	for dir, rest := path, ""; ; {
		if r, err := filepath.EvalSymlinks(dir); err == nil {
			real = filepath.Join(r, rest)
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir, rest = up, filepath.Join(filepath.Base(dir), rest)
	}
	return slices.ContainsFunc(p.Paths, func(have Path) bool {
		return real == have.Path || strings.HasPrefix(real, strings.TrimSuffix(have.Path, "/")+"/")
	})
}
