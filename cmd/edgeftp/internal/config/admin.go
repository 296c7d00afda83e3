package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// AdminAPI is who may use the admin API beside the server's own user and root, and where.
type AdminAPI struct {
	Group string // whose members may connect to the socket, and look; or empty
	Roles []AdminRole
	Debug bool      // profiles of the process
	TCP   *AdminTCP // nil: the socket alone
}

// AdminRole gives a role to one of a user, a group and a client certificate.
type AdminRole struct {
	User, Group string // a name or a number
	Certificate string // a name in a certificate that TCP.ClientCA verifies
	Role        string // viewer, operator or admin
}

// AdminTCP is the admin API over TLS.
type AdminTCP struct {
	Listen   string // HOST:PORT
	Cert     string // files, PEM
	Key      string
	ClientCA string // or empty
	Tokens   []AdminToken
	Hosts    []string // that the header Host may name
	Origins  []string // of pages that may ask
}

// AdminToken is a secret that gives its bearer a role.
type AdminToken struct {
	Name  string
	Token Secret // or
	Hash  string // its SHA-256 as sha256:HEX
	Role  string
}

// Audit is the log of changes over the admin API.
type Audit struct {
	File    string
	MaxSize int64 // bytes, after which a new file is begun; 0 is never
}

type fileAdmin struct {
	Socket string          `json:"socket,omitempty"`
	Group  textOrNumber    `json:"group,omitempty"`
	Roles  []fileAdminRole `json:"roles"`
	Debug  string          `json:"debug"`
	TCP    *fileAdminTCP   `json:"tcp,omitempty"`
}

type fileAdminRole struct {
	User        textOrNumber `json:"user,omitempty"`
	Group       textOrNumber `json:"group,omitempty"`
	Certificate string       `json:"certificate,omitempty"`
	Role        string       `json:"role"`
}

type fileAdminTCP struct {
	Listen   string           `json:"listen"`
	Cert     string           `json:"cert"`
	Key      string           `json:"key,omitempty"`
	ClientCA string           `json:"client_ca,omitempty"`
	Tokens   []fileAdminToken `json:"tokens"`
	Hosts    []string         `json:"hosts"`
	Origins  []string         `json:"origins"`
}

type fileAdminToken struct {
	Name  string `json:"name"`
	Token string `json:"token,omitempty"`
	Hash  string `json:"hash,omitempty"`
	Role  string `json:"role"`
}

type fileAudit struct {
	File    string       `json:"file,omitempty"`
	MaxSize textOrNumber `json:"max_size"`
}

// leastToken is how many characters a token has at least: as many as nobody tries out.
const leastToken = 32

// admin reads who may use the admin API, once the socket and the state directory are known.
func (c *checker) admin(f *fileAdmin, conf *Config) {
	a := &conf.Admin
	a.Group, a.Debug = string(f.Group), f.Debug == "on"
	if a.Group != "" && within(conf.Instance.StateDir, conf.Socket) {
		c.at([]string{"admin", "group"}, fmt.Sprintf("nobody but the server's user reaches the socket %s: the state directory is closed to others", conf.Socket),
			"set admin.socket to a path elsewhere, such as /run/edgeftp/admin.sock")
	}
	for i, r := range f.Roles {
		at := []string{"admin", "roles", strconv.Itoa(i)}
		role := AdminRole{User: string(r.User), Group: string(r.Group), Certificate: r.Certificate, Role: r.Role}
		switch {
		case c.isFaulty(sub(at, "user")) || c.isFaulty(sub(at, "group")) || c.isFaulty(sub(at, "certificate")):
		case len(slices.DeleteFunc([]string{role.User, role.Group, role.Certificate}, func(s string) bool { return s == "" })) != 1:
			c.at(at, "a role is for one of user, group and certificate", "give one of them; the next role may be for another")
		case role.Certificate == "" && a.Group == "":
			c.at(at, "the socket is the server's own user's: nobody else can connect to it", "set admin.group to a group whose members may")
		case role.Certificate != "" && (f.TCP == nil || f.TCP.ClientCA == ""):
			c.at(sub(at, "certificate"), "no client's certificate is verified", "set admin.tcp.client_ca")
		}
		a.Roles = append(a.Roles, role)
	}
	if f.TCP != nil {
		a.TCP = c.adminTCP(f.TCP)
	}
}

