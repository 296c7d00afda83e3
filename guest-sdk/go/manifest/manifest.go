// Package manifest puts what a module says about itself into the module: the custom
// sections edgeftp.manifest and edgeftp.tests (ABI §8). It is for build tools, not
// for guests. `edgeftp serve --policy DIRECTORY` uses it for the files manifest.json
// and tests.json beside a policy's main.go.
package manifest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Names of the files beside a policy's source that become sections of its module.
const (
	File      = "manifest.json"
	TestsFile = "tests.json"
)

// Append returns the module with the manifest, a JSON object, as a section. It fails
// if that is not one or is too long, if the module has a manifest already, and if it
// is no module. What the manifest says is for the server to judge.
func Append(module, manifest []byte) ([]byte, error) {
	return add(module, abi.ManifestSection, manifest, abi.MaxManifest)
}

// AppendTests returns the module with its tests, a JSON object, as a section. It fails
// as [Append] does.
func AppendTests(module, tests []byte) ([]byte, error) {
	return add(module, abi.TestsSection, tests, abi.MaxTests)
}

func add(module []byte, section string, object []byte, limit int) ([]byte, error) {
	var text bytes.Buffer
	if err := json.Compact(&text, object); err != nil {
		return nil, fmt.Errorf("%s: %w", section, err)
	}
	switch {
	case !bytes.HasPrefix(text.Bytes(), []byte("{")):
		return nil, fmt.Errorf("%s: not a JSON object", section)
	case text.Len() > limit:
		return nil, fmt.Errorf("%s: %d bytes, at most %d", section, text.Len(), limit)
	}
	was, err := Section(module, section)
	if err != nil {
		return nil, err
	}
	if was != nil {
		return nil, fmt.Errorf("the module has a section %s already", section)
	}
	payload := binary.AppendUvarint(nil, uint64(len(section)))
	payload = append(append(payload, section...), text.Bytes()...)
	out := append(bytes.Clone(module), 0) // a custom section (core specification §5.5.3)
	out = binary.AppendUvarint(out, uint64(len(payload)))
	return append(out, payload...), nil
}

var errModule = errors.New("not a WebAssembly module, or cut off")

// Section returns the bytes of a custom section, nil if the module has none of that
// name. They are a part of the module. It fails if it is no module.
func Section(module []byte, name string) ([]byte, error) {
	if !bytes.HasPrefix(module, []byte("\x00asm\x01\x00\x00\x00")) {
		return nil, errModule
	}
	for rest := module[8:]; len(rest) > 0; {
		id := rest[0]
		body, after, ok := sized(rest[1:])
		if !ok {
			return nil, errModule
		}
		if id == 0 {
			n, content, ok := sized(body)
			if !ok {
				return nil, errModule
			}
			if string(n) == name {
				return content, nil
			}
		}
		rest = after
	}
	return nil, nil
}

// sized cuts off what begins with its length in LEB128.
func sized(b []byte) (body, after []byte, ok bool) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return nil, nil, false
	}
	return b[k : k+int(n)], b[k+int(n):], true
}
