package workshop

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
	"github.com/edgeftp/edgeftp/wasmhost/record"
)

// Run is what policy run tells of one question.
type Run struct {
	Question string   `json:"question"`
	Action   string   `json:"action"`
	Code     int      `json:"code,omitempty"`
	Flags    []string `json:"flags,omitempty"`
	Reply    []Field  `json:"reply,omitempty"`
	Failure  *Failure `json:"failure,omitempty"`
	Error    string   `json:"error,omitempty"` // why it did not answer
	Log      []string `json:"log,omitempty"`
	Host     []string `json:"host,omitempty"` // what it asked the host
	Notes    []string `json:"notes,omitempty"`
	Hints    []string `json:"hints,omitempty"`
	Fuel     int64    `json:"fuel"`
	FuelMax  int64    `json:"fuel_limit"`
	Nanos    int64    `json:"ns"`
	NanosMax int64    `json:"ns_limit"`
	Memory   uint64   `json:"memory"`
	// Missed is how many calls of the host were not among those of the record.
	Missed int `json:"missed,omitempty"`
}

// Field is one entry of a reply.
type Field struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Run asks one question in the world of the tests.
func (s *Shop) Run(ctx context.Context, c *cases.Case) *Run {
	t := s.policy.Trial(s.Set)
	defer t.Close()
	got := t.Ask(ctx, c)
	r := &Run{Question: c.Words(), Action: got.Action, Log: got.Log, Notes: got.Missing}
	if got.Cause != nil {
		r.Error = abi.Clean(firstLine(got.Cause.Error()), 1000)
		r.Hints = s.hints(got)
	}
	for _, x := range got.Calls {
		r.take(t, x)
	}
	if got.Cause != nil {
		r.Action = got.Action
		r.Failure = explain(got.Cause)
	}
	return r
}

// RunRecord asks one record as it is (ABI §3). answers are what the host told the guest
// then; without them, and for calls that are not among them, the world of the tests
// answers.
func (s *Shop) RunRecord(ctx context.Context, rec []byte, answers []wasmhost.HostCall) *Run {
	t := s.policy.Trial(s.Set)
	defer t.Close()
	x, missed, err := t.Replay(ctx, abi.KindOf(rec), rec, answers)
	op, where := record.About(rec)
	about := strings.Join(strings.Fields(fmt.Sprint(abi.KindOf(rec), " ", op, " ", abi.Clean(where, 300))), " ")
	r := &Run{Question: fmt.Sprintf("%s, a record of %d bytes", about, len(rec)), Missed: missed}
	r.take(t, x)
	for i := range x.Host {
		if c := &x.Host[i]; c.Import == abi.ImportLog {
			r.Log = append(r.Log, lineOf(c))
		}
	}
	if err != nil {
		r.Action, r.Error, r.Failure = "fail", abi.Clean(firstLine(err.Error()), 1000), explain(err)
	}
	return r
}

// lineOf is the text of a call of log.
func lineOf(c *wasmhost.HostCall) string {
	if len(c.In) < 12 {
		return ""
	}
	return abi.Clean(string(c.In[12:]), abi.MaxLog)
}

// take adds what one call of the guest was.
func (r *Run) take(t *wasmhost.Trial, x *wasmhost.Exchange) {
	limit := t.Budget(hookOf(x.Hook))
	r.Fuel += x.Fuel
	r.Nanos += int64(x.Took)
	r.FuelMax, r.NanosMax, r.Memory = limit.Fuel, int64(limit.Time), uint64(x.Memory)
	for i := range x.Host {
		if x.Host[i].Import != abi.ImportLog { // the lines are told as lines
			r.Host = append(r.Host, x.Host[i].Words())
		}
	}
	if x.Err != nil {
		return
	}
	v, err := abi.UnpackVerdict(x.Verdict)
	if err != nil {
		return // the host would have failed it
	}
	r.Action, r.Code = v.Action.String(), v.Code
	if v.Final {
		r.Flags = append(r.Flags, "FINAL")
	}
	if v.Cache {
		r.Flags = append(r.Flags, "CACHE")
	}
	r.Reply = append(r.Reply, fields(x)...)
}

