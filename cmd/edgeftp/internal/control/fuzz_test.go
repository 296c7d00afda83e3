package control

import (
	"net/url"
	"reflect"
	"testing"
)

// What a swap says in a request's address is understood as it was meant, or not at all.
func FuzzSwapQuery(f *testing.F) {
	f.Add("canary=5&for=10m0s")
	f.Add("shadow=true")
	f.Add("now=1&allow_downgrade=t")
	f.Add("for=-1ns&canary=-9")
	f.Fuzz(func(t *testing.T, text string) {
		q, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		var s, again Swap
		if s.readQuery(q) != nil {
			return
		}
		if err := again.readQuery(s.query()); err != nil || !reflect.DeepEqual(s, again) {
			t.Errorf("%q: %+v, then %+v, %v", text, s, again, err)
		}
	})
}
