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
	"reflect"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Set is the section as a whole. The zero value has no tests.
type Set struct {
	// Settings are what the policy is configured with before it is asked: its own,
	// not the operator's. Nil is none.
	Settings json.RawMessage `json:"settings"`
	// KV, HTTP and Files are the world in which the tests begin, see [World]. What one
	// test changes, the next one finds.
	KV    map[string]Value     `json:"kv"`
	HTTP  map[string]*Response `json:"http"`  // by "METHOD URL"
	Files map[string]*File     `json:"files"` // by canonical virtual path
	Tests []Case               `json:"tests"`
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
	VHost    string  `json:"vhost"`    // the virtual host, by its name in the configuration
	Protocol string  `json:"protocol"` // what carries the session: policy.Session.Protocol
	Peer     string  `json:"peer"`     // address and port
	TLS      bool    `json:"tls"`      // the control connection is protected, with TLS 1.3
	State    string  `json:"state"`
	Password string  `json:"password"` // auth; of use only to a policy with that capability
	Early    bool    `json:"early"`    // auth
	Binding  string  `json:"binding"`  // auth: hex
	CertSHA  string  `json:"cert_sha256"`
	Path     string  `json:"path"`  // also the working directory of cmd and site
	Path2    string  `json:"path2"` // fs, event
	Arg      string  `json:"arg"`   // also the name of cert and the text of event
	Verb     string  `json:"verb"`  // cmd, site
	A        int64   `json:"a"`
	B        int64   `json:"b"`
	Size     int64   `json:"size"`      // fs: bytes of the file at path
	DataPeer string  `json:"data_peer"` // fs, throttle, data, event: address and port
	Dir      bool    `json:"dir"`
	Exists   bool    `json:"exists"`
	Upload   bool    `json:"upload"` // throttle, data
	Data     string  `json:"data"`   // data: the chunk
	Last     bool    `json:"last"`   // data
	Carry    string  `json:"carry"`  // data
	Entries  []Entry `json:"entries"`
	// KV, HTTP and Files are put into the world before the question; null removes.
	KV    map[string]Value     `json:"kv"`
	HTTP  map[string]*Response `json:"http"`
	Files map[string]*File     `json:"files"`
	Want  Want                 `json:"want"`
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
	Action   string    `json:"action"` // as ABI §6 names it
	Code     int       `json:"code"`
	Text     *string   `json:"text"`
	Path     *string   `json:"path"`     // of a rewrite
	Path2    *string   `json:"path2"`    // of a rewrite
	Perms    *string   `json:"perms"`    // auth
	Home     *string   `json:"home"`     // auth
	PWHash   *string   `json:"pwhash"`   // auth
	Networks *[]string `json:"networks"` // auth: in order
	Hidden   *[]string `json:"hidden"`   // list: names, in the listing's order
	Lines    *[]string `json:"lines"`    // site
	Rate     *int64    `json:"rate"`     // throttle
	Data     *string   `json:"data"`     // data: the new bytes
	Carry    *string   `json:"carry"`    // data
	// KV are values that must be there afterwards, null for none; HTTP the requests
	// and Log the lines of log of this test, all of them and in order.
	KV   map[string]Value `json:"kv"`
	HTTP *[]string        `json:"http"`
	Log  *[]string        `json:"log"`
}

// MaxCases is the greatest number of tests in a section.
const MaxCases = 1024

// Parse reads the section. It fails if that is not one JSON object of at most
// abi.MaxTests bytes, has a key that is not known, or has a case that asks nothing.
func Parse(section []byte) (*Set, error) {
	if len(section) > abi.MaxTests {
		return nil, fmt.Errorf("tests of %d bytes, at most %d", len(section), abi.MaxTests)
	}
	var in struct {
		Set
		Tests []json.RawMessage `json:"tests"` // one by one, so that a fault has a name
	}
	if err := decode(section, &in); err != nil {
		return nil, fmt.Errorf("tests: %w", err)
	}
	if len(in.Tests) > MaxCases {
		return nil, fmt.Errorf("%d tests, at most %d", len(in.Tests), MaxCases)
	}
	s := &in.Set
	if err := checkWorld(s.KV, s.HTTP, s.Files); err != nil {
		return nil, fmt.Errorf("tests: %w", err)
	}
	s.Tests = make([]Case, len(in.Tests))
	for i, text := range in.Tests {
		c := &s.Tests[i]
		err := json.Unmarshal(text, c)
		if c.Name == "" {
			c.Name = fmt.Sprintf("test %d", i+1)
		}
		c.Name = abi.Clean(c.Name, 100)
		if err == nil {
			err = c.check(true)
		}
		if err != nil {
			return nil, fmt.Errorf("%s%s: %w", lineOf(section, text), c.Name, err)
		}
	}
	return s, nil
}

