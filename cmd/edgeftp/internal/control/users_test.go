package control

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// clerk is a fake that keeps users by their names.
type clerk struct {
	fake
	users map[string]string // what was last done with each
}

func (k *clerk) Accounts() Accounts { return k }

func (k *clerk) Users() (all []User, _ error) {
	for name := range k.users {
		all = append(all, User{Name: name})
	}
	return all, nil
}

func (k *clerk) User(name string) (User, error) {
	if _, known := k.users[name]; !known {
		return User{}, &Refusal{Code: CodeUserUnknown, Message: "nobody"}
	}
	return User{Name: name, Note: k.users[name], Settings: json.RawMessage("{}")}, nil
}

func (k *clerk) AddUsers(n NewUsers) (all []User, _ error) {
	for _, text := range n.Users {
		var u struct{ Name string }
		if err := json.Unmarshal(text, &u); err != nil {
			return nil, err
		}
		k.users[u.Name] = "added"
		all = append(all, User{Name: u.Name})
	}
	return all, nil
}

func (k *clerk) ChangeUser(name string, c UserChange) (User, error) {
	if _, err := k.User(name); err != nil {
		return User{}, err
	}
	k.users[name] = string(c.Settings) + c.PasswordHash
	return k.User(name)
}

func (k *clerk) RemoveUser(name string) (User, error) {
	u, err := k.User(name)
	delete(k.users, name)
	return u, err
}

// Names may hold anything that a USER command can carry.
func TestUsers(t *testing.T) {
	_, c := serve(t, &clerk{users: map[string]string{}})
	if all, err := c.Users(t.Context()); err != nil || all == nil || len(all) != 0 {
		t.Errorf("nobody: %v, %v", all, err)
	}
	for _, name := range []string{"anna", ".", "..", "a/b", "//", "a%2Fb", "ä ö?#", "password", "a\x01", "\xff"} {
		quoted, _ := json.Marshal(name)
		if _, err := c.AddUsers(t.Context(), NewUsers{Users: []json.RawMessage{json.RawMessage(`{"name":` + string(quoted) + `}`)}}); err != nil {
			t.Fatal(err)
		}
		if name == "\xff" { // JSON knows no such name
			continue
		}
		if u, err := c.User(t.Context(), name); err != nil || u.Name != name || u.Note != "added" {
			t.Errorf("%q: %+v, %v", name, u, err)
		}
		if u, err := c.ChangeUser(t.Context(), name, UserChange{Settings: json.RawMessage(`{"perm":null}`)}); err != nil || u.Note != `{"perm":null}` {
			t.Errorf("%q changed: %+v, %v", name, u, err)
		}
		if u, err := c.ChangeUser(t.Context(), name, UserChange{PasswordHash: "$hash"}); err != nil || u.Note != "$hash" {
			t.Errorf("%q has a new password: %+v, %v", name, u, err)
		}
		if u, err := c.RemoveUser(t.Context(), name); err != nil || u.Name != name {
			t.Errorf("%q removed: %+v, %v", name, u, err)
		}
		var no *Refusal
		if _, err := c.User(t.Context(), name); !errors.As(err, &no) || no.Code != CodeUserUnknown {
			t.Errorf("%q is still there: %v", name, err)
		}
	}
}

func TestUserRequestsRefused(t *testing.T) {
	_, c := serve(t, &clerk{users: map[string]string{"anna": ""}})
	for what, r := range map[string]request{
		"no JSON":      {method: http.MethodPost, path: "/v1/users", body: []byte("{")},
		"a password":   {method: http.MethodPost, path: "/v1/users/anna/password", body: []byte(`{"password": "hunter2"}`)},
		"no hash":      {method: http.MethodPost, path: "/v1/users/anna/password", body: []byte(`{}`)},
		"a list":       {method: http.MethodPatch, path: "/v1/users/anna", body: []byte(`[]`)},
		"an other key": {method: http.MethodPatch, path: "/v1/users/anna", body: []byte(`{"name": "bob"}`)},
	} {
		var no *Refusal
		if err := c.send(t.Context(), r, new(any)); !errors.As(err, &no) || no.Code != CodeUserRequest || strings.Contains(no.Message, "hunter2") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestTooManyUsers(t *testing.T) {
	mux := newRouter()
	userRoutes(mux, &clerk{users: map[string]string{}})
	w := httptest.NewRecorder()
	mux.mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/users", strings.NewReader(`{"users": ["`+strings.Repeat("x", maxUsers)+`"]}`)))
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), CodeUserRequest) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
