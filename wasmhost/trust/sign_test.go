package trust_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/scrypt"

	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// The signature of a key that minisign made is the one minisign made with it.
func TestSignAsTool(t *testing.T) {
	k, err := trust.ParseSecretKey(string(read(t, "tool-plain.key")), "")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(k.Public().File()), string(read(t, "tool-plain.pub")); got != want {
		t.Errorf("public key\n%s, want\n%s", got, want)
	}
	if got, err := k.File(""); err != nil || !bytes.Equal(got, read(t, "tool-plain.key")) {
		t.Errorf("%v, secret key\n%s", err, got)
	}
	want := read(t, "tool-plain.wasm.minisig")
	got, err := k.Sign(read(t, "tool.wasm"), "timestamp:1795692425\tfile:tool.wasm\thashed")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v, signature\n%s, want\n%s", err, got, want)
	}
}

// locked writes a key as the format says: (identifier, secret, checksum) XOR
// scrypt(password, salt), with so little work that a test can do it.
func locked(t testing.TB, pass string, seed byte, change func(raw []byte)) string {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	plain := append([]byte{1, 2, 3, 4, 5, 6, 7, 8}, private...)
	sum := blake2b.Sum256(append([]byte("Ed"), plain...))
	plain = append(plain, sum[:]...)
	raw := append([]byte("EdScB2"), bytes.Repeat([]byte{9}, 32)...)
	raw = binary.LittleEndian.AppendUint64(raw, 1<<15)
	raw = binary.LittleEndian.AppendUint64(raw, 1<<24)
	// Few operations for that memory: N is the power of two above ops/64, r 8, p 1.
	stream, err := scrypt.Key([]byte(pass), raw[6:38], 1024, 8, 1, len(plain))
	if err != nil {
		t.Fatal(err)
	}
	for i := range plain {
		raw = append(raw, plain[i]^stream[i])
	}
	if change != nil {
		change(raw)
	}
	return "untrusted comment: minisign encrypted secret key\n" + base64.StdEncoding.EncodeToString(raw) + "\n"
}

func TestLockedBySpecification(t *testing.T) {
	for _, text := range []string{locked(t, "p", 1, nil), strings.ReplaceAll(locked(t, "p", 1, nil), "\n", "\r\n")} {
		k, err := trust.ParseSecretKey(text, "p")
		if err != nil || k.Public().ID() != "0807060504030201" {
			t.Fatalf("%v, key %s", err, k.Public().ID())
		}
		keys, err := trust.ParseKeys(string(k.Public().File()))
		if err != nil {
			t.Fatal(err)
		}
		signature, err := k.Sign([]byte("module"), "a comment")
		if err != nil {
			t.Fatal(err)
		}
		rules := trust.Rules{Keys: keys, Required: true}
		if seal, err := rules.Check("edge", []byte("module"), signature); err != nil || seal.Comment != "a comment" || seal.Signer != "0807060504030201" {
			t.Errorf("%v, %+v", err, seal)
		}
		if _, err := rules.Check("edge", []byte("Module"), signature); code(err) != trust.CodeSignature {
			t.Errorf("another module: %v", err)
		}
	}
}

func TestNewSecretKey(t *testing.T) {
	k, err := trust.NewSecretKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := trust.NewSecretKey()
	if err != nil || other.Public().String() == k.Public().String() {
		t.Errorf("%v, two keys are one", err)
	}
	text, err := k.File("")
	if err != nil || trust.Locked(string(text)) {
		t.Fatalf("%v, locked without a password", err)
	}
	again, err := trust.ParseSecretKey(string(text), "not needed")
	if err != nil || again.Public().String() != k.Public().String() {
		t.Errorf("%v, the key does not come back", err)
	}
}

