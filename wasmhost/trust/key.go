package trust

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"aead.dev/minisign"
)

const (
	maxKeyText = 64 << 10 // bytes
	maxKeys    = 64
	keyLine    = 56  // characters of a public key
	secretKey  = 158 // bytes of a secret key
	untrusted  = "untrusted comment:"
)

// ErrKey is wrapped by every error about the text of a public key.
var ErrKey = errors.New("not a minisign public key")

// Key is a minisign public key. The zero value is no key and verifies nothing.
type Key struct {
	public *minisign.PublicKey
	text   string
}

// ID returns the key's identifier, 16 hex digits in upper case. It is a name by
// which a signature says who made it, and proves nothing.
func (k Key) ID() string {
	if k.public == nil {
		return ""
	}
	return keyID(k.public.ID())
}

// String returns the key as minisign writes it, one line without a comment.
func (k Key) String() string { return k.text }

func keyID(id uint64) string { return fmt.Sprintf("%016X", id) }

// ParseKeys reads public keys, one per line, as minisign prints them. Lines that
// are empty or begin with "untrusted comment:" are skipped, so that files of
// minisign can be strung together. A key that occurs twice counts once; text
// without any key is an error.
//
// The error wraps [ErrKey] and names the line. It never repeats the text, which
// may be a secret key that was taken for the public one.
func ParseKeys(text string) ([]Key, error) {
	if len(text) > maxKeyText {
		return nil, fmt.Errorf("%w: %d bytes of text, at most %d are read", ErrKey, len(text), maxKeyText)
	}
	var keys []Key
	seen := map[string]bool{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, untrusted) {
			continue
		}
		k, err := parseKey(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if seen[k.text] {
			continue
		}
		if seen[k.text] = true; len(keys) == maxKeys {
			return nil, fmt.Errorf("line %d: %w: more than %d keys", number, ErrKey, maxKeys)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: the text has no key", ErrKey)
	}
	return keys, nil
}

func parseKey(line string) (Key, error) {
	if raw, err := base64.StdEncoding.DecodeString(line); err == nil && len(raw) == secretKey {
		return Key{}, fmt.Errorf("%w but a secret key: name the file that ends in .pub, and make new keys if others could read this one", ErrKey)
	}
	if len(line) != keyLine {
		return Key{}, fmt.Errorf("%w: the line has %d characters, a key has %d", ErrKey, len(line), keyLine)
	}
	k := Key{public: new(minisign.PublicKey)}
	if err := k.public.UnmarshalText([]byte(line)); err != nil {
		// The decoder's words name offsets and numbers, and nothing of the text.
		return Key{}, fmt.Errorf("%w: %s", ErrKey, strings.TrimPrefix(err.Error(), "minisign: "))
	}
	k.text = k.public.String()
	return k, nil
}
