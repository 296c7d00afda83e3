package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/edgeftp/edgeftp/guest-sdk/vectors"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// hook asks one hook all golden questions of its kind, twice: the answers keep the
// ABI, and are the same.
func (e *exam) hook(name string, all []vectors.Record) {
	asked, gaveUp, worst := 0, 0, int64(0)
	for _, r := range all {
		if r.Hook != name {
			continue
		}
		asked++
		first, second := e.ask(r), e.ask(r)
		worst = max(worst, first.Fuel)
		if failed(first.Err) {
			gaveUp++
		}
		if first.Err != nil && !failed(first.Err) {
			e.report.add("hook "+name, Bad, fmt.Sprintf("the golden question %q: %v", r.Name, first.Err), "edgeftp policy run asks it one question, and shows what happens")
			return
		}
		if len(e.facts.Manifest.Capabilities) == 0 && !same(first, second) {
			e.report.add("hook "+name, Worth, fmt.Sprintf("the golden question %q was answered twice in two ways", r.Name),
				"memory is a cache: an answer must not depend on what was asked before")
			return
		}
	}
	if gaveUp == asked {
		e.report.add("hook "+name, Worth, fmt.Sprintf("%d golden questions, and to each the answer was that it cannot decide", asked),
			"a failed decision refuses what was asked; edgeftp policy run shows the policy's own words")
		return
	}
	e.report.add("hook "+name, Good, fmt.Sprintf("%d golden questions, at most %d units of work", asked, worst), "")
}

// failed reports that the module said by itself that it cannot decide.
func failed(err error) bool {
	var fault *wasmhost.CallError
	return errors.As(err, &fault) && fault.Cause == wasmhost.CauseFailed
}

func same(a, b *wasmhost.Exchange) bool {
	return a.Verdict == b.Verdict && (a.Err == nil) == (b.Err == nil) && bytes.Equal(a.Reply, b.Reply)
}

// rounds is how many questions each of three parts has for which the memory is watched.
const rounds = 5_000

// memory asks many questions and watches whether an instance grows in the second part and
// in the third. In one of them the heap of a guest whose language collects garbage may take
// a step, on its way to where that begins; what leaks grows in both.
func (e *exam) memory(all []vectors.Record) {
	var own []vectors.Record
	for _, r := range all {
		if e.listens(r) {
			own = append(own, r)
		}
	}
	if len(own) == 0 {
		return // no hook has golden questions
	}
	var begin, peak [3]uint32 // of each part; an instance that is too large is made again meanwhile
	for i := range 3 * rounds {
		x := e.ask(own[i%len(own)])
		if e.ctx.Err() != nil {
			return
		}
		part := i / rounds
		if i%rounds == 0 {
			begin[part] = x.Memory
		}
		peak[part] = max(peak[part], x.Memory)
	}
	end := slices.Max(peak[:])
	if peak[1] > begin[1] && peak[2] > begin[2] {
		e.report.add("memory", Worth, fmt.Sprintf("it grew from %d to %d KiB over %d questions", begin[1]>>10, end>>10, 2*rounds),
			"free what a question needed, or free it in edgeftp_idle: an instance that is too large is closed and made again")
		return
	}
	e.report.add("memory", Good, fmt.Sprintf("%d KiB, and no more after %d questions", end>>10, 3*rounds), "")
}

// robust asks what no server asks. A guest that traps there trusts its host, as it may.
func (e *exam) robust(bad []vectors.Record) {
	asked, trapped := 0, ""
	for _, r := range bad {
		if !e.listens(r) {
			continue
		}
		asked++
		if x := e.ask(r); x.Err != nil && !failed(x.Err) && trapped == "" {
			trapped = fmt.Sprintf("%q: %v", r.Name, x.Err)
		}
	}
	if trapped != "" {
		e.report.add("broken questions", Worth, trapped, "no server sends such a record; a decoder that looks at its sizes answers fail instead")
		return
	}
	e.report.add("broken questions", Good, fmt.Sprintf("%d, no trap", asked), "")
}
