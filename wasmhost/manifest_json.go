package wasmhost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Bounds of a manifest.
const (
	maxManifest      = 64 << 10 // bytes
	maxManifestDepth = 32       // of lists and objects within each other
	maxManifestItems = 256      // of one list
)

// value is one value of a manifest, with where it stands.
type value struct {
	key    string // such as "limits.fuel" or "site[2].verb"
	at     int    // the first byte
	end    int    // one past the last byte
	kind   string // "a string", "a number", "true or false", "null", "a list", "an object"
	text   string // a string's value, a number as it is written
	items  []value
	fields map[string]value
}

// manifestReader reads a manifest that nobody has vetted. The first fault sticks.
type manifestReader struct {
	text  []byte
	dec   *json.Decoder
	fault *manifestFault
	// wanted is the space that capabilities names: "kv:NAMESPACE".
	wanted string
}

// failAt notes what is wrong at a byte.
func (r *manifestReader) failAt(at int, key, found, needs, help string) {
	if r.fault != nil {
		return
	}
	before := r.text[:min(max(at, 0), len(r.text))]
	r.fault = &manifestFault{key: key, found: abi.Clean(found, 300), needs: needs, help: help,
		line: bytes.Count(before, []byte("\n")) + 1, column: len(before) - bytes.LastIndexByte(before, '\n')}
}

// fail notes that a value is not what it should be.
func (r *manifestReader) fail(v value, needs string) {
	r.failAt(v.at, v.key, v.key+" is "+v.show(), needs, "")
}

// show describes a value in a few words.
func (v value) show() string {
	switch v.kind {
	case "a string":
		return strconv.Quote(abi.Clean(v.text, 100))
	case "a number":
		return abi.Clean(v.text, 100)
	}
	return v.kind
}

// tree reads the whole text (RFC 8259): one object, no key twice, nothing after it.
func (r *manifestReader) tree() value {
	switch {
	case len(r.text) > maxManifest:
		r.fault = &manifestFault{found: fmt.Sprintf("%d bytes", len(r.text)), needs: fmt.Sprintf("at most %d bytes", maxManifest)}
		return value{}
	case !utf8.Valid(r.text):
		r.fault = &manifestFault{found: "bytes that are not UTF-8", needs: "JSON, which is UTF-8"}
		return value{}
	}
	r.dec = json.NewDecoder(bytes.NewReader(r.text))
	r.dec.UseNumber()
	v := r.value("", 0)
	if r.fault != nil {
		return value{}
	}
	at := r.next()
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		r.failAt(at, "", "more after the manifest's end", "one JSON object and nothing else", "")
	}
	return v
}

// next returns where the next token begins.
func (r *manifestReader) next() int {
	at := int(r.dec.InputOffset())
	for at < len(r.text) && strings.IndexByte(" \t\r\n,:", r.text[at]) >= 0 {
		at++
	}
	return at
}

func (r *manifestReader) value(key string, depth int) value {
	v := value{key: key, at: r.next()}
	if depth > maxManifestDepth {
		r.failAt(v.at, key, "lists and objects nest too deeply", fmt.Sprintf("at most %d", maxManifestDepth), "")
		return v
	}
	token, err := r.dec.Token()
	if err != nil {
		r.broken(v.at, err)
		return v
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			v.kind = "an object"
			r.object(&v, depth)
		} else {
			v.kind = "a list"
			r.list(&v, depth)
		}
	case string:
		v.kind, v.text = "a string", t
	case json.Number:
		v.kind, v.text = "a number", t.String()
	case bool:
		v.kind = "true or false"
	default:
		v.kind = "null"
	}
	v.end = int(r.dec.InputOffset())
	return v
}

// broken notes that the text is no JSON from a byte on.
func (r *manifestReader) broken(at int, err error) {
	found := "JSON that is broken: " + err.Error()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		at, found = len(r.text), "JSON that ends too early"
	}
	r.failAt(at, "", found, "one JSON object (RFC 8259)", "")
}

func (r *manifestReader) object(v *value, depth int) {
	v.fields = map[string]value{}
	for r.fault == nil && r.dec.More() {
		at := r.next()
		token, err := r.dec.Token()
		if err != nil {
			r.broken(at, err)
			return
		}
		name, _ := token.(string) // the decoder takes nothing else for a key
		if _, twice := v.fields[name]; twice {
			r.failAt(at, v.key, fmt.Sprintf("the key %q is there twice", abi.Clean(name, 100)), "each key at most once", "")
			return
		}
		key := abi.Clean(name, 100)
		if v.key != "" {
			key = abi.Clean(v.key+"."+key, 300)
		}
		v.fields[name] = r.value(key, depth+1)
	}
	r.closing()
}

func (r *manifestReader) list(v *value, depth int) {
	for r.fault == nil && r.dec.More() {
		if len(v.items) == maxManifestItems {
			r.failAt(r.next(), v.key, v.key+" has too many items", fmt.Sprintf("at most %d", maxManifestItems), "")
			return
		}
		v.items = append(v.items, r.value(fmt.Sprintf("%s[%d]", v.key, len(v.items)), depth+1))
	}
	r.closing()
}

// closing reads the end of an object or a list.
func (r *manifestReader) closing() {
	if r.fault != nil {
		return
	}
	at := r.next()
	if _, err := r.dec.Token(); err != nil {
		r.broken(at, err)
	}
}

// each gives every field of an object to the function of its name.
func (r *manifestReader) each(v value, fields map[string]func(value)) {
	if v.kind != "an object" {
		r.failAt(v.at, v.key, strings.TrimSpace(v.key+" is "+v.show()), "an object", "")
		return
	}
	// In the order of the text, so that the first fault is the first one there.
	names := slices.SortedFunc(maps.Keys(v.fields), func(a, b string) int { return v.fields[a].at - v.fields[b].at })
	for _, name := range names {
		field := v.fields[name]
		read, ok := fields[name]
		switch {
		case r.fault != nil:
			return
		case !ok:
			r.failAt(field.at, field.key, fmt.Sprintf("the key %q", field.key),
				"only the keys "+strings.Join(slices.Sorted(maps.Keys(fields)), ", "),
				"correct its name, or leave it out: what a server does not know is never ignored")
		default:
			read(field)
		}
	}
}
