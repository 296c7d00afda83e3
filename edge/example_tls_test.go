package edge_test

import (
	"crypto/tls"
	"fmt"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// TLS is a *tls.Config of one's own: certificates by file, by name or from a
// store, minimum version, client certificates. It must be one for the life of the
// server, because it holds the keys of session tickets, by which data connections
// prove to whom they belong.
func Example_tls() {
	server, trusting, err := userpi.ThrowAway() // a certificate for this example
	check(err)
	certificate := &server.Certificates[0]
	conf := basic()
	conf.Listeners[0].TLS = &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			fmt.Println("a certificate for", hello.ServerName)
			return certificate, nil
		},
	}
	conf.Listeners[0].Require = edge.TLSRequired
	serve(must(edge.New(conf)), func(c *client) {
		c.hear(c.Reply())
		c.say("USER anna", "AUTH TLS")
		check(c.StartTLS(trusting))
		c.say("USER anna", "PASS secret", "PASV")
		check(c.Private())
		c.put("STOR a.txt", "hello")
	})
	// Output:
	// < 220 edgeftp ready.
	// > USER anna
	// < 550 Logging in needs TLS here: send AUTH TLS first.
	// > AUTH TLS
	// < 234 Begin TLS.
	// a certificate for ftp.example.test
	// > USER anna
	// < 331 Send the password.
	// > PASS secret
	// < 230 You are logged in.
	// > PASV
	// < 550 Data connections need TLS here: send PROT P first.
	// > STOR a.txt
	// < 226 Transfer complete.
}
