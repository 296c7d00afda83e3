package vfs

import (
	"path"
	"strings"
)

// Path is a canonical virtual path: absolute, slash separated, without ".",
// "..", empty components, NUL, CR or LF. Its bytes are otherwise those that the
// client sent: nothing is decoded, folded or normalised. Only [Clean] and the
// methods of Path make one; the zero value is not a Path.
type Path string

// Root is the path of the served tree itself.
const Root Path = "/"

// The greatest lengths, in bytes, that a path and one of its components have.
const (
	MaxPath = 4096 // of a path
	MaxName = 255  // of one component
)

// Clean makes the argument of a command canonical: relative to cwd unless it is
// absolute, "." and ".." resolved without leaving the root (RFC 3659 §2.2.2,
// TVFS). It is the only way from a client's bytes to a Path. Its errors are
// ErrBadName and ErrNameTooLong.
func Clean(cwd Path, arg string) (Path, error) {
	if strings.ContainsAny(arg, "\x00\r\n") {
		return "", ErrBadName
	}
	if !strings.HasPrefix(arg, "/") {
		arg = string(cwd) + "/" + arg
	}
	p := path.Clean("/" + arg)
	if len(p) > MaxPath {
		return "", ErrNameTooLong
	}
	for name := range strings.SplitSeq(p[1:], "/") {
		if len(name) > MaxName {
			return "", ErrNameTooLong
		}
	}
	return Path(p), nil
}

// Dir returns the path of the directory that holds p; that of the root is the
// root.
func (p Path) Dir() Path { return Path(path.Dir(string(p))) }

// Base returns the last component of p, "/" for the root.
func (p Path) Base() string { return path.Base(string(p)) }

// Join returns the path of the entry called name, which must be one component
// as a Dir reports it.
func (p Path) Join(name string) Path {
	if p == Root {
		return Root + Path(name)
	}
	return p + "/" + Path(name)
}

// Rel returns p relative to the root, "." for the root itself: the form that
// os.Root takes.
func (p Path) Rel() string {
	if p == Root {
		return "."
	}
	return string(p[1:])
}

// Within reports whether p is dir or lies below it.
func (p Path) Within(dir Path) bool {
	return p == dir || dir == Root || strings.HasPrefix(string(p), string(dir)+"/")
}
