package wasm

import (
	"context"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/examples/wasm/live"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// native is the policy of readonly/go, linked in: what a decision costs without a
// sandbox.
type native struct{}

func (native) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	switch a.Op {
	case policy.OpStat, policy.OpList, policy.OpRead, policy.OpCwd, policy.OpReadlink, policy.OpHash:
		return policy.Answer{}, nil
	}
	return policy.Answer{Verdict: policy.Deny, Text: "this server is read-only"}, nil
}

// BenchmarkAuthorize is one fs decision through the public interface, pool and
// deadline included.
func BenchmarkAuthorize(b *testing.B) {
	b.Run("native", func(b *testing.B) { decide(b, native{}) })
	b.Run("wat", func(b *testing.B) {
		decide(b, load(b, wasmhost.Config{}, readFile(b, "readonly/wat/readonly.wasm"), nil).Hooks().Authorizer)
	})
	b.Run("go", func(b *testing.B) {
		decide(b, load(b, wasmhost.Config{}, live.Build(b, "readonly/go"), nil).Hooks().Authorizer)
	})
}

func decide(b *testing.B, fs policy.Authorizer) {
	for name, a := range map[string]*policy.Action{
		"pass": question(policy.OpRead, "/pub/some/file.txt", ""),
		"deny": question(policy.OpWrite, "/pub/some/file.txt", ""),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := fs.Authorize(context.Background(), a); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	a := question(policy.OpRead, "/pub/some/file.txt", "")
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := fs.Authorize(context.Background(), a); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}
