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
	return func(dst []byte, info vfs.Info) []byte { return append(append(dst, prefix...), info.Name...) }
}

// recent is how old a file may be for its date to be written with the time of
// day instead of the year; ahead is how far in the future it may seem to be,
// because it is younger than the listing or clocks differ.
const (
	recent = 180 * 24 * time.Hour
	ahead  = time.Minute
)

// Long returns the format of LIST, that of ls -l. Owner and group are numbers.
// Dates are in zone, nil being UTC; a date more than 180 days before now, or more
// than a minute after it, is written with its year, so that no client takes it
// for another one.
func Long(now time.Time, zone *time.Location) Format {
	if zone == nil {
		zone = time.UTC
	}
	return func(dst []byte, i vfs.Info) []byte {
		dst = append(appendMode(dst, i.Mode), ' ')
		dst = appendRight(dst, i.Links, 3)
		dst = append(dst, ' ')
		dst = appendLeft(dst, uint64(i.UID), 8)
		dst = append(dst, ' ')
		dst = appendLeft(dst, uint64(i.GID), 8)
		dst = append(dst, ' ')
		dst = appendRight(dst, uint64(max(i.Size, 0)), 12)
		dst = append(dst, ' ')
		layout := "Jan _2 15:04"
		if age := now.Sub(i.ModTime); age < -ahead || age > recent {
			layout = "Jan _2  2006"
		}
		dst = i.ModTime.In(zone).AppendFormat(dst, layout)
		dst = append(append(dst, ' '), i.Name...)
		if i.Mode&fs.ModeSymlink != 0 {
			dst = append(append(dst, " -> "...), i.Target...)
		}
		return dst
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

func appendRight(dst []byte, n uint64, width int) []byte {
	text := strconv.AppendUint(make([]byte, 0, 20), n, 10)
	for range width - len(text) {
		dst = append(dst, ' ')
	}
	return append(dst, text...)
}

func appendLeft(dst []byte, n uint64, width int) []byte {
	before := len(dst)
	dst = strconv.AppendUint(dst, n, 10)
	for len(dst)-before < width {
		dst = append(dst, ' ')
	}
	return dst
}
