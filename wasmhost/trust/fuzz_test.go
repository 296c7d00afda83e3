package trust_test

import (
	"strings"
	"testing"
	"unicode"

	"aead.dev/minisign"

	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

func FuzzParseKeys(f *testing.F) {
	f.Add(string(read(f, "tool.pub")))
	f.Add("RWQ7kdeCIsyO00ck3TPDoSA9+6oS4sTG9RqwBFQjm1UVQz2wHhcGODtE\r\n\n")
	f.Add(string(read(f, "tool.wasm.minisig")))
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := trust.ParseKeys(text)
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		for _, k := range keys {
			again, err := trust.ParseKeys(k.String())
			if err != nil || len(again) != 1 || again[0].ID() != k.ID() || len(k.ID()) != 16 {
				t.Errorf("%q does not come back: %v", k, err)
			}
		}
	})
}

// No signature is good but those that the key made.
func FuzzSignature(f *testing.F) {
	keys, err := trust.ParseKeys(string(read(f, "tool.pub")))
	if err != nil {
		f.Fatal(err)
	}
	module := read(f, "tool.wasm")
	var made []minisign.Signature
	for _, name := range []string{"tool.wasm.minisig", "tool-legacy.wasm.minisig"} {
		f.Add(read(f, name))
		var s minisign.Signature
		if err := s.UnmarshalText(read(f, name)); err != nil {
			f.Fatal(err)
		}
		made = append(made, s)
	}
	rules := trust.Rules{Keys: keys, Required: true}
	f.Fuzz(func(t *testing.T, text []byte) {
		seal, err := rules.Check("edge", module, text)
		if err != nil {
			return
		}
		var s minisign.Signature
		if err := s.UnmarshalText(text); err != nil || !s.Equal(made[0]) && !s.Equal(made[1]) {
			t.Errorf("a signature that nobody made: %q", text)
		}
		if strings.ContainsFunc(seal.Comment, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("comment %q", seal.Comment)
		}
	})
}
