// Package edge is a hardened FTP and FTPS server (RFC 959, RFC 4217) that can be
// embedded in another program.
//
// A [Server] is made from a [Config], binds its listeners, all of them or none,
// and serves until it is shut down:
//
//	disk, err := vfs.OpenDisk(vfs.DiskConfig{Root: "/srv/ftp", State: "/var/lib/ftp"})
//	...
//	srv, err := edge.New(edge.Config{
//		FS:        disk,
//		Listeners: []edge.Listener{{Address: "127.0.0.1:2121", TLS: tlsConfig, Require: edge.TLSRequired}},
//		Policies:  []edge.Slot{{Name: "users", Policy: users}},
//	})
//	if err := srv.Listen(ctx); err != nil { ... }
//	err = srv.Serve(ctx)
//
// Who may log in, what an operation on a path may do and what happens on an
// event is decided by policies (package edge/policy), in their order; without a
// policy that grants a login nobody gets in. Policies can be swapped while
// transfers run ([Server.Swap]).
//
// # What an embedder puts in
//
//   - who may log in, what may be done, what is told: a [policy.Policy];
//   - the files: a [vfs.FS], one for all or one for each login ([Config.Home]);
//   - commands: rows of a [pi.Table] ([Config.Commands]), added, replaced or wrapped;
//   - data ports and transfers: [pi.Passive], [pi.Active], [Transfer.Run];
//   - words: [Config.Replies], [Config.Languages], [Listener.Banner];
//   - certificates: a *tls.Config ([Listener.TLS]);
//   - connections that somebody else has accepted: [Server.ServeConn];
//   - another protocol, of which the sessions are as any: [Server.Visit], and connections
//     for it that the server accepts: [Listener.HandOn].
//
// The examples show each of them, and docs/embedding.md shows the examples. This
// package, policy, vfs and wire are a public promise; pi, dtp and lang are public
// and may change before version 1.0.
//
// Importing edge imports no ACME client, no QUIC stack and no sandbox: the
// program that wants them wires them.
package edge
