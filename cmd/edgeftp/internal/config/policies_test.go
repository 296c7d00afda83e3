package config

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// signer is a public key of minisign.
const signer = "RWQ7kdeCIsyO00ck3TPDoSA9+6oS4sTG9RqwBFQjm1UVQz2wHhcGODtE"

// fullPolicies is what testdata/full.yaml says of policies.
func fullPolicies() Policies {
	keys, err := trust.ParseKeys(signer)
	if err != nil {
		panic(err)
	}
	return Policies{
		Trust: keys, AllowDowngrade: true, Strict: true, Watch: "/lib/modules.d", History: 2,
		Rollout: Rollout{Percent: 5, For: 10 * time.Minute, Limits: edge.TrialLimits{Failures: -1, FailureRate: 0.5, Drift: -1, MinAnswers: 10,
			Slower: 3, Latency: 20 * time.Millisecond, MinSamples: 50}},
		Modules: []Module{
			{Name: "guard", Source: "/etc/guard.wasm", Digest: "sha256:" + digest, Signature: "/etc/guard.sig", FailOpen: true, Durable: true,
				Settings: json.RawMessage(`{"deny":["exe","021"],"left":"${as it is}","most":1.5,"none":null,"on":true}`),
				Limits:   ModuleLimits{Memory: 8 << 20, Call: 5 * time.Millisecond, Fuel: 1_000_000, Depth: 100, Instances: 8},
				Grants: Grants{KV: true, Spaces: []string{"shared", "bans"}, KVSize: 1 << 20, Metric: true, Random: true, Verify: true, Password: true,
					Stat: true, Digest: true, Fetch: []string{"https://idp.example.org", "*.example.com"}, FetchPrivate: []string{"http://127.0.0.1:8080"}}},
			{Name: "second", Source: "/lib/second", WatchSource: true, Limits: ModuleLimits{Memory: 16 << 20}, Grants: Grants{KV: true, KVSize: 16 << 20}},
		},
	}
}

func defaultTrial() edge.TrialLimits {
	return edge.TrialLimits{Failures: 5, FailureRate: 1, Drift: 10, MinAnswers: 100, Slower: 5, Latency: time.Millisecond, MinSamples: 100}
}

func TestFormsOfPolicies(t *testing.T) {
	for format, c := range map[string]struct{ good, bad []string }{
		"edgeftp-percent": {[]string{"0%", "5%", "0.5%", "100%"}, []string{"", "5", "-1%", "101%", "1e1%", "%", "NaN%", "5 %"}},
		"edgeftp-canary":  {[]string{"1%", "5%", "100%"}, []string{"", "0%", "0.5%", "5", "101%"}},
		"edgeftp-memory":  {[]string{"64KiB", "16MiB", "1GiB"}, []string{"", "0", "63KiB", "2GiB", "256"}},
		"edgeftp-keys":    {[]string{signer, "untrusted comment: minisign public key X\n" + signer + "\n"}, []string{"", "RW", "key.pub", signer[1:]}},
		"edgeftp-digest":  {[]string{"sha256:" + digest, "sha256:" + strings.ToUpper(digest)}, []string{"", digest, "md5:" + digest, "sha256:00"}},
		"edgeftp-origin":  {[]string{"https://a.example", "a.example:8443", "*.example.com", "http://192.0.2.7"}, []string{"", "https://a.example/v1/", "ftp://a", "*.com"}},
		"edgeftp-local":   {[]string{"127.0.0.1:9121", "[::1]:0", "localhost:80"}, []string{"", ":9121", "0.0.0.0:1", "example.org:1", "127.0.0.1"}},
		"edgeftp-space":   {[]string{"*", "bans", "a.b-c_1"}, []string{"", "A", "a b", "**", strings.Repeat("x", 65)}},
	} {
		check := formats()[format]
		for _, s := range c.good {
			if err := check(s); err != nil {
				t.Errorf("%s %q: %v", format, s, err)
			}
		}
		for _, s := range c.bad {
			var f fault
			if err := check(s); !errors.As(err, &f) || f.what == "" || f.help == "" {
				t.Errorf("%s %q: %#v", format, s, err)
			}
		}
	}
}

