package quicnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The types of streams (docs/ftpq.md, "Streams"). Each stream begins with its type, a
// variable-length integer (RFC 9000 §16).
const (
	typeControl = 0x43
	typeData    = 0x46
)

var (
	errType      = errors.New("a stream of an unknown type")
	errMalformed = errors.New("the head of a stream is malformed")
)

// appendVarint appends an integer in its shortest form. It must be below 2^62.
func appendVarint(b []byte, v uint64) []byte {
	switch {
	case v < 1<<6:
		return append(b, byte(v))
	case v < 1<<14:
		return binary.BigEndian.AppendUint16(b, uint16(v)|1<<14)
	case v < 1<<30:
		return binary.BigEndian.AppendUint32(b, uint32(v)|2<<30)
	}
	return binary.BigEndian.AppendUint64(b, v|3<<62)
}

// readVarint reads an integer that must be in its shortest form.
func readVarint(r io.Reader) (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[:1]); err != nil {
		return 0, cutShort(err)
	}
	size := 1 << (b[0] >> 6)
	if _, err := io.ReadFull(r, b[1:size]); err != nil {
		return 0, cutShort(err)
	}
	b[0] &= 0x3f
	v := binary.BigEndian.Uint64(b[:]) >> (64 - 8*size)
	if shortest := len(appendVarint(nil, v)); shortest != size {
		return 0, fmt.Errorf("%w: %d takes %d bytes where %d do", errMalformed, v, size, shortest)
	}
	return v, nil
}

// cutShort tells a FIN within the head from what ends it in another way.
func cutShort(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: the stream ends within it", errMalformed)
	}
	return err
}

// readType reads the type of a stream, which must be the one that is wanted.
func readType(r io.Reader, want uint64) error {
	got, err := readVarint(r)
	if err == nil && got != want {
		return fmt.Errorf("%w: %#x", errType, got)
	}
	return err
}

// appendDataHead appends what goes before the bytes of a file.
func appendDataHead(b []byte, t Token) []byte {
	b = appendVarint(b, typeData)
	b = appendVarint(b, TokenSize)
	return append(b, t[:]...)
}

// readDataHead reads what goes before the bytes of a file, and no byte more.
func readDataHead(r io.Reader) (Token, error) {
	var t Token
	if err := readType(r, typeData); err != nil {
		return t, err
	}
	size, err := readVarint(r)
	if err != nil {
		return t, err
	}
	if size != TokenSize {
		return t, fmt.Errorf("%w: a token of %d bytes", errMalformed, size)
	}
	if _, err := io.ReadFull(r, t[:]); err != nil {
		return Token{}, cutShort(err)
	}
	return t, nil
}