func TestSecretKeyRefusals(t *testing.T) {
	plain := string(read(t, "tool-plain.key"))
	halves := func() string { // the public half of another key
		raw, _ := base64.StdEncoding.DecodeString(strings.Split(plain, "\n")[1])
		copy(raw[62+32:], ed25519.NewKeyFromSeed(make([]byte, 32))[32:])
		return base64.StdEncoding.EncodeToString(raw)
	}
	number := func(at int, n uint64) func([]byte) {
		return func(raw []byte) { binary.LittleEndian.PutUint64(raw[at:], n) }
	}
	for name, c := range map[string]struct {
		text, pass, says string
		is               error
	}{
		"nothing":        {"", "", "0 bytes, a key has 158", trust.ErrSecretKey},
		"a comment":      {"untrusted comment: x\n", "", "not base64", trust.ErrSecretKey},
		"long":           {strings.Repeat("A", 5000), "", "at most 4096", trust.ErrSecretKey},
		"short":          {"AAAA", "", "3 bytes", trust.ErrSecretKey},
		"public":         {string(read(t, "tool-plain.pub")), "", "name the file without .pub", trust.ErrSecretKey},
		"kind":           {locked(t, "p", 1, func(raw []byte) { raw[0] = 'X' }), "p", "another kind", trust.ErrSecretKey},
		"much work":      {locked(t, "p", 1, number(38, 1<<40)), "p", "more work", trust.ErrSecretKey},
		"much memory":    {locked(t, "p", 1, number(46, 1<<40)), "p", "more work", trust.ErrSecretKey},
		"halves":         {halves(), "", "damaged", trust.ErrSecretKey},
		"locked halves":  {locked(t, "p", 1, func(raw []byte) { raw[157] ^= 1 }), "p", "does not unlock", trust.ErrPassword},
		"no password":    {locked(t, "p", 1, nil), "", "needs its password", trust.ErrPassword},
		"wrong password": {locked(t, "p", 1, nil), "q", "does not unlock", trust.ErrPassword},
		"derivation":     {locked(t, "p", 1, func(raw []byte) { raw[2] = 'X' }), "p", "", trust.ErrSecretKey},
	} {
		_, err := trust.ParseSecretKey(c.text, c.pass)
		if !errors.Is(err, c.is) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v, want %v with %q", name, err, c.is, c.says)
		}
	}
}

func TestSignRefusals(t *testing.T) {
	k, err := trust.ParseSecretKey(string(read(t, "tool-plain.key")), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, comment := range []string{"two\nlines", "\x1b[2J", "\xff", strings.Repeat("é", 201)} {
		if _, err := k.Sign([]byte("m"), comment); err == nil {
			t.Errorf("comment %q is taken", comment)
		}
	}
	if _, err := k.Sign([]byte("m"), strings.Repeat("é", 200)); err != nil {
		t.Errorf("200 characters: %v", err)
	}
	var none trust.SecretKey
	if _, err := none.Sign([]byte("m"), ""); !errors.Is(err, trust.ErrSecretKey) {
		t.Errorf("the zero key signs: %v", err)
	}
	if _, err := none.File(""); !errors.Is(err, trust.ErrSecretKey) || none.Public().File() != nil {
		t.Errorf("the zero key is written: %v", err)
	}
}

// tool returns a function that runs minisign, without a terminal.
func tool(t *testing.T) func(dir string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("minisign")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("minisign is not installed, and CI=true asks for every check")
		}
		t.Skip("minisign is not installed; Debian has it in the package minisign")
	}
	return func(dir string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), path, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("minisign %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
}

// minisign itself, where it is installed, takes what this package writes.
func TestToolTakesIt(t *testing.T) {
	run := tool(t)
	dir := t.TempDir()
	k, err := trust.NewSecretKey()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := k.File("")
	if err != nil {
		t.Fatal(err)
	}
	module := bytes.Repeat([]byte("module"), 50_000)
	signature, err := k.Sign(module, "ours\tcomment")
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"k": secret, "k.pub": k.Public().File(), "m": module, "m.minisig": signature, "n": module} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out := run(dir, "-V", "-H", "-p", "k.pub", "-m", "m"); !strings.Contains(out, "ours\tcomment") {
		t.Errorf("%s", out)
	}
	run(dir, "-S", "-s", "k", "-m", "n", "-t", "theirs")
	theirs, err := os.ReadFile(filepath.Join(dir, "n.minisig"))
	if err != nil {
		t.Fatal(err)
	}
	rules := trust.Rules{Keys: []trust.Key{k.Public()}, Required: true}
	if seal, err := rules.Check("edge", module, theirs); err != nil || seal.Comment != "theirs" {
		t.Errorf("%v, %+v", err, seal)
	}
}

func FuzzParseSecretKey(f *testing.F) {
	f.Add(string(read(f, "tool-plain.key")))
	f.Add(string(read(f, "tool-locked.key")))
	f.Add(string(read(f, "tool-plain.pub")))
	f.Add(locked(f, "p", 1, nil))
	f.Fuzz(func(t *testing.T, text string) {
		k, err := trust.ParseSecretKey(text, "")
		if err != nil {
			if !errors.Is(err, trust.ErrSecretKey) && !errors.Is(err, trust.ErrPassword) {
				t.Errorf("%v", err)
			}
			return
		}
		file, err := k.File("")
		if err != nil {
			t.Fatal(err)
		}
		if again, err := trust.ParseSecretKey(string(file), ""); err != nil || again.Public().String() != k.Public().String() {
			t.Errorf("%v, the key does not come back", err)
		}
		if _, err := k.Sign([]byte(text), "c"); err != nil {
			t.Errorf("it cannot sign: %v", err)
		}
	})
}
