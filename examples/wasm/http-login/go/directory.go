package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fetch"
	"github.com/edgeftp/edgeftp/guest-sdk/go/kv"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
)

// directory asks the HTTP server. What it knows it keeps in kv, where all instances
// find it.
type directory struct {
	url     string // with {user} in it
	token   string
	timeout time.Duration
	keep    time.Duration // 0 keeps nothing
	dummy   string        // a hash that is nobody's, or empty
	known   policy.KV
}

func newDirectory() *directory { return &directory{known: kv.Open()} }

// Configure takes the settings.
func (d *directory) Configure(s *settings.Settings) {
	d.url = s.String("url", "")
	if strings.Count(d.url, "{user}") != 1 {
		s.Refuse("url", "must have {user} in it, once")
	}
	d.token = s.String("token", "")
	d.timeout = time.Duration(s.Int("timeout_ms", 1500)) * time.Millisecond
	if d.timeout < time.Millisecond || d.timeout > 10*time.Second {
		s.Refuse("timeout_ms", "must be 1 to 10000")
	}
	d.keep = time.Duration(s.Int("cache_seconds", 60)) * time.Second
	if d.keep < 0 {
		s.Refuse("cache_seconds", "must not be negative")
	}
	if d.dummy = s.String("dummy_hash", ""); d.dummy != "" && d.dummy[0] != '$' {
		s.Refuse("dummy_hash", "must be a stored hash (argon2id or bcrypt)")
	}
}

// Authenticate names the hash that the user's password must be of. Whoever is not
// known is refused no sooner than whoever gives a wrong password.
func (d *directory) Authenticate(ctx context.Context, l *policy.Login) (policy.Identity, error) {
	if l.Early {
		return policy.Identity{}, nil // a certificate says nothing here
	}
	record, err := d.find(l.Session.User)
	if err != nil {
		return policy.Identity{}, errors.New("the directory of users: " + err.Error())
	}
	if record == "" {
		return d.unknown(ctx)
	}
	id, err := identity(record)
	if err != nil {
		return policy.Identity{}, errors.New("the directory of users: " + err.Error())
	}
	return id, nil
}

// unknown refuses. The server does the work of a verification for every refusal that
// did none; where the directory's hashes cost something else, the dummy does it.
func (d *directory) unknown(ctx context.Context) (policy.Identity, error) {
	if d.dummy != "" {
		if _, err := policy.ServicesOf(ctx).Verify(ctx, d.dummy); err != nil {
			return policy.Identity{}, errors.New("dummy_hash: " + err.Error())
		}
	}
	return policy.Identity{Verdict: policy.Deny}, nil
}

// maxName is the greatest length of a user's name that is asked about.
const maxName = 128

// nobody is what is kept for a name that the directory does not know: it must not be
// told by the time that asking takes.
const nobody = "-"

// find returns the user's record, empty for a user who is not known.
func (d *directory) find(user string) (record string, err error) {
	if user == "" || len(user) > maxName || user == "." || user == ".." {
		return "", nil
	}
	key := "user:" + user
	if kept, ok := d.known.Get(key); ok && d.keep > 0 {
		return strings.TrimPrefix(string(kept), nobody), nil
	}
	record, err = d.ask(user)
	if err != nil || d.keep == 0 {
		return record, err
	}
	value := record
	if value == "" {
		value = nobody
	}
	_ = d.known.Set(key, []byte(value), d.keep) // without it the next login asks again
	return record, nil
}

// ask fetches the user's record.
func (d *directory) ask(user string) (string, error) {
	r := &fetch.Request{URL: strings.Replace(d.url, "{user}", escape(user), 1), Timeout: d.timeout,
		Header: []fetch.Field{{Name: "Accept", Value: "application/json"}}}
	if d.token != "" {
		r.Header = append(r.Header, fetch.Field{Name: "Authorization", Value: "Bearer " + d.token})
	}
	answer, err := fetch.Do(r, policy.MaxKVValue)
	switch {
	case err != nil:
		return "", err
	case answer.Status == 404:
		return "", nil
	case answer.Status != 200 || len(answer.Body) == 0:
		return "", errors.New("it answers with " + strconv.Itoa(answer.Status) + " and " + strconv.Itoa(len(answer.Body)) + " bytes")
	}
	return string(answer.Body), nil
}

// identity reads a record.
func identity(record string) (policy.Identity, error) {
	s := settings.Parse([]byte(record))
	id := policy.Identity{Verdict: policy.Allow, PasswordHash: s.String("hash", ""), Home: s.String("home", "/"), Group: s.String("group", "")}
	perms, err := policy.ParsePerms(s.String("perms", "elr"))
	switch {
	case s.Err() != nil:
		return policy.Identity{}, s.Err()
	case err != nil:
		return policy.Identity{}, err
	case !strings.HasPrefix(id.PasswordHash, "$"):
		return policy.Identity{}, errors.New("a record without a hash")
	case !strings.HasPrefix(id.Home, "/"):
		return policy.Identity{}, errors.New("a record whose home is no path")
	}
	id.Perms = &perms
	return id, nil
}

// escape writes a name as one segment of a path (RFC 3986 §2.3).
func escape(name string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteString(string([]byte{'%', digits[c>>4], digits[c&15]}))
	}
	return b.String()
}
