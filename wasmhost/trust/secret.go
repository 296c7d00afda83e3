package trust

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"aead.dev/minisign"
)

var (
	// ErrSecretKey is wrapped by every error about the text of a secret key.
	ErrSecretKey = errors.New("not a minisign secret key")
	// ErrPassword says that a secret key needs a password, or another one.
	ErrPassword = errors.New("the secret key needs its password")
)

// The most that a file may ask of scrypt: what minisign writes.
const (
	maxOps    = 1 << 25
	maxMemory = 1 << 30 // bytes
)

// maxSecretText bounds a secret key's file in bytes; minisign writes 262.
const maxSecretText = 4096

// SecretKey is a minisign secret key: it signs modules. The zero value is none,
// and signs nothing.
type SecretKey struct {
	private minisign.PrivateKey
	public  Key
}

// NewSecretKey makes a key of the system's random bytes.
func NewSecretKey() (SecretKey, error) {
	_, private, err := minisign.GenerateKey(nil)
	if err != nil {
		return SecretKey{}, err
	}
	return secretOf(private)
}

// Locked reports whether the text of a secret key can only be read with a
// password. It is false for what is no key.
func Locked(text string) bool { return minisign.IsEncrypted([]byte(text)) }

// ParseSecretKey reads a secret key as minisign writes it: a line of comment,
// which may be absent, and the key. The password is needed if the key is
// [Locked], and not looked at if it is not; unlocking takes up to 1 GiB of memory
// and some seconds.
//
// The error wraps [ErrPassword] or [ErrSecretKey], and never repeats the text.
func ParseSecretKey(text, password string) (SecretKey, error) {
	if len(text) > maxSecretText {
		return SecretKey{}, fmt.Errorf("%w: %d bytes, at most %d are read", ErrSecretKey, len(text), maxSecretText)
	}
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	if err := secretForm(text); err != nil {
		return SecretKey{}, err
	}
	var private minisign.PrivateKey
	switch locked := Locked(text); {
	case locked && password == "":
		return SecretKey{}, ErrPassword
	case locked:
		var err error
		if private, err = minisign.DecryptKey(password, []byte(text)); err != nil {
			return SecretKey{}, fmt.Errorf("%w: the one that was given does not unlock it", ErrPassword)
		}
	default:
		if err := private.UnmarshalText([]byte(text)); err != nil {
			return SecretKey{}, fmt.Errorf("%w: %s", ErrSecretKey, strings.TrimPrefix(err.Error(), "minisign: "))
		}
	}
	return secretOf(private)
}

// secretForm tells what is wrong with a text in words that help; the decoder
// takes a wrong password and a damaged file for the same.
func secretForm(text string) error {
	line := text[strings.LastIndexByte(text, '\n')+1:]
	raw, err := base64.StdEncoding.DecodeString(line)
	switch {
	case err != nil:
		return fmt.Errorf("%w: the last line is not base64", ErrSecretKey)
	case len(line) == keyLine:
		return fmt.Errorf("%w but a public key: name the file without .pub", ErrSecretKey)
	case len(raw) != secretKey:
		return fmt.Errorf("%w: %d bytes, a key has %d", ErrSecretKey, len(raw), secretKey)
	case binary.LittleEndian.Uint16(raw) != minisign.EdDSA:
		return fmt.Errorf("%w: it is of another kind", ErrSecretKey)
	case binary.LittleEndian.Uint64(raw[38:]) > maxOps || binary.LittleEndian.Uint64(raw[46:]) > maxMemory:
		return fmt.Errorf("%w: unlocking it would take more work than minisign ever asks for", ErrSecretKey)
	}
	return nil
}

// secretOf takes a key if both of its halves belong together. In a file without
// a password nothing else protects them, and a signature by halves that do not
// would give the secret away.
func secretOf(private minisign.PrivateKey) (SecretKey, error) {
	public, ok := private.Public().(minisign.PublicKey)
	if !ok || !minisign.Verify(public, nil, minisign.Sign(private, nil)) {
		return SecretKey{}, fmt.Errorf("%w: it is damaged, its halves do not belong together", ErrSecretKey)
	}
	return SecretKey{private: private, public: Key{public: &public, text: public.String()}}, nil
}

// Public returns the key that checks what this one signs.
func (k SecretKey) Public() Key { return k.public }

// File returns the text of the key's file, as minisign reads it. With a password
// it is encrypted, which takes 1 GiB of memory and some seconds. Without one who
// reads the file can sign.
func (k SecretKey) File(password string) ([]byte, error) {
	if k.public.public == nil {
		return nil, fmt.Errorf("%w: there is none", ErrSecretKey)
	}
	text, err := k.private.MarshalText()
	if password != "" {
		text, err = minisign.EncryptKey(password, k.private)
	}
	return append(text, '\n'), err
}

// File returns the text of the public key's file, as minisign writes and
// [ParseKeys] reads it. For the zero value it is nil.
func (k Key) File() []byte {
	if k.public == nil {
		return nil
	}
	return fmt.Appendf(nil, "%s minisign public key %s\n%s\n", untrusted, k.ID(), k)
}
