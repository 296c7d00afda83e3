package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
)

// Record is one line of the log.
type Record struct {
	Seq    uint64    `json:"seq"`              // from 1, without gaps
	Time   time.Time `json:"time"`             // UTC
	Actor  Actor     `json:"actor"`            // who
	Action string    `json:"action"`           // what: the route, such as "PUT /v1/bandwidth", or a word of the server's own
	Object string    `json:"object,omitempty"` // with what: the path of the request, and what its body is about
	Reason string    `json:"reason,omitempty"` // why, in the actor's words
	Result string    `json:"result"`           // ok, refused (no right) or failed (nothing changed)
	Code   string    `json:"code,omitempty"`   // of the error, such as EF2001
	Text   string    `json:"text,omitempty"`   // more of it, for people
	Prev   string    `json:"prev"`             // hash of the record before, in hexadecimal; empty in the first
	Hash   string    `json:"hash"`             // of this one
}

// Actor is who did something.
type Actor struct {
	Via     string `json:"via"`               // socket, token, certificate, tcp (nobody known) or server
	UID     *int   `json:"uid,omitempty"`     // of the process at the other end of the socket
	PID     int    `json:"pid,omitempty"`     // likewise
	Name    string `json:"name,omitempty"`    // of the user, the token or the certificate
	Address string `json:"address,omitempty"` // over TCP
	Role    string `json:"role,omitempty"`    // that it has
}

// String names the actor for people.
func (a Actor) String() string {
	text := a.Via
	switch {
	case a.UID != nil && a.Name != "":
		text = fmt.Sprintf("%s (uid %d)", a.Name, *a.UID)
	case a.UID != nil:
		text = fmt.Sprintf("uid %d", *a.UID)
	case a.Name != "":
		text += " " + a.Name
	}
	if a.Address != "" {
		text += " from " + a.Address
	}
	return text
}

// The results of a record.
const (
	OK      = "ok"
	Refused = "refused"
	Failed  = "failed"
)

// Actions of the server's own records, which tell of the log itself.
const (
	ActionBegun     = "audit.begun"     // the first record
	ActionMended    = "audit.mended"    // the last line was not whole, as after a crash; Text has what was there
	ActionCut       = "audit.cut"       // the end of the log was missing, or the head was
	ActionLost      = "audit.lost"      // records could not be written; Text says how many
	ActionDropped   = "audit.dropped"   // refused requests were too many to be written; Text says how many
	ActionForgotten = "audit.forgotten" // the head was missing beside a log
)

// maxText is how many bytes a text of a record has at most.
const maxText = 1024

// maxLine is how long a line of the log may be.
const maxLine = 64 << 10

// fit makes a text one that a record holds: bounded, and UTF-8.
func fit(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "..."
	}
	return string(bytes.ToValidUTF8([]byte(s), []byte("\uFFFD")))
}

// seal gives a record its place behind prev, and returns its line.
func (r *Record) seal(prev string) ([]byte, error) {
	r.Time = r.Time.UTC().Truncate(time.Millisecond)
	r.Object, r.Reason, r.Text, r.Action = fit(r.Object), fit(r.Reason), fit(r.Text), fit(r.Action)
	r.Actor.Name, r.Prev, r.Hash = fit(r.Actor.Name), prev, ""
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	fields, err := readFields(text)
	if err != nil {
		return nil, err
	}
	if r.Hash, err = fields.hash(); err != nil {
		return nil, err
	}
	fields["hash"] = r.Hash
	return fields.line()
}

// fields are a record as it was read, those too that this version does not know.
type fields map[string]any

var errNoRecord = errors.New("it is no record")

func readFields(line []byte) (fields, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var f fields
	if err := d.Decode(&f); err != nil || f == nil {
		return nil, errNoRecord
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNoRecord
	}
	return f, nil
}

// canonical is the one form of an object: Go writes the keys of maps in order.
func canonical(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// hash is what the record's hash has to be.
func (f fields) hash() (string, error) {
	bare := make(fields, len(f))
	for k, v := range f {
		if k != "hash" {
			bare[k] = v
		}
	}
	text, err := canonical(bare)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

// line is the one way in which the record is written, with its end.
func (f fields) line() ([]byte, error) {
	text, err := canonical(f)
	return append(escape.AppendJSON(nil, text), '\n'), err
}

// Read reads a line, with its end, and reports what is wrong with it: each record has one
// form alone. That it follows another one is for the reader of several to see.
func Read(line []byte) (Record, error) {
	var r Record
	f, err := readFields(line)
	if err != nil {
		return r, err
	}
	if own, err := f.line(); err != nil || !bytes.Equal(own, line) {
		return r, errors.New("it is not in the form in which the server writes records")
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return r, errNoRecord
	}
	if hash, err := f.hash(); err != nil || hash != r.Hash {
		return r, errors.New("its hash is not that of what it says: it was changed")
	}
	return r, nil
}