// lineOf says in which line of a text a part of it begins, in words that lead an error;
// nothing if the text has one line, as in a module.
func lineOf(whole, part []byte) string {
	at := bytes.Index(whole, part)
	if at < 0 || !bytes.Contains(bytes.TrimSpace(whole), []byte("\n")) {
		return ""
	}
	return fmt.Sprintf("line %d: ", 1+bytes.Count(whole[:at], []byte("\n")))
}

// ParseQuestion reads one test that wants nothing yet: the key want may be absent, and
// with it what the answer must be. It fails as [Parse] does.
func ParseQuestion(text []byte) (*Case, error) {
	if len(text) > abi.MaxTests {
		return nil, fmt.Errorf("a question of %d bytes, at most %d", len(text), abi.MaxTests)
	}
	c := new(Case)
	err := decode(text, c)
	if err == nil || errors.Is(err, errNoWant) {
		err = c.check(err == nil)
	}
	if err != nil {
		return nil, err
	}
	if c.Name == "" {
		c.Name = "question"
	}
	c.Name = abi.Clean(c.Name, 100)
	return c, nil
}

// ParseValues reads an object of values, as the key kv of tests has it.
func ParseValues(text []byte) (map[string]Value, error) {
	var values map[string]Value
	if err := decode(text, &values); err != nil {
		return nil, err
	}
	return values, checkWorld(values, nil, nil)
}

// decode reads one JSON value of which nothing is ignored, and says in which line a
// fault of its form is.
func decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	at := int64(-1)
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &typ):
		at = typ.Offset
	case err == nil, errors.Is(err, errNoWant):
		if _, err := d.Token(); err != io.EOF {
			return errors.New("bytes after the end of the object")
		}
	}
	if at < 0 || at > int64(len(text)) {
		return plainly(err)
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(text[:at], []byte("\n")), plainly(err))
}

// plainly says what is wrong with the keys and values of a JSON text in words for authors
// who do not know how it is read.
func plainly(err error) error {
	var typ *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &typ) && typ.Field != "":
		key := typ.Field[strings.LastIndexByte(typ.Field, '.')+1:]
		return fmt.Errorf("the key %q is %s, want %s", abi.Clean(key, 50), given(typ.Value), kindOf(typ.Type))
	case errors.As(err, &typ):
		return fmt.Errorf("%s, want %s", given(typ.Value), kindOf(typ.Type))
	}
	if key, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("unknown key %s", abi.Clean(key, 52))
	}
	return err
}

// given names a value as JSON does, of what the decoder calls it.
func given(value string) string {
	switch kind, _, _ := strings.Cut(value, " "); kind {
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "bool":
		return "true or false"
	case "number":
		return "the " + value
	}
	return "a " + value
}

// kindOf names a type as JSON does.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// Run asks all questions of the policy's hooks under the name of its slot, which
// selects the session's state. It fails with the first answer that is not the
// expected one; ctx bounds it. It is for a policy that has no values, requests or log
// of its own: see [Set.RunIn].
func (s *Set) Run(ctx context.Context, slot string, hooks policy.Hooks) error {
	if s.worldly() {
		return errors.New("the tests have values, requests or a log, which are not connected here")
	}
	return s.RunIn(ctx, slot, hooks, s.World())
}

// RunIn is Run for a policy that was made with the world w.
func (s *Set) RunIn(ctx context.Context, slot string, hooks policy.Hooks, w *World) error {
	for i := range s.Tests {
		c := &s.Tests[i]
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		o := c.Ask(ctx, slot, hooks, w)
		if o.Err == nil {
			continue
		}
		if len(o.Missing) > 0 {
			return fmt.Errorf("%s: %w; %s", c.Name, o.Err, strings.Join(o.Missing, "; "))
		}
		return fmt.Errorf("%s: %w", c.Name, o.Err)
	}
	return nil
}

// worldly reports whether the tests are about more than questions, answers and files.
func (s *Set) worldly() bool {
	if s.KV != nil || s.HTTP != nil {
		return true
	}
	for i := range s.Tests {
		if c := &s.Tests[i]; c.KV != nil || c.HTTP != nil || c.Want.KV != nil || c.Want.HTTP != nil || c.Want.Log != nil {
			return true
		}
	}
	return false
}
