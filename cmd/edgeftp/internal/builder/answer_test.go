package builder

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/guest-sdk/build"
)

func TestAnswers(t *testing.T) {
	want := &build.Result{Module: []byte("\x00asm\n\n"), Language: "c", Tool: "clang 14", How: "built", Took: time.Second, Dirs: []string{"/a", "/b"}}
	var b bytes.Buffer
	if err := writeAnswer(&b, 0, want, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := readAnswer(&b, "d"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, err := range []error{
		&build.Error{Dir: "d", Summary: "s", Output: "a.c:1: no\n\tx", Help: "h"},
		fmt.Errorf("around: %w", &build.Error{Dir: "d", Summary: "s", Output: strings.Repeat("é", maxOutput)}),
		errors.New("else"),
	} {
		b.Reset()
		if err := writeAnswer(&b, 0, nil, err); err != nil {
			t.Fatal(err)
		}
		_, got := readAnswer(&b, "d")
		var e, was *build.Error
		if !errors.As(got, &e) || e.Dir != "d" || len(e.Output) > maxOutput || strings.ContainsRune(e.Output, '\uFFFD') {
			t.Errorf("%v: %v", err, got)
		}
		if errors.As(err, &was) && len(was.Output) < 100 && !reflect.DeepEqual(was, e) {
			t.Errorf("%+v, want %+v", e, was)
		}
	}
}

func TestBadAnswers(t *testing.T) {
	for text, says := range map[string]string{
		"":                                    "said nothing",
		"{\"form\":2}":                        "begins with",
		"hello\n":                             "begins with",
		"[]\n":                                "begins with",
		"{\"form\":1}\n":                      "the form 1",
		"{\"form\":2}\n":                      "of 0 bytes",
		"{\"form\":2,\"build\":7}\n":          "to build 7",
		"{\"form\":2,\"size\":-1}\n":          "of -1 bytes",
		"{\"form\":2,\"size\":5}\nxy":         "after 2 of 5",
		"{\"form\":2,\"size\":1}\nxy":         "more than 1",
		"{\"form\":2,\"size\":99999999999}\n": "of 99999999999 bytes",
		"{\"x\":\"" + strings.Repeat("x", maxHead): "begins with",
	} {
		if r, err := readAnswer(strings.NewReader(text), "d"); r != nil || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.50q: %v, %v", text, r, err)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct{ s, want string }{{"abc", "abc"}, {"ab\ncd\nefgh", "ab\ncd\nefgh"}, {"ab\ncd\nefghi", "ab\ncd\n..."}, {"abcdefghijk", "abcdef\n..."}, {"ééééééé", "ééé\n..."}} {
		if got := cut(c.s, 10); got != c.want {
			t.Errorf("%q: %q", c.s, got)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte("{\"form\":2,\"size\":2}\nxy"))
	f.Add([]byte("{\"form\":2,\"fault\":{\"summary\":\"s\"}}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := readAnswer(bytes.NewReader(b), "d")
		if (r == nil) == (err == nil) || r != nil && (len(r.Module) == 0 || !bytes.HasSuffix(b, r.Module)) {
			t.Errorf("%v, %v", r, err)
		}
	})
}
