package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// Defender slows down and bans. A [Controller] may be one.
type Defender interface {
	// Defence tells who is banned and who is watched (GET /v1/bans).
	Defence() Defence
	// Ban turns a network away (POST /v1/bans). A ban that is there is replaced.
	Ban(NewBan) (Ban, error)
	// Unban takes a ban back, and forgets what led to it (DELETE /v1/bans?who=NETWORK).
	Unban(who netip.Prefix) error
}

// Defence is what the defender knows and has done.
type Defence struct {
	Enabled bool  `json:"enabled"`
	Score   int   `json:"score"` // points that ban an address
	Bans    []Ban `json:"bans"`  // the newest first
	// The highest of each kind, not all of them.
	Watched []Watched `json:"watched"` // addresses with points
	Slowed  []Watched `json:"slowed"`  // networks and users whose logins go one at a time
	Known   int       `json:"known"`   // addresses, networks and users that are remembered
	// Sums since the server began.
	Banned     uint64 `json:"banned"`      // by points
	TurnedAway uint64 `json:"turned_away"` // connections and logins of who was banned
	Denied     uint64 `json:"denied"`      // connections of who is in defender.deny
	Waited     uint64 `json:"waited"`      // logins that had to wait for their turn
	Refused    uint64 `json:"refused"`     // logins refused because too many were waiting
	Unrecorded uint64 `json:"unrecorded"`  // offences for which there was no room
}

// Ban is a network that is turned away.
type Ban struct {
	Who   netip.Prefix `json:"who"`
	Since time.Time    `json:"since"`
	Until time.Time    `json:"until,omitzero"` // no time: without end
	Why   string       `json:"why"`
	Times int          `json:"times"` // bans of it so far, this one included
	By    string       `json:"by"`    // score or operator
	// Kicked is how many sessions NewBan.Kick has ended.
	Kicked int `json:"kicked,omitempty"`
}

// Watched is an address, a network or a user.
type Watched struct {
	Who    string `json:"who"`
	Kind   string `json:"kind"` // address, network or user
	Points int    `json:"points,omitempty"`
	Failed int    `json:"failed,omitempty"` // logins, of a network or user
	Why    string `json:"why,omitempty"`    // the latest offence of an address
}

// NewBan is a ban that an operator asks for.
type NewBan struct {
	Who netip.Prefix  `json:"who"`
	For time.Duration `json:"for"` // nanoseconds; 0 has no end
	Why string        `json:"why"`
	// Kick ends the sessions that are there from the network, with Why for a reason.
	Kick bool `json:"kick,omitempty"`
}

// maxBan is how many bytes a NewBan may have.
const maxBan = 16 << 10

// banRoutes adds the paths that [Defender] names.
func banRoutes(mux *router, d Defender) {
	now := func() Defence {
		all := d.Defence()
		all.Bans, all.Watched, all.Slowed = whole(all.Bans), whole(all.Watched), whole(all.Slowed)
		return all
	}
	mux.HandleFunc("GET /v1/bans", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, now()) })
	mux.HandleFunc("POST /v1/bans", func(w http.ResponseWriter, r *http.Request) {
		var b NewBan
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBan)).Decode(&b); err != nil || !b.Who.IsValid() || b.For < 0 {
			refuse(w, http.StatusBadRequest, &Refusal{Code: CodeBan, Message: "that is no ban: it has a network (who) and a time of zero or more (for)"})
			return
		}
		About(r, b.Who.String())
		made, err := d.Ban(b)
		conclude(w, made, err)
	})
	mux.HandleFunc("DELETE /v1/bans", func(w http.ResponseWriter, r *http.Request) {
		who, err := netip.ParsePrefix(r.URL.Query().Get("who"))
		if err != nil {
			refuse(w, http.StatusBadRequest, &Refusal{Code: CodeBan, Message: fmt.Sprintf("%.60q is no network", r.URL.Query().Get("who"))})
			return
		}
		err = d.Unban(who)
		conclude(w, now(), err)
	})
}

// Defence asks for GET /v1/bans.
func (c Client) Defence(ctx context.Context) (Defence, error) {
	var d Defence
	err := c.do(ctx, http.MethodGet, "/v1/bans", nil, &d)
	return d, err
}

// Ban bans a network, and returns the ban.
func (c Client) Ban(ctx context.Context, b NewBan) (Ban, error) {
	var made Ban
	body, err := json.Marshal(b)
	if err == nil {
		err = c.do(ctx, http.MethodPost, "/v1/bans", body, &made)
	}
	return made, err
}

// Unban takes a ban back, and returns what is left.
func (c Client) Unban(ctx context.Context, who netip.Prefix) (Defence, error) {
	var d Defence
	err := c.do(ctx, http.MethodDelete, "/v1/bans?who="+url.QueryEscape(who.String()), nil, &d)
	return d, err
}
