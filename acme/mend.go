package acme

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"path"
	"slices"
	"time"

	"github.com/caddyserver/certmagic"
	rfc8555 "github.com/mholt/acmez/v3/acme"
)

const (
	// mendWait is how long to wait for who is writing a certificate: longer than the
	// lock of a process that died while it wrote.
	mendWait = 15 * time.Second
	// mostDamaged is how many damaged certificates are kept for those who want to know
	// what has happened.
	mostDamaged = 20
)

// mend brings to an end what a save has left half done (see saves), and puts the files
// of a certificate aside if they are damaged, so that it is ordered anew. What cannot be
// read at all is an error; fs.ErrNotExist says that another node writes it just now.
func (m *Manager) mend(ctx context.Context, issuer, name string) error {
	s := site{issuer, name}
	found, err := s.load(ctx, m.storage)
	if err != nil {
		return err
	}
	if !found.begun && (found.none() || found.damage(name) == "") {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, mendWait)
	defer cancel()
	lock, locks := orderLock+name, m.storage.Storage // it waits for no seat
	if err := locks.Lock(waiting, lock); err != nil {
		if waiting.Err() != nil && ctx.Err() == nil {
			m.log.Warn("a stored certificate is not whole, and another node holds its lock", "name", name, "issuer", issuer)
			return fs.ErrNotExist
		}
		return err
	}
	defer func() {
		if err := release(ctx, locks, lock); err != nil {
			m.log.Warn("a lock cannot be released", "name", name, "error", err.Error())
		}
	}()
	return m.mendLocked(ctx, s)
}

// mendLocked is mend of a site that nobody else writes.
func (m *Manager) mendLocked(ctx context.Context, s site) error {
	if err := m.storage.finish(ctx, s); err != nil {
		return &storageError{"the certificate of " + s.name + ", which was not wholly written, cannot be", err}
	}
	found, err := s.load(ctx, m.storage)
	if err != nil {
		return err
	}
	why := found.damage(s.name)
	if found.none() || why == "" {
		return nil
	}
	keep := m.conf.KeepKey && found.usableKey()
	if keep && len(found.Certificate)+len(found.Facts) == 0 {
		return nil // waits for its certificate
	}
	to := path.Join("damaged", time.Now().UTC().Format("20060102-150405.000000000"), certmagic.StorageKeys.Safe(s.issuer))
	for i, value := range found.values() {
		if value == nil {
			continue
		}
		if err := m.storage.Store(ctx, path.Join(to, path.Base(s.keys()[i])), value); err != nil {
			return &storageError{"a damaged certificate of " + s.name + " cannot be put aside", err}
		}
	}
	for i, key := range s.keys() {
		if keep && i == 0 {
			continue
		}
		if err := m.storage.Delete(ctx, key); err != nil {
			return &storageError{"a damaged certificate of " + s.name + " cannot be put aside", err}
		}
	}
	m.log.Error("a stored certificate is damaged; it is ordered anew", "name", s.name, "issuer", s.issuer,
		"damage", why, "moved_to", to, "key_kept", keep)
	m.tidy(ctx)
	return nil
}

// tidy deletes the oldest of what was put aside. It is no harm if that fails.
func (m *Manager) tidy(ctx context.Context) {
	list, _ := m.storage.List(ctx, "damaged", false)
	slices.Sort(list)
	for len(list) > mostDamaged {
		_ = m.storage.Delete(ctx, list[0])
		list = list[1:]
	}
}

// site is where a certificate of an authority is stored.
type site struct{ issuer, name string }

// keys are those of the private key, the certificate and the facts.
func (s site) keys() []string {
	keys := certmagic.StorageKeys
	return []string{keys.SitePrivateKey(s.issuer, s.name), keys.SiteCert(s.issuer, s.name), keys.SiteMeta(s.issuer, s.name)}
}

// load reads what is there of a certificate.
func (s site) load(ctx context.Context, from Storage) (*saved, error) {
	var found saved
	for i, to := range []*[]byte{&found.Key, &found.Certificate, &found.Facts} {
		var err error
		if *to, err = from.Load(ctx, s.keys()[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, &storageError{"the certificate of " + s.name + " cannot be read", err}
		}
		if *to == nil && err == nil {
			*to = []byte{}
		}
	}
	begun, err := from.Load(ctx, s.journal())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &storageError{"the certificate of " + s.name + " cannot be read", err}
	}
	found.begun = begun != nil
	return &found, nil
}

// saved is what is stored of a certificate. What is nil is not there.
type saved struct {
	Key         []byte `json:"key"`         // PEM
	Certificate []byte `json:"certificate"` // the chain, PEM
	Facts       []byte `json:"facts"`       // JSON, certmagic's
	begun       bool   // a save was not finished
}

func (s *saved) values() [][]byte { return [][]byte{s.Key, s.Certificate, s.Facts} }

func (s *saved) none() bool { return s.Key == nil && s.Certificate == nil && s.Facts == nil }

func (s *saved) usableKey() bool {
	_, err := certmagic.PEMDecodePrivateKey(s.Key)
	return err == nil
}

// damage says what is wrong with the stored certificate of a name, or nothing.
func (s *saved) damage(name string) string {
	for i, what := range []string{"key", "certificate", "facts"} {
		if len(s.values()[i]) == 0 {
			return "the " + what + " " + cmp.Or(map[bool]string{true: "is missing"}[s.values()[i] == nil], "is empty")
		}
	}
	pair, err := tls.X509KeyPair(s.Certificate, s.Key)
	if err != nil {
		return "the certificate and its key: " + err.Error()
	}
	var known facts
	if err := json.Unmarshal(s.Facts, &known); err != nil {
		return "the facts: " + err.Error()
	}
	if w := known.Issuer.RenewalInfo; w != nil && w.HasWindow() && w.SelectedTime.IsZero() && w.SuggestedWindow.End.Unix() <= w.SuggestedWindow.Start.Unix()+1 {
		return "the facts: the time to renew it has no length" // certmagic panics
	}
	if !holds(pair.Leaf, name) {
		return "the certificate is for " + subject(pair.Leaf)
	}
	return ""
}

// facts are what certmagic stores of a certificate beside it.
type facts struct {
	Names  []string            `json:"sans"`
	Issuer rfc8555.Certificate `json:"issuer_data"`
}

// holds reports whether a certificate has exactly that name, address or wildcard.
func holds(leaf *x509.Certificate, name string) bool {
	return slices.Contains(leaf.DNSNames, name) || slices.ContainsFunc(leaf.IPAddresses, func(ip net.IP) bool { return ip.String() == name })
}
