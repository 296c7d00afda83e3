package meter

import "github.com/edgeftp/edgeftp/wasmhost/internal/module"

// point is a place in a function's code where fuel is paid, looked at, or both.
type point struct {
	at    int // before the instruction that begins here
	cost  int
	back  int  // less of it, see refund
	moved bool // others pay the cost
	check bool
	// inmost is the innermost block to which a branch leads that gets back what
	// this point paid for, -1 without one.
	inmost int
}

// pays returns the units to pay here, which may be fewer than none.
func (pt point) pays() int {
	if pt.moved {
		return -pt.back
	}
	return pt.cost - pt.back
}

// refund says that a branch skips what its way paid for: the point at its start
// pays so much less as the point from pays more between here and the target.
type refund struct {
	point, from int
	paid        int // by from so far
	next        int // of the refunds of the same target, -1 at the end
}

// edge is a branch back to a loop, from the code that point pays for.
type edge struct{ point, next int }

// plan finds the points of a function. Instructions that always run together,
// however often, are paid for at one point: those of a straight line, and those
// before and after a block that is only left at its end. Three rules make points
// rarer still, and leave what a whole run pays as it is:
//
//   - What follows an if that ends with a branch is paid before it, and the branch
//     gets it back.
//   - What a loop runs at its start is paid where the loop is entered and where
//     branches go back to it, if none of them is conditional.
//   - A point that pays nothing is left out.
type plan struct {
	p       *pass
	f       *function
	cursor  module.Cursor
	points  []point
	calls   []bool // for each loop that can be reached: whether it calls something
	nest    []planBlock
	refunds []refund
	edges   []edge
	now     int    // the point that pays for the next instruction
	live    bool   // the next instruction can be reached
	called  bool   // something was called before it
	prior   uint32 // see length
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
	exit     int // the one block outside that branches lead to, or noExit, manyExits
	loop     int // its place in calls
	calls    bool
	isElse   bool
	first    int  // the point of the inside of a loop or if
	refund   int  // the first that ends with this block, -1 without one
	edge     int  // the first to this loop, -1 without one
	fixed    bool // there is a conditional branch to this loop
}

const (
	noExit    = -1
	manyExits = -2
)

func (pl *plan) function(i int) {
	pl.f = &pl.p.funcs[i]
	code := pl.p.m.Code[i].Code
	pl.cursor.Reset(code)
	pl.points, pl.calls, pl.nest = pl.points[:0], pl.calls[:0], pl.nest[:0]
	pl.refunds, pl.edges = pl.refunds[:0], pl.edges[:0]
	pl.live, pl.called, pl.unchecked = true, false, 0
	pl.now = pl.add(0, pl.f.leaf == 0)
	pl.pay(entryCost(pl.f.locals))
	pl.open(module.OpBlock, sig{results: pl.f.sig.results})
	for pl.prior = 0; pl.cursor.Next(); pl.prior = length(&pl.cursor.Instr) {
		pl.instr()
	}
}

func (pl *plan) add(at int, check bool) int {
	if n := len(pl.points) - 1; n >= 0 && pl.points[n].at == at {
		pl.points[n].check = pl.points[n].check || check
		return n
	}
	pl.points = append(pl.points, point{at: at, check: check, inmost: -1})
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
	if pl.p.singly && units > 0 {
		pl.now = pl.add(pl.cursor.Start, false)
	}
	pl.pay(units)
}

