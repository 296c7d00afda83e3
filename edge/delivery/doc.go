// Package delivery hands the files of an FTP server out by HTTP/1.1, HTTP/2 and HTTP/3
// (RFC 9110, RFC 9112, RFC 9113, RFC 9114), to be read and not to be changed.
//
// A [Handler] opens no file and asks no policy by itself. Each request is carried out as
// commands of a session of the server's ([edge.Server.Visit]), so that users, policies,
// limits, bans and events are those of FTP, and a path means here what it means there. What
// is added is what HTTP has and FTP has not: conditions and validators (RFC 9110 §13, §8.8),
// ranges (§14), media types, pages that list a directory, and Basic authentication (RFC
// 7617).
//
//	h, err := delivery.New(srv, delivery.Config{Listener: "web", Anonymous: "anonymous"})
//	...
//	web := h.Server()
//	err = web.Serve(listener)
//
// A path is decoded once and goes to the session as it is. "//", "." and ".." are not
// resolved by anything of HTTP's: use no http.ServeMux in front of a Handler.
package delivery
