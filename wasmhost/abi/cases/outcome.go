package cases

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// got is an answer of any hook in the words of a Want.
type got struct {
	action policy.Verdict
	code   int
	// values are made when somebody looks at them, by key of a Want: string, []string or
	// int64. Nil is none.
	values func() map[string]any
}

func (g *got) all() map[string]any {
	if g.values == nil {
		return nil
	}
	return g.values()
}

// Outcome is what came of one test.
type Outcome struct {
	Case *Case
	// Err is the first thing that is not as the test wants it, in one line; nil if the
	// test passed, and for a test that wants nothing if there was an answer.
	Err error
	// Cause is the error with which the policy failed to answer, nil if it answered.
	Cause     error
	Want, Got string   // the answers in words; Want is empty for a test without one
	Action    string   // of the answer (ABI §6), "fail" with a Cause
	Log       []string // what it wrote to the log
	Fetched   []string // the requests that it made, as "METHOD URL"
	// Missing are sentences on what the policy asked for and the test does not give.
	Missing []string
}

// Ask asks one question in the world w of the policy's hooks, under the name of its
// slot.
func (c *Case) Ask(ctx context.Context, slot string, h policy.Hooks, w *World) *Outcome {
	w.begin(c)
	g, err := c.ask(policy.WithServices(ctx, w), c.meta(slot), h)
	w.mu.Lock()
	defer w.mu.Unlock()
	o := &Outcome{Case: c, Cause: err, Action: word(g.action), Log: w.log, Fetched: w.fetched, Missing: w.missing}
	if err != nil {
		o.Action = word(abi.Fail)
		o.Got = o.Action + ": " + abi.Clean(firstLine(err.Error()), 500)
	} else {
		o.Got = g.words(o.Action)
	}
	if c.Want.Action == "" {
		o.Err = err
		return o
	}
	o.Want = c.Want.words()
	if o.Err = c.judge(&g, err); o.Err == nil {
		o.Err = c.Want.around(w)
	}
	return o
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// judge compares the answer with what is wanted.
func (c *Case) judge(g *got, err error) error {
	want := c.Want.Action
	if c.Hook == abi.HookThrottle.String() && want == word(policy.Allow) {
		want = word(policy.Pass) // a rate has no verdict
	}
	switch {
	case errors.Is(err, ErrNoHook):
		return err
	case err != nil && want == word(abi.Fail):
		return nil
	case err != nil:
		return fmt.Errorf("got fail, want %s: %w", c.Want.Action, err)
	case word(g.action) != want:
		return fmt.Errorf("got %s%s, want %s", word(g.action), g.reason(), c.Want.Action)
	case g.code != c.Want.Code:
		return fmt.Errorf("got the code %d, want %d", g.code, c.Want.Code)
	}
	return c.Want.compare(g.all())
}

// reason is the text of an answer that was not expected.
func (g *got) reason() string {
	if text, _ := g.all()["text"].(string); text != "" {
		return fmt.Sprintf(" (%q)", text)
	}
	return ""
}

// words tells an answer: the action, the code, and all that is not empty.
func (g *got) words(action string) string {
	out := action
	if g.code != 0 {
		out += fmt.Sprintf(" %d", g.code)
	}
	values := g.all()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		switch v := values[key].(type) {
		case string:
			if v != "" {
				out += fmt.Sprintf(", %s %.300q", key, v)
			}
		case []string:
			if len(v) > 0 {
				out += fmt.Sprintf(", %s %.300q", key, v)
			}
		case int64:
			if v != 0 {
				out += fmt.Sprintf(", %s %d", key, v)
			}
		}
	}
	return out
}

// words tells what is wanted in the form of an answer.
func (w *Want) words() string {
	values := map[string]any{}
	for key, v := range w.texts() {
		if v != nil {
			values[key] = *v
		}
	}
	for key, v := range w.lists() {
		if v != nil {
			values[key] = *v
		}
	}
	if w.Rate != nil {
		values["rate"] = *w.Rate
	}
	g := got{code: w.Code, values: func() map[string]any { return values }}
	return g.words(w.Action)
}

func (w *Want) texts() map[string]*string {
	return map[string]*string{"text": w.Text, "path": w.Path, "path2": w.Path2, "perms": w.Perms,
		"home": w.Home, "pwhash": w.PWHash, "data": w.Data, "carry": w.Carry}
}

func (w *Want) lists() map[string]*[]string {
	return map[string]*[]string{"hidden": w.Hidden, "lines": w.Lines, "networks": w.Networks}
}

// compare checks what the want names of the values.
func (w *Want) compare(values map[string]any) error {
	texts, lists := w.texts(), w.lists()
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		if value, _ := values[key].(string); texts[key] != nil && value != *texts[key] {
			return fmt.Errorf("got the %s %q, want %q", key, value, *texts[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		if value, _ := values[key].([]string); lists[key] != nil && !slices.Equal(value, *lists[key]) {
			return fmt.Errorf("got the %s %q, want %q", key, value, *lists[key])
		}
	}
	if rate, _ := values["rate"].(int64); w.Rate != nil && rate != *w.Rate {
		return fmt.Errorf("got the rate %d, want %d", rate, *w.Rate)
	}
	return nil
}

// around compares what the policy did to the world. The caller holds the world's lock.
func (want *Want) around(w *World) error {
	for _, key := range slices.Sorted(maps.Keys(want.KV)) {
		have, ok := w.KV.Get(key)
		if v := want.KV[key]; ok != (v != nil) || string(have) != string(v) {
			return fmt.Errorf("the key %q has %s afterwards, want %s", abi.Clean(key, 100), Value(have), v)
		}
	}
	if want.HTTP != nil && !slices.Equal(w.fetched, *want.HTTP) {
		return fmt.Errorf("it made the requests %q, want %q", w.fetched, *want.HTTP)
	}
	if want.Log != nil && !slices.Equal(w.log, *want.Log) {
		return fmt.Errorf("it wrote the lines %q to the log, want %q", w.log, *want.Log)
	}
	return nil
}
