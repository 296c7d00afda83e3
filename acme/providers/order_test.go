package providers

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/tests/authority"
)

// manager orders a certificate for a name and one for the names below it, both at once
// and by records of one name.
func manager(t *testing.T, ca *authority.Authority, settings map[string]string) <-chan acme.CertEvent {
	t.Helper()
	storage, err := acme.OpenStorage(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan acme.CertEvent, 16)
	m, err := acme.NewManager(acme.Config{
		Names:       []string{"ftp.example.org", "*.ftp.example.org"},
		Authorities: []acme.Authority{{Directory: ca.Directory, Roots: ca.Roots}},
		Challenges:  acme.Challenges{DNS: &acme.DNS{Provider: opened(t, "rfc2136", settings), Resolvers: []string{ca.DNS.Addr}}},
		Storage:     storage,
		Event: func(e acme.CertEvent) {
			select {
			case events <- e:
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return events
}

func await(t *testing.T, events <-chan acme.CertEvent) acme.CertEvent {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(40 * time.Second):
		t.Fatal("nothing has happened")
		return acme.CertEvent{}
	}
}

func nameServer(t *testing.T) *authority.Authority {
	return authority.Start(t, authority.Options{DNS: authority.NameOptions{Key: "edgeftp", Secret: tsigSecret,
		Records: []string{"_acme-challenge.ftp.example.org. 60 IN TXT other"}}})
}

// Both certificates come, and the zone then is as it was.
func TestOrders(t *testing.T) {
	ca := nameServer(t)
	events := manager(t, ca, map[string]string{"server": ca.DNS.Addr, "key_name": "edgeftp", "key": tsigSecret})
	var got []string
	for range 2 {
		e := await(t, events)
		if e.Err != nil {
			t.Fatal(e.Err)
		}
		got = append(got, e.Name)
	}
	if slices.Sort(got); !slices.Equal(got, []string{"*.ftp.example.org", "ftp.example.org"}) {
		t.Errorf("certificates for %q", got)
	}
	if left := ca.DNS.Records("_acme-challenge.ftp.example.org"); len(left) != 1 || !strings.Contains(left[0], "other") {
		t.Errorf("the zone has %q", left)
	}
}

// What the provider says gets to those who are told of the order's failure.
func TestOrderRefused(t *testing.T) {
	ca := nameServer(t)
	e := await(t, manager(t, ca, map[string]string{"server": ca.DNS.Addr, "key_name": "edgeftp", "key": tsigOther}))
	says(t, e.Err, "the server does not accept the key", "compare key_name, key_alg and key")
	var ours interface{ Advice() string }
	if !errors.As(e.Err, &ours) || !strings.Contains(ours.Advice(), "compare key_name") || strings.Contains(e.Err.Error(), tsigOther) {
		t.Errorf("%#v", e.Err)
	}
}
