package config

import (
	"errors"
	"syscall"
)

// issued reports whether an authority issues certificates for names of flags.
func (f Flags) issued() bool {
	return len(f.Domains) > 0 && f.Cert == "" && f.Key == "" && (f.TLS != "off" || f.Implicit != "")
}

// authority is the section certificates.acme of --domain and the flags beside it. Where
// another program has one of the two ports that authorities come to, the other is enough.
func (f Flags) authority(machine outside) map[string]any {
	acme := map[string]any{"domains": anys(f.Domains), "agree_to_terms": f.AgreeToTerms}
	taken := func(address string) bool { return errors.Is(machine.bind(address), syscall.EADDRINUSE) }
	switch http, alpn := taken(":80"), taken(":443"); {
	case http && !alpn:
		acme["challenges"] = []any{tlsALPN01}
	case alpn && !http:
		acme["challenges"] = []any{http01}
	}
	if f.Email != "" {
		acme["email"] = f.Email
	}
	if f.CA != "" {
		acme["ca"] = f.CA
	}
	return map[string]any{"acme": acme}
}

// contradictions reports flags of certificates that do not go together.
func (f Flags) contradictions(r *report) {
	path := []string{"certificates", "acme"}
	domains := sub(path, "domains")
	switch beside := f.Email != "" || f.AgreeToTerms || f.CA != ""; {
	case len(f.Domains) == 0 && beside:
		r.at(domains, "--email, --agree-to-terms and --acme-ca are for certificates of names, and there is none", "add --domain NAME")
	case len(f.Domains) == 0:
	case f.Cert != "" || f.Key != "":
		r.at(domains, "certificates are either issued (--domain) or brought (--cert, --key)", "leave one of the two out")
	case f.TLS == "off" && f.Implicit == "":
		r.at(domains, "a certificate is of no use while TLS is off", "leave one of the two out")
	case !f.AgreeToTerms:
		r.at(sub(path, "agree_to_terms"), "an authority issues certificates to those alone who agree to its terms of service",
			"read them at the authority, and add --agree-to-terms")
	}
}
