package control

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Leveler changes what is logged.
type Leveler interface {
	// Levels tells what is logged (GET /v1/logs/levels).
	Levels() Levels
	// SetLevel changes it (PUT /v1/logs/levels).
	SetLevel(LevelChange) (Levels, error)
}

// Levels is what is logged: the least important messages, of the server and of parts of it.
type Levels struct {
	Level      string           `json:"level"` // debug, info, warn or error
	Until      time.Time        `json:"until,omitzero"`
	Configured string           `json:"configured"` // as the configuration has it
	Components []ComponentLevel `json:"components"` // whose level is another one
}

// ComponentLevel is the level of a part of the server.
type ComponentLevel struct {
	Component string    `json:"component"` // the attribute component or policy of its messages
	Level     string    `json:"level"`
	Until     time.Time `json:"until,omitzero"` // when it ends by itself
}

// LevelChange is a change of what is logged.
type LevelChange struct {
	Component string        `json:"component,omitempty"` // empty is the server
	Level     string        `json:"level"`               // empty takes a change back
	For       time.Duration `json:"for,omitempty"`       // nanoseconds, after which it goes back by itself; 0 is until the server ends
}

// maxSmall is how many bytes a small body may have.
const maxSmall = 16 << 10

// readSmall reads a body of JSON that has these fields alone, or answers why it is none.
func readSmall(w http.ResponseWriter, r *http.Request, into any, code, want string) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSmall))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		refuse(w, http.StatusBadRequest, &Refusal{Code: code, Message: "the body is not understood: " + want})
		return false
	}
	return true
}

func levelRoutes(mux *router, l Leveler) {
	mux.HandleFunc("GET /v1/logs/levels", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, wholeLevels(l.Levels()))
	})
	mux.HandleFunc("PUT /v1/logs/levels", func(w http.ResponseWriter, r *http.Request) {
		var c LevelChange
		if !readSmall(w, r, &c, CodeLevel, "it has a level, and may have component and for") {
			return
		}
		About(r, c.Component+"="+c.Level+" for "+c.For.String())
		now, err := l.SetLevel(c)
		conclude(w, wholeLevels(now), err)
	})
}

func wholeLevels(l Levels) Levels {
	l.Components = whole(l.Components)
	return l
}

// Levels asks for GET /v1/logs/levels.
func (c Client) Levels(ctx context.Context) (Levels, error) {
	var l Levels
	err := c.do(ctx, http.MethodGet, "/v1/logs/levels", nil, &l)
	return l, err
}

// SetLevel changes what is logged, and returns what is logged then.
func (c Client) SetLevel(ctx context.Context, l LevelChange) (Levels, error) {
	var now Levels
	body, err := json.Marshal(l)
	if err == nil {
		err = c.do(ctx, http.MethodPut, "/v1/logs/levels", body, &now)
	}
	return now, err
}
