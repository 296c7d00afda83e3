package config

import "slices"

type fileUserTLS struct {
	Control      string `json:"control"`
	Data         string `json:"data"`
	MinVersion   string `json:"min_version"`
	ClientCerts  string `json:"client_certs"`
	SessionReuse string `json:"session_reuse"`
	CloseNotify  string `json:"close_notify"`
}

// What a user's TLS is held to: what must be, what need not, and what is as the listener has
// it.
const (
	required   = "required"
	lenient    = "lenient"
	asListener = "listener"
)

// usualTLS is what holds for a user who says nothing of TLS.
func usualTLS() fileUserTLS {
	return fileUserTLS{Control: asListener, Data: asListener, MinVersion: asListener, ClientCerts: asListener, SessionReuse: asListener, CloseNotify: required}
}

// protection is what a control connection must be. Whatever is asked for of TLS asks for TLS.
func (t *fileUserTLS) protection() Protection {
	p := Protection{Certificate: t.ClientCerts == required}
	if t.MinVersion != asListener {
		p.MinVersion = t.MinVersion
	}
	p.Required = t.Control == required || t.Data == required || p != Protection{}
	return p
}

// tlsFile is the reverse.
func (u *User) tlsFile() fileUserTLS {
	t := usualTLS()
	for _, s := range []struct {
		at  *string
		is  bool
		now string
	}{{&t.Data, u.Limits.DataTLS, required}, {&t.MinVersion, u.TLS.MinVersion != "", u.TLS.MinVersion}, {&t.ClientCerts, u.TLS.Certificate, required},
		{&t.SessionReuse, u.Lenient.Resumption, lenient}, {&t.CloseNotify, u.Lenient.CloseNotify, lenient}, {&t.Control, u.TLS.Required, required}} {
		if s.is {
			*s.at = s.now
		}
	}
	return t
}

// Protection is what a user's control connection must be, as policies/users has it. The zero
// value asks for nothing.
type Protection struct {
	Required    bool
	MinVersion  string // "1.3" or empty
	Certificate bool
}

// offers is what the listeners have of TLS, any of them.
type offers struct {
	tls          bool // there is TLS
	certificates bool // clients are asked for certificates
}

func (f *file) offers() offers {
	return offers{tls: slices.ContainsFunc(f.Listeners, func(l fileListener) bool { return l.TLS.Control != "off" }),
		certificates: slices.ContainsFunc(f.Listeners, func(l fileListener) bool { return l.TLS.ClientCA != "" })}
}

// offered reports what a user needs of TLS and no listener has.
func (c *checker) offered(u *fileUser, path []string, o offers) {
	const help = "set tls.client_certs and tls.client_ca at a listener, or remove "
	if len(u.Certificates) > 0 && !o.certificates {
		c.key(sub(path, "certificates"), "no listener asks clients for certificates", help+"them")
	}
	t := sub(path, "tls")
	for _, k := range []struct{ key, value string }{{"control", u.TLS.Control}, {"data", u.TLS.Data}, {"min_version", u.TLS.MinVersion}, {"client_certs", u.TLS.ClientCerts}} {
		switch set := k.value != asListener && k.value != ""; {
		case set && !o.tls:
			c.at(sub(t, k.key), "no listener has TLS, so that the user could not log in", "let tls.control of a listener be required or optional, or remove it")
		case set && k.key == "client_certs" && !o.certificates:
			c.at(sub(t, k.key), "no listener asks clients for certificates, so that the user could not log in", help+"it")
		}
	}
}
