package dtp

import (
	"slices"
	"testing"
)

func TestParseEphemeral(t *testing.T) {
	for _, c := range []struct {
		span, kept string
		want       PortRange
	}{
		{"32768\t60999\n", "\n", PortRange{{32768, 60999}}},
		{"1 65535", "", PortRange{{1, 65535}}},
		{"10 20", "10", PortRange{{11, 20}}},
		{"10 20", "20,10", PortRange{{11, 19}}},
		{"10 20", "1-9,12-13,13-15,30-40\n", PortRange{{10, 11}, {16, 20}}},
		{"10 20", "1-12,19-65535", PortRange{{13, 18}}},
		{"10 20", "12-18,14", PortRange{{10, 11}, {19, 20}}},
		{"10 20", "1-65535", nil},
		{"10 20", "10-20", nil},
		{"20 10", "", nil},
		{"0 10", "", nil},
		{"10", "", nil},
		{"10 65536", "", nil},
		{"10 20", "x", nil},
		{"10 20", "12-", nil},
		{"10 20", "15-12", nil},
		{"", "", nil},
	} {
		if got := parseEphemeral(c.span, c.kept); !slices.Equal(got, c.want) {
			t.Errorf("%q less %q: %v, want %v", c.span, c.kept, got, c.want)
		}
	}
}

// FuzzParseEphemeral: what comes out is in order, and ports that exist.
func FuzzParseEphemeral(f *testing.F) {
	f.Add("32768\t60999\n", "8080,9148-9200\n")
	f.Add("1 65535", "1-65535")
	f.Add("10 20", "5-12,11-30")
	f.Fuzz(func(t *testing.T, span, kept string) {
		r := parseEphemeral(span, kept)
		if err := r.check(); err != nil {
			t.Fatal(err)
		}
		for i := 1; i < len(r); i++ {
			if r[i].First <= r[i-1].Last {
				t.Fatalf("%v is not in order", r)
			}
		}
	})
}

// TestReadEphemeral: the kernel's own choices are in the range that was read.
func TestReadEphemeral(t *testing.T) {
	e := ReadEphemeral()
	if e == nil {
		t.Fatal("the range cannot be read")
	}
	for range 50 {
		p, err := Listen(within(t), PassiveConfig{Local: loopback})
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
		if !has(e.Ports(), p.Addr().Port()) {
			t.Errorf("port %d is not in %v", p.Addr().Port(), e.Ports())
		}
	}
}
