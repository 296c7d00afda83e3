package defender

import (
	"errors"
	"net/netip"
	"testing"
	"time"
)

// Another Defender learns of a ban what there is to know: until when, for what, how often. What it knows better,
// it keeps, and a report that is damaged changes nothing.
func TestLearn(t *testing.T) {
	now := time.Now()
	old, d := New(usual(), now.Add(-time.Hour)), New(usual(), now.Add(-time.Minute))
	who, other := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	if r := old.Report(now, who); r != nil {
		t.Errorf("a report of nobody: %q", r)
	}
	old.fail(now, addr("192.0.2.1"), "u", 10)
	old.fail(now, addr("192.0.2.2"), "u", 9)
	report := old.Report(now, who)
	if len(report) > 200 {
		t.Errorf("a report has %d bytes", len(report))
	}
	if news, err := d.Learn(report[:len(report)-1], now); !errors.Is(err, ErrDamaged) || len(news) > 0 || len(d.Bans(now)) > 0 {
		t.Errorf("of half a report: %v, %v", news, err)
	}
	d.fail(now, addr("192.0.2.1"), "u", 2)
	later := now.Add(10 * time.Second)
	news, err := d.Learn(report, later)
	if err != nil || len(news) != 1 {
		t.Fatalf("%v, %v", news, err)
	}
	was := old.Bans(later)[0]
	for _, got := range append(news, d.Bans(later)...) {
		if got.Who != who || got.By != ByScore || got.Times != 1 || got.Why != was.Why || got.Until.Sub(was.Until).Abs() > time.Second {
			t.Errorf("%+v, want %+v", got, was)
		}
	}
	if d.Admit(later, addr("192.0.2.1")) != Banned {
		t.Error("he comes in all the same")
	}
	if news, err := d.Learn(report, later); err != nil || len(news) != 0 {
		t.Errorf("what is known is news: %v, %v", news, err)
	}
	if news, err := d.Learn(old.Report(now, other), later); err != nil || len(news) != 0 || d.Admit(later, addr("192.0.2.2")) != Welcome {
		t.Errorf("who is not banned: %v, %v", news, err)
	}
	if news, err := d.Learn(report, was.Until.Add(time.Second)); err != nil || len(news) != 0 {
		t.Errorf("what is over is news: %v, %v", news, err)
	}
	strict := usual()
	strict.Allow = []netip.Prefix{who}
	free := New(strict, now)
	if _, err := free.Learn(report, now); err != nil || free.Admit(now, addr("192.0.2.1")) != Welcome {
		t.Errorf("who is allowed is turned away: %v", err)
	}
}
