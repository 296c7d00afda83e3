package trust

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"aead.dev/minisign"
)

// SignatureSuffix is what a signature's file has behind the name of the module's.
const SignatureSuffix = ".minisig"

// Sign signs a module, and returns the bytes of its .minisig file. The comment is
// signed too: one line of at most 200 printable characters, in which tabs may
// separate parts. With the same key and comment the same bytes come out.
func (k SecretKey) Sign(module []byte, comment string) ([]byte, error) {
	if k.public.public == nil {
		return nil, fmt.Errorf("%w: there is none", ErrSecretKey)
	}
	if err := checkComment(comment); err != nil {
		return nil, err
	}
	// The reader hashes the module first, as minisign does unless told otherwise.
	r := minisign.NewReader(bytes.NewReader(module))
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, err
	}
	signature := r.SignWithComments(k.private, comment, "signature from minisign secret key")
	rules := Rules{Keys: []Key{k.public}, Required: true}
	if _, err := rules.Check("module", module, signature); err != nil {
		return nil, fmt.Errorf("the new signature does not hold: %w", err)
	}
	return signature, nil
}

// checkComment refuses what a signature would not bring back as it was.
func checkComment(comment string) error {
	if !utf8.ValidString(comment) || strings.ContainsFunc(comment, func(r rune) bool { return r != '\t' && !unicode.IsPrint(r) }) {
		return fmt.Errorf("the comment %.100q is not a line of printable characters", comment)
	}
	if n := utf8.RuneCountInString(comment); n > maxComment {
		return fmt.Errorf("the comment has %d characters, at most %d are kept", n, maxComment)
	}
	return nil
}
