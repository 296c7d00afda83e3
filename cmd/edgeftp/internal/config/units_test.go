package config

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	good := map[string]time.Duration{
		"30s": 30 * time.Second, "5m": 5 * time.Minute, "1h30m": 90 * time.Minute, "14d": 14 * 24 * time.Hour,
		"1d12h": 36 * time.Hour, "250ms": 250 * time.Millisecond, "1.5s": 1500 * time.Millisecond, "3650d": 3650 * 24 * time.Hour,
	}
	for s, want := range good {
		got, err := parseDuration(s, time.Millisecond)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
		if back, err := parseDuration(formatDuration(got), 0); err != nil || back != got {
			t.Errorf("%v is written %q", got, formatDuration(got))
		}
	}
	for _, s := range []string{"", "5", "5.5", "-5s", "1d-5s", "5 s", "5minutes", "s", "d", "1d1d", "0s", "1us", "99999d", "3650d1s", "9999999h", "1d5"} {
		if d, err := parseDuration(s, time.Millisecond); err == nil {
			t.Errorf("%q is %v", s, d)
		}
	}
	if d, err := parseDuration("0s", 0); d != 0 || err != nil {
		t.Error(d, err)
	}
}

func TestSizes(t *testing.T) {
	good := map[string]int64{"1B": 1, "500MB": 500e6, "10GiB": 10 << 30, "3kB": 3000, "3KB": 3000, "2KiB": 2048, "8 MiB": 8 << 20, "1TB": 1e12, "7TiB": 7 << 40}
	for s, want := range good {
		got, err := parseSize(s)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
		if back, err := parseSize(formatSize(got)); err != nil || back != got {
			t.Errorf("%v is written %q", got, formatSize(got))
		}
	}
	if back, err := parseSize(formatSize(math.MaxInt64)); err != nil || back != math.MaxInt64 {
		t.Error(back, err)
	}
	for _, s := range []string{"", "5", "MB", "-5MB", "1.5MB", "5mb", "5XB", "0B", "9223372036854775808B", "99999999TiB", "99999999999999999999999MB"} {
		if n, err := parseSize(s); err == nil {
			t.Errorf("%q is %v", s, n)
		}
	}
}

func TestPorts(t *testing.T) {
	good := map[string][]PortSpan{
		"50000-50999": {{50000, 50999}}, "50000,50002": {{50000, 50000}, {50002, 50002}},
		"1 - 2, 65535": {{1, 2}, {65535, 65535}}, "7": {{7, 7}}, "5-5": {{5, 5}},
	}
	for s, want := range good {
		got, err := parsePorts(s)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", s, got, err)
		}
		if back, err := parsePorts(formatPorts(got)); err != nil || !slices.Equal(back, got) {
			t.Errorf("%v is written %q", got, formatPorts(got))
		}
	}
	for _, s := range []string{"", ",", "0", "65536", "5-", "-5", "9-5", "a", "1-2-3", "1,,2"} {
		if p, err := parsePorts(s); err == nil {
			t.Errorf("%q is %v", s, p)
		}
	}
}

