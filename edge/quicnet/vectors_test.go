package quicnet

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// vectors are those of the specification, for every implementation.
type vectors struct {
	Control string
	Tokens  []struct{ Hex, Text string }
	Not     []string `json:"not tokens"`
	Data    []struct{ Hex, Token string }
	Bad     []struct{ Hex, Fault, Why string }
	Codes   []struct{ Code, Name string }
	Binding string `json:"binding label"`
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	v := readVectors(t)
	if got := hex.EncodeToString(appendVarint(nil, typeControl)); got != v.Control {
		t.Errorf("a control stream begins with %s", got)
	}
	if err := readType(bytes.NewReader(unhex(t, v.Control)), typeControl); err != nil {
		t.Error(err)
	}
	for _, w := range v.Tokens {
		token, err := ParseToken(w.Text)
		if err != nil || !bytes.Equal(token[:], unhex(t, w.Hex)) || token.String() != w.Text {
			t.Errorf("%s: %x, %v", w.Text, token, err)
		}
	}
	for _, text := range v.Not {
		if _, err := ParseToken(text); err == nil {
			t.Errorf("%q is taken for a token", text)
		}
	}
	for _, w := range v.Data {
		b := unhex(t, w.Hex)
		r := bytes.NewReader(append(b, "file"...))
		token, err := readDataHead(r)
		if err != nil || token.String() != w.Token || r.Len() != 4 || !bytes.Equal(appendDataHead(nil, token), b) {
			t.Errorf("%s: %v, %v, %d bytes are left", w.Hex, token, err, r.Len())
		}
	}
	faults := map[string]error{"type": errType, "malformed": errMalformed}
	for _, w := range v.Bad {
		if _, err := readDataHead(bytes.NewReader(unhex(t, w.Hex))); faults[w.Fault] == nil || !errors.Is(err, faults[w.Fault]) {
			t.Errorf("%s (%s): %v", w.Hex, w.Why, err)
		}
	}
	if v.Binding != bindingLabel {
		t.Errorf("the label is %q", bindingLabel)
	}
}

func TestVectorCodes(t *testing.T) {
	named := map[Code]bool{}
	for _, w := range readVectors(t).Codes {
		n, err := strconv.ParseUint(w.Code, 0, 62)
		if err != nil || Code(n).String() != w.Name {
			t.Errorf("%s is %q, %v", w.Code, Code(n), err)
		}
		named[Code(n)] = true
	}
	for c := range Code(0x40) {
		if !named[c] && !strings.Contains(c.String(), "unknown") {
			t.Errorf("%#x has a name and no vector", uint64(c))
		}
	}
}

// The document says what the vectors say.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile("../../docs/ftpq.md")
	if err != nil {
		t.Fatal(err)
	}
	text, v := string(b), readVectors(t)
	want := []string{"`" + v.Control + "`", "`" + v.Binding + "`"}
	for _, w := range v.Tokens {
		want = append(want, fmt.Sprintf("| `%s` | `%s` |", w.Hex, w.Text))
	}
	for _, w := range v.Data {
		want = append(want, fmt.Sprintf("| `%s` | `%s` |", w.Hex, w.Token))
	}
	for _, w := range v.Bad {
		shown := "`" + w.Hex + "`"
		if w.Hex == "" {
			shown = "(none)"
		}
		want = append(want, fmt.Sprintf("| %s | %s | %s |", shown, w.Fault, w.Why))
	}
	for _, w := range v.Codes {
		want = append(want, fmt.Sprintf("| `%s` | %s |", w.Code, w.Name))
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("docs/ftpq.md does not have %s", w)
		}
	}
	limits := Limits{}.complete()
	for _, n := range []string{"| control sessions of one connection | " + strconv.Itoa(limits.ControlSessions) + " |", strconv.Itoa(limits.Streams), limits.Stray.String(), strconv.Itoa(remembered)} {
		if !strings.Contains(text, n) {
			t.Errorf("docs/ftpq.md does not have the limit %s", n)
		}
	}
}
