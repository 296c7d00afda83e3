package edge_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/edge"
)

// Certificates come from a manager, which orders and renews them while the server runs.
// Here the development authority issues them, in this process. A server in the world has
// Authorities and Challenges in the place of Local, and OpenStorage.
func Example_certificates() {
	dir := must(os.MkdirTemp("", "edgeftp"))
	defer func() { check(os.RemoveAll(dir)) }()
	ca := must(acme.NewDevCA(dir, nil))
	manager := must(acme.NewManager(acme.Config{
		Names:   must(ca.Hold([]string{"ftp.example.test"})),
		Local:   ca,
		Storage: acme.MemoryStorage(),
		Event:   func(e acme.CertEvent) { fmt.Println("a certificate for", e.Name) },
		Log:     slog.New(slog.DiscardHandler),
	}))
	defer manager.Close()
	check(manager.Load(context.Background())) // before clients come

	conf := basic()
	conf.Listeners[0].TLS = manager.Config(acme.Choice{}) // with the keys of tickets, for the life of the server
	conf.Listeners[0].Ready = manager.Ready               // or AUTH is answered 431
	keys := acme.NewTicketKeys()
	keys.Attach(conf.Listeners[0].TLS)
	server := must(edge.New(conf))
	check(manager.Start(context.Background())) // where challenges come to, somebody listens by now

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(must(os.ReadFile(ca.CAFile())))
	serve(server, func(c *client) {
		c.hear(c.Reply())
		c.say("AUTH TLS")
		check(c.StartTLS(&tls.Config{RootCAs: roots, ServerName: "ftp.example.test"}))
		c.say("USER anna", "PASS secret")
		check(manager.Renew(context.Background(), "ftp.example.test")) // sessions go on
		c.say("PWD")
	})
	// Output:
	// a certificate for ftp.example.test
	// < 220 edgeftp ready.
	// > AUTH TLS
	// < 234 Begin TLS.
	// > USER anna
	// < 331 Send the password.
	// > PASS secret
	// < 230 You are logged in.
	// a certificate for ftp.example.test
	// > PWD
	// < 257 "/" is the working directory.
}
