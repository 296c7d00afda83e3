package acme

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxPEM is how many bytes of a certificate or key file are looked at.
const maxPEM = 1 << 20

// FileError says what is wrong with a certificate or key file.
type FileError struct {
	File string // as the caller named it
	What string // what is wrong, in words that continue "FILE "
	Help string // what to do about it, or empty
	Err  error  // the cause, or nil
}

// Error returns the file and what is wrong with it.
func (e *FileError) Error() string { return e.File + " " + e.What }

// Unwrap returns the cause, nil if the file was read but does not fit.
func (e *FileError) Unwrap() error { return e.Err }

// pemFile is a file that has been read.
type pemFile struct {
	name   string
	what   string      // what the file is for: "certificate", "key", ...
	info   fs.FileInfo // of the file that the blocks came from
	blocks []*pem.Block
}

// readPEM reads name whole. It follows links, and waits for the writer of a pipe.
func readPEM(name, what string) (*pemFile, error) {
	fail := func(words, help string, err error) (*pemFile, error) {
		return nil, &FileError{File: name, What: words, Help: help, Err: err}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, unopened(name, what, err)
	}
	defer func() { _ = f.Close() }() // opened for reading alone
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		return fail("is a directory", "name the "+what+" file in it", nil)
	}
	data, readErr := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err = errors.Join(err, readErr); err != nil {
		return fail("cannot be read: "+reason(err), "", err)
	}
	if len(data) > maxPEM {
		return fail("is longer than 1 MiB, too long for a "+what, "", nil)
	}
	blocks, err := split(name, what, data)
	return &pemFile{name: name, what: what, info: info, blocks: blocks}, err
}

// unopened says why name could not be opened or looked at.
func unopened(name, what string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &FileError{File: name, What: "does not exist", Help: "check the path of the " + what + " file", Err: err}
	case errors.Is(err, fs.ErrPermission):
		return &FileError{File: name, What: "may not be read", Help: "let the user that runs edgeftp read the " + what + " file", Err: err}
	}
	return &FileError{File: name, What: "cannot be opened: " + reason(err), Err: err}
}

// reason is the innermost message of a file error, without its path.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return fmt.Sprint(err)
}

// split returns the PEM blocks of data (RFC 7468). A block that is cut off is an
// error: pem.Decode leaves it out, and half a chain would be served.
func split(name, what string, data []byte) (blocks []*pem.Block, err error) {
	begun := bytes.Count(append([]byte("\n"), data...), []byte("\n-----BEGIN "))
	if begun == 0 {
		help := "a " + what + ` in PEM form begins with a line "-----BEGIN ..."`
		if len(data) > 0 && data[0] == 0x30 { // an ASN.1 SEQUENCE
			help = "it looks like DER or PKCS #12: openssl x509, pkey and pkcs12 turn these into PEM"
		}
		return nil, &FileError{File: name, What: "is not PEM", Help: help}
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		blocks = append(blocks, block)
	}
	if len(blocks) != begun {
		return nil, &FileError{File: name, What: fmt.Sprintf("is damaged: of its %d PEM blocks only %d are whole", begun, len(blocks)),
			Help: "was it copied to the end?"}
	}
	return blocks, nil
}

// has reports whether a block's type ends with one of the kinds.
func (f *pemFile) has(kinds ...string) bool {
	for _, b := range f.blocks {
		for _, kind := range kinds {
			if strings.HasSuffix(b.Type, kind) {
				return true
			}
		}
	}
	return false
}

// certificates returns the certificates of the file, at least one.
func (f *pemFile) certificates() (certs []*x509.Certificate, err error) {
	for _, block := range f.blocks {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, &FileError{File: f.name, What: fmt.Sprintf("is damaged: certificate %d cannot be parsed", len(certs)+1), Err: err}
		}
		certs = append(certs, cert)
	}
	switch {
	case len(certs) > 0:
		return certs, nil
	case f.has("PRIVATE KEY"):
		return nil, &FileError{File: f.name, What: "holds a key, not a certificate", Help: "are the two files interchanged?"}
	case f.has("CERTIFICATE REQUEST"):
		return nil, &FileError{File: f.name, What: "holds a certificate request, not a certificate", Help: "name the file that the authority answered with"}
	}
	return nil, &FileError{File: f.name, What: "holds no certificate", Help: `a certificate begins with a line "-----BEGIN CERTIFICATE-----"`}
}

// privateKey returns the first key of the file: PKCS #8, PKCS #1 or SEC 1.
func (f *pemFile) privateKey() (crypto.PrivateKey, error) {
	fail := func(words, help string) (crypto.PrivateKey, error) {
		return nil, &FileError{File: f.name, What: words, Help: help}
	}
	for _, block := range f.blocks {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if strings.Contains(block.Type, "ENCRYPTED") || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return fail("is encrypted, and edgeftp cannot ask for its passphrase",
				"store the key without a passphrase, readable by the server alone")
		}
		if block.Type == "OPENSSH PRIVATE KEY" {
			return fail("holds a key in OpenSSH's own form, which is not for TLS", "name the key that the certificate was requested with")
		}
		if key := parseKey(block.Bytes); key != nil {
			return key, nil
		}
		return fail("is damaged: its key cannot be parsed", "")
	}
	switch {
	case f.what == bothInOne:
		return fail("holds no private key", "add the key to it, or name the file that holds it")
	case f.has("CERTIFICATE"):
		return fail("holds a certificate, not a key", "are the two files interchanged?")
	case f.has("PUBLIC KEY"):
		return fail("holds a public key, not the private one", "name the key that the certificate was requested with")
	}
	return fail("holds no private key", `a key begins with a line "-----BEGIN PRIVATE KEY-----"`)
}

func parseKey(der []byte) crypto.PrivateKey {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key
	}
	return nil
}

// matches reports whether key is the private half of cert's public key.
func matches(cert *x509.Certificate, key crypto.PrivateKey) bool {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return false
	}
	pub, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && pub.Equal(cert.PublicKey)
}

// join makes what a handshake needs of a chain and its key.
func join(cert, key *pemFile) (*tls.Certificate, error) {
	chain, err := cert.certificates()
	if err != nil {
		return nil, err
	}
	private, err := key.privateKey()
	if err != nil {
		return nil, err
	}
	const help = "give the key that the certificate was issued for, and in certificate files the server's own first"
	switch {
	case matches(chain[0], private):
	case key == cert:
		return nil, &FileError{File: key.name, What: "holds a key that does not match its first certificate", Help: help}
	default:
		return nil, &FileError{File: key.name, What: "does not match the certificate: the key in it is not that of " + cert.name, Help: help}
	}
	if why := weak(chain); why != "" {
		return nil, &FileError{File: cert.name, What: why,
			Help: "have it issued anew: ECDSA with P-256, or RSA with at least 2048 bits, signed with SHA-256"}
	}
	pair := &tls.Certificate{PrivateKey: private, Leaf: chain[0]}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return pair, nil
}
