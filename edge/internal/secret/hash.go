// Package secret keeps and checks passwords. New ones are stored as argon2id
// (RFC 9106) in the PHC string form; bcrypt is verified as well, so that
// existing user lists keep working.
//
// A stored hash names its own cost, and a verification is the one place where a
// stranger makes the server do seconds of work. Both are bounded: the costs by
// the limits below, the work by the [Verifier]'s gate.
package secret

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// MaxPassword is the greatest length of a password in bytes. A longer one is
// never stored and never matches.
const MaxPassword = 1024

// The bounds on what a stored hash may ask for. A hash beyond them is refused
// without any work.
const (
	MaxMemory      = 256 << 10 // KiB of argon2id
	MaxTime        = 16        // passes of argon2id
	MaxParallelism = 8         // lanes of argon2id
	MaxCost        = 15        // of bcrypt, some two seconds

	minSalt, maxSalt = 8, 64  // bytes
	minKey, maxKey   = 16, 64 // bytes
	maxBcryptInput   = 72     // bytes; bcrypt ignores what follows
	bcryptLength     = 60     // characters of a bcrypt hash
)

// What new hashes cost: 19 MiB, two passes, one lane.
const (
	newMemory, newTime, newParallelism = 19 << 10, 2, 1
	newSalt, newKey                    = 16, 32
)

// ErrPassword is wrapped by the errors of [Hash] for a password that cannot be
// stored.
var ErrPassword = errors.New("unsuitable password")

// ErrHash is wrapped by every error about a stored hash: unknown form, damaged,
// or asking for more than the bounds allow.
var ErrHash = errors.New("unusable password hash")

// Hash returns the argon2id hash of password in the PHC string form, with a salt
// of its own. It takes some 30 ms and 19 MiB. The error, which wraps
// [ErrPassword], says that the password is empty or longer than [MaxPassword].
func Hash(password string) (string, error) {
	switch {
	case password == "":
		return "", fmt.Errorf("%w: it is empty", ErrPassword)
	case len(password) > MaxPassword:
		return "", fmt.Errorf("%w: it has %d bytes, at most %d are allowed",
			ErrPassword, len(password), MaxPassword)
	}
	p := params{memory: newMemory, time: newTime, parallelism: newParallelism}
	p.salt = make([]byte, newSalt)
	_, _ = rand.Read(p.salt) // never fails: crypto/rand ends the program first
	p.key = p.derive(password, newKey)
	return p.String(), nil
}

// Check reports whether hash has a form and a cost that a [Verifier] accepts. It
// does no work. The error wraps [ErrHash] and names the bound that is exceeded.
func Check(hash string) error {
	_, err := parse(hash)
	return err
}

// params is a stored hash taken apart. Exactly one of key and bcrypt is set.
type params struct {
	memory      uint32 // KiB
	time        uint32
	parallelism uint8
	salt, key   []byte
	bcrypt      []byte // the whole bcrypt hash
}

// String returns the PHC form of an argon2id hash.
func (p params) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.memory, p.time, p.parallelism, b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

// derive computes the argon2id key of password.
func (p params) derive(password string, length uint32) []byte {
	input := []byte(password)
	defer clear(input)
	return argon2.IDKey(input, p.salt, p.time, p.memory, p.parallelism, length)
}

func parse(hash string) (params, error) {
	switch {
	case strings.HasPrefix(hash, "$argon2id$"):
		return parseArgon2id(hash)
	case strings.HasPrefix(hash, "$2a$"), strings.HasPrefix(hash, "$2b$"), strings.HasPrefix(hash, "$2y$"):
		return parseBcrypt(hash)
	case hash == "":
		return params{}, fmt.Errorf("%w: it is empty", ErrHash)
	}
	return params{}, fmt.Errorf("%w: neither argon2id ($argon2id$) nor bcrypt ($2a$, $2b$, $2y$)", ErrHash)
}

func parseBcrypt(hash string) (params, error) {
	if len(hash) != bcryptLength {
		return params{}, fmt.Errorf("%w: bcrypt has %d characters, this has %d", ErrHash, bcryptLength, len(hash))
	}
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil {
		return params{}, fmt.Errorf("%w: damaged bcrypt", ErrHash)
	}
	if cost > MaxCost {
		return params{}, fmt.Errorf("%w: bcrypt cost %d, at most %d is allowed", ErrHash, cost, MaxCost)
	}
	return params{bcrypt: []byte(hash)}, nil
}

func parseArgon2id(hash string) (params, error) {
	damaged := func(what string) (params, error) {
		return params{}, fmt.Errorf("%w: damaged argon2id (%s)", ErrHash, what)
	}
	parts := strings.Split(hash, "$") // "", argon2id, v=, m=,t=,p=, salt, key
	if len(parts) != 6 {
		return damaged("not five fields")
	}
	if parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return damaged("version is not 19")
	}
	var p params
	var lanes uint32
	for i, field := range strings.Split(parts[3], ",") {
		bounds := [...]bound{
			{"m", "memory", " KiB", MaxMemory, &p.memory},
			{"t", "time", " passes", MaxTime, &p.time},
			{"p", "parallelism", " lanes", MaxParallelism, &lanes},
		}
		if i >= len(bounds) {
			return damaged("more than m, t and p")
		}
		if err := bounds[i].read(field); err != nil {
			return params{}, err
		}
	}
	if lanes == 0 { // t and m come before it
		return damaged("m, t and p are not all there")
	}
	p.parallelism = uint8(lanes)
	var err error
	if p.salt, err = decode(parts[4], minSalt, maxSalt); err != nil {
		return damaged("salt: " + err.Error())
	}
	if p.key, err = decode(parts[5], minKey, maxKey); err != nil {
		return damaged("key: " + err.Error())
	}
	return p, nil
}

// bound is one cost parameter: its name in the hash, its word and unit, its
// greatest value and where it goes.
type bound struct {
	name, word, unit string
	most             uint32
	to               *uint32
}

func (b bound) read(field string) error {
	digits, ok := strings.CutPrefix(field, b.name+"=")
	n, err := strconv.ParseUint(digits, 10, 32)
	switch {
	case ok && errors.Is(err, strconv.ErrRange), err == nil && ok && n > uint64(b.most):
		return fmt.Errorf("%w: argon2id %s %s, at most %d%s are allowed", ErrHash, b.word, digits, b.most, b.unit)
	case !ok, err != nil, n == 0, digits != strconv.FormatUint(n, 10):
		return fmt.Errorf("%w: damaged argon2id (%s)", ErrHash, b.word)
	}
	*b.to = uint32(n)
	return nil
}

// decode reads unpadded base64 of least to most bytes.
func decode(s string, least, most int) ([]byte, error) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("not base64")
	}
	if len(b) < least || len(b) > most {
		return nil, fmt.Errorf("%d bytes, not %d to %d", len(b), least, most)
	}
	return b, nil
}
