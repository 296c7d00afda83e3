package acme

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// Manager obtains certificates, keeps them, and renews them while they are served. A
// name that cannot be had leaves the others alone; a certificate that cannot be renewed
// is served until it ends.
//
// Make it with [NewManager], then [Manager.Load] and [Manager.Start] it, and in the end
// [Manager.Close] it. All else is safe for concurrent use.
type Manager struct {
	conf      Config
	log       *slog.Logger
	storage   *saves
	cache     *certmagic.Cache
	long      *certmagic.Config // for certificates of more than shortLife
	short     *certmagic.Config
	issuers   []certmagic.Issuer
	solving   *challenges // nil with Local
	demand    *demand     // nil without OnDemand
	attempts  attempts
	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	closeOnce sync.Once
	loaded    bool

	mu      sync.Mutex
	pursued map[string]bool // names for which a job tries again and again
	origins map[string]origin
	closed  bool // no job begins while Close waits
	jobs    sync.WaitGroup
}

const (
	lookDue = 10 * time.Minute
	// shortLife is where certificates begin for which a third of the life would be too
	// late: with 6 days an outage of two would be enough.
	shortLife  = 10 * 24 * time.Hour
	longRatio  = 1.0 / 3
	shortRatio = 1.0 / 2
)

// NewManager makes a manager, and does nothing yet. The error says what in conf cannot
// be.
func NewManager(conf Config) (*Manager, error) {
	m := &Manager{conf: conf, log: conf.Log, pursued: map[string]bool{}, origins: map[string]origin{}}
	m.storage = newSaves(conf.Storage, m.failed)
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.attempts.storage, m.attempts.log = conf.Storage, m.log
	if err := m.check(); err != nil {
		return nil, err
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.issuers = conf.issuers
	if conf.Local != nil {
		m.issuers = []certmagic.Issuer{conf.Local}
		conf.Local.outdate(m.reissue)
	}
	if len(m.issuers) == 0 {
		m.solving = newChallenges(&m.conf, m.log)
		for _, a := range conf.Authorities {
			m.issuers = append(m.issuers, newIssuer(m.ctx, &m.conf, a, m.solving, m.attempts.inRow, m.log))
		}
	}
	zlog := zapLogger(m.log)
	m.cache = certmagic.NewCache(certmagic.CacheOptions{GetConfigForCert: m.configFor, RenewCheckInterval: cmp.Or(conf.every, lookDue), Logger: zlog})
	m.long, m.short = m.config(longRatio, zlog), m.config(shortRatio, zlog)
	if conf.OnDemand != nil {
		m.demand = newDemand(m)
	}
	return m, nil
}

func (m *Manager) check() error {
	c := &m.conf
	switch {
	case c.Storage == nil:
		return errors.New("certificates need a storage")
	case len(c.Names) == 0 && c.OnDemand == nil:
		return errors.New("there are no names to have certificates for")
	case (c.Local == nil) == (len(c.Authorities)+len(c.issuers) == 0):
		return errors.New("certificates need either authorities or the development authority")
	case len(c.Authorities) > 0 && c.Challenges.none():
		return errors.New("no challenge is allowed, and an authority needs a proof")
	}
	if err := checkAuthorities(c.Authorities); err != nil {
		return err
	}
	for i, name := range c.Names {
		plain, err := Subject(name)
		if err != nil {
			return err
		}
		if plain != name || slices.Contains(c.Names[:i], name) {
			return fmt.Errorf("the name %q is there twice, or not in its plain form %q", name, plain)
		}
		if err := c.Challenges.prove(name); len(c.Authorities) > 0 && err != nil {
			return err
		}
	}
	return nil
}

// config is certmagic's view of the manager.
func (m *Manager) config(ratio float64, zlog *zap.Logger) *certmagic.Config {
	kinds := map[KeyKind]certmagic.KeyType{P384: certmagic.P384, RSA2048: certmagic.RSA2048, RSA4096: certmagic.RSA4096}
	return certmagic.New(m.cache, certmagic.Config{
		RenewalWindowRatio:  ratio,
		Issuers:             m.issuers,
		OCSP:                certmagic.OCSPConfig{DisableStapling: true}, // it asks in clear text, without an end, while the server starts
		ReusePrivateKeys:    m.conf.KeepKey,
		DisableStorageCheck: true, // mayOrder looks, and tells
		KeySource:           certmagic.StandardKeyGenerator{KeyType: cmp.Or(kinds[m.conf.Key], certmagic.P256)},
		Storage:             m.storage,
		OnEvent:             m.onEvent,
		ShouldEmitFunc:      func(event string) bool { return event != "tls_get_certificate" },
		Logger:              zlog,
	})
}

// configFor chooses how a certificate is looked after by how long it lives.
func (m *Manager) configFor(cert certmagic.Certificate) (*certmagic.Config, error) {
	if cert.Leaf != nil && renewRatio(cert.Leaf) == shortRatio {
		return m.short, nil
	}
	return m.long, nil
}

// renewRatio is the part of its life that a certificate has left when it is renewed.
func renewRatio(leaf *x509.Certificate) float64 {
	if leaf.NotAfter.Sub(leaf.NotBefore) <= shortLife {
		return shortRatio
	}
	return longRatio
}

// Load takes the certificates that are in the storage, so that they are served. With
// Local it issues those that are missing.
//
// The error says that the storage cannot be used. Files that are damaged are no error:
// they are put aside, under the prefix damaged, and the certificate is ordered anew. A
// storage that can be read alone (a full disk) is none as long as every name has its
// certificate; that is told to Log.
func (m *Manager) Load(ctx context.Context) error {
	unusable := CheckStorage(ctx, m.storage)
	for _, name := range m.conf.Names {
		err := m.load(ctx, name)
		switch missing := errors.Is(err, fs.ErrNotExist); {
		case err != nil && (!missing || unusable != nil):
			return cmp.Or(unusable, err)
		case missing && m.conf.Local != nil:
			if err := m.obtain(ctx, name); err != nil {
				return fmt.Errorf("the certificate of %s: %w", name, err)
			}
		}
	}
	if unusable != nil && len(m.conf.Names) == 0 {
		return unusable
	}
	if unusable != nil {
		m.log.Error("certificates are served, and cannot be renewed", "error", brief(unusable), "help", Advice(unusable))
	}
	m.loaded = true
	return nil
}

// Start begins to obtain the certificates that are missing and to renew those that are
// due, after [Manager.Load] unless that has been called; the others are renewed when
// they are. It does not wait for them: that an authority does not answer is no error, is
// tried again, and is told to Log and Event. Listeners that answer challenges are to be
// there.
func (m *Manager) Start(ctx context.Context) error {
	if !m.loaded {
		if err := m.Load(ctx); err != nil {
			return err
		}
	}
	if m.solving != nil {
		m.solving.begin(m.ctx, &m.jobs)
	}
	m.run(func() { m.attempts.sweep(m.ctx) })
	for _, name := range m.conf.Names {
		if len(m.held(name)) == 0 || m.due(name) {
			m.run(func() {
				m.recall(name)
				m.pursue(name)
			})
		}
	}
	m.run(m.tend)
	return nil
}

// tend looks for what is due. certmagic does so too, and refreshes what authorities
// suggest (RFC 9773); but after failures it comes later and later, and it counts what
// mayOrder refuses.
func (m *Manager) tend() {
	tick := time.NewTicker(cmp.Or(m.conf.every, lookDue))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-m.ctx.Done():
			return
		}
		names := m.names()
		m.mu.Lock()
		maps.DeleteFunc(m.origins, func(name string, _ origin) bool { return !slices.Contains(names, name) })
		m.mu.Unlock()
		for _, name := range names {
			if m.due(name) {
				m.pursue(name)
			}
		}
	}
}

