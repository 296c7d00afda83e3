package listing

import (
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// AppendFacts appends the facts of the entry at p, a space and name, without a
// line end: a line of MLSD, or what stands after the leading space in the answer
// to MLST (RFC 3659 §7.2). Info is what Lstat says. A symbolic link that leads to
// something inside the root is told as what it leads to, with that one's facts;
// one that leads out or to nothing is told as a link (type=OS.unix=slink:target).
func (l Lister) AppendFacts(b []byte, p vfs.Path, info vfs.Info, name string) []byte {
	kind := "file"
	if info.Mode&fs.ModeSymlink != 0 {
		if target, err := l.FS.Stat(p); err == nil {
			info = target
		} else {
			kind = linkType(info.Target)
		}
	}
	if info.IsDir() {
		kind = "dir"
	}
	return l.appendFacts(b, p, info, kind, name)
}

// linkType is the type of a symbolic link (RFC 3659 §7.5.1.5). A fact's value
// must not hold a semicolon.
func linkType(target string) string {
	if target == "" || strings.Contains(target, ";") || !fit(target) {
		return "OS.unix=slink"
	}
	return "OS.unix=slink:" + target
}

// appendFacts appends the facts that are told, in their order.
func (l Lister) appendFacts(b []byte, p vfs.Path, info vfs.Info, kind, name string) []byte {
	if l.Facts&FactModify != 0 {
		b = appendModify(b, info.ModTime)
	}
	if l.Facts&FactPerm != 0 && l.Perm != nil {
		b = append(append(append(b, "perm="...), l.Perm(p, info)...), ';')
	}
	if l.Facts&FactSize != 0 && info.Mode.IsRegular() {
		b = append(strconv.AppendInt(append(b, "size="...), info.Size, 10), ';')
	}
	if l.Facts&FactType != 0 {
		b = append(append(append(b, "type="...), kind...), ';')
	}
	if l.Facts&FactUnique != 0 && info.Inode != 0 {
		b = append(strconv.AppendUint(append(b, "unique="...), info.Dev, 16), 'g')
		b = append(strconv.AppendUint(b, info.Inode, 16), ';')
	}
	if l.Facts&FactUnixGID != 0 {
		b = append(strconv.AppendUint(append(b, "unix.gid="...), uint64(info.GID), 10), ';')
	}
	if l.Facts&FactUnixMode != 0 {
		b = append(appendOctal(append(b, "unix.mode="...), info.Mode), ';')
	}
	if l.Facts&FactUnixUID != 0 {
		b = append(strconv.AppendUint(append(b, "unix.uid="...), uint64(info.UID), 10), ';')
	}
	return append(append(b, ' '), name...)
}

// appendModify appends the fact of a time (RFC 3659 §2.3). One that the form has
// no room for is left out.
func appendModify(b []byte, t time.Time) []byte {
	t = t.UTC()
	if year := t.Year(); year < 0 || year > 9999 {
		return b
	}
	return append(t.AppendFormat(append(b, "modify="...), "20060102150405"), ';')
}

// appendOctal appends the permission, set-id and sticky bits in four digits.
func appendOctal(b []byte, mode fs.FileMode) []byte {
	bits := uint32(mode.Perm())
	if mode&fs.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if mode&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if mode&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	for shift := 9; shift >= 0; shift -= 3 {
		b = append(b, '0'+byte(bits>>shift&7))
	}
	return b
}
