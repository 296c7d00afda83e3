package control

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// warden is a fake that bans.
type warden struct {
	fake
	bans []Ban
}

func (w *warden) Defence() Defence { return Defence{Enabled: true, Score: 20, Bans: w.bans} }

func (w *warden) Ban(b NewBan) (Ban, error) {
	if b.For > 24*time.Hour {
		return Ban{}, &Refusal{Code: CodeBanRefused, Message: "too long"}
	}
	made := Ban{Who: b.Who, Why: b.Why, Times: 1, By: "operator", Until: time.Unix(0, 0).Add(b.For).UTC()}
	w.bans = append(w.bans, made)
	return made, nil
}

func (w *warden) Unban(who netip.Prefix) error {
	for i := range w.bans {
		if w.bans[i].Who == who {
			w.bans = append(w.bans[:i], w.bans[i+1:]...)
			return nil
		}
	}
	return &Refusal{Code: CodeNotBanned, Message: fmt.Sprintf("%s is not banned", who)}
}

func TestBans(t *testing.T) {
	_, c := serve(t, new(warden))
	six, four := netip.MustParsePrefix("2001:db8:0:1::/64"), netip.MustParsePrefix("192.0.2.7/32")
	for _, who := range []netip.Prefix{six, four} {
		made, err := c.Ban(t.Context(), NewBan{Who: who, For: time.Hour, Why: "100% sure & more"})
		if err != nil || made.Who != who || made.Why != "100% sure & more" || made.Until.Unix() != 3600 {
			t.Errorf("Ban: %+v, %v", made, err)
		}
	}
	if d, err := c.Defence(t.Context()); err != nil || len(d.Bans) != 2 || !d.Enabled || d.Watched == nil || d.Slowed == nil {
		t.Errorf("Defence: %+v, %v", d, err)
	}
	if d, err := c.Unban(t.Context(), six); err != nil || len(d.Bans) != 1 || d.Bans[0].Who != four {
		t.Errorf("Unban: %+v, %v", d, err)
	}
	var no *Refusal
	if _, err := c.Unban(t.Context(), six); !errors.As(err, &no) || no.Code != CodeNotBanned {
		t.Errorf("Unban again: %v", err)
	}
	if _, err := c.Ban(t.Context(), NewBan{Who: four, For: 48 * time.Hour}); !errors.As(err, &no) || no.Code != CodeBanRefused {
		t.Errorf("a ban of the wrong kind: %v", err)
	}
	for name, b := range map[string]NewBan{"of nobody": {}, "of negative time": {Who: four, For: -1}, "of many words": {Who: four, Why: strings.Repeat("x", maxBan)}} {
		if _, err := c.Ban(t.Context(), b); !errors.As(err, &no) || no.Code != CodeBan {
			t.Errorf("a ban %s: %v", name, err)
		}
	}
	if err := c.do(t.Context(), "DELETE", "/v1/bans?who=everybody", nil, new(Defence)); !errors.As(err, &no) || no.Code != CodeBan {
		t.Errorf("Unban of no network: %v", err)
	}
}
