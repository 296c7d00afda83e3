package escape

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nasty steers a terminal in every way that there is: C0, DEL, C1, the marks that turn text,
// what is beyond 16 bits, and no UTF-8.
const nasty = "a\x1b]0;title\a\x7f\u009b2J\u202e\U000e0041\xff\u00e4\r\n\t."

func TestText(t *testing.T) {
	if got, want := Text(nasty), `a\x1b]0;title\a\x7f\u009b2J\u202e\U000e0041\xffä\r\n\t.`; got != want {
		t.Errorf("%s", got)
	}
	if got, want := Lines(nasty), `a\x1b]0;title\a\x7f\u009b2J\u202e\U000e0041\xffä\r`+"\n\t."; got != want {
		t.Errorf("%s", got)
	}
	if got := Text("plain ä"); got != "plain ä" {
		t.Errorf("%s", got)
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := json.NewEncoder(JSON(&b)).Encode(map[string]string{"a": nasty}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(strings.TrimSuffix(b.String(), "\n"), unprintable) {
		t.Errorf("%q", b.String())
	}
	var back map[string]string
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || back["a"] != strings.ToValidUTF8(nasty, "\ufffd") {
		t.Errorf("%q, %v", back, err)
	}
	want := errors.New("full")
	for _, text := range []string{"a", "\x7f"} {
		if n, err := JSON(full{want}).Write([]byte(text)); n != 0 || !errors.Is(err, want) {
			t.Errorf("%d, %v", n, err)
		}
	}
}

type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }

func FuzzText(f *testing.F) {
	f.Add(nasty)
	f.Fuzz(func(t *testing.T, in string) {
		if got := Text(in); strings.ContainsFunc(got, unprintable) {
			t.Errorf("%q becomes %q", in, got)
		}
		if got := Lines(in); strings.ContainsFunc(strings.NewReplacer("\n", "", "\t", "").Replace(got), unprintable) {
			t.Errorf("%q becomes %q", in, got)
		}
		line, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var back, as string
		safe := AppendJSON(nil, line)
		if json.Unmarshal(line, &as) != nil || json.Unmarshal(safe, &back) != nil || as != back || strings.ContainsFunc(string(safe), unprintable) {
			t.Errorf("%q becomes %q", line, safe)
		}
	})
}
