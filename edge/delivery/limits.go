package delivery

import (
	"errors"
	"net/http"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/pi"
)

// For how long somebody is to wait who is turned away: until a session has ended, a failed
// login is not so fresh any more, or a ban, of which nobody is told how long it is, may be
// over.
const (
	soon  = 10 * time.Second
	later = time.Minute
	late  = 15 * time.Minute
)

// turnedAway is the problem of a client whom the server does not let begin a session.
func (h *Handler) turnedAway(err error) *problem {
	if no := limited(err); no != nil {
		return no
	}
	if errors.Is(err, edge.ErrTurnedAway) {
		return &problem{status: http.StatusServiceUnavailable, text: "The server takes no more clients at the moment.", after: soon}
	}
	h.conf.Log.Error("no session could be begun for a request", "listener", h.conf.Listener, "error", err)
	return say(http.StatusInternalServerError, "")
}

// limited is the problem that a limit makes, nil of what is none. What is the client's own
// doing is 429 (RFC 6585 §4), and else the server has no room (503).
func limited(err error) *problem {
	l, ok := errors.AsType[pi.Limit](err)
	if !ok {
		return nil
	}
	no := &problem{status: http.StatusServiceUnavailable, after: soon, limit: "sessions", text: "The server has as many sessions as it may have."}
	if l.Own() {
		no.status = http.StatusTooManyRequests
	}
	switch l {
	case pi.LimitBan:
		no.limit, no.after, no.text = "ban", late, "Requests from your address are not accepted at present."
	case pi.LimitAddress:
		no.limit, no.text = "address", "There are too many sessions of your address."
	case pi.LimitUser:
		no.limit, no.text = "user", "You have as many sessions as you may have."
	case pi.LimitLogins:
		no.limit, no.after, no.text = "logins", later, "Too many logins have failed here lately."
	case pi.LimitRate:
		no.limit, no.text = "rate", "Your requests come too fast."
	case pi.LimitBudget:
		no.limit, no.text = "budget", "The server is busy."
	case pi.LimitPasswords:
		no.limit, no.text = "passwords", "Too many are logging in at the moment."
	case pi.LimitHold:
		no.limit, no.text = "hold", "The server takes nobody new at the moment."
	case pi.LimitShutdown:
		no.limit, no.text = "shutdown", "The server is shutting down."
	}
	return no
}

// crowded is the problem of a request that would be one too many of its connection.
func crowded() *problem {
	return &problem{status: http.StatusTooManyRequests, limit: "requests", after: soon, text: "Other requests of this connection have all of its sessions."}
}
