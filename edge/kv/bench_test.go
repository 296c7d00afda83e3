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
	list, val := keys(1000), make([]byte, 8) // which may be a counter
	for _, op := range []struct {
		name string
		do   func(p policy.KV, key string) error
	}{
		{"get", func(p policy.KV, key string) error { p.Get(key); return nil }},
		{"set", func(p policy.KV, key string) error { return p.Set(key, val, 0) }},
		{"set ttl", func(p policy.KV, key string) error { return p.Set(key, val, time.Hour) }},
		{"incr", func(p policy.KV, key string) error { _, err := p.Incr(key, 1, 0); return err }},
	} {
		for _, where := range []string{"memory", "file"} {
			path := ""
			if where == "file" {
				path = filepath.Join(b.TempDir(), "kv")
			}
			s := open(b, path, kv.Options{})
			p := space(b, s, "p", 16<<20)
			for _, key := range list {
				if err := p.Set(key, val, 0); err != nil {
					b.Fatal(err)
				}
			}
			b.Run(op.name+"/"+where, func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if err := op.do(p, list[i%len(list)]); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(op.name+"/"+where+"/parallel", func(b *testing.B) {
				b.SetParallelism(32)
				b.RunParallel(func(pb *testing.PB) {
					for i := 0; pb.Next(); i++ {
						if err := op.do(p, list[i%len(list)]); err != nil {
							b.Error(err)
						}
					}
				})
			})
			b.Run(op.name+"/"+where+"/one key", func(b *testing.B) {
				b.SetParallelism(32)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := op.do(p, list[0]); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}
