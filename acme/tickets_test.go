package acme

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestTicketsOutliveRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, err := NewDevCA(filepath.Join(t.TempDir(), "state"), nil)
		must(t, err)
		m := local(t, ca, "127.0.0.1")
		control := m.Config(Choice{})
		data := m.Config(Choice{})
		keys := NewTicketKeys()
		keys.Attach(control)
		keys.Attach(data)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go keys.Run(ctx)
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			client := &tls.Config{
				ServerName: "127.0.0.1", MaxVersion: version,
				InsecureSkipVerify: true, // the fake clock is before the authority's time
				ClientSessionCache: tls.NewLRUClientSessionCache(1),
			}
			resumed := func(server *tls.Config) bool {
				a, b := net.Pipe()
				state, err := shakeOver(a, b, server, client)
				must(t, err)
				return state.DidResume
			}
			if resumed(control) {
				t.Error("the first session was resumed")
			}
			if !resumed(data) {
				t.Errorf("version %x: another configuration of the set did not resume", version)
			}
			<-time.After(3*24*time.Hour + time.Minute)
			if !resumed(data) {
				t.Errorf("version %x: not resumed after three days", version)
			}
			<-time.After(8 * 24 * time.Hour)
			if resumed(control) {
				t.Errorf("version %x: resumed after eight days", version)
			}
		}
		if n := len(keys.keys); n > 8 {
			t.Errorf("%d keys are kept", n)
		}
	})
}
