package settings

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestSettings(t *testing.T) {
	s := Parse([]byte(` { "ext" : ["a", "b\u00e9\ud83d\ude00"] , "n":-12,"on":true,"off":false,"text":"x\n\"\/" } `))
	if got := s.Strings("ext"); !slices.Equal(got, []string{"a", "bé😀"}) {
		t.Errorf("list %q", got)
	}
	if s.Int("n", 0) != -12 || !s.Bool("on", false) || s.Bool("off", true) || s.String("text", "") != "x\n\"/" {
		t.Errorf("values %+v", s.values)
	}
	if s.Int("none", 7) != 7 || s.String("none2", "d") != "d" || len(s.Strings("none3", "p", "q")) != 2 {
		t.Error("defaults")
	}
	if err := s.Err(); err != nil {
		t.Error(err)
	}
	empty := Parse(nil)
	if empty.Bool("x", true) != true || empty.Err() != nil {
		t.Error(empty.Err())
	}
}

func TestFaults(t *testing.T) {
	for in, says := range map[string]string{
		`[]`:               "want '{'",
		`{`:                "want",
		`{} x`:             "text after",
		`{"a":1,}`:         "want '\"'",
		`{"a":1,"a":2}`:    "twice",
		`{"a":1.5}`:        "whole number",
		`{"a":1e3}`:        "whole number",
		`{"a":01}`:         "whole number",
		`{"a":-}`:          "whole number",
		`{"a":{}}`:         "want a string",
		`{"a":null}`:       "want a string",
		`{"a":[1]}`:        "want '\"'",
		`{"a":"`:           "without an end",
		`{"a":"\`:          "without an end",
		`{"a":"\x"}`:       "escape",
		`{"a":"\ud800"}`:   "surrogate",
		`{"a":"\u12"}`:     "hex digits",
		"{\"a\":\"\n\"}":   "control character",
		"{\"a\":\"\xff\"}": "UTF-8",
		`{"a":tru}`:        "want true",
		`{"extra":1}`:      `unknown setting "extra"`,
	} {
		if err := Parse([]byte(in)).Err(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want %q", in, err, says)
		}
	}
	s := Parse([]byte(`{"n":"12"}`))
	s.Int("n", 0)
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "not a whole number") {
		t.Errorf("got %v", err)
	}
}

// FuzzParse compares with encoding/json: what is accepted means the same there.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a":["x","\u00e9"],"b":-1,"c":true,"d":"\ud83d\ude00"}`))
	f.Add([]byte(`{"a":[],"b":0}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := Parse(b)
		if s.err != nil || len(b) == 0 {
			return
		}
		var want map[string]any
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.UseNumber()
		if err := d.Decode(&want); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", b, err)
		}
		ours, err := json.Marshal(s.values)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		d = json.NewDecoder(strings.NewReader(string(ours)))
		d.UseNumber()
		if err := d.Decode(&got); err != nil {
			t.Fatal(err)
		}
		// -0 is 0 here and a number of its own there.
		a, _ := json.Marshal(want)
		c, _ := json.Marshal(got)
		if strings.ReplaceAll(string(a), "-0", "0") != strings.ReplaceAll(string(c), "-0", "0") {
			t.Errorf("%q: got %s, want %s", b, c, a)
		}
	})
}
