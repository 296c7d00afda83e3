package listing

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// zones are such as have many offsets, odd ones and none.
func zones(t testing.TB) []*time.Location {
	t.Helper()
	all := []*time.Location{nil, time.UTC, time.FixedZone("", -5*3600), time.FixedZone("", 14*3600), time.FixedZone("", -(4*3600 + 56*60 + 2))}
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Monrovia", "Pacific/Apia"} {
		if z, err := time.LoadLocation(name); err == nil { // a host may have none
			all = append(all, z)
		}
	}
	return all
}

// check holds the clock against package time.
func (c *clock) check(t *testing.T, at time.Time) {
	t.Helper()
	second := c.at(at)
	want := at.In(c.location())
	if c.tellable() != (want.Year() >= 0 && want.Year() <= 9999) {
		t.Fatalf("%v: tellable is %v", want, c.tellable())
	}
	if got := string(c.appendDate(nil)); got != want.Format("Jan _2") {
		t.Fatalf("%v in %v: %q", want, c.zone, got)
	}
	if h, m, s := want.Clock(); second != h*3600+m*60+s {
		t.Fatalf("%v in %v: second %d", want, c.zone, second)
	}
	if got := string(c.appendStamp(nil, second)); c.tellable() && got != want.Format("20060102150405") {
		t.Fatalf("%v in %v: %q", want, c.zone, got)
	}
}

// The clock says what package time says, from one time to any other.
func TestClock(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, zone := range zones(t) {
		c := clock{zone: zone}
		at := noon
		for i := range 20_000 {
			switch i % 4 {
			case 0:
				at = at.Add(time.Duration(random.Int64N(int64(48*time.Hour))) - 24*time.Hour)
			case 1:
				at = at.Add(time.Duration(random.Int64N(int64(2*366*24*time.Hour))) - 366*24*time.Hour)
			case 2:
				at = time.Unix(random.Int64N(1<<33)-1<<32, random.Int64N(1e9))
			case 3:
				at = at.Add(time.Second)
			}
			c.check(t, at)
		}
		for _, sec := range []int64{0, -1, -86400, -86401, 253402300799, 253402300800, -62167219200, -62167219201, 1 << 40, -(1 << 40), math.MaxInt32} {
			c.check(t, time.Unix(sec, 0))
		}
	}
}

// The year of LIST is that of package time, also where it has not four digits.
func TestLongYears(t *testing.T) {
	long := Long(Style{Now: noon})
	for _, year := range []int{-1, 0, 7, 999, 1969, 9999, 10000, 292277} {
		at := time.Date(year, 2, 3, 4, 5, 6, 0, time.UTC)
		got := string(long(nil, &vfs.Info{Name: "x", ModTime: at}))
		if want := at.Format("Jan _2  2006") + " x"; !strings.HasSuffix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A format that has written other entries writes the next one as a new one would.
func TestFormatsForget(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	owners := func(uid, gid uint32) (string, string) {
		return strings.Repeat("u", int(uid)), strings.Repeat("g", int(gid))
	}
	style := Style{Now: noon, Owners: owners}
	old, e := Long(style), Entry{Kind: "file"}
	for range 10_000 {
		info := vfs.Info{Name: "x", Mode: 0o600, Links: random.Uint64N(3), UID: random.Uint32N(3), GID: random.Uint32N(3), Size: random.Int64N(1 << 40),
			ModTime: noon.Add(-time.Duration(random.Int64N(int64(72 * time.Hour)))), Inode: random.Uint64N(2)}
		if random.IntN(3) == 0 {
			info.Mode = 0o644
		}
		if got, want := string(old(nil, &info)), string(Long(style)(nil, &info)); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		e.Info, e.Made = &info, info.ModTime.Add(-time.Hour)
		fresh := Entry{Info: &info, Kind: "file", Made: e.Made}
		if got, want := string(AllFacts().Line(nil, &e, "x")), string(AllFacts().Line(nil, &fresh, "x")); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	}
}

func FuzzSortNames(f *testing.F) {
	f.Add("a b c", 3)
	f.Add("file-1 file-10 file-2 file- file", 60)
	f.Add("\x00 \x00\x00 \xff", 100)
	f.Fuzz(func(t *testing.T, text string, times int) {
		words := strings.Split(text, " ")
		var names []string
		for i := range min(max(times, 0), 200) {
			names = append(names, words[i%len(words)]+strings.Repeat("x", i%7)+words[i*3%len(words)])
		}
		want := slices.Sorted(slices.Values(names))
		if sortNames(names); !slices.Equal(names, want) {
			t.Fatalf("%q, want %q", names, want)
		}
	})
}

// Names are sorted by their bytes, however alike and however many they are.
func TestSortNames(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, alphabet := range []string{"ab", "abcdefghijklmnopqrstuvwxyz0123456789.-_", "\x01\x7f\x80\xff", "a\x00"} {
		for _, longest := range []int{1, 3, 12, 60, 250} {
			names := make([]string, 3000)
			for i := range names {
				b := make([]byte, random.IntN(longest+1))
				for j := range b {
					b[j] = alphabet[0]
					if random.IntN(8) == 0 {
						b[j] = alphabet[random.IntN(len(alphabet))]
					}
				}
				names[i] = string(b)
			}
			want := slices.Sorted(slices.Values(names))
			if sortNames(names); !slices.Equal(names, want) {
				t.Errorf("alphabet %q, up to %d bytes: not in order", alphabet, longest)
			}
		}
	}
}

func BenchmarkSortNames(b *testing.B) {
	names := make([]string, 5000)
	for i := range names {
		names[i] = entry(i)
	}
	rand.New(rand.NewPCG(7, 8)).Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for what, sort := range map[string]func([]string){"radix": sortNames, "comparison": slices.Sort[[]string]} {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			work := make([]string, len(names))
			for b.Loop() {
				copy(work, names)
				sort(work)
			}
		})
	}
}