// adminTCP reads how the API is served over TLS.
func (c *checker) adminTCP(f *fileAdminTCP) *AdminTCP {
	at := []string{"admin", "tcp"}
	t := &AdminTCP{Listen: f.Listen, Cert: beside(c.dir, f.Cert), Key: beside(c.dir, orElse(f.Key, f.Cert)), Origins: f.Origins}
	c.exists(sub(at, "cert"), t.Cert, "certificate file")
	if f.Key != "" {
		c.exists(sub(at, "key"), t.Key, "key file")
	}
	if f.ClientCA != "" {
		t.ClientCA = beside(c.dir, f.ClientCA)
		c.exists(sub(at, "client_ca"), t.ClientCA, "file of authorities")
	}
	if f.ClientCA == "" && len(f.Tokens) == 0 && !c.isFaulty(sub(at, "tokens")) {
		c.at(at, "nobody could use the API there: it takes no certificates and knows no tokens", "set client_ca, or tokens; edgeftp admin token makes one")
	}
	for _, h := range f.Hosts {
		t.Hosts = append(t.Hosts, strings.ToLower(strings.Trim(h, "[]")))
	}
	if host, _, err := net.SplitHostPort(f.Listen); len(f.Hosts) == 0 && err == nil {
		if host == "" || slices.Contains([]string{"0.0.0.0", "::"}, host) {
			c.at(sub(at, "listen"), "of what is every address, the names have to be said that clients ask for", "set admin.tcp.hosts")
		}
		t.Hosts = []string{strings.ToLower(host)}
	}
	seen := map[string]bool{}
	for i, k := range f.Tokens {
		own := sub(at, "tokens", strconv.Itoa(i))
		c.unique(seen, sub(own, "name"), k.Name, "token")
		token := AdminToken{Name: k.Name, Hash: k.Hash, Role: k.Role}
		switch {
		case (k.Token == "") == (k.Hash == "") && !c.isFaulty(sub(own, "hash")) && !c.isFaulty(sub(own, "token")):
			c.at(own, "a token has either itself or its hash", "edgeftp admin token makes one and prints its hash")
		case k.Token != "":
			token.Token = c.secret(k.Token, sub(own, "token"))
		}
		t.Tokens = append(t.Tokens, token)
	}
	return t
}

// audit finds the audit log, which is in the state directory if nothing is said.
func (c *checker) audit(f *fileAudit, conf *Config) {
	conf.Audit = Audit{File: beside(conf.Instance.StateDir, "audit.jsonl"), MaxSize: size(string(f.MaxSize))}
	if f.File != "" {
		conf.Audit.File = beside(c.dir, f.File)
		c.logFile([]string{"telemetry", "audit", "file"}, "audit log", conf.Audit.File, conf)
	}
}

func (a *AdminAPI) file(socket string) fileAdmin {
	f := fileAdmin{Socket: socket, Group: textOrNumber(a.Group), Roles: []fileAdminRole{}, Debug: onOff(a.Debug)}
	for _, r := range a.Roles {
		f.Roles = append(f.Roles, fileAdminRole{User: textOrNumber(r.User), Group: textOrNumber(r.Group), Certificate: r.Certificate, Role: r.Role})
	}
	t := a.TCP
	if t == nil {
		return f
	}
	f.TCP = &fileAdminTCP{Listen: t.Listen, Cert: t.Cert, Key: t.Key, ClientCA: t.ClientCA, Tokens: []fileAdminToken{}, Hosts: []string{}, Origins: orEmpty(t.Origins)}
	for _, h := range t.Hosts {
		if strings.Contains(h, ":") {
			h = "[" + h + "]"
		}
		f.TCP.Hosts = append(f.TCP.Hosts, h)
	}
	for i := range t.Tokens {
		k := &t.Tokens[i]
		own := fileAdminToken{Name: k.Name, Hash: k.Hash, Role: k.Role}
		if k.Hash == "" {
			own.Token = k.Token.written(tokenVariable(k.Name))
		}
		f.TCP.Tokens = append(f.TCP.Tokens, own)
	}
	return f
}

// secrets are the tokens that the file has, and not their hashes.
func (a *AdminAPI) secrets() (list []heldSecret) {
	if a.TCP == nil {
		return nil
	}
	for i := range a.TCP.Tokens {
		if k := &a.TCP.Tokens[i]; k.Hash == "" {
			list = append(list, heldSecret{[]string{"admin", "tcp", "tokens", strconv.Itoa(i), "token"}, tokenVariable(k.Name), k.Token})
		}
	}
	return list
}

// tokenVariable is the variable of the environment that is to hold a token in a file that
// was written.
func tokenVariable(name string) string {
	return "EDGEFTP_ADMIN_TOKEN_" + variablePart(name)
}

// variablePart is a name as a part of that of a variable of the environment.
func variablePart(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return unicode.ToUpper(r)
		}
		return '_'
	}, strings.ToLower(name))
}

// checkAccount is a user or a group of the host: whether it is there is the machine's to
// tell where it serves.
func checkAccount(s string) error {
	if s == "" || len(s) > 255 || strings.HasPrefix(s, "-") || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(":/\\\"'", r) }) {
		return fault{"is neither the name nor the number of one on this machine", "write it as in /etc/passwd or /etc/group"}
	}
	return nil
}

// checkPage is the origin of pages, as browsers write it.
func checkPage(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || s != u.Scheme+"://"+strings.ToLower(u.Host) {
		return fault{"is not the origin of a page", "write it like https://ops.example.org, without a path"}
	}
	return nil
}

// checkToken is a secret that nobody tries out.
func checkToken(s string) error {
	if len(s) < leastToken || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return fault{fmt.Sprintf("is no token: those have %d characters of ASCII or more, without spaces", leastToken), "edgeftp admin token makes one"}
	}
	return nil
}
