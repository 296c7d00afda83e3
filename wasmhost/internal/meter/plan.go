package meter

import "github.com/edgeftp/edgeftp/wasmhost/internal/module"

// point is a place in a function's code where fuel is paid, looked at, or both.
type point struct {
	at    int // before the instruction that begins here
	cost  int
	check bool
}

// plan finds the points of a function. Instructions that always run together,
// however often, are paid for at one point: those of a straight line, and those
// before and after a block that is only left at its end.
type plan struct {
	p      *pass
	f      *function
	cursor module.Cursor
	points []point
	calls  []bool // for each loop that can be reached: whether it calls something
	nest   []planBlock
	now    int  // the point that pays for the next instruction
	live   bool // the next instruction can be reached
	// unchecked is the most that may have run since the last look at the fuel.
	unchecked int
}

type planBlock struct {
	op       module.Op
	sig      sig
	point    int // that paid for what stands before the block
	live     bool
	atEntry  int // unchecked when the block began
	atEnd    int // the most of it at a branch to the end
	targeted bool
	outmost  int // of the blocks that a branch from inside leads to, the outermost
	loop     int // its place in calls
	calls    bool
	isElse   bool
}

func (pl *plan) function(i int) {
	pl.f = &pl.p.funcs[i]
	code := pl.p.m.Code[i].Code
	pl.cursor.Reset(code)
	pl.points, pl.calls, pl.nest = pl.points[:0], pl.calls[:0], pl.nest[:0]
	pl.live, pl.unchecked = true, 0
	pl.now = pl.add(0, pl.f.leaf == 0)
	pl.pay(entryCost(pl.f.locals))
	pl.open(module.OpBlock, sig{results: pl.f.sig.results})
	for pl.cursor.Next() {
		pl.instr()
	}
}

func (pl *plan) add(at int, check bool) int {
	if n := len(pl.points) - 1; n >= 0 && pl.points[n].at == at {
		pl.points[n].check = pl.points[n].check || check
		return n
	}
	pl.points = append(pl.points, point{at: at, check: check})
	return len(pl.points) - 1
}

func (pl *plan) pay(units int) {
	pl.points[pl.now].cost += units
	pl.unchecked += units
}

// spread is what a branch pays for the variables that it may have to move.
func (pl *plan) spread() int { return int(pl.f.all()) / localsPerUnit }

// charge pays for an instruction, behind a look at the fuel if much has run
// since the last one.
func (pl *plan) charge(units int) {
	if units > 0 && pl.unchecked+units > MaxUnchecked {
		pl.now = pl.add(pl.cursor.Start, true)
		pl.unchecked = 0
	}
	pl.pay(units)
}

func (pl *plan) open(op module.Op, s sig) {
	pl.nest = append(pl.nest, planBlock{op: op, sig: s, point: pl.now, live: pl.live,
		atEntry: pl.unchecked, atEnd: -1, outmost: len(pl.nest), loop: -1})
}

func (pl *plan) top() *planBlock { return &pl.nest[len(pl.nest)-1] }

func (pl *plan) instr() {
	in := &pl.cursor.Instr
	switch in.Op {
	case module.OpBlock, module.OpLoop, module.OpIf:
		pl.begin(in)
		return
	case module.OpElse:
		pl.otherwise()
		return
	case module.OpEnd:
		pl.end()
		return
	}
	if !pl.live {
		return
	}
	switch in.Op {
	case module.OpBr, module.OpBrIf, module.OpBrTable, module.OpReturn:
		pl.leave(in)
	case module.OpUnreachable:
		pl.charge(1)
		pl.live = false
	case module.OpCall, module.OpCallIndirect:
		pl.call(in)
	default:
		pl.charge(cost(in.Op))
		if bulk(in.Op) || in.Op == module.OpMemoryGrow {
			pl.top().calls = true
		}
	}
}

