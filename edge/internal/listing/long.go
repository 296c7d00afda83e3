package listing

import (
	"io/fs"
	"strconv"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Names returns the format of NLST: the prefix and the name, nothing else (RFC
// 1123 §4.1.2.7).
func Names(prefix string) Format {
	return func(dst []byte, info *vfs.Info) []byte { return append(append(dst, prefix...), info.Name...) }
}

// recent is how old a file may be for its date to be written with the time of
// day instead of the year; ahead is how far in the future it may seem to be,
// because it is younger than the listing or clocks differ.
const (
	recent = 180 * 24 * time.Hour
	ahead  = time.Minute
)

// Style says how LIST writes its lines. The zero value is that of ls -ln in UTC.
type Style struct {
	Now  time.Time      // what ages are told from
	Zone *time.Location // of dates; nil is UTC
	// Owners names the owner and the group of a file; nil, and an empty name,
	// give the numbers, which tell nobody who has an account on the host. Bytes
	// that would begin another column or line become underscores.
	Owners func(uid, gid uint32) (owner, group string)
}

// Long returns the format of LIST, that of ls -l. A date more than 180 days
// before now, or more than a minute after it, is written with its year, so that
// no client takes it for another one.
func Long(s Style) Format {
	if s.Zone == nil {
		s.Zone = time.UTC
	}
	l := &longFormat{Style: s, clock: clock{zone: s.Zone}}
	return l.append
}

// longFormat is LIST's, with what it remembers: the columns from the mode to the
// group, which repeat from one file to the next more often than not.
type longFormat struct {
	Style
	clock   clock
	columns []byte // of these:
	mode    fs.FileMode
	links   uint64
	uid     uint32
	gid     uint32
}

func (l *longFormat) append(dst []byte, i *vfs.Info) []byte {
	if len(l.columns) == 0 || i.Mode != l.mode || i.Links != l.links || i.UID != l.uid || i.GID != l.gid {
		l.mode, l.links, l.uid, l.gid = i.Mode, i.Links, i.UID, i.GID
		l.columns = appendRight(append(appendMode(l.columns[:0], i.Mode), ' '), i.Links, 3)
		l.columns = append(l.appendOwners(append(l.columns, ' '), i), ' ')
	}
	dst = appendRight(append(dst, l.columns...), uint64(max(i.Size, 0)), 12)
	dst = l.appendTime(append(dst, ' '), i.ModTime)
	dst = append(append(dst, ' '), i.Name...)
	if i.Mode&fs.ModeSymlink != 0 {
		dst = append(append(dst, " -> "...), i.Target...)
	}
	return dst
}

func (l *longFormat) appendTime(dst []byte, t time.Time) []byte {
	second := l.clock.at(t)
	dst = l.clock.appendDate(dst)
	if age := l.Now.Sub(t); age >= -ahead && age <= recent {
		dst = append2(append(dst, ' '), second/3600)
		return append2(append(dst, ':'), second/60%60)
	}
	if dst = append(dst, ' ', ' '); !l.clock.tellable() {
		return t.In(l.Zone).AppendFormat(dst, "2006")
	}
	return append2(append2(dst, l.clock.year/100), l.clock.year%100)
}

// appendOwners writes the two columns of owner and group.
func (s *Style) appendOwners(dst []byte, i *vfs.Info) []byte {
	var owner, group string
	if s.Owners != nil {
		owner, group = s.Owners(i.UID, i.GID)
	}
	dst = appendOwner(dst, owner, i.UID)
	return appendOwner(append(dst, ' '), group, i.GID)
}

func appendOwner(dst []byte, name string, id uint32) []byte {
	before := len(dst)
	if name == "" {
		dst = strconv.AppendUint(dst, uint64(id), 10)
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c == 0x7f {
			c = '_'
		}
		dst = append(dst, c)
	}
	for len(dst)-before < 8 {
		dst = append(dst, ' ')
	}
	return dst
}

// Mark returns a format that adds to each line the character by which ls -F
// tells the type. Links are marked where their targets are not told.
func Mark(f Format, links bool) Format {
	return func(dst []byte, i *vfs.Info) []byte {
		dst = f(dst, i)
		switch m := i.Mode; {
		case m.IsDir():
			return append(dst, '/')
		case m&fs.ModeSymlink != 0 && links:
			return append(dst, '@')
		case m&fs.ModeNamedPipe != 0:
			return append(dst, '|')
		case m&fs.ModeSocket != 0:
			return append(dst, '=')
		case m.IsRegular() && m&0o111 != 0:
			return append(dst, '*')
		}
		return dst
	}
}

// Through returns a format that tells of links what they lead to, as far as stat
// can find it.
func Through(f Format, stat func(name string) (vfs.Info, error)) Format {
	return func(dst []byte, i *vfs.Info) []byte {
		if i.Mode&fs.ModeSymlink != 0 {
			if target, err := stat(i.Name); err == nil {
				target.Name = i.Name
				i = &target
			}
		}
		return f(dst, i)
	}
}

// appendMode writes a mode as ls does, in ten characters.
func appendMode(dst []byte, m fs.FileMode) []byte {
	kind := byte('-')
	switch {
	case m.IsDir():
		kind = 'd'
	case m&fs.ModeSymlink != 0:
		kind = 'l'
	case m&fs.ModeNamedPipe != 0:
		kind = 'p'
	case m&fs.ModeSocket != 0:
		kind = 's'
	case m&fs.ModeCharDevice != 0:
		kind = 'c'
	case m&fs.ModeDevice != 0:
		kind = 'b'
	}
	text := [10]byte{kind}
	const bits = "rwxrwxrwx"
	for i := range bits {
		text[i+1] = '-'
		if m&(1<<(8-i)) != 0 {
			text[i+1] = bits[i]
		}
	}
	special(&text[3], m&fs.ModeSetuid != 0, 's')
	special(&text[6], m&fs.ModeSetgid != 0, 's')
	special(&text[9], m&fs.ModeSticky != 0, 't')
	return append(dst, text[:]...)
}

// special writes a set-id or sticky bit over the execute bit: in upper case
// where that is not set.
func special(at *byte, set bool, letter byte) {
	switch {
	case !set:
	case *at == 'x':
		*at = letter
	default:
		*at = letter - 'a' + 'A'
	}
}

// appendRight writes a number in a column that is at least so wide.
func appendRight(dst []byte, n uint64, width int) []byte {
	var text [20]byte
	at := len(text)
	for {
		at--
		text[at] = '0' + byte(n%10)
		if n /= 10; n == 0 {
			break
		}
	}
	for range width - (len(text) - at) {
		dst = append(dst, ' ')
	}
	return append(dst, text[at:]...)
}