// due reports whether the certificate in use for a name is to be renewed by now.
func (m *Manager) due(name string) bool {
	return slices.ContainsFunc(m.held(name), func(c certmagic.Certificate) bool {
		config, _ := m.configFor(c)
		return c.NeedsRenewal(config)
	})
}

// Close ends all work: orders that are pending are given up, and go on at the next
// start. Handshakes go on with what is there.
func (m *Manager) Close() {
	m.closeOnce.Do(func() {
		m.mu.Lock()
		m.closed = true
		m.mu.Unlock()
		m.cancel()
		m.cache.Stop()
		m.jobs.Wait()
	})
}

// run does a job beside, and reports whether it began.
func (m *Manager) run(job func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.jobs.Go(job)
	}
	return !m.closed
}

// load takes the certificate of a name from the storage, if it is whole. The error is
// fs.ErrNotExist if there is none, or it was damaged.
func (m *Manager) load(ctx context.Context, name string) error {
	for _, is := range m.issuers {
		if err := m.mend(ctx, is.IssuerKey(), name); err != nil {
			return err
		}
	}
	_, err := m.long.CacheManagedCertificate(ctx, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = &storageError{"the certificate of " + name + " cannot be read", err}
	}
	return err
}

// held are the certificates in memory that were obtained for name.
func (m *Manager) held(name string) []certmagic.Certificate {
	return slices.DeleteFunc(m.cache.AllMatchingCertificates(name), func(c certmagic.Certificate) bool {
		return !slices.Contains(c.Names, name)
	})
}

// leaf is the certificate in use for a name, or nil.
func (m *Manager) leaf(name string) *x509.Certificate {
	var best *x509.Certificate
	for _, c := range m.held(name) {
		if best == nil || c.Leaf.NotAfter.After(best.NotAfter) {
			best = c.Leaf
		}
	}
	return best
}
