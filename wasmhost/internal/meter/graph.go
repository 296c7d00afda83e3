package meter

import "github.com/edgeftp/edgeftp/wasmhost/internal/module"

// graph says which of the module's own functions call which. All that a
// call_indirect may reach is behind one node more, the last one.
type graph struct {
	n      int
	starts []int32 // of the edges of each node
	edges  []int32
	reach  []bool // functions whose reference can be had
	refs   []uint32
}

func (g *graph) init(n int) {
	g.n = n
	g.starts = make([]int32, 0, n+2)
	g.reach = make([]bool, n)
}

// begin starts the edges of the next function.
func (g *graph) begin(int) { g.starts = append(g.starts, int32(len(g.edges))) }

// call adds a call, if it is not of an import: those run on the host's stack.
func (g *graph) call(fn, imported uint32) {
	if fn >= imported {
		g.edges = append(g.edges, int32(fn-imported))
	}
}

func (g *graph) indirect() { g.edges = append(g.edges, int32(g.n)) }

// take notes a reference to a function.
func (g *graph) take(fn uint32) { g.refs = append(g.refs, fn) }

// taken adds what call_indirect may reach: every function in an element segment,
// in an initial value, in a ref.func, or exported.
func (g *graph) taken(p *pass) {
	for _, gl := range p.m.Globals {
		g.takeExpr(gl.Init)
	}
	for _, e := range p.m.Exports {
		if e.Kind == module.KindFunc {
			g.take(e.Index)
		}
	}
	for _, e := range p.m.Elems {
		if e.Exprs() {
			g.takeExpr(e.Items)
			continue
		}
		for rest := e.Items; len(rest) > 0; {
			fn, n := module.U32(rest)
			rest = rest[n:]
			g.take(fn)
		}
	}
	g.starts = append(g.starts, int32(len(g.edges)))
	for _, fn := range g.refs {
		if fn >= p.imported && !g.reach[fn-p.imported] {
			g.reach[fn-p.imported] = true
			g.edges = append(g.edges, int32(fn-p.imported))
		}
	}
	g.starts = append(g.starts, int32(len(g.edges)))
}

// takeExpr notes the references in constant expressions that follow one another.
func (g *graph) takeExpr(b []byte) {
	c := module.NewCursor(b)
	for c.Next() {
		if c.Op == module.OpRefFunc {
			g.take(c.X)
		}
	}
}

func (g *graph) of(v int32) []int32 { return g.edges[g.starts[v]:g.starts[v+1]] }

// count marks the functions whose frames are counted: those that lie on a cycle
// of calls, and, going up from the functions that call nothing, each one where the
// uncounted frames below would grow too large. So what is not counted is never
// more than a fixed part of the depth.
func (g *graph) count(p *pass) {
	limit := p.depth / uncountedDivisor
	below := make([]uint32, g.n+1) // the most that uncounted frames take from here on
	t := &tarjan{g: g, index: make([]int32, g.n+1), low: make([]int32, g.n+1)}
	t.component = func(nodes []int32) { // callees come before their callers
		cycle, heaviest := len(nodes) > 1, uint32(0)
		for _, v := range nodes {
			for _, w := range g.of(v) {
				cycle = cycle || w == v
				heaviest = max(heaviest, below[w]) // 0 within the component
			}
		}
		for _, v := range nodes {
			below[v] = heaviest
			switch {
			case int(v) == g.n:
			case cycle || heaviest+p.funcs[v].weight > limit:
				p.funcs[v].counted = true
			default:
				below[v] += p.funcs[v].weight
			}
		}
	}
	for v := range int32(g.n + 1) {
		if t.index[v] == 0 {
			t.visit(v)
		}
	}
}

// tarjan finds the strongly connected components of a graph, without recursion,
// for a module decides how deep its calls nest.
type tarjan struct {
	g          *graph
	index, low []int32 // index 0 is not visited yet, -1 in a component
	next       int32
	stack      []int32
	path       []step
	component  func(nodes []int32)
}

type step struct {
	node int32
	edge int // the next one to follow
}

func (t *tarjan) enter(v int32) {
	t.next++
	t.index[v], t.low[v] = t.next, t.next
	t.stack = append(t.stack, v)
	t.path = append(t.path, step{node: v})
}

func (t *tarjan) visit(root int32) {
	t.enter(root)
	for len(t.path) > 0 {
		top := &t.path[len(t.path)-1]
		v, edges := top.node, t.g.of(top.node)
		if top.edge < len(edges) {
			w := edges[top.edge]
			top.edge++
			switch {
			case t.index[w] == 0:
				t.enter(w)
			case t.index[w] > 0:
				t.low[v] = min(t.low[v], t.index[w])
			}
			continue
		}
		t.path = t.path[:len(t.path)-1]
		if len(t.path) > 0 {
			parent := t.path[len(t.path)-1].node
			t.low[parent] = min(t.low[parent], t.low[v])
		}
		if t.low[v] == t.index[v] {
			t.pop(v)
		}
	}
}

func (t *tarjan) pop(v int32) {
	at := len(t.stack) - 1
	for t.stack[at] != v {
		at--
	}
	for _, w := range t.stack[at:] {
		t.index[w] = -1
	}
	t.component(t.stack[at:])
	t.stack = t.stack[:at]
}
