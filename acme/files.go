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
	"time"
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

// Files returns a configuration with the certificate chain of certFile and the
// key of keyFile, both PEM. NextProtos is left to the caller.
//
// The warnings are whole lines for the operator about what works but should not
// be: a certificate that is expired or not valid yet, a key that everybody can
// read. The error is a [*FileError].
func Files(certFile, keyFile string) (config *tls.Config, warnings []string, err error) {
	certPEM, _, err := readPEM(certFile, "certificate")
	if err != nil {
		return nil, nil, err
	}
	keyPEM, mode, err := readPEM(keyFile, "key")
	if err != nil {
		return nil, nil, err
	}
	pair := tls.Certificate{}
	if err := chain(&pair, certFile, certPEM); err != nil {
		return nil, nil, err
	}
	if pair.PrivateKey, err = privateKey(keyFile, keyPEM); err != nil {
		return nil, nil, err
	}
	if !matches(pair.Leaf, pair.PrivateKey) {
		return nil, nil, &FileError{File: keyFile, What: "does not match the certificate: the key in it is not that of " + certFile,
			Help: "give the key that the certificate was issued for, and in certificate files the server's own first"}
	}
	config = base()
	config.Certificates = []tls.Certificate{pair}
	return config, warn(pair.Leaf, certFile, keyFile, mode), nil
}

func warn(leaf *x509.Certificate, certFile, keyFile string, mode fs.FileMode) (lines []string) {
	now := time.Now()
	if now.After(leaf.NotAfter) {
		lines = append(lines, fmt.Sprintf("%s expired on %s: clients will refuse it",
			certFile, leaf.NotAfter.UTC().Format(time.DateOnly)))
	}
	if now.Before(leaf.NotBefore) {
		lines = append(lines, fmt.Sprintf("%s is valid only from %s on: clients will refuse it until then",
			certFile, leaf.NotBefore.UTC().Format(time.DateOnly)))
	}
	if mode.Perm()&0o007 != 0 {
		lines = append(lines, fmt.Sprintf("%s can be read by everybody (mode %04o): run chmod 600 on it",
			keyFile, mode.Perm()))
	}
	return lines
}

func readPEM(name, what string) ([]byte, fs.FileMode, error) {
	fail := func(words, help string, err error) ([]byte, fs.FileMode, error) {
		return nil, 0, &FileError{File: name, What: words, Help: help, Err: err}
	}
	f, err := os.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail("does not exist", "check the path of the "+what+" file", err)
	case errors.Is(err, fs.ErrPermission):
		return fail("may not be read", "let the user that runs edgeftp read the "+what+" file", err)
	case err != nil:
		return fail("cannot be opened: "+reason(err), "", err)
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
	if block, _ := pem.Decode(data); block == nil {
		return fail("is not PEM", `a `+what+` in PEM form begins with a line "-----BEGIN ..."`, nil)
	}
	return data, info.Mode(), nil
}

// reason is the innermost message of a file error, without its path.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return fmt.Sprint(err)
}

// chain fills pair with the certificates of data.
func chain(pair *tls.Certificate, name string, data []byte) error {
	sawKey := false
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			sawKey = sawKey || strings.HasSuffix(block.Type, "PRIVATE KEY")
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return &FileError{File: name, What: fmt.Sprintf("is damaged: certificate %d cannot be parsed", len(pair.Certificate)+1), Err: err}
		}
		if pair.Leaf == nil {
			pair.Leaf = cert
		}
		pair.Certificate = append(pair.Certificate, block.Bytes)
	}
	switch {
	case pair.Leaf != nil:
		return nil
	case sawKey:
		return &FileError{File: name, What: "holds a key, not a certificate", Help: "are the two files interchanged?"}
	}
	return &FileError{File: name, What: "holds no certificate"}
}

// privateKey returns the first key of data: PKCS #8, PKCS #1 or SEC 1.
func privateKey(name string, data []byte) (crypto.PrivateKey, error) {
	sawCert := false
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			sawCert = sawCert || block.Type == "CERTIFICATE"
			continue
		}
		if strings.Contains(block.Type, "ENCRYPTED") || bytes.Contains([]byte(block.Headers["Proc-Type"]), []byte("ENCRYPTED")) {
			return nil, &FileError{File: name, What: "is encrypted, and edgeftp cannot ask for its passphrase",
				Help: "store the key without a passphrase, readable by the server alone"}
		}
		if key := parseKey(block.Bytes); key != nil {
			return key, nil
		}
		return nil, &FileError{File: name, What: "is damaged: its key cannot be parsed"}
	}
	if sawCert {
		return nil, &FileError{File: name, What: "holds a certificate, not a key", Help: "are the two files interchanged?"}
	}
	return nil, &FileError{File: name, What: "holds no private key"}
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