func TestOtherForms(t *testing.T) {
	cases := []struct {
		format    string
		good, bad []string
	}{
		{"edgeftp-address", []string{":21", "127.0.0.1:0", "[::]:2121", "ftp.example.org:65535", "[fe80::1%eth0]:21"},
			[]string{"", "21", "127.0.0.1", "::1:21", "x:", "x:ftp", "x:70000", "x:021", "a b:1", "a/b:1", ":-1"}},
		{"edgeftp-advertise", []string{"auto", "203.0.113.9", "256.256.256.256", "ftp.example.org", "nat"}, []string{"", "::1", "0.0.0.0", "a b", "-x", "a..b"}},
		{"edgeftp-advertised", []string{"203.0.113.9", "256.256.256.256", "ftp.example.org"}, []string{"", "::1", "0.0.0.0", "::ffff:10.0.0.1"}},
		{"edgeftp-timeout", []string{"0", "0s", "1ms", "1.5s", "14d"}, []string{"", "5", "1us", "-1s", "0.5", "00", "-0s"}},
		{"edgeftp-rate", []string{"0", "1B", "10MB", "10MiB/s"}, []string{"", "5", "0B", "MB", "1Mbit", "-1MB", "1.5MB", "10MB/m"}},
		{"edgeftp-memory-budget", []string{"auto", "0", "32MiB", "256MB", "4GiB"}, []string{"", "512", "31MiB", "-1GB", "all", "0B", "Auto"}},
		{"edgeftp-descriptors", []string{"auto", "0", "128", "1048576"}, []string{"", "127", "-1", "1e6", "many", "99999999999", "128KiB"}},
		{"edgeftp-share", []string{"1B", "10MB", "10MiB/s"}, []string{"", "0", "5", "10MB/m"}},
		{"edgeftp-buffers", []string{"auto", "4KiB", "4MiB"}, []string{"", "4095B", "5MiB", "large", "65536"}},
		{"edgeftp-ip", []string{"10.0.0.1", "::1", "::ffff:10.0.0.1", "fe80::1%eth0"}, []string{"", "10.0.0", "localhost", "10.0.0.0/8"}},
		{"edgeftp-network", []string{"10.0.0.0/8", "10.0.0.1", "2001:db8::/32", "::1", "0.0.0.0/0"}, []string{"", "10.0.0.1/8", "10.0.0.0/33", "::ffff:10.0.0.0/104", "lan", "fe80::1%eth0"}},
		{"edgeftp-host", []string{"ftp.example.org", "FTP.example.org.", "192.0.2.1", "[2001:db8::1]"}, []string{"", "a b", "2001:db8::1", "[192.0.2.1]", "[::1", "[fe80::1%eth0]"}},
		{"edgeftp-text", []string{"a", "a\nb", "a\n\n  b\n\n", strings.Repeat("x", 500), "Grüße"}, []string{"", "\n", "a\tb", "a\r\nb", strings.Repeat("x", 501), strings.Repeat("x\n", 101)}},
		{"edgeftp-virtual", []string{"/", "/a b/ä", "/a/../b"}, []string{"", "a", "./a", "/a\x00", "/a\nb"}},
		{"edgeftp-rule", []string{"", "elr"}, []string{"x", "ee"}},
		{"edgeftp-prefix", []string{"", "%(asctime)s %%", "[%(username)s]"}, []string{"%", "%s", "%(name)s", "%(username)", "a\nb"}},
		{"edgeftp-cipher", []string{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"}, []string{"", "TLS_AES_128_GCM_SHA256", "TLS_RSA_WITH_RC4_128_SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"}},
		{"edgeftp-command", []string{"MFMT", "site chmod", "SITE  CHMOD", "SITE", "opts"}, []string{"", "XYZZY", "SITE EXEC", "SITE SYMLINK"}},
		{"edgeftp-optional", []string{"SITE SYMLINK", "site symlink"}, []string{"", "SITE CHMOD", "SYMLINK"}},
		{"edgeftp-time", []string{"2027-01-31", "2027-01-31T18:00:00Z", "2027-01-31T18:00:00.5+01:00"}, []string{"", "2027-02-31", "31.1.2027", "18:00", "2027-01-31 18:00"}},
		{"edgeftp-sha256", []string{digest, strings.ToUpper(digest)}, []string{"", digest[1:], digest + "00", strings.Repeat("g", 64), digest[:32] + ":" + digest[32:]}},
		{"edgeftp-name", []string{"a", "A-1_b.c", "9", strings.Repeat("x", 64)}, []string{"", "-a", ".a", "a b", "ä", "a/b", strings.Repeat("x", 65)}},
		{"edgeftp-line", []string{"", "Grüße aus ${x}"}, []string{"a\nb", "a\rb", "\x1b[2J", strings.Repeat("x", 501)}},
		{"edgeftp-perm", []string{"elr", "elradfmwMT", "TMwmfdarle"}, []string{"", "x", "ee", "elr "}},
		{"edgeftp-path", []string{"/a", "a b/ä"}, []string{"", "a\x00", "a\nb", "-----BEGIN X", strings.Repeat("x", 4096)}},
		{"edgeftp-hash", []string{bcryptHash}, []string{"", "secret", "$2b$31$" + bcryptHash[7:]}},
	}
	for _, c := range cases {
		check := formats()[c.format]
		for _, s := range c.good {
			if err := check(s); err != nil {
				t.Errorf("%s %q: %v", c.format, s, err)
			}
		}
		for _, s := range c.bad {
			var f fault
			if err := check(s); !errors.As(err, &f) || f.what == "" || f.help == "" {
				t.Errorf("%s %q: %#v", c.format, s, err)
			}
		}
	}
}

// Every format that the schema names exists, and every key has a type, a form or
// a word on why not.
func TestSchemaIsWhole(t *testing.T) {
	s, err := newSchema()
	if err != nil {
		t.Fatal(err)
	}
	var walk func(at map[string]any, path []string)
	walk = func(at map[string]any, path []string) {
		if f, ok := at["format"].(string); ok && formats()[f] == nil {
			t.Errorf("%s: unknown format %q", dotted(path), f)
		}
		typed := at["type"] != nil || at["enum"] != nil || at["const"] != nil || at["x-not-built"] == true
		if !typed {
			t.Errorf("%s: anything is allowed", dotted(path))
		}
		if at["type"] == "object" && dotted(path) != "policies.modules[0].settings" && at["x-names"] == nil && at["additionalProperties"] != false {
			t.Errorf("%s: unknown keys are allowed", dotted(path))
		}
		if len(path) > 0 && at["description"] == nil {
			t.Errorf("%s: nothing is said about it", dotted(path))
		}
		if at["type"] == "integer" && at["x-unit"] == nil {
			t.Errorf("%s: what does it count?", dotted(path))
		}
		props, _ := at["properties"].(map[string]any)
		for name, p := range props {
			child, _ := p.(map[string]any)
			walk(s.resolve(child), sub(path, name))
		}
		if others, ok := at["additionalProperties"].(map[string]any); ok {
			if name, _ := at["x-names"].(string); formats()[name] == nil {
				t.Errorf("%s: any name is allowed", dotted(path))
			}
			walk(s.resolve(others), sub(path, "NAME"))
		}
		if items, ok := at["items"].(map[string]any); ok {
			walk(s.resolve(items), sub(path, "0"))
		}
	}
	walk(s.root, nil)
	if !json.Valid(Schema()) {
		t.Error("Schema is not JSON")
	}
}
