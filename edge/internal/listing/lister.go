package listing

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Lister says how directories of one filesystem are listed. Only FS must be set.
// It may be copied, and is safe for concurrent use as long as nobody changes it.
type Lister struct {
	FS vfs.FS
	// Location is the time zone of the dates that LIST shows; nil is UTC. The
	// facts of MLSx are always in UTC (RFC 3659 §2.3).
	Location *time.Location
	// Now is when the listing is made, which decides between the hour and the
	// year in the dates of LIST; zero is the time of the call.
	Now time.Time
	// HideDot leaves out names that begin with a full stop.
	HideDot bool
	// Facts are told by MLSx; zero tells none.
	Facts Facts
	// Perm gives the value of the fact "perm" (RFC 3659 §7.5.5) of the entry at
	// p; a symbolic link inside the root has the Info of what it leads to. Nil
	// leaves the fact out.
	Perm func(p vfs.Path, info vfs.Info) string
	// Self begins MLSD with the directory itself (type=cdir, RFC 3659 §7.5.1).
	Self bool
	// Skipped counts entries that were left out because their names hold CR, LF
	// or NUL; may be nil.
	Skipped *atomic.Uint64
}

// List reads the directory p as LIST sends it. Extra entries, the user's partial
// uploads, are told at the end unless something of their name exists by then.
func (l Lister) List(p vfs.Path, extra ...vfs.Info) (*Reader, error) {
	return l.reader(p, extra, func(b []byte, info vfs.Info) []byte { return l.AppendLine(b, info) })
}

// MLSD reads the directory p as MLSD sends it. See List about extra.
func (l Lister) MLSD(p vfs.Path, extra ...vfs.Info) (*Reader, error) {
	r, err := l.reader(p, extra, func(b []byte, info vfs.Info) []byte {
		return append(l.AppendFacts(b, p.Join(info.Name), info, info.Name), "\r\n"...)
	})
	if err != nil || !l.Self {
		return r, err
	}
	info, err := l.FS.Stat(p)
	if err != nil {
		_ = r.Close()
		return nil, err
	}
	if fit(string(p)) {
		r.buf = append(l.appendFacts(r.buf, p, info, "cdir", string(p)), "\r\n"...)
	}
	return r, nil
}

// Names reads the names in the directory p as NLST sends them, each after prefix:
// what the client has to put before a name to use it in RETR (RFC 1123
// §4.1.2.7). See List about extra.
func (l Lister) Names(p vfs.Path, prefix string, extra ...vfs.Info) (*Reader, error) {
	r, err := l.reader(p, extra, func(b []byte, info vfs.Info) []byte {
		return append(append(append(b, prefix...), info.Name...), "\r\n"...)
	})
	if err != nil {
		return nil, err
	}
	r.names, _ = r.dir.(vfs.NameDir)
	return r, nil
}

// reader begins to read a directory.
func (l Lister) reader(p vfs.Path, extra []vfs.Info, line func([]byte, vfs.Info) []byte) (*Reader, error) {
	dir, err := l.FS.ReadDir(p)
	if err != nil {
		return nil, err
	}
	return &Reader{l: l, p: p, dir: dir, extra: extra, line: line}, nil
}

// tells reports whether the entry called name is told, and counts it if it cannot
// be.
func (l Lister) tells(name string) bool {
	if l.HideDot && strings.HasPrefix(name, ".") {
		return false
	}
	if fit(name) {
		return true
	}
	if l.Skipped != nil {
		l.Skipped.Add(1)
	}
	return false
}

// fit reports whether text may stand in a line.
func fit(text string) bool { return !strings.ContainsAny(text, "\r\n\x00") }
