package succession

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/edgeftp/edgeftp/edge/kv"
)

// Protocol is the version of the frames. Both sides have to have the same.
const Protocol = 1

// The words of a frame.
const (
	wordHello    = "hello"
	wordOffer    = "offer"
	wordRefused  = "refused"
	wordRelease  = "release"
	wordReleased = "released"
	wordServing  = "serving"
	wordLeaving  = "leaving"
	wordAborted  = "aborted"
	wordFailed   = "failed"
	wordChanges  = "changes"
	wordDone     = "done"
)

// Bounds of a frame. A batch of changes is the longest; the kernel passes 253 descriptors.
const (
	maxFrame = 32 << 20
	maxFiles = 240
)

// Hello is what a successor says of itself.
type Hello struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"` // of the program, for people
	PID      int    `json:"pid"`
}

// Offer is what a predecessor has.
type Offer struct {
	Hello
	Sockets []Socket `json:"sockets"`
}

// Socket is one that listens.
type Socket struct {
	Listener string   `json:"listener"` // whose it is, by name
	Address  string   `json:"address"`  // HOST:PORT, as the configuration has it
	File     *os.File `json:"-"`        // the receiver's to close
}

// message is one frame.
type message struct {
	Word    string      `json:"word"`
	Hello   *Hello      `json:"hello,omitempty"`
	Offer   *Offer      `json:"offer,omitempty"`
	Text    string      `json:"text,omitempty"` // of refused, failed and aborted
	Changes []kv.Change `json:"changes,omitempty"`
	// Sessions is, of released, the number of the last session.
	Sessions uint64 `json:"sessions,omitempty"`

	files []*os.File
}

// send writes a frame: its length, how many descriptors come with it, and the message. The
// descriptors travel with the first bytes.
func send(c *net.UnixConn, m *message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(body) > maxFrame || len(m.files) > maxFiles {
		return fmt.Errorf("a frame of %d bytes with %d sockets is too large", len(body), len(m.files))
	}
	var head [8]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(body)))
	binary.BigEndian.PutUint32(head[4:], uint32(len(m.files)))
	if len(m.files) > 0 {
		err = writeRights(c, head[:], m.files)
	} else {
		_, err = c.Write(head[:])
	}
	if err == nil {
		_, err = c.Write(body)
	}
	return err
}

// receive reads a frame. Descriptors are the caller's, but after an error.
func receive(c *net.UnixConn) (m *message, err error) {
	m = new(message)
	var head [8]byte
	if m.files, err = readRights(c, head[:]); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			closeFiles(m.files)
			m = nil
		}
	}()
	n, files := binary.BigEndian.Uint32(head[:]), binary.BigEndian.Uint32(head[4:])
	if n > maxFrame || int64(files) != int64(len(m.files)) {
		return m, fmt.Errorf("a frame of %d bytes that says it has %d descriptors, and has %d", n, files, len(m.files))
	}
	body, err := io.ReadAll(io.LimitReader(c, int64(n)))
	if err != nil {
		return m, err
	}
	if len(body) < int(n) {
		return m, io.ErrUnexpectedEOF
	}
	return m, json.Unmarshal(body, m)
}

// expect reads a frame that has to say a word. What refuses or ends it instead is an error.
// Only an offer keeps its descriptors.
func expect(c *net.UnixConn, word string) (*message, error) {
	m, err := receive(c)
	if err != nil {
		return nil, err
	}
	if m.Word == word && word == wordOffer {
		return m, nil
	}
	closeFiles(m.files) // nothing else has any
	if m.Word == word {
		return m, nil
	}
	switch m.Word {
	case wordRefused, wordFailed, wordAborted:
		return nil, &toldError{m.Word, m.Text}
	}
	return nil, fmt.Errorf("%.20q came in the place of %q", m.Word, word)
}

// toldError is what the other side has said.
type toldError struct{ word, text string }

func (e *toldError) Error() string { return e.text }

// told reports whether an error is the other side's word.
func told(err error, word string) bool {
	var e *toldError
	return errors.As(err, &e) && e.word == word
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // nothing was done with it
	}
}
