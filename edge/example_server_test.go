package edge_test

import (
	"context"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/policies/users"
)

// A server of one directory and one user: up to Serve it is ten lines.
func Example() {
	ctx := context.Background()
	disk := must(vfs.OpenDisk(vfs.DiskConfig{Root: "../examples/files"}))
	anna := users.User{Name: "anna", PasswordHash: must(edge.HashPassword("secret")), Perms: policy.PermReadOnly}
	srv := must(edge.New(edge.Config{
		FS:        disk,
		Listeners: []edge.Listener{{Address: "127.0.0.1:0", Banner: "Welcome to my FTP server"}},
		Policies:  []edge.Slot{{Name: "users", Policy: must(users.New(users.Config{Users: []users.User{anna}}))}},
		Timeouts:  edge.Timeouts{Idle: 10 * time.Minute},
	}))
	check(srv.Listen(ctx))
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()

	c := dial(srv.Addresses()[0].String())
	c.hear(c.Reply())
	c.say("USER anna", "PASS secret")
	c.get("NLST")
	c.say("DELE README.txt", "QUIT")

	check(srv.Shutdown(ctx)) // waits for sessions to end
	check(<-served)
	check(disk.Close())
	// Output:
	// < 220 Welcome to my FTP server
	// > USER anna
	// < 331 Send the password.
	// > PASS secret
	// < 230 You are logged in.
	// > NLST
	// README.txt
	// in
	// reports
	// < 226 Transfer complete.
	// > DELE README.txt
	// < 550 You have no permission for that.
	// > QUIT
	// < 221 Goodbye.
}
