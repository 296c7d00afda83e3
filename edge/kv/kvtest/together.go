package kvtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/edgeftp/edgeftp/edge/policy"
)

const (
	together = 64
	rounds   = 200
)

func togetherChecks() []check {
	return []check{
		{"together: counters are exact", with(togetherCount)},
		{"together: swaps are exact", with(togetherSwap)},
		{"together: one wins", with(togetherWin)},
		{"together: values are whole", with(togetherWhole)},
		{"together: full is exact", with(togetherFull)},
	}
}

// each runs do in many goroutines, and waits.
func each(do func(i int)) {
	var wg sync.WaitGroup
	for i := range together {
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}

func togetherCount(b *bed) {
	each(func(i int) {
		for range rounds {
			for _, key := range []string{"all", fmt.Sprint("some", i%8), fmt.Sprint("own", i)} {
				if _, err := b.kv.Incr(key, int64(i), 0); err != nil {
					b.Error(err)
				}
			}
		}
	})
	const sum = together * (together - 1) / 2
	b.counts("all", 0, rounds*sum)
	for i := range 8 {
		b.counts(fmt.Sprint("some", i), 0, rounds*(8*int64(i)+8*28))
	}
	for i := range together {
		b.counts(fmt.Sprint("own", i), 0, int64(rounds*i))
	}
}

func togetherSwap(b *bed) {
	each(func(int) {
		for range rounds / 10 {
			for done := false; !done; {
				old, _ := b.kv.Get("a")
				n := int64(0)
				if old != nil {
					n = int64(binary.LittleEndian.Uint64(old))
				}
				var err error
				if done, err = b.kv.CompareAndSwap("a", old, counter(n+1), 0); err != nil {
					b.Error(err)
					return
				}
			}
		}
	})
	b.counts("a", 0, together*(rounds/10))
}

func togetherWin(b *bed) {
	var mu sync.Mutex
	won := map[string]int{}
	each(func(i int) {
		for r := range rounds {
			key := fmt.Sprint("key", r)
			done, err := b.kv.CompareAndSwap(key, nil, []byte{byte(i)}, 0)
			if err != nil {
				b.Error(err)
			}
			if done {
				mu.Lock()
				won[key]++
				mu.Unlock()
			}
		}
	})
	for r := range rounds {
		if n := won[fmt.Sprint("key", r)]; n != 1 {
			b.Errorf("%d won key %d", n, r)
		}
	}
}

func togetherWhole(b *bed) {
	each(func(i int) {
		for r := range rounds {
			value := bytes.Repeat([]byte{byte(i)}, 1+(i*r)%512)
			switch {
			case r%5 == 4:
				value = nil
			case i%2 == 0:
				if got, ok := b.kv.Get("a"); ok && (len(got) == 0 || !bytes.Equal(got, bytes.Repeat(got[:1], len(got)))) {
					b.Errorf("a mixture: %v", got)
				}
				continue
			}
			if err := b.kv.Set("a", value, 0); err != nil {
				b.Error(err)
			}
		}
	})
}

// togetherFull writes and removes at the edge of what fits: as much as before fits
// when all is removed.
func togetherFull(b *bed) {
	n := b.fill()
	for i := range n {
		b.must(b.kv.Set(filler(i), nil, 0))
	}
	each(func(i int) {
		for r := range rounds {
			key := fmt.Sprint("key", i, r%7)
			if err := b.kv.Set(key, make([]byte, policy.MaxKVValue-i*r%1000), 0); err != nil && !errors.Is(err, policy.ErrKVFull) {
				b.Error(err)
			}
			if r%3 == 0 {
				b.must(b.kv.Set(key, nil, 0))
			}
		}
		for r := range 7 {
			b.must(b.kv.Set(fmt.Sprint("key", i, r), nil, 0))
		}
	})
	if again := b.fill(); again != n {
		b.Errorf("%d keys fit, then %d", n, again)
	}
}
