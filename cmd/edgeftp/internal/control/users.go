package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Accounts keeps users. What it adds, changes and removes are those of the store: the
// others stand in files. Its errors that a caller can mend are a [*Refusal].
type Accounts interface {
	// Users tells of all of them, of every source, sorted by name (GET /v1/users).
	Users() ([]User, error)
	// User tells of one, with what he has used (GET /v1/users/{name}).
	User(name string) (User, error)
	// AddUsers adds users, all or none (POST /v1/users).
	AddUsers(NewUsers) ([]User, error)
	// ChangeUser changes one (PATCH /v1/users/{name}, and for a password alone
	// POST /v1/users/{name}/password). It holds for the next login.
	ChangeUser(name string, c UserChange) (User, error)
	// RemoveUser removes one and ends his sessions (DELETE /v1/users/{name}). It returns
	// what he was.
	RemoveUser(name string) (User, error)
}

// Accountant is a [Controller] that has users.
type Accountant interface{ Accounts() Accounts }

// User is what there is to know about a user, but for his password's hash.
type User struct {
	Name   string `json:"name"`
	Source string `json:"source"` // list, file or store
	// Shadowed says that nobody asks for this one: an earlier source has the name.
	Shadowed bool `json:"shadowed,omitempty"`
	// Settings are the keys of users.list that are given, but for name, password_hash,
	// disabled and note.
	Settings json.RawMessage `json:"settings"`
	Password bool            `json:"password"` // there is one
	Disabled bool            `json:"disabled"`
	Expired  bool            `json:"expired,omitempty"`
	Note     string          `json:"note,omitempty"`
	// Perm and Root are what holds, with the defaults of the configuration. Root is empty
	// for that of storage.
	Perm    string    `json:"perm"`
	Root    string    `json:"root,omitempty"`
	Created time.Time `json:"created,omitzero"` // of the store's alone
	Changed time.Time `json:"changed,omitzero"` // of the store's alone
	// LastLogin is the latest one that was let in; no time for none, or if it is not known.
	LastLogin time.Time `json:"last_login,omitzero"`
	Quota     *Usage    `json:"quota,omitempty"`   // of one user alone; nil where nothing is counted
	Problem   string    `json:"problem,omitempty"` // why he cannot log in, or will find nothing
	Ended     int       `json:"ended,omitempty"`   // sessions that a change has ended
}

// Usage is how much a user stores, and may.
type Usage struct {
	Bytes      Share `json:"bytes"`
	Files      Share `json:"files"`
	DayBytes   Share `json:"day_bytes"`
	DayFiles   Share `json:"day_files"`
	MonthBytes Share `json:"month_bytes"`
	MonthFiles Share `json:"month_files"`
}

// Share is one number of a quota.
type Share struct {
	Used  int64 `json:"used"`
	Limit int64 `json:"limit,omitempty"` // 0: no limit
}

// NewUsers are to be added.
type NewUsers struct {
	// Users are entries as users.list of the configuration has them: name, password_hash,
	// and what else there is to say.
	Users []json.RawMessage `json:"users"`
	// Skip leaves out those whose name is there already; else they refuse the whole.
	Skip bool `json:"skip_existing,omitempty"`
	// DryRun checks everything and adds nothing.
	DryRun bool `json:"dry_run,omitempty"`
}

// UserChange is what is to be otherwise.
type UserChange struct {
	// Settings are keys of users.list with their new values; null takes a key away
	// (RFC 7396). Name and password_hash cannot be among them.
	Settings json.RawMessage `json:"settings,omitempty"`
	// PasswordHash is the hash of the new password: the password itself stays with who
	// has typed it.
	PasswordHash string `json:"password_hash,omitempty"`
	// End ends the user's sessions. Those of a user who is disabled or has expired are
	// ended in any case.
	End bool `json:"end_sessions,omitempty"`
}

// NewPassword is the body of POST /v1/users/{name}/password.
type NewPassword struct {
	PasswordHash string `json:"password_hash"`
	End          bool   `json:"end_sessions,omitempty"`
}

// maxUsers is how many bytes a request may have.
const maxUsers = 32 << 20

