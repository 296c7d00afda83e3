package chain_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// filters answers chunks and writes down what it was asked.
type filters struct {
	stager
	mu     sync.Mutex
	asked  []string
	answer func(*policy.Chunk) (policy.Piece, error)
}

func filtering(answer func(*policy.Chunk) (policy.Piece, error)) *filters {
	f := &filters{answer: answer}
	f.filter = func(q *policy.Chunk) (policy.Piece, error) {
		f.mu.Lock()
		data := string(q.Data)
		if len(data) > 8 {
			data = fmt.Sprintf("%s..%d", data[:2], len(data))
		}
		text := fmt.Sprintf("%d:%s", q.Offset, data)
		if q.Carry != nil {
			text += " carry " + string(q.Carry)
		}
		if q.Last {
			text += " last"
		}
		f.asked = append(f.asked, text)
		f.mu.Unlock()
		if f.answer == nil {
			return policy.Piece{}, nil
		}
		return f.answer(q)
	}
	return f
}

func (f *filters) said() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.asked, ", ")
}

// pipe puts pieces through and returns what came out.
func pipe(f *chain.Filter, pieces ...string) (string, error) {
	var out bytes.Buffer
	take := func(b []byte) error { out.Write(b); return nil }
	for _, p := range pieces {
		if err := f.Put(context.Background(), []byte(p), false, take); err != nil {
			return out.String(), err
		}
	}
	err := f.Put(context.Background(), nil, true, take)
	return out.String(), err
}

func chunk(from int64) policy.Chunk {
	return policy.Chunk{Meta: meta(), Op: policy.OpWrite, Path: "/f", Upload: true, Offset: from}
}

func upper(q *policy.Chunk) (policy.Piece, error) {
	return policy.Piece{Verdict: policy.Rewrite, Data: bytes.ToUpper(q.Data)}, nil
}

func TestFilter(t *testing.T) {
	if lease(t).Filter(chunk(0)) != nil {
		t.Error("there is a filter where no policy looks at bytes")
	}
	looks, changes, after := filtering(nil), filtering(upper), filtering(nil)
	f := lease(t, looks, changes, after).Filter(chunk(5))
	out, err := pipe(f, "ab", "c")
	if out != "ABC" || err != nil || !f.Rewrote {
		t.Errorf("%q, %v came out", out, err)
	}
	if got := looks.said(); got != "5:ab, 7:c, 8: last" {
		t.Errorf("the first was asked %s", got)
	}
	if got := after.said(); got != "5:AB, 7:C, 8: last" {
		t.Errorf("the last was asked %s", got)
	}
	if err := f.Put(context.Background(), nil, true, nil); err == nil {
		t.Error("something was put in behind the end")
	}
}

// What is longer than a chunk comes in several, and so does what a policy makes.
func TestFilterSplits(t *testing.T) {
	long := strings.Repeat("x", policy.MaxChunk+1)
	first := filtering(func(q *policy.Chunk) (policy.Piece, error) {
		if q.Last {
			return policy.Piece{Verdict: policy.Rewrite, Data: []byte(long + long)}, nil
		}
		return policy.Piece{Verdict: policy.Rewrite}, nil // holds everything back
	})
	second := filtering(nil)
	f := lease(t, first, second).Filter(chunk(0))
	out, err := pipe(f, long)
	if err != nil || out != long+long {
		t.Errorf("%d bytes, %v came out", len(out), err)
	}
	if got := first.said(); got != "0:xx..65536, 65536:x, 65537: last" {
		t.Errorf("the first was asked %s", got)
	}
	if got := second.said(); got != "65537:xx..65536, 65537:xx..65536, 65537:xx last" {
		t.Errorf("the second was asked %s", got)
	}
}

func TestFilterCarries(t *testing.T) {
	room := make([]byte, 0, policy.MaxCarry)
	counts := func() *filters {
		return filtering(func(q *policy.Chunk) (policy.Piece, error) {
			room = append(append(room[:0], q.Carry...), q.Data...) // the same memory for everybody
			return policy.Piece{Carry: room}, nil
		})
	}
	a, b := counts(), counts()
	l := lease(t, a, b)
	one, two := l.Filter(chunk(0)), l.Filter(chunk(0))
	if _, err := pipe(one, "1", "2"); err != nil {
		t.Fatal(err)
	}
	if _, err := pipe(two, "3"); err != nil {
		t.Fatal(err)
	}
	if got := b.said(); got != "0:1, 1:2 carry 1, 2: carry 12 last, 0:3, 1: carry 3 last" {
		t.Errorf("it was asked %s", got)
	}
	if a.said() != b.said() {
		t.Errorf("the two were asked differently: %s", a.said())
	}
	forgets := filtering(func(q *policy.Chunk) (policy.Piece, error) {
		if q.Offset == 0 {
			return policy.Piece{Carry: []byte("x")}, nil
		}
		return policy.Piece{}, nil
	})
	if _, err := pipe(lease(t, forgets).Filter(chunk(0)), "1", "2"); err != nil || forgets.said() != "0:1, 1:2 carry x, 2: last" {
		t.Errorf("%v; it was asked %s", err, forgets.said())
	}
}

