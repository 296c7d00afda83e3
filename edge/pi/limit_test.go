package pi

import (
	"errors"
	"testing"

	"github.com/edgeftp/edgeftp/edge/wire"
)

func TestLimit(t *testing.T) {
	said := map[string]Limit{}
	for l := LimitBan; l <= LimitShutdown; l++ {
		if before, twice := said[l.Error()]; twice || l.Error() == Limit(0).Error() {
			t.Errorf("%d is said as %d is", l, before)
		}
		said[l.Error()] = l
		if own := l == LimitBan || l == LimitAddress || l == LimitUser || l == LimitLogins || l == LimitRate; l.Own() != own {
			t.Errorf("%v: %v", l, l.Own())
		}
		r := l.Refuses(wire.Say(wire.CodeNotAvailable, "No."))
		if got, ok := errors.AsType[Limit](r.Cause); got != l || !ok || r.Code != wire.CodeNotAvailable {
			t.Errorf("%v: %v", l, r.Cause)
		}
	}
}
