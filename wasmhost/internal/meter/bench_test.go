package meter

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/edgeftp/edgeftp/wasmhost/internal/module"
)

func readModule(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// goGuest builds the upload guard, 1.9 MB of stock Go.
func goGuest(t testing.TB) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", out, ".")
	cmd.Dir = filepath.Join("..", "..", "..", "examples", "wasm", "upload-guard", "go")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return readModule(t, out)
}

// record is a question about a file operation, as the host writes it.
func record(t testing.TB) []byte {
	t.Helper()
	var all []struct{ Name, Hook, Record string }
	if err := json.Unmarshal(readModule(t, "../../../guest-sdk/vectors/records.json"), &all); err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Hook == "fs" {
			b, err := hex.DecodeString(r.Record)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	t.Fatal("no record of the fs hook")
	return nil
}

// archiveRecord is a question that the decide function of bench.wat refuses.
func archiveRecord() []byte {
	b := make([]byte, 200)
	binary.LittleEndian.PutUint16(b[6:], 4)
	binary.LittleEndian.PutUint32(b[48:], 16)
	binary.LittleEndian.PutUint32(b[64:], 120)
	binary.LittleEndian.PutUint32(b[68:], uint32(copy(b[120:], "/archive/2026/report.pdf")))
	return b
}

// guest is an instance whose export is called over and over.
type guest struct {
	b      *bench
	fn     api.Function
	mem    api.Memory
	at     uint32
	record []byte
	arg    uint64
	fuel   api.Global
	left   int64
	used   int64 // by the last call
	stack  []uint64
}

func newGuest(t testing.TB, metered bool, code []byte, export string) *guest {
	b := newBench(t, metered, 100_000)
	ctx := t.Context()
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, b.rt); err != nil {
		t.Fatal(err)
	}
	mod, err := b.add(ctx, code, "")
	if err != nil {
		t.Fatal(err)
	}
	return start(t, b, mod, export)
}

// newRewritten is newGuest for a module that is metered already.
func newRewritten(t testing.TB, code []byte, export string) *guest {
	b := newBench(t, true, 100_000)
	b.metered = false
	if _, err := wasi_snapshot_preview1.Instantiate(t.Context(), b.rt); err != nil {
		t.Fatal(err)
	}
	mod, err := b.add(t.Context(), code, "")
	if err != nil {
		t.Fatal(err)
	}
	b.metered = true
	return start(t, b, mod, export)
}

// start makes a guest of an instance.
func start(t testing.TB, b *bench, mod api.Module, export string) *guest {
	ctx, metered := t.Context(), b.metered
	g := &guest{b: b, fn: mod.ExportedFunction(export), mem: mod.Memory(), stack: make([]uint64, 2)}
	if metered {
		g.fuel = mod.ExportedGlobal(ExportFuel)
	}
	if mod.ExportedFunction("_initialize") != nil {
		if _, err := b.call(ctx, mod, "_initialize"); err != nil {
			t.Fatal(err)
		}
		box, err := b.call(ctx, mod, "edgeftp_abi_v1", 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		g.at = uint32(box[0])
	}
	return g
}

// call calls the export as the host does: the record in, and the fuel read. What
// is left of a slice serves the next call, and the depth is back where it was.
func (g *guest) call(t testing.TB) uint64 {
	if g.record != nil {
		g.mem.Write(g.at, g.record)
	}
	granted := g.b.granted
	g.stack[0] = g.arg
	if err := g.fn.CallWithStack(context.Background(), g.stack); err != nil {
		t.Fatal(err)
	}
	if g.fuel != nil {
		left := int64(g.fuel.Get())
		g.used, g.left = g.b.granted-granted+g.left-left, left
	}
	return g.stack[0]
}

// BenchmarkMetered compares guests with and without metering, in turns, and
// reports the tenth percentile of both and their ratio.
func BenchmarkMetered(b *testing.B) {
	code := readModule(b, "testdata/bench.wasm")
	stock := goGuest(b)
	for _, c := range []struct {
		name, export string
		code         []byte
		at           uint32
		record       []byte
		arg          uint64
	}{
		{"empty", "empty", code, 0, nil, 0},
		{"decide", "decide", code, 4096, archiveRecord(), 200},
		{"readonly-wat", "edgeftp_fs", readModule(b, "../../../examples/wasm/readonly/wat/readonly.wasm"), 4096, record(b), uint64(len(record(b)))},
		{"go-fs", "edgeftp_fs", stock, 0, record(b), uint64(len(record(b)))},
		{"xorshift", "xorshift", code, 0, nil, 10_000},
		{"sum", "sum", code, 0, nil, 65536},
		{"sum4", "sum4", code, 0, nil, 65536},
		{"fib", "fib", code, 0, nil, 15},
	} {
		b.Run(c.name, func(b *testing.B) {
			guests := [2]*guest{}
			for i := range guests {
				g := newGuest(b, i == 1, c.code, c.export)
				if g.record, g.arg = c.record, c.arg; g.at == 0 {
					g.at = c.at
				}
				guests[i] = g
			}
			if guests[1].fuel != nil {
				guests[1].left = int64(guests[1].fuel.Get())
			}
			if x, y := guests[0].call(b), guests[1].call(b); x != y {
				b.Fatalf("%x and %x", x, y)
			}
			compare(b, guests)
		})
	}
}

func compare(b *testing.B, guests [2]*guest) {
	const batches = 60
	var times [2][]float64
	n := 1
	for {
		start := time.Now()
		for range n {
			guests[0].call(b)
		}
		if time.Since(start) > 2*time.Millisecond {
			break
		}
		n *= 2
	}
	for range batches {
		for i, g := range guests {
			start := time.Now()
			for range n {
				g.call(b)
			}
			times[i] = append(times[i], float64(time.Since(start).Nanoseconds())/float64(n))
		}
	}
	for b.Loop() {
		guests[1].call(b)
	}
	for i := range times {
		slices.Sort(times[i])
	}
	plain, metered := times[0][batches/10], times[1][batches/10]
	b.ReportMetric(plain, "ns-plain")
	b.ReportMetric(metered, "ns-metered")
	b.ReportMetric(metered/plain, "ratio")
	b.ReportMetric(float64(guests[1].used), "units")
}

// BenchmarkRewrite is the pass itself on a stock Go module.
func BenchmarkRewrite(b *testing.B) {
	code := goGuest(b)
	b.ReportAllocs()
	b.SetBytes(int64(len(code)))
	var size int
	for b.Loop() {
		m, err := module.Decode(code)
		if err != nil {
			b.Fatal(err)
		}
		r, err := Rewrite(m, Options{})
		if err != nil {
			b.Fatal(err)
		}
		size = len(r.Code)
	}
	b.ReportMetric(float64(size)/float64(len(code)), "growth")
}