func (pl *plan) begin(in *module.Instr) {
	s := pl.p.blockSig(in)
	if !pl.live {
		pl.open(in.Op, s)
		return
	}
	if in.Op == module.OpIf {
		pl.charge(1 + pl.spread())
	}
	pl.open(in.Op, s)
	switch in.Op {
	case module.OpIf:
		pl.now = pl.add(in.End, false)
	case module.OpLoop:
		pl.top().loop = len(pl.calls)
		pl.calls = append(pl.calls, false)
		pl.now = pl.add(in.End, true)
		pl.unchecked = 0
	}
}

func (pl *plan) otherwise() {
	b := pl.top()
	if pl.live {
		b.atEnd = max(b.atEnd, pl.unchecked)
	}
	b.isElse = true
	pl.live, pl.unchecked = b.live, b.atEntry
	if pl.live {
		pl.now = pl.add(pl.cursor.End, false)
	}
}

// end closes a block. What follows is paid where the block was entered, if it
// cannot be left but here; where it is not and paths meet, at a new point.
func (pl *plan) end() {
	b := *pl.top()
	depth := len(pl.nest) - 1
	pl.nest = pl.nest[:depth]
	if depth == 0 {
		return
	}
	parent := pl.top()
	parent.outmost = min(parent.outmost, b.outmost)
	parent.calls = parent.calls || b.calls
	if b.loop >= 0 {
		pl.calls[b.loop] = b.calls
	}
	if !b.live {
		return // nothing in it was live either
	}
	join := b.targeted && b.op != module.OpLoop
	if b.op == module.OpIf {
		join = join || !b.isElse || b.atEnd >= 0
		if !b.isElse {
			b.atEnd = max(b.atEnd, b.atEntry)
		}
	}
	if !pl.live && !join {
		return
	}
	if !pl.live {
		pl.unchecked = b.atEnd
	}
	pl.unchecked = max(pl.unchecked, b.atEnd)
	pl.live = true
	switch {
	case b.outmost >= depth:
		pl.now = b.point
	case join || b.op == module.OpIf:
		pl.now = pl.add(pl.cursor.End, false)
	}
}

// leave pays for a branch and follows it.
func (pl *plan) leave(in *module.Instr) {
	last := len(pl.nest) - 1
	target := last - int(in.X) // of br and br_if
	switch in.Op {
	case module.OpReturn:
		target = 0
	case module.OpBrTable:
		v, _ := module.U32(in.Targets)
		target = last - int(v)
	}
	moved := pl.nest[target].sig.results
	if pl.nest[target].op == module.OpLoop {
		moved = pl.nest[target].sig.params
	}
	pl.charge(1 + moved + pl.spread())
	if in.Op != module.OpBrTable {
		pl.branch(target)
	} else {
		for rest := in.Targets; len(rest) > 0; {
			v, n := module.U32(rest)
			rest = rest[n:]
			pl.branch(last - int(v))
		}
	}
	if in.Op == module.OpBrIf {
		pl.now = pl.add(in.End, false)
		return
	}
	pl.live = false
}

func (pl *plan) branch(target int) {
	b := &pl.nest[target]
	b.targeted = true
	b.atEnd = max(b.atEnd, pl.unchecked)
	from := pl.top()
	from.outmost = min(from.outmost, target)
}

// call pays for a call. The callee looks at the fuel when it begins; what runs
// after it returned is kept short, because there may be as many callers waiting as
// the depth allows.
func (pl *plan) call(in *module.Instr) {
	pl.top().calls = true
	if in.Op == module.OpCallIndirect {
		s := pl.p.sigOf(pl.p.m.Types[in.X])
		pl.charge(costCallIndirect + s.params + s.results)
		pl.unchecked = max(pl.unchecked, MaxUnchecked-MaxTail)
		return
	}
	t, _ := pl.p.m.TypeOf(in.X)
	pl.charge(costCall + len(t.Params) + len(t.Results))
	if in.X < pl.p.imported {
		return
	}
	if leaf := pl.p.funcs[in.X-pl.p.imported].leaf; leaf > 0 {
		pl.unchecked += leaf
		return
	}
	pl.unchecked = max(pl.unchecked, MaxUnchecked-MaxTail)
}
