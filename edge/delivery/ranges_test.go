package delivery

import (
	"slices"
	"strings"
	"testing"
)

func TestParseRange(t *testing.T) {
	whole := []span(nil)
	for _, c := range []struct {
		value string
		size  int64
		want  []span
		ok    bool
	}{
		{"bytes=0-0", 10, []span{{0, 1}}, true},
		{"bytes=0-9", 10, []span{{0, 10}}, true},
		{"bytes=2-", 10, []span{{2, 8}}, true},
		{"bytes=-3", 10, []span{{7, 3}}, true},
		{"bytes=-30", 10, []span{{0, 10}}, true},
		{"bytes=4-400", 10, []span{{4, 6}}, true},
		{"bytes=4-99999999999999999999999999", 10, []span{{4, 6}}, true},
		{"Bytes=1-2", 10, []span{{1, 2}}, true}, // units are without case (RFC 9110 §14.1)
		{"bytes=0-1, 4-5,\t8-", 10, []span{{0, 2}, {4, 2}, {8, 2}}, true},
		{"bytes=8-9,0-1", 10, []span{{8, 2}, {0, 2}}, true}, // in the order asked for
		{"bytes=,0-1,,3-4,", 10, []span{{0, 2}, {3, 2}}, true},
		{"bytes=0-1,50-60", 10, []span{{0, 2}}, true},
		{"bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7", 10, []span{{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 1}, {5, 1}, {6, 1}, {7, 1}}, true},
		// None of it is there.
		{"bytes=10-", 10, nil, false},
		{"bytes=10-20,30-40", 10, nil, false},
		{"bytes=99999999999999999999999999-", 10, nil, false},
		{"bytes=-0", 10, nil, false},
		{"bytes=-0,10-", 10, nil, false},
		{"bytes=0-1", 0, nil, false},
		{"bytes=0-", 0, nil, false},
		{"bytes=-1", 0, nil, false},
		{"bytes=-1,-2", 0, nil, false},
		// Ignored.
		{"bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8", 10, whole, true},
		{"bytes=0-5,5-9", 10, whole, true},
		{"bytes=5-9,0-5", 10, whole, true},
		{"bytes=0-9,-1", 10, whole, true},
		{"bytes=0-" + strings.Repeat(",0-", 1000), 10, whole, true},
		{"bytes=" + strings.Repeat(",", 1000), 10, whole, true},
		{"bytes=x", 0, whole, true},
		{"bytes=0-1", -1, whole, true},
		{"lines=0-1", 10, whole, true},
		{"bytes=", 10, whole, true},
		{"bytes", 10, whole, true},
		{"", 10, whole, true},
		{"bytes=-", 10, whole, true},
		{"bytes=5-4", 10, whole, true},
		{"bytes=+1-2", 10, whole, true},
		{"bytes=1-+2", 10, whole, true},
		{"bytes=--2", 10, whole, true},
		{"bytes=1 - 2", 10, whole, true},
		{"bytes=0x1-2", 10, whole, true},
		{"bytes=1-2;3-4", 10, whole, true},
		{"bytes=0-1,x", 10, whole, true},
		{"bytes =0-1", 10, whole, true},
	} {
		got, ok := parseRange(c.value, c.size)
		if !slices.Equal(got, c.want) || ok != c.ok {
			t.Errorf("parseRange(%.60q, %d) = %v, %v; want %v, %v", c.value, c.size, got, ok, c.want, c.ok)
		}
	}
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-1", "bytes=-5,0-1", "bytes=9223372036854775807-", "bytes=0-0,2-3,-1", "bytes=,,"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, value string, size int64) {
		parts, ok := parseRange(value, size)
		if !ok && len(parts) > 0 || len(parts) > maxRanges {
			t.Fatalf("%d parts, %v", len(parts), ok)
		}
		sum := int64(0)
		for _, p := range parts {
			if p.from < 0 || p.size <= 0 || p.from > size-p.size {
				t.Fatalf("%+v is no part of %d bytes", p, size)
			}
			sum += p.size
		}
		if sum > max(size, 0) {
			t.Fatalf("the parts have %d bytes of %d", sum, size)
		}
	})
}
