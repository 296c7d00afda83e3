package wasmhost

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/internal/fetch"
)

// LoadOptions are what the operator says about one policy. The zero value has no
// settings, grants nothing and leaves the host's limits.
type LoadOptions struct {
	// Settings are what edgeftp_config is given, opaque here; edgeftp passes the JSON
	// of the configuration.
	Settings []byte
	// Grant is what the policy may have of what its manifest declares.
	Grant Grant
	// Limits lower the host's.
	Limits Limits
	// Intercept, for those who try modules, may answer a call of the host in the place
	// of the host's function: it fills in Result and Out and returns true. What it does
	// costs the guest what the function would have cost. The context is that of the
	// question, nil while an instance starts. A call of a capability that is not granted
	// must be answered. It is called by several instances at once.
	Intercept func(context.Context, *HostCall) bool
	// Verify verifies stored hashes in trials as the server does in sessions: whether
	// the hash is that of the password, or an error for a hash that is none. Nil leaves
	// pw_verify DENIED there, but for the hashes of tests (ABI §8).
	Verify func(ctx context.Context, hash, password string) (bool, error)
	// Traced has every exchange tell through which functions of the guest it went
	// ([Exchange.Trace]). It makes calls many times slower, and no less secure.
	Traced bool
	// Untried leaves out the tests that the module brings, for those who run them
	// themselves ([Policy.Trial]).
	Untried bool
}

// Grant says which capabilities a policy may have (ABI §8). The zero value grants
// nothing. What a policy gets is what its manifest declares and Grant allows: a
// capability that is declared and not granted refuses the module, and one that is
// granted and not declared is not given.
type Grant struct {
	// KV opens the key-value space that the manifest names, "" for the policy's own.
	// maxBytes is how much the module wants, 0 if it does not say; whoever opens the
	// space decides. An error refuses the module. The space is not closed with the
	// policy: it outlives it.
	KV func(space string, maxBytes int64) (policy.KV, error)
	// Metric takes the policy's numbers.
	Metric MetricSink
	Random bool // unpredictable bytes
	Verify bool // comparing hashes with the password of the login ("pw")
	// Password lets the hook auth see the passwords that clients send (ABI §4).
	// Without it a policy answers with a stored hash and the server verifies.
	Password bool
	Stat     bool // facts of what the session sees ("fs.stat")
	Digest   bool // digests of the question's file
	Fetch    FetchGrant
}

