package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

// Sessions tells of sessions and transfers, ends them, and limits them. A [Controller] may
// be one.
type Sessions interface {
	// Sessions are all that there are, by number (GET /v1/sessions and /v1/transfers).
	Sessions() []Session
	// Kick ends sessions (DELETE /v1/sessions and /v1/sessions/{id}) and returns how many.
	Kick(k Kick) (int, error)
	// Abort ends a transfer (DELETE /v1/transfers/{id}).
	Abort(transfer string) error
	// LimitSession changes the limit of a session (PATCH /v1/sessions/{id}).
	LimitSession(id uint64, l LiveLimit) error
	// LimitTransfer changes the limit of a transfer (PATCH /v1/transfers/{id}).
	LimitTransfer(transfer string, l LiveLimit) error
}

// Session is one session. Names and paths in it are a client's words, as they came.
type Session struct {
	ID        uint64         `json:"id"` // sess in logs
	State     string         `json:"state"`
	User      string         `json:"user"`      // who is logged in, or is about to be
	LoggedIn  bool           `json:"logged_in"` //
	Anonymous bool           `json:"anonymous,omitempty"`
	Listener  string         `json:"listener"`
	Peer      netip.AddrPort `json:"peer"`
	Local     netip.AddrPort `json:"local"`
	Since     time.Time      `json:"since"`         // of the connection, or of the last logout
	Quiet     int64          `json:"quiet_seconds"` // since the last command
	TLS       string         `json:"tls"`           // version on the control connection; empty in the clear
	Cipher    string         `json:"cipher,omitempty"`
	Resumed   bool           `json:"resumed,omitempty"`  // an earlier TLS session was
	VHost     string         `json:"vhost,omitempty"`    // the virtual host that it belongs to
	Protocol  string         `json:"protocol,omitempty"` // ftpq/1, http/1.1, h2 or h3; empty is FTP over TCP
	Host      string         `json:"host,omitempty"`     // that the client named
	Client    string         `json:"client,omitempty"`   // program, by its own words
	Dir       string         `json:"dir,omitempty"`      // as it was known last
	Command   string         `json:"command,omitempty"`  // that takes longer than a moment
	Limit     *Rates         `json:"limit,omitempty"`    // by an operator; over the defaults
	Transfer  *Transfer      `json:"transfer,omitempty"`
}

// States of a Session.
const (
	StateLogin    = "login"    // nobody is logged in
	StateIdle     = "idle"     // it waits for a command
	StateBusy     = "busy"     // a command takes longer than a moment
	StateTransfer = "transfer" // a transfer runs
)

// Transfer is one that runs for longer than a moment, or a digest that is computed.
type Transfer struct {
	ID      string    `json:"id"` // SESSION-REQUEST, as in (ref 12-9) of replies
	Session uint64    `json:"session"`
	User    string    `json:"user"`
	Command string    `json:"command"`
	Path    string    `json:"path"`
	Up      bool      `json:"up"`    // from the client
	Data    bool      `json:"data"`  // over a data connection
	Bytes   int64     `json:"bytes"` // that have moved
	Size    int64     `json:"size"`  // -1: not known
	Since   time.Time `json:"since"`
	Seconds float64   `json:"seconds"`           // for which bytes could move
	Rate    int64     `json:"rate"`              // bytes per second, since somebody looked last
	Average int64     `json:"average"`           // bytes per second, since it began
	Limit   int64     `json:"limit"`             // the narrowest one that holds, bytes per second; 0: none
	TLS     string    `json:"tls"`               // version on the data connection; empty in the clear
	Resumed bool      `json:"resumed,omitempty"` // it is the control connection's session
}

// Kick says which sessions to end: one, or all of a user, or all from a network.
type Kick struct {
	ID     uint64       // 0: not by number
	User   string       // empty: not by user
	From   netip.Prefix // not valid: not by address
	Reason string       // for the client and the log
}

// Kicked is the answer to a Kick.
type Kicked struct {
	Kicked int `json:"kicked"` // sessions that were told to end
}

// LiveLimit is the change of the limit of a session or a transfer that runs (PATCH). It
// holds at once. What is not named keeps its rate.
type LiveLimit struct {
	Down  *int64 `json:"down,omitempty"`  // bytes per second, 0 is no limit
	Up    *int64 `json:"up,omitempty"`    // likewise
	Clear bool   `json:"clear,omitempty"` // take back what an operator has said
}