func TestFilterRefuses(t *testing.T) {
	for _, c := range []struct {
		piece policy.Piece
		err   error
		want  string
	}{
		{policy.Piece{Verdict: policy.Deny, Code: 552, Text: "no"}, nil, "b refused 552 no"},
		{policy.Piece{Verdict: policy.Hide}, nil, "b refused 0"},
		{policy.Piece{Verdict: 9}, nil, "b failed"},
		{policy.Piece{Carry: make([]byte, policy.MaxCarry+1)}, nil, "b failed"},
		{policy.Piece{}, errFault, "b failed"},
	} {
		after := filtering(nil)
		refuses := filtering(func(*policy.Chunk) (policy.Piece, error) { return c.piece, c.err })
		out, err := pipe(lease(t, filtering(nil), refuses, after).Filter(chunk(0)), "secret")
		var d *policy.Denial
		if !errors.As(err, &d) || told(d) != c.want {
			t.Errorf("%+v: %v, want %s", c.piece, err, c.want)
		}
		if out != "" || after.said() != "" {
			t.Errorf("%+v: %q passed, the next one was asked %q", c.piece, out, after.said())
		}
	}
	full := errors.New("full")
	err := lease(t, filtering(nil)).Filter(chunk(0)).Put(context.Background(), []byte("x"), false, func([]byte) error { return full })
	if err != full {
		t.Errorf("an error of the file became %v", err)
	}
}

// A transfer's policies cannot be changed while it runs: what another generation
// would make of the rest of the file, nobody can tell.
func TestFilterOfEndedGeneration(t *testing.T) {
	c := start(t, filtering(nil))
	l := c.Lease(1)
	f := l.Filter(chunk(0))
	c.Close()
	_, err := pipe(f, "x")
	var d *policy.Denial
	if !errors.As(err, &d) || !d.Failed {
		t.Errorf("a filter of a closed chain: %v", err)
	}
	l.Release()
}

func TestTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listens := filtering(func(q *policy.Chunk) (policy.Piece, error) {
			return policy.Piece{Verdict: policy.Deny, Data: []byte("no effect"), Carry: append(q.Carry, '+')}, nil
		})
		listens.tap = true
		l := lease(t, filtering(upper), listens)
		f := l.Filter(chunk(3))
		if out, err := pipe(f, "ab", "c"); out != "ABC" || err != nil {
			t.Errorf("%q, %v came out", out, err)
		}
		f.Close()
		broken := l.Filter(chunk(0))
		_ = broken.Put(context.Background(), []byte("half"), false, func([]byte) error { return nil })
		broken.Close()
		synctest.Wait()
		if got := listens.said(); got != "3:AB, 5:C carry +, 6: carry ++ last, 0:HALF, 4: carry + last" {
			t.Errorf("it heard %s", got)
		}
	})
}

// A policy that listens too slowly loses bytes, which are counted, and never the end
// of a transfer; the transfer does not wait.
func TestTapIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var ends, bytes int
		listens := filtering(func(q *policy.Chunk) (policy.Piece, error) {
			<-gate
			bytes += len(q.Data)
			if q.Last {
				ends++
			}
			return policy.Piece{}, nil
		})
		listens.tap = true
		c := start(t, listens)
		l := c.Lease(1)
		defer l.Release()
		const transfers, chunks = 100, 10
		for range transfers {
			f := l.Filter(chunk(0))
			if _, err := pipe(f, slices.Repeat([]string{"0123456789"}, chunks)...); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
		close(gate)
		synctest.Wait()
		st := c.Status()[0]
		if ends != transfers || st.TapDropped == 0 || bytes/10+int(st.TapDropped) != transfers*chunks {
			t.Errorf("%d ends and %d bytes were heard, %d chunks dropped", ends, bytes, st.TapDropped)
		}
	})
}

func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := map[string]policy.Rate{"a": {Limit: 300, TTL: time.Second}, "b": {Limit: 200, TTL: 5 * time.Millisecond}, "c": {}}
		asked := map[string]int{}
		var broken bool
		says := func(name string) *stager {
			return &stager{throttle: func(*policy.Transfer) (policy.Rate, error) {
				asked[name]++
				if broken {
					return policy.Rate{Limit: 1}, errFault
				}
				return answers[name], nil
			}}
		}
		th := lease(t, says("a"), says("b"), says("c")).Throttle()
		ask := func(limit int64, in time.Duration, a, b, c int) {
			t.Helper()
			got, again := th.Ask(context.Background(), &policy.Transfer{Meta: meta()})
			if got != limit || time.Until(again) != in || asked["a"] != a || asked["b"] != b || asked["c"] != c {
				t.Errorf("limit %d, again in %v, asked %v", got, time.Until(again), asked)
			}
			<-time.After(time.Until(again))
		}
		ask(200, 100*time.Millisecond, 1, 1, 1)
		answers["b"] = policy.Rate{Limit: 400} // for ever
		ask(300, 900*time.Millisecond, 1, 2, 1)
		broken = true
		ask(300, time.Second, 2, 2, 1)
		broken, answers["a"] = false, policy.Rate{}
		got, again := th.Ask(context.Background(), &policy.Transfer{Meta: meta()})
		if got != 400 || !again.IsZero() {
			t.Errorf("limit %d, again at %v", got, again)
		}
	})
	if th := lease(t).Throttle(); th != nil {
		t.Error("somebody is asked where nobody wants to be")
	}
}