// What a signature needs is there before the server starts.
func TestSignaturesAreAskedFor(t *testing.T) {
	const head = "version: 1\nlisteners: [{ name: a, address: \":21\" }]\nstorage: [{ root: /srv }]\n"
	machine := testMachine(map[string]string{"/etc/signed.wasm": "", "/etc/signed.wasm.minisig": "", "/etc/bare.wasm": ""}, nil)
	for policies, says := range map[string]string{
		"{ require_signature: true, modules: [{ name: a, source: signed.wasm }] }":                          "no key is trusted",
		"{ require_signature: true, trust: [" + signer + "], modules: [{ name: a, source: bare.wasm }] }":   "no signature beside it",
		"{ require_signature: true, trust: [" + signer + "], modules: [{ name: a, source: /srv }] }":        "is a directory",
		"{ require_signature: true, trust: [" + signer + "], modules: [{ name: a, source: signed.wasm }] }": "",
		"{ trust: [" + signer + "], modules: [{ name: a, source: bare.wasm }] }":                            "",
		"{ watch: /srv, modules: [{ name: a, source: bare.wasm }] }":                                        "lies inside the root",
		"{ watch: bare.wasm, modules: [{ name: a, source: bare.wasm }] }":                                   "is not a directory",
		"{ watch: nowhere, modules: [{ name: a, source: bare.wasm }] }":                                     "does not exist",
		"{ modules: [{ name: a, source: bare.wasm, signature: /srv }] }":                                    "is a directory",
		"{ modules: [{ name: a, source: bare.wasm, events: never }] }":                                      "is not allowed here",
	} {
		_, err := parse("c", "/etc", []byte(head+"policies: "+policies+"\n"), machine)
		if (err != nil) != (says != "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", policies, err)
		}
	}
}

// A source is watched only where nobody but the operator can write, and by the flags
// wherever that is so.
func TestWatchedSources(t *testing.T) {
	const head = "version: 1\ninstance: { state_dir: st }\nlisteners: [{ name: a, address: \":21\" }]\nstorage: [{ root: /srv }]\nusers: { defaults: { root: '/homes/${user}' } }\n"
	machine := testMachine(map[string]string{"/etc/guard": "dir", "/etc/open": "open dir", "/srv/inside": "dir", "/etc/bare.wasm": "", "/etc/st/x": "dir", "/homes/ann/x": "dir"}, nil)
	for source, c := range map[string]struct{ more, says, flags string }{
		"/etc/guard":     {"", "", ""},
		"/etc/open":      {"", "everybody may write in /etc/open (mode drwxrwxrwx)", "everybody may write"},
		"/srv/inside":    {"", "/srv/inside lies inside the root /srv: clients could change the policy", "inside the root"},
		"/etc/st/x":      {"", "/etc/st/x lies inside the state directory /etc/st, in which the server writes", "-"},
		"/homes/ann/x":   {"", "/homes/ann/x may lie inside a user's root (users.defaults.root: /homes/${user}): clients could change the policy", "-"},
		"/etc/bare.wasm": {"", "/etc/bare.wasm is a file, and only the source in a directory is watched", ""},
		"/etc":           {", digest: sha256:" + digest, "the slot takes the module with one digest alone", ""},
	} {
		text := head + "policies: { modules: [{ name: a, source: " + source + ", watch_source: true" + c.more + " }] }\n"
		conf, err := parse("c", "/etc", []byte(text), machine)
		switch {
		case c.says == "" && (err != nil || !conf.Policies.Modules[0].WatchSource):
			t.Errorf("%s: %v", source, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), "policies.modules[0].watch_source: "+c.says) || !strings.Contains(err.Error(), "help: ")):
			t.Errorf("%s: %v", source, err)
		}
		if c.flags == "-" { // they have another state directory, and no such users
			continue
		}
		conf, err = Flags{Root: "/srv", Policies: []string{"a=" + source}}.config("/etc", machine)
		if err != nil {
			t.Fatal(err)
		}
		m := &conf.Policies.Modules[0]
		if watched := c.flags == "" && source != "/etc/bare.wasm"; m.WatchSource != watched || !strings.Contains(m.Unwatched, c.flags) || (m.Unwatched == "") != (c.flags == "") {
			t.Errorf("%s: %+v", source, m)
		}
	}
}

func TestCheckName(t *testing.T) {
	if err := CheckName("upload-guard"); err != nil {
		t.Error(err)
	}
	if err := CheckName("../x"); err == nil || !strings.Contains(err.Error(), `"../x" is not a usable name`) || !strings.Contains(err.Error(), "help: use up to 64") {
		t.Error(err)
	}
}
