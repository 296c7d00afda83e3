package defender

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// seasoned returns a Defender that knows something of each kind.
func seasoned(t testing.TB, now time.Time) *Defender {
	t.Helper()
	d := New(usual(), now.Add(-time.Hour))
	d.fail(now.Add(-50*time.Minute), addr("192.0.2.3"), "u", 10) // was banned
	d.fail(now.Add(-5*time.Minute), addr("192.0.2.1"), "u", 10)
	d.fail(now.Add(-5*time.Minute), addr("2001:db8::1"), "u", 10)
	d.fail(now, addr("192.0.2.2"), "u", 9)
	d.Entered(now.Add(-time.Minute), addr("198.51.100.1"), "anna")
	d.Entered(now, addr("2001:db8:5::1"), "anna")
	for who, long := range map[string]time.Duration{"203.0.113.0/24": time.Hour, "2001:db8:7::/48": 0} {
		if _, err := d.Order(now.Add(-time.Minute), prefixOf(who), long, "by hand, é"); err != nil {
			t.Fatal(err)
		}
	}
	d.Expire(now)
	return d
}

func restored(t testing.TB, blob []byte, now time.Time) *Defender {
	t.Helper()
	d := New(usual(), now)
	if err := d.Restore(blob, now); err != nil {
		t.Fatal(err)
	}
	return d
}

// Threat 29: a restart forgets neither bans nor scores, nor where users are at home.
func TestRestart(t *testing.T) {
	now := time.Now()
	old := seasoned(t, now)
	blob := old.Snapshot(now)
	now = now.Add(time.Minute)
	d := restored(t, blob, now)
	was, is := old.Bans(now), d.Bans(now)
	if len(was) != 4 || len(is) != len(was) {
		t.Fatalf("%d bans were and %d are", len(was), len(is))
	}
	byWho := map[netip.Prefix]Ban{}
	for _, b := range is {
		byWho[b.Who] = b
	}
	for _, b := range was {
		got := byWho[b.Who]
		if got.Why != b.Why || got.By != b.By || got.Times != b.Times || got.Until.IsZero() != b.Until.IsZero() ||
			got.Until.Sub(b.Until).Abs() > 2*time.Second || got.Since.Sub(b.Since).Abs() > 2*time.Second {
			t.Errorf("%+v has become %+v", b, got)
		}
	}
	for a, want := range map[string]Admission{"192.0.2.1": Banned, "192.0.2.2": Welcome, "192.0.2.3": Welcome, "203.0.113.9": Banned, "2001:db8:7:1::1": Banned} {
		if got := d.Admit(now, addr(a)); got != want {
			t.Errorf("%s: %v", a, got)
		}
	}
	if !d.fail(now, addr("192.0.2.2"), "u", 1) {
		t.Error("a score is forgotten")
	}
	d.fail(now, addr("192.0.2.3"), "u", 10)
	for _, b := range d.Bans(now) {
		if b.Who == prefixOf("192.0.2.3/32") && (b.Times != 2 || b.Until.Sub(now) != 30*time.Minute) {
			t.Errorf("a repeater's ban: %+v", b)
		}
	}
	for i := range 40 {
		d.fail(now, netip.AddrFrom4([4]byte{10, 0, byte(i), 1}), "anna", 1)
	}
	for _, home := range []string{"198.51.100.7", "2001:db8:5::2"} {
		for range 3 {
			if turn := d.Attempt(now, addr(home), "anna"); turn != (Turn{}) {
				t.Errorf("anna at home: %+v", turn)
			}
		}
	}
	for range 1000 {
		if _, banned := d.Note(now, addr("198.51.100.1"), Crowding); banned {
			t.Fatal("that somebody has logged in from there is forgotten")
		}
	}
	if d.hosts.find(key{}) != nil {
		t.Error("something is kept of nobody")
	}
}

// Threat 96: over a restart only the wall clock is left. One that has gone back bans
// nobody for longer, one that has gone far ahead ends what has an end.
func TestRestartClock(t *testing.T) {
	now := time.Now()
	blob := seasoned(t, now).Snapshot(now)
	for name, step := range map[string]struct {
		jump time.Duration
		bans int
	}{"back an hour": {-time.Hour, 4}, "to 1970": {-time.Duration(now.UnixNano()), 4}, "a day ahead": {25 * time.Hour, 1}, "a century ahead": {100 * 365 * 24 * time.Hour, 1}} {
		then := now.Add(step.jump)
		d := restored(t, blob, then)
		bans := d.Bans(then)
		if len(bans) != step.bans {
			t.Errorf("%s: %+v", name, bans)
		}
		for _, b := range bans {
			if left := b.Until.Sub(then); b.By == ByScore && left > 10*time.Minute+time.Second || !b.Until.IsZero() && left > time.Hour {
				t.Errorf("%s: %v is banned for another %v", name, b.Who, left)
			}
		}
	}
}

