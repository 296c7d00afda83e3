package sandbox

import (
	"slices"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

// An audit log elsewhere than in the state can be written on, begun anew and shown, and no
// more; the admin API's certificate can be read again.
func TestAdminRules(t *testing.T) {
	m := newMachine(t)
	conf := &config.Config{Instance: config.Instance{StateDir: m.folder("state")}, Socket: m.at("state", "admin.sock"), Root: m.folder("root"),
		Audit: config.Audit{File: m.at("state", "audit.jsonl")}}
	of := func(path string) (list []Access) {
		for _, p := range PlanFor(conf).Paths {
			if p.Path == path {
				list = append(list, p.Access)
			}
		}
		slices.Sort(list)
		return list
	}
	if got := of(m.at("logs")); got != nil {
		t.Errorf("nothing is there: %v", got)
	}
	conf.Audit.File = m.at("logs", "audit.jsonl")
	m.folder("logs")
	cert := m.file("tls", "a.pem")
	conf.Admin.TCP = &config.AdminTCP{Cert: cert, Key: cert}
	if got := of(m.at("logs")); !slices.Equal(got, []Access{Append, Read}) {
		t.Errorf("the log: %v", got)
	}
	if got := of(m.at("tls")); !slices.Equal(got, []Access{Read}) {
		t.Errorf("the certificate: %v", got)
	}
}
