package edge

import (
	"net/netip"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// What one server reports of a ban by score another one heeds, and reports in its turn; a ban by the operator
// is no report. Observers hear of it by the one that has made it.
func TestHeed(t *testing.T) {
	type report struct {
		Ban
		bytes []byte
	}
	var reports []report
	note := func(c *Config) {
		c.Logins.FailDelay = -1
		c.Defence = Defence{Score: 30, Banned: func(b Ban, r []byte) { reports = append(reports, report{b, r}) }}
	}
	inBubble(t, note, func(old *bubble) {
		if _, err := old.Ban(netip.MustParsePrefix("203.0.113.7/32"), 0, "by hand"); err != nil || len(reports) != 0 {
			t.Errorf("%v, %v", err, reports)
		}
		for range 3 {
			old.try("192.0.2.1", "mallory", "guess")
		}
	})
	if len(reports) != 1 || reports[0].Who != netip.MustParsePrefix("192.0.2.1/32") || reports[0].By != "score" {
		t.Fatalf("%+v", reports)
	}
	inBubble(t, note, func(b *bubble) {
		if err := b.Heed(reports[0].bytes); err != nil {
			t.Fatal(err)
		}
		if bans := b.Bans(); len(bans) != 1 || bans[0].Who != reports[0].Who || bans[0].Why != reports[0].Why || bans[0].Until.Sub(reports[0].Until).Abs() > time.Minute {
			t.Errorf("%+v, want %+v", bans, reports[0].Ban)
		}
		if err := b.Heed(reports[0].bytes); err != nil || len(reports) != 2 || reports[1].Who != reports[0].Who {
			t.Errorf("%v; it is reported %d times", err, len(reports)-1)
		}
		if texts := b.keeper.told(policy.EventBanAdded); len(texts) != 0 {
			t.Errorf("observers are told of what another has done: %q", texts)
		}
		if err := b.Heed([]byte("nonsense")); err == nil {
			t.Error("nonsense is heeded")
		}
	})
	inBubble(t, func(c *Config) { c.Defence.Off = true }, func(b *bubble) {
		if err := b.Heed(reports[0].bytes); err != nil || len(b.Bans()) != 0 {
			t.Errorf("a defence that is off: %v, %v", err, b.Bans())
		}
	})
}
