package delivery

import "net/http"

// turnedAway is the problem of a client whom the server does not let begin a session.
func turnedAway(err error) *problem {
	return say(http.StatusServiceUnavailable, "The server takes no more clients from you at the moment.")
}
