package control

import (
	"errors"
	"strings"
	"testing"
)

func TestBandwidth(t *testing.T) {
	_, c := serve(t, new(fake))
	rate := int64(12345)
	b, err := c.Limit(t.Context(), Limit{Scope: "global", Down: &rate})
	if err != nil || b.Global.Down != rate || b.Users == nil || b.Listeners == nil {
		t.Errorf("Limit: %+v, %v", b, err)
	}
	if b, err = c.Bandwidth(t.Context()); err != nil || b.Global.Down != rate {
		t.Errorf("Bandwidth: %+v, %v", b, err)
	}
	var no *Refusal
	if _, err := c.Limit(t.Context(), Limit{Scope: "moon"}); !errors.As(err, &no) || no.Code != CodeScope {
		t.Errorf("an unknown scope: %v", err)
	}
	if _, err := c.Limit(t.Context(), Limit{Scope: strings.Repeat("x", maxLimit)}); !errors.As(err, &no) || no.Code != CodeLimit {
		t.Errorf("a request of more than %d bytes: %v", maxLimit, err)
	}
}