// sessionRoutes adds the paths that [Sessions] names.
func sessionRoutes(mux *router, s Sessions) {
	mux.HandleFunc("GET /v1/sessions", func(w http.ResponseWriter, r *http.Request) {
		if f, ok := filterOf(w, r); ok {
			answer(w, http.StatusOK, f.sessions(s.Sessions()))
		}
	})
	mux.HandleFunc("DELETE /v1/sessions", func(w http.ResponseWriter, r *http.Request) {
		f, ok := filterOf(w, r)
		if !ok {
			return
		}
		if (f.user == "") == !f.from.IsValid() || f.listener != "" {
			refuse(w, http.StatusBadRequest, &Refusal{Code: CodeWhose, Message: "say whose sessions to end: a user or an address", Help: "?user=NAME or ?address=NETWORK"})
			return
		}
		kick(w, r, s, Kick{User: f.user, From: f.from})
	})
	mux.HandleFunc("GET /v1/sessions/{id}", func(w http.ResponseWriter, r *http.Request) {
		if id, ok := number(w, r); ok {
			oneSession(w, s, id, nil)
		}
	})
	mux.HandleFunc("DELETE /v1/sessions/{id}", func(w http.ResponseWriter, r *http.Request) {
		if id, ok := number(w, r); ok {
			kick(w, r, s, Kick{ID: id})
		}
	})
	mux.HandleFunc("PATCH /v1/sessions/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, ok := number(w, r)
		if !ok {
			return
		}
		if l, ok := readLiveLimit(w, r); ok {
			oneSession(w, s, id, s.LimitSession(id, l))
		}
	})
	transferRoutes(mux, s)
}

func transferRoutes(mux *router, s Sessions) {
	mux.HandleFunc("GET /v1/transfers", func(w http.ResponseWriter, r *http.Request) {
		f, ok := filterOf(w, r)
		if !ok {
			return
		}
		answer(w, http.StatusOK, transfers(f.sessions(s.Sessions())))
	})
	mux.HandleFunc("DELETE /v1/transfers/{id}", func(w http.ResponseWriter, r *http.Request) {
		outcome(w, struct{}{}, s.Abort(r.PathValue("id")))
	})
	mux.HandleFunc("PATCH /v1/transfers/{id}", func(w http.ResponseWriter, r *http.Request) {
		if l, ok := readLiveLimit(w, r); ok {
			outcome(w, struct{}{}, s.LimitTransfer(r.PathValue("id"), l))
		}
	})
}

// outcome is conclude, with 404 for what is not there.
func outcome(w http.ResponseWriter, now any, err error) {
	var r *Refusal
	if errors.As(err, &r) && r.Code == CodeGone {
		refuse(w, http.StatusNotFound, r)
		return
	}
	conclude(w, now, err)
}

func kick(w http.ResponseWriter, r *http.Request, s Sessions, k Kick) {
	k.Reason = r.URL.Query().Get("reason")
	n, err := s.Kick(k)
	outcome(w, Kicked{n}, err)
}

// oneSession answers with a session as it is now, unless something went wrong before.
func oneSession(w http.ResponseWriter, s Sessions, id uint64, err error) {
	if err != nil {
		outcome(w, nil, err)
		return
	}
	for _, one := range s.Sessions() {
		if one.ID == id {
			answer(w, http.StatusOK, one)
			return
		}
	}
	refuse(w, http.StatusNotFound, NoSession(id))
}

// NoSession says that there is no session of a number.
func NoSession(id uint64) *Refusal {
	return &Refusal{Code: CodeGone, Message: fmt.Sprintf("there is no session %d", id), Help: "edgeftp sessions lists those that there are"}
}

// number is the session that a path names, if it names one.
func number(w http.ResponseWriter, r *http.Request) (uint64, bool) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil || id == 0 {
		refuse(w, http.StatusNotFound, &Refusal{Code: CodeGone, Message: fmt.Sprintf("%.40q is no number of a session", r.PathValue("id")), Help: "edgeftp sessions lists those that there are"})
		return 0, false
	}
	return id, true
}

// filter is what a question is about; the zero value is all.
type filter struct {
	user, listener string
	from           netip.Prefix
}

