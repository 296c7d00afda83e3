package meter

import (
	"fmt"

	"github.com/edgeftp/edgeftp/wasmhost/internal/module"
)

// function is what is known of a function before it is rewritten.
type function struct {
	sig    sig
	params uint32
	locals uint32 // without parameters
	// weight is what a frame takes of the depth.
	weight  uint32
	counted bool
	// leaf is the cost of the whole text of a function that calls nothing and
	// has no loop, if that is at most maxLeaf; else 0.
	leaf int
}

// all is the number of locals, parameters included.
func (f *function) all() uint32 { return f.params + f.locals }

// measure reads every function once: what it calls and how large its frame is.
func (p *pass) measure() error {
	p.funcs = make([]function, len(p.m.Code))
	p.graph.init(len(p.m.Code))
	s := &scan{p: p}
	for i := range p.m.Code {
		s.function(i)
		if err := s.cursor.Err(); err != nil {
			return fmt.Errorf("function %d: %w", i, err)
		}
	}
	p.graph.taken(p)
	p.graph.count(p)
	for i := range p.funcs {
		f := &p.funcs[i]
		if !f.counted {
			continue
		}
		p.counted++
		if f.weight > p.depth {
			return fmt.Errorf("one call of function %d takes %d units of depth, there are %d: it has too many variables", int(p.imported)+i, f.weight, p.depth)
		}
	}
	return nil
}

// scan follows the stack of operands through a function.
type scan struct {
	p      *pass
	cursor module.Cursor
	nest   []scanBlock
	height int
	most   int
	fn     *function
	wide   bool // there are vectors, which take two words
	cost   int
	simple bool // no calls, no loops
}

type scanBlock struct {
	op   module.Op
	base int // of the operands below the block
	sig  sig
}

func (s *scan) function(i int) {
	p, b := s.p, &s.p.m.Code[i]
	t, _ := p.m.TypeOf(p.imported + uint32(i))
	f := &p.funcs[i]
	s.fn = f
	*f = function{sig: p.sigOf(t), params: uint32(len(t.Params)), locals: b.NumLocals}
	s.cursor.Reset(b.Code)
	s.nest = append(s.nest[:0], scanBlock{op: module.OpBlock, sig: sig{results: len(t.Results)}})
	s.height, s.most, s.cost, s.simple = 0, len(t.Results), entryCost(b.NumLocals), true
	s.wide = hasVector(t) || vectorRuns(b)
	p.graph.begin(i)
	for s.cursor.Next() {
		s.instr()
		s.most = max(s.most, s.height)
	}
	words := int(f.all()) + s.most
	if s.wide {
		words *= 2
	}
	f.weight = uint32(1 + words/wordsPerUnit)
	if s.simple && s.cost <= maxLeaf {
		f.leaf = s.cost
	}
}

func hasVector(t module.FuncType) bool {
	for _, list := range [][]byte{t.Params, t.Results} {
		for _, v := range list {
			if v == module.V128 {
				return true
			}
		}
	}
	return false
}

func vectorRuns(b *module.Body) bool {
	for rest := b.Runs; len(rest) > 0; {
		_, n := module.U32(rest)
		if rest[n] == module.V128 {
			return true
		}
		rest = rest[n+1:]
	}
	return false
}

func (s *scan) pop(n int) {
	s.height = max(s.height-n, s.nest[len(s.nest)-1].base)
}

// instr follows one instruction. Where code cannot be reached the operands are
// taken as they come: that only happens between a branch and the end of a block,
// which sets them right.
func (s *scan) instr() {
	in := &s.cursor.Instr
	s.cost += cost(in.Op)
	pops, pushes, plain := in.Op.Effect()
	if plain {
		if in.Op.SIMD() || in.Op == module.OpGlobalGet && s.p.m.GlobalAt(in.X).Type == module.V128 {
			s.wide = true
		}
		if in.Op == module.OpRefFunc {
			s.p.graph.take(in.X)
		}
		if bulk(in.Op) || in.Op == module.OpMemoryGrow {
			s.simple = false
		}
		s.pop(pops)
		s.height += pushes
		return
	}
	switch in.Op {
	case module.OpBlock, module.OpLoop, module.OpIf:
		s.open(in)
	case module.OpElse:
		top := &s.nest[len(s.nest)-1]
		s.height = top.base + top.sig.params
	case module.OpEnd:
		top := s.nest[len(s.nest)-1]
		s.nest = s.nest[:len(s.nest)-1]
		s.height = top.base + top.sig.results
	case module.OpBrIf:
		s.pop(1)
		s.spread()
	case module.OpBr, module.OpBrTable:
		s.spread()
		s.unreachable()
	case module.OpReturn:
		s.spread()
		s.unreachable()
	case module.OpUnreachable:
		s.unreachable()
	case module.OpCall, module.OpCallIndirect:
		s.call(in)
	}
}

func (s *scan) unreachable() { s.height = s.nest[len(s.nest)-1].base }

// spread adds at least what a branch costs beside its one unit.
func (s *scan) spread() { s.cost += s.height + int(s.fn.all())/localsPerUnit }

func (s *scan) open(in *module.Instr) {
	if in.Op == module.OpIf {
		s.pop(1)
		s.spread()
	}
	if in.Op == module.OpLoop {
		s.simple = false
	}
	t := s.p.blockSig(in)
	if in.Block == module.V128 || in.Block == 0 && hasVector(s.p.m.Types[in.X]) {
		s.wide = true
	}
	s.pop(t.params)
	s.nest = append(s.nest, scanBlock{op: in.Op, base: s.height, sig: t})
	s.height += t.params
}

func (s *scan) call(in *module.Instr) {
	var t module.FuncType
	s.simple = false
	if in.Op == module.OpCall {
		t, _ = s.p.m.TypeOf(in.X)
		s.p.graph.call(in.X, s.p.imported)
	} else {
		t = s.p.m.Types[in.X]
		s.pop(1)
		s.p.graph.indirect()
	}
	if hasVector(t) {
		s.wide = true
	}
	s.pop(len(t.Params))
	s.height += len(t.Results)
}
