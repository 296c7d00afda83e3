package trust_test

import (
	"embed"
	"errors"
	"slices"
	"strings"
	"testing"

	"aead.dev/minisign"

	"github.com/edgeftp/edgeftp/wasmhost/refusal"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// What minisign 0.11 made of an empty module, with a hash and in the legacy form.
//
//go:embed testdata
var testdata embed.FS

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := testdata.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// newKey makes a key pair, and the first of them as Rules want it.
func newKey(t testing.TB) (trust.Key, minisign.PrivateKey) {
	t.Helper()
	public, private, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := trust.ParseKeys(public.String())
	if err != nil {
		t.Fatal(err)
	}
	return keys[0], private
}

func code(err error) refusal.Code {
	var e *refusal.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestToolSignatures(t *testing.T) {
	keys, err := trust.ParseKeys(string(read(t, "tool.pub")))
	if err != nil {
		t.Fatal(err)
	}
	rules := trust.Rules{Keys: keys, Required: true}
	module := read(t, "tool.wasm")
	for file, comment := range map[string]string{
		"tool.wasm.minisig":        "edge team, release 1.4.2",
		"tool-legacy.wasm.minisig": "timestamp:1795679751 file:tool.wasm",
	} {
		signature := read(t, file)
		for _, text := range [][]byte{signature, []byte(strings.ReplaceAll(string(signature), "\n", "\r\n"))} {
			seal, err := rules.Check("edge", module, text)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if want := (trust.Seal{Digest: trust.Sum(module), Signer: "D38ECC2282D7913B", Comment: comment}); seal != want {
				t.Errorf("%s: %+v, want %+v", file, seal, want)
			}
		}
		var want, got minisign.Signature
		if err := want.UnmarshalText(signature); err != nil {
			t.Fatal(err)
		}
		for i := range signature {
			changed := slices.Clone(signature)
			changed[i] ^= 1
			_, err := rules.Check("edge", module, changed)
			// The first line is not signed, and base64 has bits that mean nothing.
			same := got.UnmarshalText(changed) == nil && got.Equal(want)
			if same != (err == nil) {
				t.Errorf("%s: byte %d changed: %v", file, i, err)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	key, private := newKey(t)
	other, stranger := newKey(t)
	module := []byte("\x00asm\x01\x00\x00\x00")
	good, legacy := minisign.Sign(private, module), minisign.SignWithComments(private, module, "a\x1b[31m\tb", "")
	keys, pin := []trust.Key{other, key}, map[string]trust.Digest{"edge": trust.Sum(module)}
	wrongPin := map[string]trust.Digest{"edge": trust.Sum(nil)}
	for name, c := range map[string]struct {
		rules     trust.Rules
		signature []byte
		want      refusal.Code
		signer    string
	}{
		"no rules":                  {signature: []byte("junk")},
		"optional and missing":      {rules: trust.Rules{Keys: keys}},
		"optional and good":         {rules: trust.Rules{Keys: keys}, signature: good, signer: key.ID()},
		"optional and bad":          {rules: trust.Rules{Keys: keys}, signature: minisign.Sign(private, []byte("x")), want: "EF2119"},
		"required and missing":      {rules: trust.Rules{Keys: keys, Required: true}, want: "EF2118"},
		"required and good":         {rules: trust.Rules{Keys: keys, Required: true}, signature: legacy, signer: key.ID()},
		"required without keys":     {rules: trust.Rules{Required: true}, signature: good, want: "EF2119"},
		"of a stranger":             {rules: trust.Rules{Keys: keys[1:]}, signature: minisign.Sign(stranger, module), want: "EF2119"},
		"not a signature":           {rules: trust.Rules{Keys: keys}, signature: []byte("<html>"), want: "EF2119"},
		"long":                      {rules: trust.Rules{Keys: keys}, signature: append(slices.Clone(good), make([]byte, 4096)...), want: "EF2119"},
		"pinned":                    {rules: trust.Rules{Pins: pin}},
		"pinned to another":         {rules: trust.Rules{Pins: wrongPin}, want: "EF2120"},
		"pinned, signed by another": {rules: trust.Rules{Pins: wrongPin, Keys: keys}, signature: good, want: "EF2120"},
		"pinned but not signed":     {rules: trust.Rules{Pins: pin, Keys: keys, Required: true}, want: "EF2118"},
		"key of the zero value":     {rules: trust.Rules{Keys: make([]trust.Key, 9)}, signature: good, want: "EF2119"},
	} {
		seal, err := c.rules.Check("edge", module, c.signature)
		if code(err) != c.want || (err != nil) != (c.want != "") || seal.Signer != c.signer {
			t.Errorf("%s: %+v, %v; want %q", name, seal, err, c.want)
		}
		if err != nil && seal != (trust.Seal{}) {
			t.Errorf("%s: refused, and still sealed: %+v", name, seal)
		}
		if err != nil && strings.Contains(err.Error(), key.String()) {
			t.Errorf("%s: the message holds a key", name)
		}
	}
	seal, _ := (&trust.Rules{Keys: keys}).Check("edge", module, legacy)
	if seal.Comment != "a?[31m b" {
		t.Errorf("comment %q", seal.Comment)
	}
	long := minisign.SignWithComments(private, module, strings.Repeat("ü", 1000), "")
	if seal, err := (&trust.Rules{Keys: keys}).Check("edge", module, long); err != nil || seal.Comment != strings.Repeat("ü", 200) {
		t.Errorf("%q, %v", seal.Comment, err)
	}
}

// Identifiers of keys are not protected: who wants may make a key with another's.
func TestSharedKeyID(t *testing.T) {
	key, private := newKey(t)
	other, _ := newKey(t)
	raw := []byte(other.String())
	copy(raw[:12], key.String()[:12]) // the algorithm and most of the identifier
	twins, err := trust.ParseKeys(string(raw) + "\n" + key.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&trust.Rules{Keys: twins}).Check("edge", nil, minisign.Sign(private, nil)); err != nil {
		t.Error(err)
	}
}

func TestParseKeys(t *testing.T) {
	a, private := newKey(t)
	b, _ := newKey(t)
	text := "untrusted comment: minisign public key X\r\n" + a.String() + "\r\n\n  " + b.String() + "\n" + a.String()
	keys, err := trust.ParseKeys(text)
	if err != nil || len(keys) != 2 || keys[0].ID() != a.ID() || keys[1].String() != b.String() {
		t.Fatalf("%v, %v", keys, err)
	}
	secret, err := minisign.EncryptKey("", private)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(secret)), "\n")
	for name, bad := range map[string]string{
		"nothing": "", "only a comment": "untrusted comment: x\n", "words": "my key", "short": a.String()[:52],
		"signature": string(read(t, "tool.wasm.minisig")), "secret": lines[len(lines)-1], "secret file": string(secret),
		"many": strings.Repeat("\n", 65<<10), "another algorithm": "RX" + a.String()[2:], "not base64": strings.Repeat("!", 56),
	} {
		keys, err := trust.ParseKeys(bad)
		if !errors.Is(err, trust.ErrKey) || keys != nil {
			t.Errorf("%s: %v, %v", name, keys, err)
			continue
		}
		if strings.Contains(name, "secret") && !strings.Contains(err.Error(), "secret key") {
			t.Errorf("%s: %v", name, err)
		}
		for line := range strings.Lines(bad) {
			if line = strings.TrimSpace(line); len(line) > 5 && strings.Contains(err.Error(), line) {
				t.Errorf("%s: the message repeats the text: %v", name, err)
			}
		}
	}
	var many strings.Builder
	for range 65 {
		k, _ := newKey(t)
		many.WriteString(k.String() + "\n")
	}
	if _, err := trust.ParseKeys(many.String()); !errors.Is(err, trust.ErrKey) || !strings.Contains(err.Error(), "line 65") {
		t.Error(err)
	}
	if (trust.Key{}).ID() != "" || (trust.Key{}).String() != "" {
		t.Error("the zero value has a name")
	}
}

func TestDigest(t *testing.T) {
	d := trust.Sum([]byte("x"))
	text, err := d.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var back trust.Digest
	if err := back.UnmarshalText(text); err != nil || back != d {
		t.Errorf("%v, %v", back, err)
	}
	if back, err := trust.ParseDigest("sha256:" + strings.ToUpper(d.String()[7:])); err != nil || back != d {
		t.Errorf("%v, %v", back, err)
	}
	for _, bad := range []string{"", "sha256:", d.String()[7:], d.String()[:70], d.String() + "0", "sha512" + d.String()[6:],
		"sha256:" + strings.Repeat("g", 64), "sha256:../" + strings.Repeat("a", 61)} {
		if d, err := trust.ParseDigest(bad); err == nil || d != (trust.Digest{}) {
			t.Errorf("%q is a digest", bad)
		}
	}
}
