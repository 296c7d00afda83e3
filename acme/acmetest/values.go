package acmetest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/edgeftp/edgeftp/acme"
)

func valueChecks() []check {
	return []check{
		{"store, overwrite, delete", storeOverwriteDelete},
		{"missing keys", missingKeys},
		{"values are copies", valuesAreCopies},
		{"large values", largeValues},
		{"any bytes", anyBytes},
		{"keys of certificates", keysOfCertificates},
		{"seen at once", seenAtOnce},
		{"challenge tokens", challengeTokens},
		{"values are whole", valuesAreWhole},
	}
}

func storeOverwriteDelete(b *bed) {
	b.lacks("k")
	b.store(b.a, "k", "one")
	b.has("k", "one")
	b.store(b.b, "k", "longer than one")
	b.has("k", "longer than one")
	b.store(b.a, "k", "2")
	b.has("k", "2")
	b.must(b.b.Delete(b.ctx, "k"))
	b.lacks("k")
	b.store(b.a, "k", "again")
	b.has("k", "again")
}

func missingKeys(b *bed) {
	b.lacks("k")
	b.lacks("deep/down/k")
	b.must(b.a.Delete(b.ctx, "k"))
	b.must(b.a.Delete(b.ctx, "deep/down/k"))
	b.store(b.a, "deep/down/other", "1")
	b.lacks("deep/down/k")
	b.lacks("deep/dow")
	b.must(b.b.Delete(b.ctx, "deep/down/other"))
	b.must(b.a.Delete(b.ctx, "deep/down/other"))
	b.lacks("deep/down/other")
}

func valuesAreCopies(b *bed) {
	value := []byte("one")
	b.must(b.a.Store(b.ctx, "k", value))
	value[0] = 'x'
	b.has("k", "one")
	got, err := b.a.Load(b.ctx, "k")
	b.must(err)
	if len(got) > 0 {
		got[0] = 'y'
	}
	b.has("k", "one")
}

func largeValues(b *bed) {
	large := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	b.store(b.a, "large", large)
	b.has("large", large)
	b.store(b.b, "large", "small")
	b.has("large", "small")
	b.store(b.b, "large", large)
	b.has("large", large)
}

func anyBytes(b *bed) {
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	b.store(b.a, "bytes", string(all)+"\r\n\x00")
	b.has("bytes", string(all)+"\r\n\x00")
	b.store(b.a, "empty", "")
	b.has("empty", "")
}

func keysOfCertificates(b *bed) {
	const ca = "acme-v02.api.example.org-directory"
	long := strings.Repeat("a", 63) + "." + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + ".example.org"
	keys := []string{
		"certificates/" + ca + "/wildcard_.files.example.org/wildcard_.files.example.org.crt",
		"certificates/" + ca + "/wildcard_.files.example.org/wildcard_.files.example.org.key",
		"certificates/" + ca + "/2001-db8--1/2001-db8--1.json",
		"certificates/" + ca + "/xn--bcher-kva.example.org/xn--bcher-kva.example.org.crt",
		"certificates/" + ca + "/" + long + "/" + long + ".json",
		"acme/" + ca + "/users/ops@example.org/ops.json",
		"acme/" + ca + "/users/a_plus_b@example.org/a_plus_b.key",
		"ocsp/ftp.example.org-0123abcd",
		"a/b/c/d/e/f/g/h/i/j",
		"under_score-dash.dot@at",
	}
	for i, key := range keys {
		b.store(b.a, key, fmt.Sprint("value ", i))
	}
	for i, key := range keys {
		b.has(key, fmt.Sprint("value ", i))
	}
	for i, key := range keys {
		b.must(b.b.Delete(b.ctx, key))
		b.lacks(key)
		for j, other := range keys[i+1:] {
			b.has(other, fmt.Sprint("value ", i+1+j))
		}
	}
}

