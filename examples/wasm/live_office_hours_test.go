package wasm

import (
	"fmt"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/examples/wasm/live"
)

func liveOfficeHours(t *testing.T, dir string) {
	wasm := live.Build(t, dir)
	start := func(settings string) *live.Server {
		return live.Start(t, live.Options{Modules: []live.Module{{Name: "hours", Wasm: wasm, Settings: settings}}})
	}
	const always = `hours: [{ days: mon-sun, from: "00:00", to: "24:00" }]`
	s := start("{ " + always + " }")
	s.Put(t, "/a.txt", "a").Want(t, live.OK)
	s.Stop(t)

	// An hour that begins in half a day.
	at := func(in time.Duration) string { return time.Now().UTC().Add(in).Format("15:04") }
	s = start(fmt.Sprintf("{ hours: [{ days: mon-sun, from: %q, to: %q }], closed: we are at home }", at(12*time.Hour), at(13*time.Hour)))
	s.Get(t, "/").Want(t, live.NoLogin, "530")
	s.Expect(t, "login failed", "hours")
	s.Stop(t)

	s = start("{ " + always + `, networks: [192.0.2.0/24, "2001:db8::/32"] }`)
	s.Get(t, "/").Want(t, live.NoLogin, "530")
	s.Stop(t)

	s = start("{ " + always + ", networks: [127.0.0.0/8] }")
	s.Put(t, "/a.txt", "a").Want(t, live.OK)
	s.Get(t, "/").Want(t, live.OK, "a.txt")
	s.Stop(t)
}