// userRoutes adds the paths that [Accounts] names.
func userRoutes(mux *router, a Accounts) {
	mux.HandleFunc("GET /v1/users", func(w http.ResponseWriter, _ *http.Request) {
		all, err := a.Users()
		concludeUser(w, whole(all), err)
	})
	mux.HandleFunc("POST /v1/users", func(w http.ResponseWriter, r *http.Request) {
		if n, ok := readUser[NewUsers](w, r); ok {
			About(r, fmt.Sprintf("%d users", len(n.Users)))
			all, err := a.AddUsers(n)
			concludeUser(w, whole(all), err)
		}
	})
	mux.HandleFunc("GET /v1/users/{name}", func(w http.ResponseWriter, r *http.Request) {
		u, err := a.User(r.PathValue("name"))
		concludeUser(w, u, err)
	})
	mux.HandleFunc("PATCH /v1/users/{name}", func(w http.ResponseWriter, r *http.Request) {
		if c, ok := readUser[UserChange](w, r); ok {
			u, err := a.ChangeUser(r.PathValue("name"), c)
			concludeUser(w, u, err)
		}
	})
	mux.HandleFunc("POST /v1/users/{name}/password", func(w http.ResponseWriter, r *http.Request) {
		p, ok := readUser[NewPassword](w, r)
		if ok && p.PasswordHash == "" {
			refuse(w, http.StatusBadRequest, &Refusal{Code: CodeUserRequest, Message: "there is no password_hash",
				Help: "hash the password where it was typed (edgeftp user hash); it is not sent"})
			return
		}
		if ok {
			u, err := a.ChangeUser(r.PathValue("name"), UserChange{PasswordHash: p.PasswordHash, End: p.End})
			concludeUser(w, u, err)
		}
	})
	mux.HandleFunc("DELETE /v1/users/{name}", func(w http.ResponseWriter, r *http.Request) {
		u, err := a.RemoveUser(r.PathValue("name"))
		concludeUser(w, u, err)
	})
}

// readUser reads a body, or has answered that it is none.
func readUser[T any](w http.ResponseWriter, r *http.Request) (v T, ok bool) {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxUsers))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		refuse(w, http.StatusBadRequest, &Refusal{Code: CodeUserRequest, Message: "the request cannot be read: " + err.Error()})
		return v, false
	}
	return v, true
}

// concludeUser is conclude, but for users that are not there.
func concludeUser(w http.ResponseWriter, now any, err error) {
	var no *Refusal
	if errors.As(err, &no) && no.Code == CodeUserUnknown {
		refuse(w, http.StatusNotFound, no)
		return
	}
	conclude(w, now, err)
}

func userPath(name string) string {
	// A path of dots would be taken for a way upward.
	return "/v1/users/" + strings.ReplaceAll(url.PathEscape(name), ".", "%2E")
}

// Users asks for GET /v1/users.
func (c Client) Users(ctx context.Context) ([]User, error) {
	var all []User
	err := c.do(ctx, http.MethodGet, "/v1/users", nil, &all)
	return all, err
}

// User asks for GET /v1/users/{name}.
func (c Client) User(ctx context.Context, name string) (User, error) {
	var u User
	err := c.do(ctx, http.MethodGet, userPath(name), nil, &u)
	return u, err
}

// AddUsers adds users, all or none, and returns them.
func (c Client) AddUsers(ctx context.Context, n NewUsers) ([]User, error) {
	var all []User
	err := c.put(ctx, http.MethodPost, "/v1/users", n, &all)
	return all, err
}

// ChangeUser changes a user, and returns what he is then.
func (c Client) ChangeUser(ctx context.Context, name string, change UserChange) (User, error) {
	var u User
	if change.Settings == nil && change.PasswordHash != "" {
		err := c.put(ctx, http.MethodPost, userPath(name)+"/password", NewPassword{change.PasswordHash, change.End}, &u)
		return u, err
	}
	err := c.put(ctx, http.MethodPatch, userPath(name), change, &u)
	return u, err
}

// RemoveUser removes a user, and returns what he was.
func (c Client) RemoveUser(ctx context.Context, name string) (User, error) {
	var u User
	err := c.do(ctx, http.MethodDelete, userPath(name), nil, &u)
	return u, err
}

// put makes a request whose body is a value as JSON.
func (c Client) put(ctx context.Context, method, path string, value, into any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return c.do(ctx, method, path, body, into)
}