func seenAtOnce(b *bed) {
	for i := range 50 {
		from, key := b.a, fmt.Sprint("new/", i)
		if i%2 == 1 {
			from = b.b
		}
		b.store(from, "counter", fmt.Sprint(i))
		b.has("counter", fmt.Sprint(i))
		b.store(from, key, "1")
		b.has(key, "1")
		b.lists("new", false, key)
		b.must(from.Delete(b.ctx, key))
		b.lacks(key)
	}
}

// A node writes what it wants to answer a challenge with, and the authority comes to
// another one.
func challengeTokens(b *bed) {
	const dir = "acme/acme-v02.api.example.org-directory/challenge_tokens/"
	for i, name := range []string{"ftp.example.org", "203.0.113.5", "2001-db8--1"} {
		token := fmt.Sprintf(`{"type":"http-01","identifier":{"value":%q},"keyAuthorization":"token-%d.thumbprint"}`, name, i)
		b.store(b.a, dir+name+".json", token)
		b.has(dir+name+".json", token)
	}
	b.must(b.a.Delete(b.ctx, dir+"203.0.113.5.json"))
	b.lacks(dir + "203.0.113.5.json")
	b.lists(dir[:len(dir)-1], false, dir+"2001-db8--1.json", dir+"ftp.example.org.json")
}

// Whatever is written at the same time, a reader finds one value, and finds one.
func valuesAreWhole(b *bed) {
	const writers, rounds, size = 8, 25, 64 << 10
	b.must(b.a.Store(b.ctx, "k", uniform(0, size)))
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	for _, s := range []acme.Storage{b.a, b.b} {
		reading.Go(func() {
			for {
				b.whole(s, "k", size)
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range writers {
		writing.Go(func() {
			s := []acme.Storage{b.a, b.b}[i%2]
			for range rounds {
				// Sizes differ, so that an end of a longer value is found too.
				if err := s.Store(b.ctx, "k", uniform(i, size-i*1000)); err != nil {
					b.Errorf("error: %v", err)
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	b.whole(b.a, "k", size)
}

func (b *bed) whole(s acme.Storage, key string, size int) {
	got, err := s.Load(b.ctx, key)
	switch {
	case err != nil:
		b.Errorf("%s, which is being written, cannot be read: %v", key, err)
	case len(got) == 0 || got[0] < 'a' || !bytes.Equal(got, uniform(int(got[0]-'a'), size-int(got[0]-'a')*1000)):
		b.Errorf("%s is none of the values that were written, or a mixture: %s", key, short(string(got)))
	}
}

func listChecks() []check {
	return []check{
		{"list", list},
		{"prefixes", prefixes},
	}
}

func list(b *bed) {
	b.lists("x", false)
	b.lists("x", true)
	for _, key := range []string{"x/a/1", "x/a/2", "x/b/c/3", "x/4", "xy/5"} {
		b.store(b.a, key, key)
	}
	b.lists("x", false, "x/4", "x/a", "x/b")
	b.lists("x", true, "x/4", "x/a/1", "x/a/2", "x/b/c/3")
	b.lists("x/a", false, "x/a/1", "x/a/2")
	b.lists("x/b", true, "x/b/c/3")
	b.lists("z", true)
}

func prefixes(b *bed) {
	for _, key := range []string{"x/a/1", "x/a/b/2", "x/ab/3", "x/4"} {
		b.store(b.a, key, key)
	}
	for _, s := range []acme.Storage{b.a, b.b} {
		if info, err := s.Stat(b.ctx, "x/a"); err != nil || info.IsTerminal || info.Key != "x/a" {
			b.Errorf("Stat of x/a, a prefix: %+v, %v; want its key, and that it is not terminal", info, err)
		}
		if !s.Exists(b.ctx, "x/a") {
			b.Error("x/a is a prefix, and does not exist")
		}
	}
	b.must(b.b.Delete(b.ctx, "x/a"))
	b.lacks("x/a")
	b.lacks("x/a/1")
	b.lacks("x/a/b/2")
	b.has("x/ab/3", "x/ab/3")
	b.has("x/4", "x/4")
}