// A ban by score is not longer than what the configuration of now allows.
func TestRestartShorter(t *testing.T) {
	now := time.Now()
	blob := seasoned(t, now).Snapshot(now)
	conf := usual()
	conf.Ban, conf.MostBan = time.Minute, time.Minute
	d := New(conf, now)
	if err := d.Restore(blob, now); err != nil {
		t.Fatal(err)
	}
	if d.Admit(now.Add(time.Minute), addr("192.0.2.1")) != Welcome {
		t.Error("a ban outlasts MostBan")
	}
}

// Whatever a Defender knows, its blob is within its bound and can be read again, bans
// before all else.
func TestBlobBound(t *testing.T) {
	now := time.Now()
	d := New(usual(), now)
	for i := range maxHosts {
		d.fail(now, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), fmt.Sprint("u", i), 1+9*(i%5/4))
		d.Entered(now, netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), fmt.Sprint("u", i))
	}
	for i := range maxOrders {
		if _, err := d.Order(now, netip.PrefixFrom(netip.AddrFrom4([4]byte{12, byte(i >> 8), byte(i), 0}), 24), time.Hour, string(bytes.Repeat([]byte("y"), 300))); err != nil {
			t.Fatal(err)
		}
	}
	blob := d.Snapshot(now)
	if len(blob) > MaxBlob || len(blob) < MaxBlob*9/10 {
		t.Errorf("the blob is %d bytes long", len(blob))
	}
	if was, is := d.Status(now, 1).Bans, restored(t, blob, now).Status(now, 1).Bans; was != is || was < 10_000 {
		t.Errorf("%d bans were and %d are", was, is)
	}
}

// A damaged blob is refused as a whole, wherever the damage is.
func TestDamage(t *testing.T) {
	now := time.Now()
	blob := seasoned(t, now).Snapshot(now)
	fails := func(what string, b []byte) {
		t.Helper()
		d := New(usual(), now)
		if err := d.Restore(b, now); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
		if st := d.Status(now, 1); st.Addresses != 0 || st.Bans != 0 {
			t.Errorf("%s: something of it was kept: %+v", what, st)
		}
	}
	for i := range blob {
		bad := bytes.Clone(blob)
		bad[i] ^= 0x10
		fails(fmt.Sprint("bit of byte ", i), bad)
		fails(fmt.Sprint("cut at ", i), blob[:i])
		if i > len(magic)+8 && i < len(blob)-crc32.Size { // with a checksum that is right
			if whole := summed(blob[:i]); New(usual(), now).Restore(whole, now) != nil {
				fails(fmt.Sprint("cut and summed at ", i), whole)
			}
		}
	}
	fails("too long", make([]byte, MaxBlob+1))
	fails("twice", summed(append(blob[:len(blob)-crc32.Size:len(blob)-crc32.Size], blob[len(magic)+8:len(blob)-crc32.Size]...)))
}

func summed(body []byte) []byte {
	return binary.BigEndian.AppendUint32(bytes.Clone(body), crc32.ChecksumIEEE(body))
}

// Whatever a blob says, it is refused, or what was taken of it can be kept, read again
// and lived with. The checksum is put right, so that the rest is reached.
func FuzzRestore(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	blob := seasoned(f, now).Snapshot(now)
	f.Add(blob, int64(0))
	f.Add(blob[:len(blob)-30], int64(time.Hour))
	f.Add(New(usual(), now).Snapshot(now), int64(-time.Hour))
	f.Add([]byte{}, int64(0))
	f.Fuzz(func(t *testing.T, b []byte, jump int64) {
		if n := len(b) - crc32.Size; n >= 0 {
			b = summed(b[:n])
		}
		then := now.Add(time.Duration(jump))
		d := New(usual(), then)
		if d.Restore(b, then) != nil {
			return
		}
		d.hosts.check(t)
		d.owners.check(t)
		for _, ban := range d.Bans(then) {
			if left := ban.Until.Sub(then); !ban.Who.IsValid() || ban.By == ByScore && left > d.conf.MostBan {
				t.Fatalf("%+v, from %v", ban, then)
			}
		}
		again := restored(t, d.Snapshot(then), then)
		if was, is := d.Status(then, 1), again.Status(then, 1); was.Bans != is.Bans || is.Addresses > was.Addresses {
			t.Fatalf("%+v has become %+v", was, is)
		}
		d.fail(then, addr("192.0.2.1"), "u", 20)
		d.Expire(then.Add(100 * time.Hour))
		d.hosts.check(t)
	})
}

// The form does not change by accident: a blob that was kept by the first version of it
// (seasoned's, at this time) is read for ever, and is not written again.
func TestFirstForm(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	path := filepath.Join("testdata", "first.blob")
	blob, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := restored(t, blob, now)
	if st := d.Status(now, 1); st.Bans != 4 || d.Admit(now, addr("192.0.2.1")) != Banned || !d.owns(nameOf("anna"), key{0, mapped | 198<<24 | 51<<16 | 100<<8}, d.tick(now)) {
		t.Errorf("%+v", st)
	}
}
