package edge_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"regexp"
	"strings"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/policies/users"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// check ends the program at an error.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// must returns v, or ends the program at an error.
func must[T any](v T, err error) T {
	check(err)
	return v
}

// basic is a configuration to begin with: nothing but memory is served, at an
// address that the system chooses, and anna, whose password is "secret", may do
// everything.
func basic() edge.Config {
	anna := users.User{Name: "anna", PasswordHash: must(edge.HashPassword("secret")), Perms: policy.PermAll}
	return edge.Config{
		FS:        vfs.NewMem(),
		Listeners: []edge.Listener{{Name: "main", Address: "127.0.0.1:0"}},
		Policies:  []edge.Slot{{Name: "users", Policy: must(users.New(users.Config{Users: []users.User{anna}}))}},
		Logins:    edge.Logins{FailDelay: -1},
		Log:       slog.New(slog.DiscardHandler),
	}
}

// serve runs a server while a client talks to it, and shuts it down.
func serve(srv *edge.Server, talk func(c *client)) {
	ctx := context.Background()
	check(srv.Listen(ctx))
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	c := dial(srv.Addresses()[0].String())
	talk(c)
	check(c.Close())
	check(srv.Shutdown(ctx))
	check(<-served)
}

// client is the client of the examples: it prints what it says, behind ">", and
// what it hears, behind "<".
type client struct{ *userpi.Client }

func dial(addr string) *client { return &client{must(userpi.Dial(addr))} }

// login logs anna in without a word, for binary transfers.
func (c *client) login() {
	check(c.Login("anna", "secret"))
	must(c.Must("TYPE I", 200))
}

// say sends commands and prints them with the replies.
func (c *client) say(lines ...string) {
	for _, line := range lines {
		fmt.Println(">", line)
		c.hear(c.Do(line))
	}
}

// hear prints a reply, without what differs from one run to the next: how long a
// transfer took, and the number that leads to the log.
func (c *client) hear(r userpi.Reply, err error) {
	check(err)
	differs := regexp.MustCompile(`: \d+ bytes in [0-9.]+ seconds| \(ref [0-9-]+\)`)
	fmt.Println("<", differs.ReplaceAllString(strings.ReplaceAll(r.String(), "\n", "\n< "), ""))
}

// get prints a command, what came on the data connection, and the last reply.
func (c *client) get(line string) {
	fmt.Println(">", line)
	conn := must(c.Begin(userpi.EPSV, line))
	text := strings.TrimRight(string(must(io.ReadAll(conn))), "\r\n")
	check(conn.Close())
	if text != "" {
		fmt.Println(strings.ReplaceAll(text, "\r\n", "\n"))
	}
	c.hear(c.Reply())
}

// put prints a command, for which it sends a text on the data connection, and
// the last reply.
func (c *client) put(line, text string) {
	fmt.Println(">", line)
	conn := must(c.Begin(userpi.EPSV, line))
	must(io.WriteString(conn, text))
	check(userpi.End(conn))
	c.hear(c.Reply())
}
