package config

import (
	"fmt"
	"slices"
	"strconv"
)

// TLS says how connections are protected. Control and Data are "required",
// "optional" or, both, "off".
type TLS struct {
	Control, Data string
	Certificate   string   // "dev", "files" or "auto"
	DefaultName   string   // in the form of acme.Subject; empty: the first certificate
	FallbackName  string   // the same for clients that ask for an unknown name
	MinVersion    string   // "1.2" or "1.3"
	Ciphers       []string // of TLS 1.2; empty is the server's choice
	SessionReuse  string   // "require", "auto", "prefer" or "off"
	ClientCerts   string   // "off", "optional" or "required"
	ClientCA      string   // the file of their authorities, empty with "off"
	StrictSNI     bool     // refuse names that no certificate holds
}

// CertFile is a certificate and its key, PEM files. They may be the same file.
type CertFile struct {
	Cert, Key string
	Watch     bool // take changes over
}

type fileTLS struct {
	Control      string   `json:"control"`
	Data         string   `json:"data,omitempty"`
	Certificate  string   `json:"certificate"`
	DefaultName  string   `json:"default_name,omitempty"`
	FallbackName string   `json:"fallback_name,omitempty"`
	MinVersion   string   `json:"min_version"`
	Ciphers      []string `json:"ciphers"`
	SessionReuse string   `json:"session_reuse,omitempty"`
	ClientCerts  string   `json:"client_certs"`
	ClientCA     string   `json:"client_ca,omitempty"`
	StrictSNI    bool     `json:"strict_sni"`
}

type fileCertificates struct {
	ACME  *fileACME         `json:"acme,omitempty"`
	Files []fileCertificate `json:"files"`
}

type fileCertificate struct {
	Cert  string `json:"cert"`
	Key   string `json:"key,omitempty"`
	Watch bool   `json:"watch"`
}

func (t *fileTLS) dataRequired() bool {
	return t.Data == "required" || t.Data == "" && t.Control == "required"
}

// tls checks what one listener says of TLS.
func (c *checker) tls(l *fileListener, listener []string) TLS {
	path := sub(listener, "tls")
	control := sub(path, "control")
	t := TLS{Control: l.TLS.Control, Data: l.TLS.Data, Certificate: l.TLS.Certificate, MinVersion: l.TLS.MinVersion,
		Ciphers: l.TLS.Ciphers, SessionReuse: l.TLS.SessionReuse, ClientCerts: l.TLS.ClientCerts,
		DefaultName: subject(l.TLS.DefaultName), FallbackName: subject(l.TLS.FallbackName), StrictSNI: l.TLS.StrictSNI}
	if t.Data == "" {
		t.Data = t.Control
	}
	if l.Protocol == "ftps" && t.Control != "required" && t.Control != "" {
		c.at(control, fmt.Sprintf("%q does not go with implicit TLS", t.Control), "implicit TLS is always required")
	}
	if t.Control == "off" {
		if t.Data == "required" {
			c.at(sub(path, "data"), "data connections cannot require TLS where control connections have none", "let control be optional or required")
		}
		t.Data = "off"
		for _, a := range l.Address {
			if host, err := parseAddress(a); err == nil && !isLoopback(host) {
				c.at(control, fmt.Sprintf("TLS may be off only on loopback addresses, and %q is none", a),
					"listen on 127.0.0.1 or [::1], or let TLS be required")
			}
		}
	}
	t.ClientCA = c.clientCA(&l.TLS, path)
	return t
}

// clientCA checks that client certificates and their authorities come together.
func (c *checker) clientCA(t *fileTLS, path []string) string {
	certs, ca := sub(path, "client_certs"), sub(path, "client_ca")
	switch wanted := t.ClientCerts != "off" && t.ClientCerts != ""; {
	case wanted && t.Control == "off":
		c.at(certs, "client certificates need TLS, which is off", "let control be required or optional")
	case wanted && t.ClientCA == "":
		c.at(certs, "client certificates need the authorities that may issue them", "name their PEM file in client_ca")
	case wanted:
		file := beside(c.dir, t.ClientCA)
		c.exists(ca, file, "file of authorities")
		return file
	case t.ClientCA != "":
		c.at(ca, "nobody is asked for a certificate", "let client_certs be optional or required, or remove it")
	}
	return ""
}

func (c *checker) certificates(f *file) []CertFile {
	path := []string{"certificates", "files"}
	var list []CertFile
	for i, p := range f.Certificates.Files {
		at := sub(path, strconv.Itoa(i))
		pair := CertFile{Cert: beside(c.dir, p.Cert), Key: beside(c.dir, orElse(p.Key, p.Cert)), Watch: p.Watch}
		c.exists(sub(at, "cert"), pair.Cert, "certificate file")
		if p.Key != "" {
			c.exists(sub(at, "key"), pair.Key, "key file")
		}
		list = append(list, pair)
	}
	c.sameFiles(list, path)
	used := false
	for i, l := range f.Listeners {
		if l.TLS.Certificate != "files" {
			continue
		}
		used = true
		if len(list) == 0 {
			c.at([]string{"listeners", strconv.Itoa(i), "tls", "certificate"}, "there are no certificate files", "name one in certificates.files, or use dev")
		}
	}
	if len(list) > 0 && !used {
		c.key(path, "no listener uses these certificates", "set tls.certificate: files at a listener, or remove them")
	}
	return list
}

// sameFiles reports a certificate that is named twice.
func (c *checker) sameFiles(list []CertFile, path []string) {
	for i, p := range list {
		if slices.ContainsFunc(list[:i], func(q CertFile) bool { return q.Cert == p.Cert }) {
			c.at(sub(path, strconv.Itoa(i), "cert"), fmt.Sprintf("the certificate file %s is named twice", p.Cert), "remove one of them")
		}
	}
}

func (t *TLS) file() fileTLS {
	f := fileTLS{Control: t.Control, Data: t.Data, Certificate: t.Certificate, MinVersion: t.MinVersion, Ciphers: orEmpty(t.Ciphers),
		SessionReuse: t.SessionReuse, ClientCerts: t.ClientCerts, ClientCA: t.ClientCA, StrictSNI: t.StrictSNI,
		DefaultName: t.DefaultName, FallbackName: t.FallbackName}
	if f.Data == "off" { // said by control alone
		f.Data = ""
	}
	return f
}
