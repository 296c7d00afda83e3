package control

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Rates are bytes per second on the wire; 0 is no limit.
type Rates struct {
	Down int64 `json:"down"` // from the server
	Up   int64 `json:"up"`   // to the server
}

// Bandwidth is the limits in force (GET /v1/bandwidth).
type Bandwidth struct {
	Global         Rates       `json:"global"`
	UserDefault    Rates       `json:"user_default"`
	SessionDefault Rates       `json:"session_default"`
	Listeners      []NamedRate `json:"listeners"`
	Hosts          []NamedRate `json:"hosts,omitempty"` // virtual hosts
	Users          []NamedRate `json:"users"`           // user@host of a virtual host's
}

// NamedRate is the limit of one listener, virtual host or user.
type NamedRate struct {
	Name string `json:"name"`
	Rates
	Sessions int  `json:"sessions,omitempty"` // of a user
	Set      bool `json:"set,omitempty"`      // by the operator, over what logins bring
}

// Limit is a change of the limits (PUT /v1/bandwidth). Transfers that run follow at
// once. What is not named keeps its rate.
type Limit struct {
	Scope string `json:"scope"`           // one of Scopes
	Name  string `json:"name,omitempty"`  // of the listener, host or user
	Down  *int64 `json:"down,omitempty"`  // bytes per second, 0 is no limit
	Up    *int64 `json:"up,omitempty"`    // likewise
	Clear bool   `json:"clear,omitempty"` // a user has again what its login brings
}

// rates tells the change for the audit log.
func (l *Limit) rates() (text string) {
	if l.Down != nil {
		text += fmt.Sprintf(" down=%d", *l.Down)
	}
	if l.Up != nil {
		text += fmt.Sprintf(" up=%d", *l.Up)
	}
	if l.Clear {
		text += " clear"
	}
	return text
}

// Scopes returns what a Limit may be about.
func Scopes() []string {
	return []string{"global", "user-default", "session-default", "listener", "host", "user"}
}

// maxLimit is how many bytes a Limit may have.
const maxLimit = 64 << 10

// readLimit returns the change that a request carries, or answers why not.
func readLimit(w http.ResponseWriter, r *http.Request) (l Limit, ok bool) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLimit))
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, &Refusal{Code: CodeLimit, Message: fmt.Sprintf("that is no limit: %v", err)})
		return l, false
	}
	return l, true
}
