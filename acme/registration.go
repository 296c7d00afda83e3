package acme

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	rfc8555 "github.com/mholt/acmez/v3/acme"
)

// errBindingRefused says that the authority does not take the one that is configured.
var errBindingRefused = errors.New("the account binding is refused")

// refusesBinding reports whether an account was refused for its binding.
func refusesBinding(b *Binding, err error) bool {
	var problem rfc8555.Problem
	if b == nil || !errors.As(err, &problem) {
		return false
	}
	switch problem.Type {
	case rfc8555.ProblemTypeUnauthorized, rfc8555.ProblemTypeMalformed, rfc8555.ProblemTypeExternalAccountRequired:
		return true
	}
	return false
}

// registration is an account as it is stored, in one value: an account without its key
// is of no use.
type registration struct {
	Account rfc8555.Account `json:"account"`
	Key     string          `json:"key"`                  // PEM, PKCS #8
	Binding string          `json:"binding_id,omitempty"` // of the external account
}

// errBinding says that an authority knows no accounts but those of its customers.
var errBinding = errors.New("the authority wants accounts that are bound to one that you have there (RFC 8555 §7.3.4)")

// file is where the account of an address is stored.
func (d *directory) file() string {
	user := certmagic.StorageKeys.Safe(d.at.Email)
	switch {
	case d.at.Email == "":
		user = "default"
	case user != d.at.Email:
		user = fmt.Sprintf("%s-%.4x", user, sha256.Sum256([]byte(d.at.Email)))
	}
	return d.path("users", user, "account.json")
}

// account returns the account with the authority: from memory, from the storage, or a
// new one. One node of a fleet makes it, and the others find it.
func (d *directory) account(ctx context.Context) (rfc8555.Account, error) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return rfc8555.Account{}, ctx.Err()
	}
	if d.own != nil {
		return d.own.Account, nil
	}
	got, err := d.stored(ctx, false)
	if errors.Is(err, fs.ErrNotExist) {
		got, err = d.make(ctx)
	}
	if err != nil {
		return rfc8555.Account{}, err
	}
	d.own = got
	return got.Account, nil
}

// stored takes the account from the storage. The error is fs.ErrNotExist if there is
// none that can be used. A damaged one is put aside by who has the lock.
func (d *directory) stored(ctx context.Context, locked bool) (*registration, error) {
	text, err := d.storage.Load(ctx, d.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("the account with %s cannot be read: %w", d.host(), err)
	}
	got, err := parseRegistration(text)
	if err != nil && !locked {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		to := path.Join("damaged", time.Now().UTC().Format("20060102-150405"), d.key, "account.json")
		d.log.Error("a stored account is damaged, a new one is made", "ca", d.url, "damage", err.Error(), "moved_to", to)
		if err := d.storage.Store(ctx, to, text); err != nil {
			return nil, fmt.Errorf("the damaged account with %s cannot be put aside: %w", d.host(), err)
		}
		if err := d.storage.Delete(ctx, d.file()); err != nil { // or it would be put aside once more
			return nil, fmt.Errorf("the damaged account with %s cannot be put aside: %w", d.host(), err)
		}
		return nil, fs.ErrNotExist
	}
	if b := d.at.Binding; b != nil && got.Binding != "" && got.Binding != b.KeyID {
		return nil, fs.ErrNotExist // the operator has another account now
	}
	return got, nil
}

// parseRegistration reads what encode has written.
func parseRegistration(text []byte) (*registration, error) {
	got := &registration{}
	if err := json.Unmarshal(text, got); err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(got.Key))
	if block == nil || got.Account.Location == "" {
		return nil, errors.New("the account's key or address is missing")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the account's key is none to sign with")
	}
	got.Account.PrivateKey = signer
	return got, nil
}

func (r *registration) encode() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(r.Account.PrivateKey)
	if err != nil {
		return nil, err
	}
	r.Key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return json.MarshalIndent(r, "", "  ")
}

// make registers a new account, unless another node has just done so.
func (d *directory) make(ctx context.Context) (*registration, error) {
	unlock, err := d.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if got, err := d.stored(ctx, true); !errors.Is(err, fs.ErrNotExist) {
		return got, err
	}
	fresh, err := d.register(ctx)
	if err != nil {
		return nil, err
	}
	text, err := fresh.encode()
	if err != nil {
		return nil, err
	}
	if err := d.storage.Store(ctx, d.file(), text); err != nil {
		return nil, fmt.Errorf("the account with %s cannot be stored: %w", d.host(), err)
	}
	d.log.Info("an account with a certificate authority was made", "ca", d.url, "account", fresh.Account.Location)
	return fresh, nil
}

// register asks the authority for an account (RFC 8555 §7.3).
func (d *directory) register(ctx context.Context) (*registration, error) {
	about, err := d.client.GetDirectory(ctx)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	r := &registration{Account: rfc8555.Account{TermsOfServiceAgreed: true, PrivateKey: key}}
	if d.at.Email != "" {
		r.Account.Contact = []string{"mailto:" + d.at.Email}
	}
	if b := d.at.Binding; b != nil {
		r.Binding = b.KeyID
		if err := r.Account.SetExternalAccountBinding(ctx, d.client, rfc8555.EAB{KeyID: b.KeyID, MACKey: b.mac()}); err != nil {
			return nil, fmt.Errorf("the account binding cannot be used: %w", err)
		}
	} else if about.Meta != nil && about.Meta.ExternalAccountRequired {
		return nil, errBinding
	}
	account, err := d.client.NewAccount(ctx, r.Account)
	if err != nil {
		if refusesBinding(d.at.Binding, err) {
			err = fmt.Errorf("%w: %w", errBindingRefused, err)
		}
		return nil, fmt.Errorf("no account could be made: %w", err)
	}
	if account.Status != rfc8555.StatusValid {
		return nil, fmt.Errorf("the account %s is %s", account.Location, account.Status)
	}
	account.ExternalAccountBinding = nil
	r.Account = account
	return r, nil
}

// mac is the key in the one form that the library takes; authorities show it in others
// too.
func (b *Binding) mac() string {
	return strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(strings.TrimSpace(b.MAC), "="))
}

func (b *Binding) usable() error {
	if key, err := base64.RawURLEncoding.DecodeString(b.mac()); err != nil || len(key) == 0 {
		return errors.New("the account binding's MAC key is no base64url text, as the authority shows it")
	}
	return nil
}

// forget removes an account that the authority does not know any more.
func (d *directory) forget(ctx context.Context, gone rfc8555.Account) error {
	d.turn <- struct{}{}
	defer func() { <-d.turn }()
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	d.own = nil
	if got, err := d.stored(ctx, true); err == nil && got.Account.Location == gone.Location && samePublic(got.Account, gone) {
		return d.storage.Delete(ctx, d.file())
	}
	return nil // another node has made a new one
}

func samePublic(a, b rfc8555.Account) bool {
	one, err := a.Thumbprint()
	other, err2 := b.Thumbprint()
	return err == nil && err2 == nil && one == other
}

// lock keeps other nodes from the account.
func (d *directory) lock(ctx context.Context) (unlock func(), err error) {
	name := "account_" + d.key
	if err := d.storage.Lock(ctx, name); err != nil {
		return nil, fmt.Errorf("the account with %s cannot be locked: %w", d.host(), err)
	}
	return func() {
		if err := release(ctx, d.storage, name); err != nil {
			d.log.Warn("a lock cannot be given back", "lock", name, "error", err)
		}
	}, nil
}
