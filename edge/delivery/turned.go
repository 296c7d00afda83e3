package delivery

import (
	"errors"
	"net/http"

	"github.com/edgeftp/edgeftp/edge"
)

// turnedAway is the problem of a client whom the server does not let begin a session.
func (h *Handler) turnedAway(err error) *problem {
	if errors.Is(err, edge.ErrTurnedAway) {
		return say(http.StatusServiceUnavailable, "The server takes no more clients from you at the moment.")
	}
	h.conf.Log.Error("no session could be begun for a request", "listener", h.conf.Listener, "error", err)
	return say(http.StatusInternalServerError, "")
}