func filterOf(w http.ResponseWriter, r *http.Request) (f filter, ok bool) {
	q := r.URL.Query()
	f.user, f.listener = q.Get("user"), q.Get("listener")
	text := q.Get("address")
	if text == "" {
		return f, true
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		var a netip.Addr
		if a, err = netip.ParseAddr(text); err == nil {
			p = netip.PrefixFrom(a, a.BitLen())
		}
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, &Refusal{Code: CodeWhose, Message: fmt.Sprintf("%.60q is neither an address nor a network", text)})
		return f, false
	}
	f.from = p.Masked()
	return f, true
}

// sessions are those that a question is about.
func (f filter) sessions(all []Session) []Session {
	out := []Session{}
	for _, s := range all {
		if (f.user == "" || s.User == f.user) && (f.listener == "" || s.Listener == f.listener) && (!f.from.IsValid() || f.from.Contains(s.Peer.Addr())) {
			out = append(out, s)
		}
	}
	return out
}

// transfers are those of sessions.
func transfers(all []Session) []Transfer {
	out := []Transfer{}
	for _, s := range all {
		if s.Transfer != nil {
			out = append(out, *s.Transfer)
		}
	}
	return out
}

// readLiveLimit returns the change that a request carries, or answers why not.
func readLiveLimit(w http.ResponseWriter, r *http.Request) (l LiveLimit, ok bool) {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxLimit))
	d.DisallowUnknownFields()
	err := d.Decode(&l)
	wrong := l.Clear == (l.Down != nil || l.Up != nil) || l.Down != nil && *l.Down < 0 || l.Up != nil && *l.Up < 0
	if err != nil || wrong {
		refuse(w, http.StatusBadRequest, &Refusal{Code: CodeLiveLimit, Message: "that is no limit: it has down, up or both in bytes per second, or clear"})
		return l, false
	}
	return l, true
}

// Sessions asks for GET /v1/sessions. Of q are user, listener and address looked at.
func (c Client) Sessions(ctx context.Context, q url.Values) ([]Session, error) {
	var all []Session
	err := c.do(ctx, http.MethodGet, withQuery("/v1/sessions", q), nil, &all)
	return all, err
}

// Transfers asks for GET /v1/transfers, likewise.
func (c Client) Transfers(ctx context.Context, q url.Values) ([]Transfer, error) {
	var all []Transfer
	err := c.do(ctx, http.MethodGet, withQuery("/v1/transfers", q), nil, &all)
	return all, err
}

// Session asks for one session.
func (c Client) Session(ctx context.Context, id uint64) (Session, error) {
	var s Session
	err := c.do(ctx, http.MethodGet, sessionPath(id), nil, &s)
	return s, err
}

// Kick ends sessions and returns how many were told to end.
func (c Client) Kick(ctx context.Context, k Kick) (int, error) {
	q := url.Values{}
	path := "/v1/sessions"
	switch {
	case k.ID > 0:
		path = sessionPath(k.ID)
	case k.User != "":
		q.Set("user", k.User)
	default:
		q.Set("address", k.From.String())
	}
	if k.Reason != "" {
		q.Set("reason", k.Reason)
	}
	var done Kicked
	err := c.do(ctx, http.MethodDelete, withQuery(path, q), nil, &done)
	return done.Kicked, err
}

// Abort ends a transfer.
func (c Client) Abort(ctx context.Context, transfer string) error {
	return c.do(ctx, http.MethodDelete, transferPath(transfer), nil, new(struct{}))
}

// LimitSession changes the limit of a session, and returns it as it is then.
func (c Client) LimitSession(ctx context.Context, id uint64, l LiveLimit) (Session, error) {
	var s Session
	body, err := json.Marshal(l)
	if err == nil {
		err = c.do(ctx, http.MethodPatch, sessionPath(id), body, &s)
	}
	return s, err
}

// LimitTransfer changes the limit of a transfer.
func (c Client) LimitTransfer(ctx context.Context, transfer string, l LiveLimit) error {
	body, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPatch, transferPath(transfer), body, new(struct{}))
}

// Health asks for GET /v1/healthz: whether the process answers.
func (c Client) Health(ctx context.Context) error {
	return c.do(ctx, http.MethodGet, "/v1/healthz", nil, new(struct{}))
}

func sessionPath(id uint64) string { return "/v1/sessions/" + strconv.FormatUint(id, 10) }

func transferPath(id string) string { return "/v1/transfers/" + url.PathEscape(id) }

func withQuery(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
