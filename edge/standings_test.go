package edge

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// What logins have brought is kept once while it is equal in everything, and not longer
// than somebody rests with it.
func TestStandings(t *testing.T) {
	st := &standings{byUser: map[string]*standing{}}
	id := policy.Identity{Verdict: policy.Allow, MsgQuit: "bye"}
	first, second := st.Keep("dev", &id), st.Keep("dev", &id)
	if first != second || st.Keep("other", &id) == first {
		t.Error("who shares what is wrong")
	}
	perms := policy.Perms(policy.PermRead)
	values := []any{policy.Pass, true, 7, "x", &perms, []policy.PathRule{{Dir: "/"}}, policy.Limits{RateUp: 1},
		policy.Lenience{Resumption: true}, time.Now(), []byte("x"),
		[]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	v := reflect.ValueOf(&id).Elem()
	for i := range v.NumField() {
		was, found := v.Field(i).Interface(), false
		for _, x := range values {
			if reflect.TypeOf(x) == v.Field(i).Type() {
				v.Field(i).Set(reflect.ValueOf(x))
				found = true
			}
		}
		name := v.Type().Field(i).Name
		if !found {
			t.Errorf("give %s a value here", name)
		}
		other := st.Keep("dev", &id)
		if other == first {
			t.Errorf("another %s makes no difference", name)
		}
		st.Leave(other)
		v.Field(i).Set(reflect.ValueOf(was))
	}
	more := policy.Perms(policy.PermRead)
	a, b := policy.Identity{Perms: &perms}, policy.Identity{Perms: &more}
	if !same(&a, &b) {
		t.Error("equal permissions differ")
	}
	st.Leave(first)
	st.Leave(second)
	if st.byUser["dev"] != nil || st.byUser["other"] == nil {
		t.Errorf("kept are %v", st.byUser)
	}
}
