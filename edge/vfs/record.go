package vfs

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"strconv"
	"strings"
)

// recordKind says what a record of the journal is about.
type recordKind byte

// The kinds of records. A record with the number of an earlier one replaces it.
const (
	recordStart   recordKind = 'h' // begins a journal; path is the host's root, owner the boot
	recordHidden  recordKind = 's' // a hidden name exists for a moment; path is its directory
	recordUndo    recordKind = 'u' // path is being written in place and had size bytes
	recordPartial recordKind = 'p' // hidden holds owner's partial upload of path
	recordDone    recordKind = 'd' // the record of that number is over
)

// record is one line of the journal. Which fields mean something depends on the
// kind.
type record struct {
	kind   recordKind
	id     uint64
	path   string
	hidden string
	owner  string
	dev    uint64 // 0 if the file is on the same device as the root
	inode  uint64
	size   int64 // undo: length before; partial: bytes known to be on the disk
	at     int64 // seconds since 1970
}

// sameFile reports whether both are undo records of one file.
func (r record) sameFile(other record) bool {
	return r.kind == recordUndo && other.kind == recordUndo && r.inode != 0 && r.dev == other.dev && r.inode == other.inode
}

// errRecord says that a line of the journal is torn or not one of ours.
var errRecord = errors.New("not a record")

// append writes the record as one line, with a checksum before it.
func (r record) append(line []byte) []byte {
	const sum = 8 // hexadecimal digits
	at := len(line)
	line = append(line, "00000000 "...)
	line = strconv.AppendUint(append(line, byte(r.kind), ' '), r.id, 10)
	for _, text := range []string{r.path, r.hidden, r.owner} {
		line = strconv.AppendQuote(append(line, ' '), text)
	}
	line = strconv.AppendUint(append(line, ' '), r.dev, 10)
	line = strconv.AppendUint(append(line, ' '), r.inode, 10)
	line = strconv.AppendInt(append(line, ' '), r.size, 10)
	line = strconv.AppendInt(append(line, ' '), r.at, 10)
	var digits [sum]byte
	hex.Encode(digits[:], binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(line[at+sum+1:])))
	copy(line[at:], digits[:])
	return append(line, '\n')
}

// parseRecord reads one line, without its end.
func parseRecord(line string) (record, error) {
	sum, text, found := strings.Cut(line, " ")
	want, err := strconv.ParseUint(sum, 16, 32)
	if !found || err != nil || uint32(want) != crc32.ChecksumIEEE([]byte(text)) || len(text) < 2 {
		return record{}, errRecord
	}
	r := record{kind: recordKind(text[0])}
	p := recordParser{rest: text[1:]}
	r.id = p.unsigned()
	r.path, r.hidden, r.owner = p.quoted(), p.quoted(), p.quoted()
	r.dev, r.inode = p.unsigned(), p.unsigned()
	r.size, r.at = p.signed(), p.signed()
	if p.failed || p.rest != "" || r.size < 0 {
		return record{}, errRecord
	}
	return r, nil
}

// recordParser reads fields that each have a space before them.
type recordParser struct {
	rest   string
	failed bool
}

// word returns the next field as it stands.
func (p *recordParser) word() string {
	if !strings.HasPrefix(p.rest, " ") {
		p.failed = true
		return ""
	}
	word, rest, found := strings.Cut(p.rest[1:], " ")
	if p.rest = ""; found {
		p.rest = " " + rest
	}
	return word
}

func (p *recordParser) unsigned() uint64 {
	n, err := strconv.ParseUint(p.word(), 10, 64)
	p.failed = p.failed || err != nil
	return n
}

func (p *recordParser) signed() int64 {
	n, err := strconv.ParseInt(p.word(), 10, 64)
	p.failed = p.failed || err != nil
	return n
}

func (p *recordParser) quoted() string {
	if !strings.HasPrefix(p.rest, " ") {
		p.failed = true
		return ""
	}
	quoted, err := strconv.QuotedPrefix(p.rest[1:])
	if err != nil {
		p.failed = true
		return ""
	}
	p.rest = p.rest[1+len(quoted):]
	text, err := strconv.Unquote(quoted)
	p.failed = p.failed || err != nil
	return text
}
