package acme

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"slices"
	"sync"
	"time"
)

const (
	ticketRotation = 24 * time.Hour
	ticketLifetime = 7 * 24 * time.Hour // RFC 8446 §4.6.1: no ticket lives longer
)

// TicketKeys are the keys that seal session tickets (RFC 5077 §4, RFC 8446
// §4.6.1). A new key takes over every 24 hours; the older ones still open
// tickets until they are 7 days old. One set may serve several configurations,
// so that a data connection resumes the session of its control connection
// whatever configuration it was accepted with.
//
// Make it with [NewTicketKeys]. It is safe for concurrent use.
type TicketKeys struct {
	mu      sync.Mutex
	keys    []ticketKey // newest first
	configs []*tls.Config
}

type ticketKey struct {
	key  [32]byte
	made time.Time
}

// NewTicketKeys returns a set with one fresh key.
func NewTicketKeys() *TicketKeys {
	k := &TicketKeys{}
	k.rotate(time.Now())
	return k
}

// Attach gives config the keys, now and after each rotation. The config must be
// long-lived: a copy that is made of it later keeps the keys of that moment.
func (k *TicketKeys) Attach(config *tls.Config) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.configs = append(k.configs, config)
	config.SetSessionTicketKeys(k.list())
}

// Detach gives config no further keys: it is used no more.
func (k *TicketKeys) Detach(config *tls.Config) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.configs = slices.DeleteFunc(k.configs, func(c *tls.Config) bool { return c == config })
}

// Rotate makes a fresh key, which seals from now on, and forgets those that are
// older than 7 days.
func (k *TicketKeys) Rotate() {
	k.rotate(time.Now())
}

func (k *TicketKeys) rotate(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fresh := ticketKey{made: now}
	_, _ = rand.Read(fresh.key[:]) // never fails: crypto/rand ends the program first
	k.keys = slices.DeleteFunc(k.keys, func(old ticketKey) bool {
		return now.Sub(old.made) >= ticketLifetime
	})
	k.keys = slices.Insert(k.keys, 0, fresh)
	for _, c := range k.configs {
		c.SetSessionTicketKeys(k.list())
	}
}

// Run rotates the keys every 24 hours until ctx ends. It belongs in a goroutine
// of its own.
func (k *TicketKeys) Run(ctx context.Context) {
	tick := time.NewTicker(ticketRotation)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			k.Rotate()
		case <-ctx.Done():
			return
		}
	}
}

func (k *TicketKeys) list() [][32]byte {
	out := make([][32]byte, len(k.keys))
	for i := range k.keys {
		out[i] = k.keys[i].key
	}
	return out
}
