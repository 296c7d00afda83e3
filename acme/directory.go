package acme

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/certmagic"
	rfc8555 "github.com/mholt/acmez/v3/acme"
)

// directory is one side of an authority, the real or the test one, with an account of
// its own (RFC 8555 §7.1.1).
type directory struct {
	url, key string // key is the storage's
	at       Authority
	storage  Storage
	log      *slog.Logger
	client   *rfc8555.Client
	web      *web

	turn chan struct{} // held by whoever has the account
	own  *registration // nil until it is asked for

	issued, failed, limited atomic.Uint64
}

func newDirectory(conf *Config, at Authority, url string, log *slog.Logger) *directory {
	d := &directory{url: url, key: storageKey(url), at: at, storage: conf.Storage, log: log, turn: make(chan struct{}, 1)}
	d.web = newWeb(conf, at.Roots, url)
	d.client = &rfc8555.Client{Directory: url, HTTPClient: d.web.client(), UserAgent: "edgeftp", Logger: slog.New(quiet{log.Handler()})}
	return d
}

// host names the authority in messages.
func (d *directory) host() string {
	if u, err := url.Parse(d.url); err == nil && u.Host != "" {
		return u.Host
	}
	return d.url
}

// storageKey names a directory in the storage: its host and path, with hyphens. What
// could be mistaken for another directory's gets a number of its own.
func storageKey(directory string) string {
	u, err := url.Parse(directory)
	if err != nil {
		u = &url.URL{Path: directory}
	}
	name := certmagic.StorageKeys.Safe(strings.Trim(u.Host+strings.ReplaceAll(u.Path, "/", "-"), "-"))
	// The last dot is in the host, which ends with the letters behind it: the slashes
	// are known again.
	plain := regexp.MustCompile(`^https://([a-z0-9-]+\.)+[a-z]+(/[a-z0-9_]+)*$`)
	if plain.MatchString(directory) {
		return name
	}
	return fmt.Sprintf("%s-%.4x", name, sha256.Sum256([]byte(directory)))
}

func (d *directory) path(elem ...string) string {
	return path.Join(append([]string{"acme", d.key}, elem...)...)
}

// OrderCount is how many orders an authority was given, by what they came to: issued,
// failed or limited (refused with the word to come later). Dry runs are counted for the
// test directory.
type OrderCount struct {
	CA     string // the URL of the directory
	Result string
	Count  uint64
}

// Orders counts the orders since the manager was made, those that failed before the
// authority was asked among them.
func (m *Manager) Orders() []OrderCount {
	var list []OrderCount
	if m.solving == nil {
		return list
	}
	for _, d := range m.solving.known {
		list = append(list, OrderCount{d.url, "issued", d.issued.Load()}, OrderCount{d.url, "failed", d.failed.Load()},
			OrderCount{d.url, "limited", d.limited.Load()})
	}
	return list
}

// count notes what an order came to. One that was given up because the server stops
// is none.
func (d *directory) count(ctx context.Context, err error) {
	var limited *limitedError
	switch {
	case err == nil:
		d.issued.Add(1)
	case errors.As(err, &limited):
		d.limited.Add(1)
	case !errors.Is(ctx.Err(), context.Canceled):
		d.failed.Add(1)
	}
}
