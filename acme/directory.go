package acme

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path"
	"regexp"
	"slices"
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
// authority was asked among them. Every directory has all three results; the list is
// sorted.
func (m *Manager) Orders() []OrderCount {
	var list []OrderCount
	if m.solving == nil {
		return list
	}
	for _, d := range m.solving.known {
		for result, n := range map[string]uint64{"issued": d.issued.Load(), "failed": d.failed.Load(), "limited": d.limited.Load()} {
			// One directory may be the real one of one authority and the other's test.
			at := slices.IndexFunc(list, func(c OrderCount) bool { return c.CA == d.url && c.Result == result })
			if at < 0 {
				at, list = len(list), append(list, OrderCount{CA: d.url, Result: result})
			}
			list[at].Count += n
		}
	}
	slices.SortFunc(list, func(a, b OrderCount) int { return cmp.Or(cmp.Compare(a.CA, b.CA), cmp.Compare(a.Result, b.Result)) })
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
