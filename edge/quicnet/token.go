package quicnet

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
)

// TokenSize is the length of a token in bytes.
const TokenSize = 16

// tokenText is the length of a token as QDAT has it: base32 (RFC 4648 §6) without padding.
const tokenText = 26

// Token names a data stream between QDAT and the stream's first bytes.
type Token [TokenSize]byte

// NewToken returns a token that nobody can guess.
func NewToken() Token {
	var t Token
	_, _ = rand.Read(t[:]) // it never fails
	return t
}

// String is the token as QDAT has it.
func (t Token) String() string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(t[:])
}

// errToken is what is wrong with a text that should be a token.
var errToken = errors.New("a token is 26 characters of A-Z and 2-7, the last of them one of A E I M Q U Y 4")

// ParseToken reads a token as String writes it. There is one text for each token.
func ParseToken(s string) (Token, error) {
	var t Token
	if len(s) != tokenText {
		return t, errToken
	}
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(s)
	if err != nil || copy(t[:], b) != TokenSize || t.String() != s {
		return Token{}, errToken
	}
	return t, nil
}

// The ways in which a token cannot be prepared. They are worded to follow
// "That cannot be the token of a data stream:".
var (
	ErrUsed = errors.New("it was used before on this connection")
	errMost = errors.New("too many data streams are prepared")
)

func tooMany(most int) error { return fmt.Errorf("%w: %d are permitted", errMost, most) }
