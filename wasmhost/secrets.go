package wasmhost

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// secrets are what a login shows its guest and nobody else may see. The zero value is none.
type secrets struct {
	password string
	binding  string // of the connection
}

// secretsOf are the secrets in a question.
func secretsOf(q any) secrets {
	if login, ok := q.(*policy.Login); ok {
		return secrets{password: login.Password, binding: string(login.Binding)}
	}
	return secrets{}
}

// leastPassword is the length of the shortest password that is looked for in texts:
// what is shorter is found everywhere by chance.
const leastPassword = 4

// words are the forms of the secrets that are looked for, each before what takes its place.
func (s secrets) words() (pairs []string) {
	hide := func(word string) { pairs = append(pairs, word, strings.Repeat("*", len(word))) }
	if len(s.password) >= leastPassword {
		hide(s.password)
		hide(escape([]byte(s.password), maxStderr))
	}
	if s.binding != "" {
		digits := hex.EncodeToString([]byte(s.binding))
		hide(s.binding)
		hide(escape([]byte(s.binding), maxStderr))
		hide(digits)
		hide(strings.ToUpper(digits))
	}
	return pairs
}

// forget removes secrets that the guest was shown. What it handed to the host may hold a
// password in any form, and a request what the other server knows the server by; what it
// wrote elsewhere is looked through.
func (x *Exchange) forget(s secrets) {
	if s.password != "" {
		for i := range x.Host {
			x.Host[i].In = nil
		}
	}
	words := s.words()
	if len(words) == 0 {
		return
	}
	hide := strings.NewReplacer(words...).Replace
	bytes := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		return []byte(hide(string(b)))
	}
	x.Reply = bytes(x.Reply)
	for i := range x.Host {
		c := &x.Host[i]
		c.In, c.Out = bytes(c.In), bytes(c.Out)
	}
	x.Stderr = hide(x.Stderr)
	if fault := (*CallError)(nil); errors.As(x.Err, &fault) {
		x.Err = &CallError{Cause: fault.Cause, Hook: fault.Hook, Stderr: x.Stderr, Err: errors.New(hide(fault.Err.Error()))}
	}
}

// withoutSecrets empties the span ARG of the record of a login, which is the caller's own,
// and takes BINDING out of ATTR.
func withoutSecrets(record []byte) []byte {
	if arg := spanAt(record, abi.SpanArg); arg != nil {
		clear(arg)
		setLength(record, abi.SpanArg, 0)
	}
	attr := spanAt(record, abi.SpanAttr)
	for at := 0; at+4 <= len(attr); {
		key, end := abi.Attr(binary.LittleEndian.Uint16(attr[at:])), at+4+int(binary.LittleEndian.Uint16(attr[at+2:]))
		if end > len(attr) {
			break
		}
		if key != abi.AttrBinding {
			at = end
			continue
		}
		n := at + copy(attr[at:], attr[end:])
		clear(attr[n:]) // its NUL is among them
		attr = attr[:n]
		setLength(record, abi.SpanAttr, n)
	}
	return record
}

// spanAt is a span of a record, nil if it is not there.
func spanAt(record []byte, s abi.Span) []byte {
	at := abi.HeaderSize + 8*int(s)
	if len(record) < at+8 {
		return nil
	}
	off, n := uint64(binary.LittleEndian.Uint32(record[at:])), uint64(binary.LittleEndian.Uint32(record[at+4:]))
	if off+n > uint64(len(record)) {
		return nil
	}
	return record[off : off+n]
}

// setLength says how long a span of a record is, which has it.
func setLength(record []byte, s abi.Span, n int) {
	binary.LittleEndian.PutUint32(record[abi.HeaderSize+8*int(s)+4:], uint32(n))
}