func (pl *plan) open(op module.Op, s sig) {
	pl.nest = append(pl.nest, planBlock{op: op, sig: s, point: pl.now, live: pl.live,
		atEntry: pl.unchecked, atEnd: -1, outmost: len(pl.nest), exit: noExit, loop: -1, refund: -1, edge: -1})
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
		units, fixed := fixedSize(in.Op, pl.prior)
		pl.charge(cost(in.Op) + units)
		if !fixed && (bulk(in.Op) || in.Op == module.OpMemoryGrow) {
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
		if pl.now == 0 && !pl.called && pl.unchecked <= MaxTail {
			pl.points[0].check = false // the loop will look
		}
		pl.top().loop = len(pl.calls)
		pl.calls = append(pl.calls, false)
		pl.now = pl.add(in.End, true)
		pl.unchecked = 0
	}
	pl.top().first = pl.now
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
	pl.settle(&b)
	if depth == 0 {
		return
	}
	pl.inherit(pl.top(), &b, depth)
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
	skipped := b.op == module.OpIf && !b.isElse && !b.targeted && !pl.live // it ends with a branch
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
	case skipped && b.exit >= 0:
		pl.now = b.point
		pl.giveBack(&b)
	case join || b.op == module.OpIf || b.op == module.OpLoop && b.targeted:
		pl.now = pl.add(pl.cursor.End, false)
	}
}

// inherit tells a block what the block at depth in it knew of its branches.
func (pl *plan) inherit(parent, b *planBlock, depth int) {
	parent.outmost = min(parent.outmost, b.outmost)
	parent.calls = parent.calls || b.calls
	switch {
	case b.outmost >= depth: // nothing leads outside
	case b.exit < 0:
		parent.exit = manyExits
	case b.exit < depth-1:
		parent.leads(b.exit)
	}
}

// leads notes a branch to a block outside.
func (b *planBlock) leads(target int) {
	switch b.exit {
	case noExit, target:
		b.exit = target
	default:
		b.exit = manyExits
	}
}

// giveBack makes the branch at the end of an if pay less by what is paid from now
// on where the if was entered.
func (pl *plan) giveBack(b *planBlock) {
	target := &pl.nest[b.exit]
	from := &pl.points[b.point]
	pl.refunds = append(pl.refunds, refund{point: b.first, from: b.point, paid: from.cost, next: target.refund})
	target.refund = len(pl.refunds) - 1
	from.inmost = max(from.inmost, b.exit)
}

// settle sets what branches to a block pay, now that all of it is known.
func (pl *plan) settle(b *planBlock) {
	if b.loop >= 0 {
		pl.calls[b.loop] = b.calls
	}
	if b.edge >= 0 && !b.fixed {
		head := &pl.points[b.first]
		pl.points[b.point].cost += head.cost
		for i := b.edge; i >= 0; i = pl.edges[i].next {
			pl.points[pl.edges[i].point].cost += head.cost
		}
		head.moved = true
	}
	for i := b.refund; i >= 0; i = pl.refunds[i].next {
		r := pl.refunds[i]
		pl.points[r.point].back += pl.points[r.from].cost - r.paid
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
		pl.branch(target, in.Op)
	} else {
		for rest := in.Targets; len(rest) > 0; {
			v, n := module.U32(rest)
			rest = rest[n:]
			pl.branch(last-int(v), in.Op)
		}
	}
	if in.Op == module.OpBrIf {
		pl.now = pl.add(in.End, false)
		return
	}
	pl.live = false
}

func (pl *plan) branch(target int, op module.Op) {
	b := &pl.nest[target]
	b.targeted = true
	b.atEnd = max(b.atEnd, pl.unchecked)
	from := pl.top()
	from.outmost = min(from.outmost, target)
	if target < len(pl.nest)-1 {
		from.leads(target)
	}
	switch {
	case b.op != module.OpLoop:
	case op != module.OpBr || pl.now == b.first:
		b.fixed = true
	default:
		if pl.points[pl.now].inmost > target {
			// A branch that skips this one settles before the loop does.
			pl.now = pl.add(pl.cursor.Start, false)
		}
		pl.edges = append(pl.edges, edge{pl.now, b.edge})
		b.edge = len(pl.edges) - 1
	}
}

// call pays for a call. The callee looks at the fuel when it begins; what runs
// after it returned is kept short, because there may be as many callers waiting as
// the depth allows.
func (pl *plan) call(in *module.Instr) {
	pl.top().calls, pl.called = true, true
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
