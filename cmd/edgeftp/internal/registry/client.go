package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"time"

	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/retry"
)

const (
	defaultTimeout = 2 * time.Minute
	dialTimeout    = 10 * time.Second
	headerTimeout  = 30 * time.Second
	maxHeader      = 64 << 10 // bytes of an answer's header
	maxRetries     = 2        // of what may pass: 5xx, 429, a lost connection
)

// Client talks to registries. The zero value uses TLS, and what docker login
// left; only registries on this machine are reached without TLS.
type Client struct {
	// PlainHTTP says whether connections are without TLS; nil is: to this machine
	// alone. Passwords never leave the machine without TLS.
	PlainHTTP *bool
	// Username and Password are used in the place of docker's, if there is a name.
	Username, Password string
	// Timeout bounds one call as a whole, 0 for two minutes.
	Timeout time.Duration
	// Agent is the name of the program, for the registry's log.
	Agent string

	dial func(ctx context.Context, network, address string) (net.Conn, error) // nil: the system's
}

func (c *Client) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return defaultTimeout
}

func (c *Client) plain(ref Ref) bool {
	if c.PlainHTTP != nil {
		return *c.PlainHTTP
	}
	return ref.Loopback()
}

// Push brings an artifact to a registry under the reference's tag, and returns
// the digest of its manifest. What the tag named before stays in the registry
// under its digest, as long as the registry keeps it.
func (c *Client) Push(ctx context.Context, ref Ref, a Artifact, about About) (string, error) {
	if ref.tag == "" || ref.digest != "" {
		return "", &Error{What: "a push needs a tag and no digest", Found: ref.String(), Help: "the digest is the outcome; end the reference with :TAG"}
	}
	p, err := pack(a, about)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	repo, done, err := c.repository(ref)
	if err != nil {
		return "", err
	}
	defer done()
	for _, b := range p.blobs {
		there, err := repo.Blobs().Exists(ctx, b.Descriptor)
		if err == nil && !there {
			err = repo.Blobs().Push(ctx, b.Descriptor, bytes.NewReader(b.bytes))
		}
		if err != nil {
			return "", c.explain(err, ref)
		}
	}
	if err := repo.Manifests().PushReference(ctx, p.manifest, bytes.NewReader(p.bytes), ref.tag); err != nil {
		return "", c.explain(err, ref)
	}
	return p.manifest.Digest.String(), nil
}

// Pull fetches an artifact, and returns the digest of its manifest beside it.
// Every byte is held to its digest, and the manifest to that of the reference if
// it has one.
func (c *Client) Pull(ctx context.Context, ref Ref) (*Artifact, string, error) {
	p, err := c.fetch(ctx, ref)
	if err != nil {
		return nil, "", err
	}
	return p.artifact(), p.manifest.Digest.String(), nil
}

func (c *Client) fetch(ctx context.Context, ref Ref) (*packed, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	repo, done, err := c.repository(ref)
	if err != nil {
		return nil, err
	}
	defer done()
	d, r, err := repo.Manifests().FetchReference(ctx, ref.parsed.Reference)
	if err != nil {
		return nil, c.explain(err, ref)
	}
	defer func() { _ = r.Close() }() // read to its end, or given up
	p, err := unpack(ctx, ref.String(), repo.Blobs(), d, r)
	if err != nil {
		return nil, c.explain(err, ref)
	}
	return p, nil
}

// repository prepares one conversation; the function ends its connections.
func (c *Client) repository(ref Ref) (*remote.Repository, func(), error) {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	if c.dial != nil {
		base.DialContext = c.dial
	}
	base.ResponseHeaderTimeout = headerTimeout
	base.MaxResponseHeaderBytes = maxHeader
	policy := &retry.GenericPolicy{Retryable: retry.DefaultPredicate, Backoff: retry.DefaultBackoff,
		MinWait: 200 * time.Millisecond, MaxWait: 3 * time.Second, MaxRetry: maxRetries}
	g := &guard{ref: ref, plain: c.plain(ref),
		next: &retry.Transport{Base: base, Policy: func() retry.Policy { return policy }}}
	login, err := c.login(ref)
	if err != nil {
		return nil, nil, err
	}
	client := &auth.Client{Client: &http.Client{Transport: g}, Cache: auth.NewCache(), Credential: login}
	client.SetUserAgent(c.Agent)
	repo := &remote.Repository{Client: client, Reference: ref.parsed, PlainHTTP: g.plain, MaxMetadataBytes: MaxManifest}
	return repo, base.CloseIdleConnections, nil
}

// login tells with what name and password a registry is asked.
func (c *Client) login(ref Ref) (auth.CredentialFunc, error) {
	find := auth.StaticCredential(ref.parsed.Host(), auth.Credential{Username: c.Username, Password: c.Password})
	if c.Username == "" {
		store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
		if err != nil {
			return nil, &Error{What: "the logins that docker keeps cannot be read", Found: clean(err.Error()), Err: err,
				Help: "repair the file; DOCKER_CONFIG names its directory, and --username does without it"}
		}
		find = credentials.Credential(store)
	}
	return func(ctx context.Context, host string) (auth.Credential, error) {
		got, err := find(ctx, host)
		if err == nil && got != auth.EmptyCredential && c.plain(ref) && !ref.Loopback() {
			return auth.EmptyCredential, errClear
		}
		return got, err
	}, nil
}

// guard keeps a conversation where it belongs: no step of it, such as where a
// registry keeps its blobs or asks for names, is without TLS unless that was
// asked for. And it knows a web site from a registry.
type guard struct {
	ref   Ref
	plain bool
	next  http.RoundTripper
}

// RoundTrip does one step.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	ours := req.URL.Host == g.ref.parsed.Host() || g.ref.Loopback() && loopback(req.URL.Host)
	if req.URL.Scheme != "https" && !(g.plain && ours) {
		return nil, &Error{What: fmt.Sprintf("%s leads to a connection without TLS", g.ref.Host()),
			Found: clean(req.URL.Scheme + "://" + req.URL.Host), Help: "nothing was sent there; the registry is to be set up otherwise"}
	}
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // "" says nothing
	if req.Method == http.MethodGet && resp.StatusCode == http.StatusOK && kind == "text/html" {
		return nil, errors.Join(errPage, resp.Body.Close())
	}
	return resp, nil
}
