package listing

import (
	"io/fs"
	"strconv"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// recent is how old a file may be for LIST to tell the hour and not the year, and
// ahead how far in the future it may seem to be because clocks differ.
const (
	recent = 180 * 24 * time.Hour
	ahead  = time.Minute
)

// AppendLine appends the line of one entry as LIST sends it, CRLF included, in
// the form of "ls -l": mode, links, owner, group, size, date, name, and the
// target of a symbolic link. A target that cannot stand in a line is left out.
// The caller sees to the name: what LIST is given for a file may be shown as it
// was given.
func (l Lister) AppendLine(b []byte, info vfs.Info) []byte {
	b = appendMode(b, info.Mode)
	b = padLeft(append(b, ' '), 3, info.Links)
	b = padRight(append(b, ' '), 8, uint64(info.UID))
	b = padRight(append(b, ' '), 8, uint64(info.GID))
	b = padLeft(append(b, ' '), 8, uint64(max(info.Size, 0)))
	b = l.appendDate(append(b, ' '), info.ModTime)
	b = append(append(b, ' '), info.Name...)
	if info.Mode&fs.ModeSymlink != 0 && info.Target != "" && fit(info.Target) {
		b = append(append(b, " -> "...), info.Target...)
	}
	return append(b, '\r', '\n')
}

// appendDate appends the day, and either the hour or the year: clients take a
// date without a year to be in the past and not long ago.
func (l Lister) appendDate(b []byte, t time.Time) []byte {
	now := l.Now
	if now.IsZero() {
		now = time.Now()
	}
	where := l.Location
	if where == nil {
		where = time.UTC
	}
	age := now.Sub(t)
	t = t.In(where)
	if age > recent || age < -ahead {
		return t.AppendFormat(b, "Jan _2  2006")
	}
	return t.AppendFormat(b, "Jan _2 15:04")
}

// appendMode appends the ten characters that stand for a mode.
func appendMode(b []byte, mode fs.FileMode) []byte {
	b = append(b, modeType(mode))
	const letters = "rwxrwxrwx"
	for i := range len(letters) {
		if mode&(1<<(len(letters)-1-i)) != 0 {
			b = append(b, letters[i])
		} else {
			b = append(b, '-')
		}
	}
	bits := b[len(b)-len(letters):]
	for _, special := range [...]struct {
		bit     fs.FileMode
		at      int
		on, off byte
	}{{fs.ModeSetuid, 2, 's', 'S'}, {fs.ModeSetgid, 5, 's', 'S'}, {fs.ModeSticky, 8, 't', 'T'}} {
		if mode&special.bit == 0 {
			continue
		}
		if bits[special.at] == 'x' {
			bits[special.at] = special.on
		} else {
			bits[special.at] = special.off
		}
	}
	return b
}

// modeType returns the first character of a mode.
func modeType(mode fs.FileMode) byte {
	switch {
	case mode.IsDir():
		return 'd'
	case mode&fs.ModeSymlink != 0:
		return 'l'
	case mode&fs.ModeNamedPipe != 0:
		return 'p'
	case mode&fs.ModeSocket != 0:
		return 's'
	case mode&fs.ModeCharDevice != 0:
		return 'c'
	case mode&fs.ModeDevice != 0:
		return 'b'
	}
	return '-'
}

// padLeft appends n in at least width characters, aligned to the right.
func padLeft(b []byte, width int, n uint64) []byte {
	digits := 1
	for rest := n; rest >= 10; rest /= 10 {
		digits++
	}
	for ; digits < width; digits++ {
		b = append(b, ' ')
	}
	return strconv.AppendUint(b, n, 10)
}

// padRight appends n in at least width characters, aligned to the left.
func padRight(b []byte, width int, n uint64) []byte {
	start := len(b)
	b = strconv.AppendUint(b, n, 10)
	for len(b)-start < width {
		b = append(b, ' ')
	}
	return b
}
