package spool

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

// A segment is its head and then frames: length of the record u32, CRC-32C of
// number, length and record u32, the record; all little-endian. With the number in
// it no frame is good in another place.
const (
	segmentHead = "edgespl1"
	frameHead   = 8
)

func checksum(number uint64, length uint32, record []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	var b [12]byte
	binary.LittleEndian.PutUint64(b[:], number)
	binary.LittleEndian.PutUint32(b[8:], length)
	return crc32.Update(crc32.Update(0, table, b[:]), table, record)
}

// appendFrame appends a record's frame to b.
func appendFrame(b []byte, number uint64, record []byte) []byte {
	length := uint32(len(record))
	b = binary.LittleEndian.AppendUint32(b, length)
	b = binary.LittleEndian.AppendUint32(b, checksum(number, length, record))
	return append(b, record...)
}

// readFrame reads the frame of a record, which ends before end. It reports false if
// there is none, or it is torn or damaged; an error is one of the disk.
func readFrame(r io.ReaderAt, at, end int64, number uint64) (record []byte, ok bool, err error) {
	if end-at < frameHead {
		return nil, false, nil
	}
	var head [frameHead]byte
	if _, err := r.ReadAt(head[:], at); err != nil {
		return nil, false, diskError(err)
	}
	length := binary.LittleEndian.Uint32(head[:])
	if int64(length) > end-at-frameHead {
		return nil, false, nil
	}
	record = make([]byte, length)
	if _, err := r.ReadAt(record, at+frameHead); err != nil && length > 0 {
		return nil, false, diskError(err)
	}
	if binary.LittleEndian.Uint32(head[4:]) != checksum(number, length, record) {
		return nil, false, nil
	}
	return record, true, nil
}

// diskError is nil for a file that is shorter than it was.
func diskError(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// scan counts the good frames of a segment from its beginning, and the bytes that
// they take with its head. A head that is not whole has none.
func scan(r io.ReaderAt, size int64, first uint64) (records uint64, good int64, err error) {
	head := make([]byte, len(segmentHead))
	if size < int64(len(head)) {
		return 0, 0, nil
	}
	if _, err := r.ReadAt(head, 0); err != nil {
		return 0, 0, diskError(err)
	}
	if string(head) != segmentHead {
		return 0, 0, nil
	}
	good = int64(len(head))
	for {
		record, ok, err := readFrame(r, good, size, first+records)
		if !ok || err != nil {
			return records, good, err
		}
		records++
		good += frameHead + int64(len(record))
	}
}

// state is what is remembered beside the segments: two slots are written in turn,
// so that one is always whole.
type state struct {
	turn    uint64
	acked   uint64 // number of the last record that nobody needs any more
	dropped uint64 // records, ever
	lost    uint64 // records, ever
	damaged uint64 // number of the last record that was counted as lost
}

const slotLen = 5*8 + 4

func (s state) encode() []byte {
	b := make([]byte, 0, slotLen)
	for _, n := range []uint64{s.turn, s.acked, s.dropped, s.lost, s.damaged} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return binary.LittleEndian.AppendUint32(b, checksum(s.turn, slotLen, b))
}

// decodeState returns the later of the slots that are whole, or nothing.
func decodeState(b []byte) (best state) {
	for ; len(b) >= slotLen; b = b[slotLen:] {
		var n [5]uint64
		for i := range n {
			n[i] = binary.LittleEndian.Uint64(b[8*i:])
		}
		sum := binary.LittleEndian.Uint32(b[slotLen-4:])
		if sum == checksum(n[0], slotLen, b[:slotLen-4]) && n[0] >= best.turn {
			best = state{turn: n[0], acked: n[1], dropped: n[2], lost: n[3], damaged: n[4]}
		}
	}
	return best
}
