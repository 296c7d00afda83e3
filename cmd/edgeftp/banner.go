package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/sandbox"
)

// greeting is what the operator is told when the server is ready.
type greeting struct {
	root      string
	writable  bool
	listeners []control.Listener
	caFile    string // empty with the operator's own certificate
	caName    string
	leaf      string             // SHA-256 of the certificate
	ordered   []acme.Certificate // those of authorities, of the configured names
	user      string             // empty without a user of the command line
	password  string             // empty when it came from a file
	passFile  string
	anonymous bool
	anybody   string // the permissions of anonymous users
	policies  []control.Policy
	built     map[string]string // how modules were made, by name
	socket    string
	sandbox   *sandbox.State
	took      time.Duration
}

// print writes the greeting for people.
func (g *greeting) print(w io.Writer) {
	mode := "read-only"
	if g.writable {
		mode = "read-write"
	}
	fmt.Fprintf(w, "edgeftp %s\n\n", version())
	fmt.Fprintf(w, "  serving     %s  (%s, confined)\n", g.root, mode)
	for _, l := range g.listeners {
		fmt.Fprintf(w, "  listening   %s  TLS %s%s\n", address(l), l.TLS, spoken(l))
	}
	switch {
	case len(g.ordered) > 0:
		g.printOrdered(w)
	case g.caFile != "":
		fmt.Fprintf(w, "  certificate by %q, CA file %s, leaf sha256 %s\n", g.caName, g.caFile, short(g.leaf))
	case g.leaf != "":
		fmt.Fprintf(w, "  certificate leaf sha256 %s\n", short(g.leaf))
	}
	switch {
	case g.password != "":
		fmt.Fprintf(w, "  user        %s   password  %s   (new at each start; --user and --password-file choose)\n", g.user, g.password)
	case g.passFile != "":
		fmt.Fprintf(w, "  user        %s   password  in %s\n", g.user, g.passFile)
	case g.user != "":
		fmt.Fprintf(w, "  user        %s   password  known by its hash alone\n", g.user)
	}
	if g.anonymous {
		fmt.Fprintf(w, "  user        anonymous, %s, any password\n", g.anybody)
	}
	for _, p := range g.policies {
		if p.Kind == "module" {
			fmt.Fprintf(w, "  policy      %s  generation %d  %s  [%s]%s\n", p.Name, p.Generation, short(p.Digest), strings.Join(p.Hooks, ", "), g.built[p.Name])
		}
	}
	fmt.Fprintf(w, "  admin       %s\n", g.socket)
	fmt.Fprintf(w, "  sandbox     %s\n", g.sandbox)
	if try := g.commands(); len(try) > 0 {
		fmt.Fprintf(w, "\n  try it:\n")
		for _, line := range try {
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
	fmt.Fprintf(w, "\n  ready in %s.  Ctrl-C lets transfers finish and stops, twice stops at once.\n\n", g.took.Round(time.Millisecond))
}

// printOrdered tells of the certificates that come by themselves, of the first few by
// name.
func (g *greeting) printOrdered(w io.Writer) {
	const most = 5
	for i := range g.ordered {
		c := &g.ordered[i]
		switch {
		case i == most:
			fmt.Fprintf(w, "  certificate and %d more: edgeftp cert list\n", len(g.ordered)-most)
			return
		case len(c.Names) == 0:
			fmt.Fprintf(w, "  certificate %s  is being ordered, until then its clients are told to try again\n", c.Name)
		default:
			fmt.Fprintf(w, "  certificate %s  by %s, until %s, leaf sha256 %s\n", c.Name, oneLine(c.Issuer), c.NotAfter.UTC().Format(time.DateOnly), short(c.SHA256))
		}
	}
}

// log writes the greeting for programs: one record. The password that was made
// up is in it: there is no other way to learn it.
func (g *greeting) log(log *slog.Logger) {
	addresses := make([]string, len(g.listeners))
	for i, l := range g.listeners {
		addresses[i] = l.Address
	}
	type started struct {
		Name       string   `json:"name"`
		Generation uint64   `json:"generation"`
		Kind       string   `json:"kind"`
		Digest     string   `json:"digest,omitempty"`
		Hooks      []string `json:"hooks"`
	}
	var policies []started
	for i := range g.policies {
		p := &g.policies[i]
		policies = append(policies, started{p.Name, p.Generation, p.Kind, p.Digest, p.Hooks})
	}
	names := make([]string, len(g.ordered))
	for i := range g.ordered {
		names[i] = g.ordered[i].Name
	}
	log.Info("ready", "version", version(), "root", g.root, "writable", g.writable, "listeners", addresses,
		"ca", g.caFile, "leaf_sha256", g.leaf, "certificates", names, "user", g.user, "password", g.password, "anonymous", g.anonymous,
		"policies", policies, "socket", g.socket, "sandbox", g.sandbox.String(), "ready_seconds", g.took.Seconds())
}

// commands are lines to paste into a shell, which work as they are.
func (g *greeting) commands() []string {
	if len(g.listeners) == 0 || g.user == "" && !g.anonymous {
		return nil
	}
	l := g.listeners[0]
	curlUser := quoted(g.user) + ":" + quoted(g.password)
	lftpUser := quoted(g.user) + "," + quoted(g.password)
	switch {
	case g.user == "":
		curlUser, lftpUser = "anonymous:guest", "anonymous,guest"
	case g.password == "" && g.passFile != "":
		file := `"$(cat ` + quoted(g.passFile) + `)"`
		curlUser, lftpUser = quoted(g.user)+":"+file, quoted(g.user)+","+file
	case g.password == "":
		curlUser, lftpUser = quoted(g.user), quoted(g.user) // both ask for it
	}
	url, curlTLS, lftpTLS := "ftp://"+g.name(l)+"/", "", "set ftp:ssl-allow no"
	if l.TLS != "off" {
		curlTLS, lftpTLS = "--ssl-reqd ", "set ftp:ssl-force yes"
		if g.caFile != "" {
			curlTLS += "--cacert " + quoted(g.caFile) + " "
			lftpTLS = "set ssl:ca-file " + quoted(g.caFile) + "; " + lftpTLS
		}
	}
	if l.TLS == "implicit" {
		url = "ftps" + strings.TrimPrefix(url, "ftp")
	}
	lines := []string{fmt.Sprintf("curl %s-u %s %s", curlTLS, curlUser, url)}
	if g.writable && g.user != "" {
		lines = append(lines, fmt.Sprintf("curl %s-u %s -T README.md %s", curlTLS, curlUser, url))
	}
	return append(lines, fmt.Sprintf(`lftp -e "%s" -u %s %s`, lftpTLS, lftpUser, strings.TrimSuffix(url, "/")))
}

func address(l control.Listener) string {
	if l.TLS == "implicit" {
		return "ftps://" + l.Address
	}
	return "ftp://" + l.Address
}

// name is a host and port of a listener that its certificate holds, or an address that
// clients on this machine can connect to.
func (g *greeting) name(l control.Listener) string {
	if i := slices.IndexFunc(g.ordered, func(c acme.Certificate) bool { return !strings.HasPrefix(c.Name, "*.") }); i >= 0 {
		if _, port, err := net.SplitHostPort(l.Address); err == nil {
			return net.JoinHostPort(g.ordered[i].Name, port)
		}
	}
	return host(l.Address)
}

// host is an address that clients on this machine can connect to.
func host(addr string) string {
	for _, any := range []string{"0.0.0.0:", "[::]:"} {
		if port, ok := strings.CutPrefix(addr, any); ok {
			return "127.0.0.1:" + port
		}
	}
	return addr
}

// quoted makes a word safe for a shell.
func quoted(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+,"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// short is the beginning of a digest.
func short(digest string) string {
	algorithm, hex, ok := strings.Cut(digest, ":")
	if !ok {
		algorithm, hex = "", digest
	}
	if len(hex) > 12 {
		hex = strings.TrimSuffix(hex[:12], ":")
	}
	if algorithm == "" {
		return hex
	}
	return algorithm + ":" + hex
}

// spoken is the protocol of a listener, where it is another one than most have.
func spoken(l control.Listener) string {
	if l.Protocol == "" {
		return ""
	}
	return "  " + l.Protocol
}
