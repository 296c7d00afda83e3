// Package cases reads and runs the tests that a module brings with it: the custom
// section edgeftp.tests (ABI §8). The same text tests a policy that is linked
// natively, since a case asks through the interfaces of edge/policy.
package cases

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Set is the section as a whole. The zero value has no tests.
type Set struct {
	// Settings are what the policy is configured with before it is asked: its own,
	// not the operator's. Nil is none.
	Settings json.RawMessage `json:"settings"`
	Tests    []Case          `json:"tests"`
}

// Case is a question with the answer that is expected. A key that the hook has no use
// for is refused; numbers are in the units of ABI §4.
type Case struct {
	Name string `json:"name"` // for the words of a failure
	Hook string `json:"hook"` // such as "fs"
	// Op is the operation (fs, throttle, data) or the kind of event, by name.
	Op       string  `json:"op"`
	User     string  `json:"user"`
	Group    string  `json:"group"`
	Peer     string  `json:"peer"` // address and port
	TLS      bool    `json:"tls"`  // the control connection is protected, with TLS 1.3
	State    string  `json:"state"`
	Password string  `json:"password"` // auth; of use only to a policy with that capability
	Early    bool    `json:"early"`    // auth
	CertSHA  string  `json:"cert_sha256"`
	Path     string  `json:"path"`  // also the working directory of cmd and site
	Path2    string  `json:"path2"` // fs, event
	Arg      string  `json:"arg"`   // also the name of cert and the text of event
	Verb     string  `json:"verb"`  // cmd, site
	A        int64   `json:"a"`
	B        int64   `json:"b"`
	Size     int64   `json:"size"` // fs: bytes of the file at path
	Dir      bool    `json:"dir"`
	Exists   bool    `json:"exists"`
	Upload   bool    `json:"upload"` // throttle, data
	Data     string  `json:"data"`   // data: the chunk
	Last     bool    `json:"last"`   // data
	Carry    string  `json:"carry"`  // data
	Entries  []Entry `json:"entries"`
	Want     Want    `json:"want"`
}

// Entry is one name of a listing.
type Entry struct {
	Name string `json:"name"`
	Mode uint32 `json:"mode"` // st_mode
	Size int64  `json:"size"`
}

// Want is what the answer must be. Action and Code are compared always; what is absent
// of the rest is not.
type Want struct {
	Action string    `json:"action"` // as ABI §6 names it
	Code   int       `json:"code"`
	Text   *string   `json:"text"`
	Path   *string   `json:"path"`   // of a rewrite
	Path2  *string   `json:"path2"`  // of a rewrite
	Perms  *string   `json:"perms"`  // auth
	Home   *string   `json:"home"`   // auth
	PWHash *string   `json:"pwhash"` // auth
	Hidden *[]string `json:"hidden"` // list: names, in the listing's order
	Lines  *[]string `json:"lines"`  // site
	Rate   *int64    `json:"rate"`   // throttle
	Data   *string   `json:"data"`   // data: the new bytes
	Carry  *string   `json:"carry"`  // data
}

// MaxCases is the greatest number of tests in a section.
const MaxCases = 1024

// Parse reads the section. It fails if that is not one JSON object of at most
// abi.MaxTests bytes, has a key that is not known, or has a case that asks nothing.
func Parse(section []byte) (*Set, error) {
	if len(section) > abi.MaxTests {
		return nil, fmt.Errorf("tests of %d bytes, at most %d", len(section), abi.MaxTests)
	}
	d := json.NewDecoder(bytes.NewReader(section))
	d.DisallowUnknownFields()
	var s Set
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("tests: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("bytes after the tests")
	}
	if len(s.Tests) > MaxCases {
		return nil, fmt.Errorf("%d tests, at most %d", len(s.Tests), MaxCases)
	}
	for i := range s.Tests {
		c := &s.Tests[i]
		if c.Name == "" {
			c.Name = fmt.Sprintf("test %d", i+1)
		}
		c.Name = abi.Clean(c.Name, 100)
		if err := c.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return &s, nil
}

// Run asks all questions of the policy's hooks under the name of its slot, which
// selects the session's state. It fails with the first answer that is not the
// expected one; ctx bounds it.
func (s *Set) Run(ctx context.Context, slot string, hooks policy.Hooks) error {
	for i := range s.Tests {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s: %w", s.Tests[i].Name, err)
		}
		if err := s.Tests[i].run(ctx, slot, hooks); err != nil {
			return fmt.Errorf("%s: %w", s.Tests[i].Name, err)
		}
	}
	return nil
}
