package record

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Report is what came of a replay.
type Report struct {
	Exchanges int           `json:"exchanges"`
	Same      int           `json:"same"`
	Differ    int           `json:"differ"` // another verdict, code or reply
	Failed    int           `json:"failed"` // that the new module failed at, and the old one did not
	Asked     int           `json:"asked"`  // that asked the host what was not asked then
	Hidden    int           `json:"hidden"` // whose names are not the real ones
	OldFuel   int64         `json:"old_fuel"`
	NewFuel   int64         `json:"new_fuel"`
	Took      time.Duration `json:"took_ns"`
	Groups    []Group       `json:"groups"` // of what differs, the greatest first

	groups map[groupKey]*Group
}

// groupKey is what the questions of a group have in common.
type groupKey struct{ hook, op, where, was, now string }

// Group is one kind of difference.
type Group struct {
	Hook  string `json:"hook"`
	Op    string `json:"op,omitempty"`
	Where string `json:"where,omitempty"` // directory and extension: "/in/*.exe"
	Was   string `json:"was"`
	Now   string `json:"now"`
	Count int    `json:"count"`
	// Example is one of the paths or arguments.
	Example string `json:"example,omitempty"`
	Error   string `json:"error,omitempty"` // of the new module
}

func newReport() *Report { return &Report{groups: map[groupKey]*Group{}} }

// count compares what was answered with what is.
func (r *Report) count(x *Exchange, was, now *wasmhost.Exchange, missed int) {
	r.Exchanges++
	r.OldFuel += was.Fuel
	r.NewFuel += now.Fuel
	if missed > 0 {
		r.Asked++
	}
	if x.Module.Hidden {
		r.Hidden++
	}
	if was.Verdict == now.Verdict && (was.Err == nil) == (now.Err == nil) && sameReply(was, now) {
		r.Same++
		return
	}
	r.Differ++
	if now.Err != nil && was.Err == nil {
		r.Failed++
	}
	op, where := About(x.Record)
	key := groupKey{x.Hook, op, pattern(where), words(was), words(now)}
	g := r.groups[key]
	if g == nil {
		g = &Group{Hook: key.hook, Op: key.op, Where: key.where, Was: key.was, Now: key.now, Example: where}
		if now.Err != nil {
			g.Error = now.Err.Error()
		}
		r.groups[key] = g
	}
	g.Count++
}

func (r *Report) merge(p *Report) {
	r.Exchanges += p.Exchanges
	r.Same += p.Same
	r.Differ += p.Differ
	r.Failed += p.Failed
	r.Asked += p.Asked
	r.Hidden += p.Hidden
	r.OldFuel += p.OldFuel
	r.NewFuel += p.NewFuel
	for key, g := range p.groups {
		if mine := r.groups[key]; mine != nil {
			mine.Count += g.Count
			continue
		}
		r.groups[key] = g
	}
}

func (r *Report) finish() {
	r.Groups = []Group{}
	for _, g := range r.groups {
		r.Groups = append(r.Groups, *g)
	}
	slices.SortFunc(r.Groups, func(a, b Group) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(a.Hook+a.Op+a.Where, b.Hook+b.Op+b.Where), strings.Compare(a.Was+a.Now, b.Was+b.Now))
	})
}

// words are an answer for people: "deny 550 \"no executables\"".
func words(x *wasmhost.Exchange) string {
	if x.Err != nil {
		var fault *wasmhost.CallError
		if c := causeOf(x.Err); errors.As(x.Err, &fault) || c != 0 {
			return "failed: " + c.String()
		}
		return "failed"
	}
	v, err := abi.UnpackVerdict(x.Verdict)
	if err != nil {
		return fmt.Sprintf("%016x", x.Verdict)
	}
	s := v.Action.String()
	if v.Code != 0 {
		s += fmt.Sprintf(" %d", v.Code)
	}
	if text := replyText(x); text != "" {
		s += fmt.Sprintf(" %q", text)
	}
	return s
}

// replyText is TEXT of a reply, or what stands for the rest of it.
func replyText(x *wasmhost.Exchange) string {
	for b := x.Reply; len(b) >= 4; {
		key, n := abi.Key(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
		if n > len(b)-4 {
			break
		}
		switch key {
		case abi.KeyText, abi.KeyPath:
			return abi.Clean(string(b[4:4+n]), 100)
		}
		b = b[4+n:]
	}
	return ""
}

// About tells what a record asks: the operation (fs, throttle, data), kind of event or
// command, empty for other hooks, and the path, user or host that it is about.
func About(record []byte) (op, where string) {
	if len(record) < abi.HeaderSize+8*int(abi.SpanState+1) {
		return "", ""
	}
	number := binary.LittleEndian.Uint16(record[abi.OffOp:])
	span := abi.SpanPath
	switch abi.KindOf(record) {
	case abi.HookFS, abi.HookThrottle, abi.HookData:
		op = policy.Op(number).String()
	case abi.HookEvent:
		op = policy.EventKind(number).String()
	case abi.HookCmd, abi.HookSite:
		return string(spanOf(record, abi.SpanExtra)), ""
	case abi.HookAuth:
		span = abi.SpanUser
	case abi.HookCert:
		span = abi.SpanArg
	}
	return op, string(spanOf(record, span))
}

func spanOf(record []byte, s abi.Span) []byte {
	at := abi.HeaderSize + 8*int(s)
	if len(record) < at+8 {
		return nil
	}
	off, n := uint64(binary.LittleEndian.Uint32(record[at:])), uint64(binary.LittleEndian.Uint32(record[at+4:]))
	if off+n > uint64(len(record)) {
		return nil
	}
	return record[off : off+n]
}

// pattern is the directory and the extension of a path: questions that differ in the
// name alone are one group.
func pattern(p string) string {
	if !strings.HasPrefix(p, "/") {
		return "" // a user, or a host
	}
	if p == "/" {
		return p
	}
	return path.Join(path.Dir(p), "*"+path.Ext(p))
}
