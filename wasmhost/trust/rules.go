package trust

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"aead.dev/minisign"

	"github.com/edgeftp/edgeftp/wasmhost/refusal"
)

// MaxSignature is the greatest size of a signature file in bytes.
const MaxSignature = 4096

// maxComment bounds the trusted comment that is kept, in characters.
const maxComment = 200

// Rules are what an operator wants of modules. The zero value takes every module
// that is not older than the last. Rules are read only once they are in use;
// a copy with another AllowDowngrade is how one command is let through.
type Rules struct {
	// Keys are those whose signatures count. Without any, signatures are not
	// looked at. With some, a signature that is there must be good, also where
	// none is required: a bad one says that something is wrong.
	Keys []Key
	// Required refuses modules without a signature.
	Required bool
	// Pins hold for each slot named here the one digest that it takes. A pin does
	// not stand in for a required signature.
	Pins map[string]Digest
	// AllowDowngrade lets a module follow a newer one.
	AllowDowngrade bool
}

// Seal is what the bytes of a module and its signature say.
type Seal struct {
	Digest Digest
	// Signer is the identifier of the key that signed, empty if no signature was
	// checked.
	Signer string
	// Comment is the trusted comment, which is signed too, as one line of at most
	// 200 printable characters. It is the signer's word, often a time and a name.
	Comment string
}

// Accepted is a module that a slot took. The zero value stands for none.
type Accepted struct {
	Digest  Digest    `json:"digest"`
	Version string    `json:"version,omitempty"` // of the manifest; may be empty
	Signer  string    `json:"signer,omitempty"`  // as in [Seal]
	At      time.Time `json:"accepted_at"`
	Source  string    `json:"source,omitempty"` // where it came from, in words
}

// Check judges a module by its bytes: the digest against the slot's pin, and the
// signature (the bytes of a .minisig file, nil if there is none) against the
// keys. It decodes nothing of the module.
func (r *Rules) Check(slot string, module, signature []byte) (Seal, error) {
	seal := Seal{Digest: Sum(module)}
	if pin, ok := r.Pins[slot]; ok && pin != seal.Digest {
		return Seal{}, &refusal.Error{Code: CodeDigest,
			Summary: fmt.Sprintf("policy %q is not the module that its digest names", slot),
			Found:   seal.Digest.String(), Needs: pin.String(),
			Help: "put the new digest into the configuration if the change is meant"}
	}
	if err := r.checkSignature(&seal, slot, module, signature); err != nil {
		return Seal{}, err
	}
	return seal, nil
}

func (r *Rules) checkSignature(seal *Seal, slot string, module, signature []byte) error {
	switch {
	case len(r.Keys) == 0 && r.Required:
		return &refusal.Error{Code: CodeSignature,
			Summary: fmt.Sprintf("the signature of policy %q cannot be checked", slot),
			Found:   "no trusted key", Needs: "a minisign public key",
			Help: "name keys under policies.trust in the configuration"}
	case len(r.Keys) == 0:
		return nil
	case len(signature) == 0 && r.Required:
		return &refusal.Error{Code: CodeUnsigned,
			Summary: fmt.Sprintf("policy %q is not signed", slot),
			Needs:   "a signature by " + r.keyIDs(),
			Help:    "edgeftp policy sign --key KEY NAME.wasm, or minisign -Sm NAME.wasm, writes NAME.wasm.minisig: keep it beside the module"}
	case len(signature) == 0:
		return nil
	}
	s, err := parseSignature(signature)
	if err != nil {
		return &refusal.Error{Code: CodeSignature, Err: err,
			Summary: fmt.Sprintf("policy %q has a signature file that cannot be read", slot),
			Found:   err.Error(), Needs: "the four lines that minisign writes",
			Help: "sign the module again, or fetch its .minisig file again"}
	}
	known := false
	for _, k := range r.Keys {
		if k.public == nil || k.public.ID() != s.KeyID {
			continue
		}
		known = true // two keys may share an identifier: nothing protects it
		if minisign.Verify(*k.public, module, signature) {
			seal.Signer, seal.Comment = k.ID(), oneLine(s.TrustedComment)
			return nil
		}
	}
	e := &refusal.Error{Code: CodeSignature, Found: "a signature by key " + keyID(s.KeyID), Needs: "a signature by " + r.keyIDs()}
	if known {
		e.Summary = fmt.Sprintf("policy %q does not match its signature", slot)
		e.Found += " of other bytes, or with a changed comment"
		e.Help = "the module or its .minisig file was changed after it was signed, or they do not belong together"
	} else {
		e.Summary = fmt.Sprintf("policy %q is signed with a key that is not trusted", slot)
		e.Help = "add the key to policies.trust in the configuration, or to the file of --trust, if you trust its owner"
	}
	return e
}

// keyIDs names the keys for a message.
func (r *Rules) keyIDs() string {
	var ids []string
	for i, k := range r.Keys {
		if i == 8 {
			ids = append(ids, fmt.Sprintf("%d more", len(r.Keys)-i))
			break
		}
		ids = append(ids, k.ID())
	}
	return "key " + strings.Join(ids, " or ")
}

// parseSignature reads what minisign writes, legacy and with a hash. Who reads
// the result knows the form, and nothing about whether it is true.
func parseSignature(text []byte) (minisign.Signature, error) {
	var s minisign.Signature
	if len(text) > MaxSignature {
		return s, fmt.Errorf("%d bytes, a signature has at most %d", len(text), MaxSignature)
	}
	if err := s.UnmarshalText(text); err != nil {
		return minisign.Signature{}, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "minisign: "))
	}
	return s, nil
}

// oneLine makes a signer's words fit for a log and a terminal.
func oneLine(s string) string {
	var b strings.Builder
	n := 0
	for _, c := range strings.ToValidUTF8(s, "?") {
		if n++; n > maxComment {
			break
		}
		switch {
		case c == '\t': // minisign's own comment has one between its parts
			c = ' '
		case !unicode.IsPrint(c):
			c = '?'
		}
		b.WriteRune(c)
	}
	return b.String()
}
