package wasmhost

import (
	"encoding/binary"
	"io/fs"

	"github.com/edgeftp/edgeftp/edge/policy"
)

const entrySize = 32

func appendStat(b []byte, e *policy.Entry) []byte {
	mode := uint32(e.Mode.Perm())
	switch e.Mode.Type() {
	case 0:
		mode |= 0o100000
	case fs.ModeDir:
		mode |= 0o040000
	}
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = binary.LittleEndian.AppendUint32(b, mode)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Size))
	ns := int64(0)
	if !e.Time.IsZero() {
		ns = e.Time.UnixNano()
	}
	return binary.LittleEndian.AppendUint64(b, uint64(ns))
}
