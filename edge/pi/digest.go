package pi

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"hash/crc32"
	"slices"
	"strings"
)

// Digest names an algorithm of HASH (draft-ietf-ftpext2-hash-03 §3.1) and of the
// X commands, as the hash function textual names registry has it.
type Digest string

// The algorithms. CRC32, MD5 and SHA-1 tell damage, not malice.
const (
	CRC32  Digest = "CRC32"   // XCRC; the polynomial of IEEE 802.3
	MD5    Digest = "MD5"     // XMD5 (RFC 1321)
	SHA1   Digest = "SHA-1"   // XSHA1 (FIPS 180-4)
	SHA256 Digest = "SHA-256" // XSHA256 (FIPS 180-4)
	SHA512 Digest = "SHA-512" // XSHA512 (FIPS 180-4)
)

// Digests returns every algorithm, the one that HASH begins with first.
func Digests() []Digest { return []Digest{SHA256, SHA512, SHA1, MD5, CRC32} }

// ParseDigest reads an algorithm's name, in any case; the second result is false
// where it has none.
func ParseDigest(name string) (Digest, bool) {
	all := Digests()
	i := slices.IndexFunc(all, func(d Digest) bool { return strings.EqualFold(string(d), name) })
	if i < 0 {
		return "", false
	}
	return all[i], true
}

func (d Digest) new() hash.Hash {
	switch d {
	case CRC32:
		return crc32.NewIEEE()
	case MD5:
		return md5.New()
	case SHA1:
		return sha1.New()
	case SHA512:
		return sha512.New()
	}
	return sha256.New()
}

// digests returns what this listener offers.
func (c *Config) digests() []Digest {
	if len(c.Hashes) > 0 {
		return c.Hashes
	}
	return Digests()
}
