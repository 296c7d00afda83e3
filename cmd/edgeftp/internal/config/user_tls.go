package config

import "slices"

// Demands are what a user's clients must do beside what the listener asks for, in the words
// of the file: "listener" is nothing. An empty word leaves it to what is farther: the group,
// and the defaults.
type Demands struct {
	Control     string // or "required"
	Data        string // or "required"
	MinVersion  string // or "1.3"
	ClientCerts string // or "required"
}

type fileDemands struct {
	Control     string `json:"control,omitempty"`
	Data        string `json:"data,omitempty"`
	MinVersion  string `json:"min_version,omitempty"`
	ClientCerts string `json:"client_certs,omitempty"`
}

type fileUserTLS struct {
	fileDemands
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
	return fileUserTLS{SessionReuse: asListener, CloseNotify: required}
}

// or are the demands, with those that are farther where they have no word.
func (d Demands) or(far Demands) Demands {
	return Demands{orElse(d.Control, far.Control), orElse(d.Data, far.Data), orElse(d.MinVersion, far.MinVersion), orElse(d.ClientCerts, far.ClientCerts)}
}

// Protection is what a control connection must be. Whatever is asked for of TLS asks for TLS.
func (d Demands) Protection() Protection {
	p := Protection{Certificate: d.ClientCerts == required}
	if d.MinVersion != asListener {
		p.MinVersion = d.MinVersion
	}
	p.Required = d.Control == required || d.DataTLS() || p != Protection{}
	return p
}

// DataTLS reports whether data connections need TLS.
func (d Demands) DataTLS() bool { return d.Data == required }

// tlsFile is the reverse.
func (u *User) tlsFile() fileUserTLS {
	t := usualTLS()
	t.fileDemands = fileDemands(u.TLS)
	if u.Lenient.Resumption {
		t.SessionReuse = lenient
	}
	if u.Lenient.CloseNotify {
		t.CloseNotify = lenient
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

// certificatesHelp is how clients are asked for certificates.
const certificatesHelp = "set tls.client_certs and tls.client_ca at a listener, or remove "

// offered reports what a user needs of TLS and no listener has.
func (c *checker) offered(u *fileUser, path []string, o offers) {
	if len(u.Certificates) > 0 && !o.certificates {
		c.key(sub(path, "certificates"), "no listener asks clients for certificates", certificatesHelp+"them")
	}
	c.demanded(&u.TLS.fileDemands, sub(path, "tls"), o)
}

// demanded reports what is asked for of TLS and no listener has.
func (c *checker) demanded(d *fileDemands, t []string, o offers) {
	for _, k := range []struct{ key, value string }{{"control", d.Control}, {"data", d.Data}, {"min_version", d.MinVersion}, {"client_certs", d.ClientCerts}} {
		switch set := k.value != asListener && k.value != ""; {
		case set && !o.tls:
			c.at(sub(t, k.key), "no listener has TLS, so that the user could not log in", "let tls.control of a listener be required or optional, or remove it")
		case set && k.key == "client_certs" && !o.certificates:
			c.at(sub(t, k.key), "no listener asks clients for certificates, so that the user could not log in", certificatesHelp+"it")
		}
	}
}
