package providers

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/tests/authority"
)

// words is a log that tests look into.
type words struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// manager orders a certificate for a name and one for the names below it, both at once
// and by records of one name.
func manager(t *testing.T, ca *authority.Authority, settings map[string]string) (<-chan acme.CertEvent, *words) {
	t.Helper()
	storage, err := acme.OpenStorage(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	events, log := make(chan acme.CertEvent, 16), &words{}
	m, err := acme.NewManager(acme.Config{
		Names:       []string{"ftp.example.org", "*.ftp.example.org"},
		Authorities: []acme.Authority{{Directory: ca.Directory, Roots: ca.Roots}},
		Challenges:  acme.Challenges{DNS: &acme.DNS{Provider: opened(t, "rfc2136", settings), Resolvers: []string{ca.DNS.Addr}}},
		Storage:     storage,
		Log:         slog.New(slog.NewTextHandler(log, nil)),
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
	return events, log
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
	events, _ := manager(t, ca, map[string]string{"server": ca.DNS.Addr, "key_name": "edgeftp", "key": tsigSecret})
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
	events, log := manager(t, ca, map[string]string{"server": ca.DNS.Addr, "key_name": "edgeftp", "key": tsigOther})
	e := await(t, events)
	says(t, e.Err, "the server does not accept the key", "compare key_name, key_alg and key")
	if text := log.String(); !strings.Contains(text, "help=\"compare key_name, key_alg and key") || strings.Contains(text, tsigOther) {
		t.Errorf("the log says: %s", text)
	}
}