// FetchGrant says where a policy may send HTTP requests. The zero value allows
// none.
type FetchGrant struct {
	// Allow lists origins: "https://api.example.com", "api.example.com:8443",
	// "*.example.com" (all names below it), "http://192.0.2.7". Without a scheme
	// only https is meant, and only what says http:// is fetched unprotected. A name
	// must resolve to public addresses alone; an address literal may be any.
	Allow []string
	// Private lists origins like Allow whose names may lead anywhere, also into the
	// server's own network and to the server itself.
	Private []string
	// Concurrent is how many fetches of the policy there may be at one time, 0 for 8.
	Concurrent int
	// Timeout bounds one fetch, 0 for 2 s, at most 10 s.
	Timeout time.Duration
	// Roots verify the servers' certificates; nil stands for the system's.
	Roots *x509.CertPool
	// Resolve looks names up; nil stands for the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

// CheckOrigin reports in words that continue it what is wrong with an entry of
// FetchGrant.Allow or Private, nil if nothing is.
func CheckOrigin(s string) error { return fetch.Check(s) }

// MetricSink takes the numbers of policies. It is called while a guest waits and
// must not block.
type MetricSink interface {
	// Metric takes one number: kind is abi.MetricCounter, and value is to be added,
	// or abi.MetricGauge, and value it is from now on. The name has 1 to 64 bytes of
	// a-z, 0-9 and "_"; one generation of a policy has at most abi.MaxMetrics of them,
	// each of one kind.
	Metric(policy, name string, kind int32, value int64)
}

// capabilities are what one policy has been given. The zero value is nothing.
type capabilities struct {
	kv      policy.KV
	metrics *metrics
	random  io.Reader // where the bytes of random come from
	fetch   *fetch.Client
	origins []origin // where fetch may go by the manifest's word
	// what needs no more than permission
	verify, password, stat, digest bool
}

// close gives back what the capabilities hold. Spaces outlive the policy.
func (c *capabilities) close() {
	if c.fetch != nil {
		c.fetch.Close()
	}
}

// origin is a host and port of a capability fetch.
type origin struct {
	host string // lower case, an address without brackets
	port uint16 // 0: 443, and https alone
}

// has reports whether a request's origin is the one that was declared.
func (o origin) has(scheme, host string, port uint16) bool {
	if o.port == 0 {
		return scheme == "https" && host == o.host && port == 443
	}
	return host == o.host && port == o.port
}

// text is how the manifest writes it.
func (o origin) text() string {
	host := o.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if o.port != 0 {
		return fmt.Sprintf("%s:%d", host, o.port)
	}
	return host
}

// granted gives the policy what is declared and granted, or says what is not. The
// caller closes the capabilities.
func (v *vetted) granted(name string, g Grant) (*capabilities, error) {
	c := &capabilities{origins: v.manifest.fetch}
	for _, text := range v.manifest.Capabilities {
		what, _, _ := strings.Cut(text, ":")
		var err error
		ok := true
		switch what {
		case abi.CapLog:
		case abi.CapKV:
			if ok = g.KV != nil; ok {
				c.kv, err = g.KV(v.manifest.Space, v.manifest.SpaceBytes)
				ok = err == nil && c.kv != nil
			}
		case abi.CapMetric:
			ok = g.Metric != nil
			c.metrics = newMetrics(name, g.Metric)
		case abi.CapRandom:
			ok, c.random = g.Random, rand.Reader
		case abi.CapVerify:
			ok, c.verify = g.Verify, g.Verify
		case abi.CapPassword:
			ok, c.password = g.Password, g.Password
		case abi.CapStat:
			ok, c.stat = g.Stat, g.Stat
		case abi.CapDigest:
			ok, c.digest = g.Digest, g.Digest
		case abi.CapFetch:
			ok, err = c.grantFetch(text, g.Fetch)
		default:
			ok = false // a capability that parseManifest takes and nobody here knows
		}
		if !ok || err != nil {
			c.close()
			return nil, notGranted(name, text, err)
		}
	}
	return c, nil
}

// grantFetch makes the client once, and reports whether the operator lets it go to
// the origin that a capability names.
func (c *capabilities) grantFetch(text string, g FetchGrant) (bool, error) {
	if c.fetch == nil {
		client, err := fetch.New(fetch.Config(g))
		if err != nil {
			return false, err
		}
		c.fetch = client
	}
	o, _ := parseOrigin(strings.TrimPrefix(text, abi.CapFetch+":")) // vetted with the manifest
	if o.port == 0 {
		return c.fetch.Allows("https", o.host, 443), nil
	}
	return c.fetch.Allows("https", o.host, o.port) || c.fetch.Allows("http", o.host, o.port), nil
}

// notGranted says what to write into the configuration.
func notGranted(name, text string, err error) error {
	e := &LoadError{Code: CodeCapability, Err: err,
		Summary: fmt.Sprintf("policy %q wants the capability %q, which is not granted", name, text),
		Found:   fmt.Sprintf("%q among the capabilities of its manifest", text),
		Needs:   "a grant of the operator"}
	if err != nil {
		e.Found += "; " + abi.Clean(err.Error(), 300)
	}
	what, detail, detailed := strings.Cut(text, ":")
	grant := what + ": true"
	switch {
	case what == abi.CapFetch:
		grant = fmt.Sprintf("fetch: [%q]", "https://"+detail)
	case detailed:
		grant = fmt.Sprintf("%s: [%s]", what, detail)
	}
	e.Help = "if the policy is to have it, add  grants: { " + grant + " }  to this policy in the configuration"
	return e
}

// checkNeeds refuses an import whose capability is not declared: what would be
// refused at a call is refused at load.
func (v *vetted) checkNeeds(name string) error {
	declared := map[string]bool{"": true, abi.CapLog: true}
	for _, text := range v.manifest.Capabilities {
		what, _, _ := strings.Cut(text, ":")
		declared[what] = true
	}
	functions := hostFunctions()
	for _, i := range v.Imports {
		at := slices.IndexFunc(functions, func(f hostFunction) bool { return f.module == i.Module && f.name == i.Name })
		if at < 0 || declared[functions[at].capability] {
			continue
		}
		capability := functions[at].capability
		e := &LoadError{Code: CodeCapability,
			Summary: fmt.Sprintf("policy %q imports %s::%s and does not declare the capability %q", name, i.Module, i.Name, capability),
			Found:   fmt.Sprintf("capabilities %q in its manifest", v.manifest.Capabilities),
			Needs:   fmt.Sprintf("%q among the capabilities of the section %s", capability, abi.ManifestSection),
			Help:    "declare it, or leave the import out"}
		if v.manifestBytes == nil {
			e.Found = "no section " + abi.ManifestSection
		}
		if capability == abi.CapFetch {
			e.Needs = fmt.Sprintf("%q for each host, among the capabilities of the section %s", "fetch:HOST", abi.ManifestSection)
		}
		return e
	}
	return nil
}
