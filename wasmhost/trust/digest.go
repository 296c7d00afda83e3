package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// digestPrefix names the only algorithm.
const digestPrefix = "sha256:"

// Digest is the SHA-256 of a module's bytes. Its text is "sha256:" and 64 hex
// digits. The zero value is no module's.
type Digest [sha256.Size]byte

// Sum returns the digest of a module.
func Sum(module []byte) Digest { return sha256.Sum256(module) }

// ParseDigest reads the text form. Hex digits may be of either case.
func ParseDigest(text string) (Digest, error) {
	var d Digest
	digits, ok := strings.CutPrefix(text, digestPrefix)
	if !ok || len(digits) != hex.EncodedLen(len(d)) {
		return Digest{}, fmt.Errorf("%.100q is not a digest: it is to be %s and %d hex digits", text, digestPrefix, hex.EncodedLen(len(d)))
	}
	if _, err := hex.Decode(d[:], []byte(digits)); err != nil {
		return Digest{}, fmt.Errorf("%.100q is not a digest: %w", text, err)
	}
	return d, nil
}

// String returns the text form, in lower case.
func (d Digest) String() string { return digestPrefix + hex.EncodeToString(d[:]) }

// MarshalText returns the text form. It does not fail.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the text form.
func (d *Digest) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDigest(string(text))
	return err
}
