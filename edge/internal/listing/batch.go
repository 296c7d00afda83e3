package listing

import (
	"strings"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// batch is a portion of a directory on its way from names to lines. One goroutine at
// a time has it.
type batch struct {
	look    vfs.LookDir
	format  Format
	names   []string
	lines   []byte
	leftOut int
	err     error // of the looks, behind the lines
	// done is sent to when a helper is done; nil when no helper has it.
	done     chan struct{}
	panicked any
}

// usualLine is how many bytes of a line there is memory for from the beginning.
const usualLine = 96

// work looks at the entries and writes their lines.
func (b *batch) work() {
	if b.lines == nil {
		b.lines = make([]byte, 0, usualLine*len(b.names))
	}
	b.lines = b.lines[:0]
	b.err = b.look.Look(b.names, func(info *vfs.Info) {
		b.lines = appendLine(b.lines, b.format, info, &b.leftOut)
	})
}

// withoutDots takes out, in place, the names that begin with a dot.
func withoutDots(names []string) []string {
	out := names[:0]
	for _, name := range names {
		if !strings.HasPrefix(name, ".") {
			out = append(out, name)
		}
	}
	return out
}

// help has a goroutine do the work, if there is one left and enough to do. Its panic
// comes out of wait.
func (b *batch) help(h *Helpers) bool {
	if len(b.names) < helped || !h.take() {
		return false
	}
	b.done, b.panicked = make(chan struct{}), nil
	go func() {
		defer func() {
			b.panicked = recover()
			h.give()
			close(b.done)
		}()
		b.work()
	}()
	return true
}

// wait waits for a helper, if there is one.
func (b *batch) wait() {
	if b.done == nil {
		return
	}
	<-b.done
	if b.done = nil; b.panicked != nil {
		panic(b.panicked)
	}
}

// appendLine formats one entry, if a line can hold it.
func appendLine(dst []byte, format Format, info *vfs.Info, leftOut *int) []byte {
	if !writable(info) {
		*leftOut++
		return dst
	}
	return append(format(dst, info), '\r', '\n')
}

// writable reports whether a line can hold what an entry says of itself.
func writable(info *vfs.Info) bool { return oneLine(info.Name) && oneLine(info.Target) }

// oneLine reports whether a text has no CR, LF or NUL. Most names have no control
// byte at all, which is quicker found out than which ones.
func oneLine(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= '\r' && (c == '\r' || c == '\n' || c == 0) {
			return false
		}
	}
	return true
}