// fields takes a reply apart (ABI §6).
func fields(x *wasmhost.Exchange) (list []Field) {
	b, le := x.Reply, binary.LittleEndian
	v, _ := abi.UnpackVerdict(x.Verdict) // it was read before
	if x.Hook == abi.HookData.String() && v.Action == policy.Rewrite && len(b) >= 4 {
		n := min(int(le.Uint32(b)), len(b)-4)
		list, b = append(list, Field{"data", valueOf(0, b[4:4+n])}), b[4+n:]
	}
	for len(b) >= 4 {
		key, n := abi.Key(le.Uint16(b)), int(le.Uint16(b[2:]))
		if n > len(b)-4 {
			return list
		}
		list, b = append(list, Field{key.String(), valueOf(key, b[4:4+n])}), b[4+n:]
	}
	return list
}

// valueOf is the value of an entry: a number where it is one, else text.
func valueOf(key abi.Key, b []byte) string {
	switch key {
	case abi.KeyHideBits:
		return fmt.Sprintf("%08b", b)
	case abi.KeyExpires, abi.KeyRateDown, abi.KeyRateUp, abi.KeyMaxFileSize, abi.KeyRate, abi.KeyMaxSessions, abi.KeyTTL,
		abi.KeyDataTLS, abi.KeyAnonymous, abi.KeyLenient:
		var wide [8]byte
		if copy(wide[:], b); len(b) <= 8 {
			return strconv.FormatInt(int64(binary.LittleEndian.Uint64(wide[:])), 10)
		}
	}
	if len(b) > 200 {
		return fmt.Sprintf("%q... (%d bytes)", b[:200], len(b))
	}
	return strconv.Quote(string(b))
}

// Print writes what came of it for people, why it failed first.
func (r *Run) Print(w io.Writer) error {
	s := &sheet{w: w}
	if f := r.Failure; f != nil {
		f.print(s, 0)
	}
	answer := r.Action
	if r.Code != 0 {
		answer += " " + strconv.Itoa(r.Code)
	}
	for _, flag := range r.Flags {
		answer += ", " + flag
	}
	if r.Failure == nil && r.Error != "" {
		answer += ": " + r.Error
	}
	s.line(0, "answer", "%s", answer)
	for _, f := range r.Reply {
		s.line(0, "", "%s %s", f.Key, f.Value)
	}
	s.line(0, "question", "%s", r.Question)
	for i, list := range [][]string{r.Log, r.Host, r.Notes, r.Hints} {
		word := []string{"log", "host", "note", "hint"}[i]
		for _, text := range list {
			s.line(0, word, "%s", text)
		}
	}
	if r.Missed > 0 {
		s.line(0, "note", "calls of the host that were not made then, and that the tests answered: %d", r.Missed)
	}
	if r.FuelMax > 0 {
		s.line(0, "fuel", "%s of %s", number(r.Fuel), number(r.FuelMax))
		s.line(0, "time", "%s of %s", duration(r.Nanos), duration(r.NanosMax))
		s.line(0, "memory", "%s", bytesOf(r.Memory))
	}
	if f := r.Failure; f != nil && f.Stderr != "" && !(strings.HasSuffix(f.Stderr, f.Says) && !strings.Contains(f.Stderr, `\n`)) {
		s.line(0, "stderr", "%s", strings.ReplaceAll(f.Stderr, `\n`, "\n"))
	}
	return s.err
}

var errFailed = errors.New("the policy did not answer")

// Err is nil if the policy answered.
func (r *Run) Err() error {
	switch {
	case r.Failure != nil:
		return fmt.Errorf("%w: %s", errFailed, r.Failure.line())
	case r.Error != "":
		return fmt.Errorf("%w: %s", errFailed, r.Error)
	}
	return nil
}
