package kv_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/kv"
	"github.com/edgeftp/edgeftp/edge/policy"
)

func keys(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint("failures:192.0.2.", i)
	}
	return list
}

// BenchmarkKV is one operation on one of 1,000 keys: by one goroutine and by many,
// in memory and with a file that is written meanwhile, and on the one key that all
// want.
func BenchmarkKV(b *testing.B) {
	val := make([]byte, 8) // which may be a counter
	for _, op := range []struct {
		name string
		do   func(p policy.KV, key string) error
	}{
		{"get", func(p policy.KV, key string) error { p.Get(key); return nil }},
		{"set", func(p policy.KV, key string) error { return p.Set(key, val, 0) }},
		{"set ttl", func(p policy.KV, key string) error { return p.Set(key, val, time.Hour) }},
		{"incr", func(p policy.KV, key string) error { _, err := p.Incr(key, 1, 0); return err }},
	} {
		for where, path := range map[string]string{"memory": "", "file": filepath.Join(b.TempDir(), "kv")} {
			p, list := space(b, open(b, path, kv.Options{}), "p", 16<<20), keys(1000)
			for _, key := range list {
				if err := p.Set(key, val, 0); err != nil {
					b.Fatal(err)
				}
			}
			do := func(key string) error { return op.do(p, key) }
			name := op.name + "/" + where
			b.Run(name, func(b *testing.B) { alone(b, do, list) })
			b.Run(name+"/parallel", func(b *testing.B) { parallel(b, do, list) })
			b.Run(name+"/one key", func(b *testing.B) { parallel(b, do, list[:1]) })
		}
	}
}

func alone(b *testing.B, do func(string) error, list []string) {
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := do(list[i%len(list)]); err != nil {
			b.Fatal(err)
		}
	}
}

func parallel(b *testing.B, do func(string) error, list []string) {
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if err := do(list[i%len(list)]); err != nil {
				b.Error(err)
			}
		}
	})
}
