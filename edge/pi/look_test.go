package pi

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// looks counts how often a path is looked at.
type looks struct {
	vfs.FS
	n atomic.Int64
}

func (l *looks) Stat(p vfs.Path) (vfs.Info, error) {
	l.n.Add(1)
	return l.FS.Stat(p)
}

// TestLook holds that the client is told what the policies were told of a path, by one
// look, and that of a path which they have put in its place.
func TestLook(t *testing.T) {
	var asked policy.Action
	j := &judge{answer: func(a *policy.Action) policy.Answer {
		asked = *a
		if a.Path == "/moved" {
			return policy.Answer{Verdict: policy.Rewrite, Path: "/file"}
		}
		return policy.Answer{}
	}}
	fs := &looks{}
	b := newBench(t, func(c *Config) {
		c.Chain.Close()
		var err error
		c.Chain, err = chain.New(chain.Config{Clean: func(s string) (string, error) { return s, nil }}, chain.Slot{Name: "a", Policy: j})
		if err != nil {
			t.Fatal(err)
		}
		fs.FS, c.FS = c.FS, fs
	})
	b.must(b.fs.WriteFile("/file", []byte("12345")))
	b.must(b.fs.WriteFile("/moved", []byte("1")))
	b.own().login()
	defer b.close()
	for _, c := range []struct {
		line  string
		code  int
		text  string
		looks int64
		a     int64 // of the question
	}{
		{"SIZE file", 213, "5", 1, 0},
		{"SIZE moved", 213, "5", 2, 0},
		{"SIZE none", 550, "", 2, 0},
		{"SITE CPFR file", 350, "", 2, 5},
		{"SITE CPFR none", 550, "", 3, -1},
	} {
		fs.n.Store(0)
		r := b.do(c.line, c.code)
		if got := fs.n.Load(); got != c.looks || asked.A != c.a || c.text != "" && fmt.Sprint(r.Lines) != "["+c.text+"]" {
			t.Errorf("%s: %q, %d looks, A is %d; want %q, %d, %d", c.line, r.Lines, got, asked.A, c.text, c.looks, c.a)
		}
	}
}
