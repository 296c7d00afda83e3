package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/edge/internal/spool"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// durable keeps the events of one slot in a directory, each as a record of JSON. The spool
// has a lock of its own; what is read is that of the one who reads.
type durable struct {
	dir   string
	spool *spool.Spool
	read  []stored // that Next returned and Done did not count
}

// stored is an event, and the number of its record.
type stored struct {
	number uint64
	event  *policy.Event
}

func openDurable(dir string) (*durable, error) {
	s, err := spool.Open(dir, spool.Options{})
	if err != nil {
		return nil, err
	}
	return &durable{dir: dir, spool: s}, nil
}

// Append implements chain.Spool.
func (d *durable) Append(events []*policy.Event) (int, error) {
	for i, e := range events {
		b, err := encodeEvent(e)
		if err == nil {
			err = d.spool.Append(b)
		}
		if err != nil {
			return i, err
		}
	}
	return len(events), nil
}

// Next implements chain.Spool. A record that is no event is passed over; it is gone
// with the next one that is handed over.
func (d *durable) Next(limit int) ([]*policy.Event, error) {
	now, cancel := context.WithCancel(context.Background())
	cancel() // it is not to wait
	for len(d.read) < limit {
		r, err := d.spool.Next(now)
		if errors.Is(err, context.Canceled) {
			break
		}
		if err != nil {
			return nil, err
		}
		if e, err := decodeEvent(r.Data); err == nil {
			d.read = append(d.read, stored{r.N, e})
		}
	}
	out := make([]*policy.Event, min(limit, len(d.read)))
	for i := range out {
		out[i] = d.read[i].event
	}
	return out, nil
}

// Done implements chain.Spool.
func (d *durable) Done(n int) error {
	if n == 0 {
		return nil
	}
	if err := d.spool.Ack(d.read[n-1].number); err != nil {
		return err
	}
	d.read = append(d.read[:0], d.read[n:]...)
	return nil
}

// Counts implements chain.Spool.
func (d *durable) Counts() (waiting, gone uint64) {
	st := d.spool.Stats()
	return st.Records, st.Dropped + st.Lost
}

// Close implements chain.Spool.
func (d *durable) Close() error { return d.spool.Close() }

// eventRecord is the form of an event on the disk.
type eventRecord struct {
	// Bytes says that the texts are not UTF-8 throughout, which JSON could not hold:
	// each of their bytes is a character.
	Bytes bool `json:",omitempty"`
	Event *policy.Event
}

// encodeEvent makes an event's record. What authenticators want to be shown again
// is left out: it may be a secret, and is of no use after the session.
func encodeEvent(e *policy.Event) ([]byte, error) {
	own, session := *e, *e.Session
	own.Session, session.State = &session, nil
	r := eventRecord{Event: &own}
	for _, t := range texts(&own) {
		r.Bytes = r.Bytes || !utf8.ValidString(*t)
	}
	if r.Bytes {
		for _, t := range texts(&own) {
			*t = widen(*t)
		}
	}
	return json.Marshal(r)
}

func decodeEvent(b []byte) (*policy.Event, error) {
	var r eventRecord
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, err
	}
	if r.Event == nil || r.Event.Session == nil {
		return nil, errors.New("the record holds no event")
	}
	if r.Bytes {
		for _, t := range texts(r.Event) {
			narrow, err := narrowed(*t)
			if err != nil {
				return nil, err
			}
			*t = narrow
		}
	}
	return r.Event, nil
}

// texts are the strings of an event that a client may have had a hand in.
func texts(e *policy.Event) []*string {
	s := e.Session
	return []*string{&e.Path, &e.Path2, &e.Text, &s.User, &s.Root, &s.Group, &s.Client, &s.Host,
		&s.TLS.ServerName, &s.TLS.ALPN, &s.TLS.ClientSubject}
}

// widen makes one character of each byte.
func widen(s string) string {
	out := make([]rune, len(s))
	for i := range len(s) {
		out[i] = rune(s[i])
	}
	return string(out)
}

func narrowed(s string) (string, error) {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return "", fmt.Errorf("character %q stands for no byte", r)
		}
		out = append(out, byte(r))
	}
	return string(out), nil
}
