package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/audit"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/events"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/sandbox"
)

// everything is a Controller that can do all that there is.
type everything struct{ warden }

func (*everything) Certificates() []acme.Certificate {
	return []acme.Certificate{valid("ftp.example.org", 61)}
}
func (*everything) Renew(context.Context, string) (acme.Certificate, error) {
	return valid("ftp.example.org", 90), nil
}
func (e *everything) Policies() Policies         { return e }
func (*everything) RunningConfig() RunningConfig { return RunningConfig{Generation: 1, ETag: `"1"`} }
func (*everything) CheckConfig(context.Context, ConfigAsk) (ConfigResult, error) {
	return ConfigResult{Changes: []ConfigChange{{Key: "a", Effect: "now"}}}, nil
}
func (*everything) ApplyConfig(context.Context, ConfigAsk) (ConfigResult, error) {
	return ConfigResult{Applied: true}, nil
}
func (*everything) ConfigHistory() ([]ConfigEntry, error) { return []ConfigEntry{{Generation: 1}}, nil }
func (*everything) RollbackConfig(context.Context, uint64) (ConfigResult, error) {
	return ConfigResult{}, nil
}
func (*everything) Accounts() Accounts { return &clerk{users: map[string]string{"anna": ""}} }
func (*everything) Readiness() Readiness {
	return ReadinessOf([]Component{{Name: "serving", State: ComponentOK}, {Name: "audit", State: ComponentDegraded, Detail: "x"}})
}
func (*everything) Webhooks() []Webhook {
	return []Webhook{{Name: "ops", Origin: "https://hooks.example.org", On: []string{"login"}, Waiting: 2}}
}
func (*everything) TryWebhooks(_ context.Context, name string) ([]WebhookTrial, error) {
	return []WebhookTrial{{Name: name, OK: true, Status: 204}}, nil
}
func (*everything) LogFiles() []LogFile                   { return []LogFile{{Name: "events", File: "/var/log/events"}} }
func (*everything) ReopenLogs() []LogFile                 { return []LogFile{{Name: "events", Error: "x"}} }
func (*everything) Sessions() []Session                   { return newUsher().all }
func (*everything) Kick(Kick) (int, error)                { return 1, nil }
func (*everything) Abort(string) error                    { return nil }
func (*everything) LimitSession(uint64, LiveLimit) error  { return nil }
func (*everything) LimitTransfer(string, LiveLimit) error { return nil }
func (*everything) Authority() (Authority, error)         { return Authority{PEM: "x"}, nil }
func (*everything) Confinement() sandbox.State            { return sandbox.State{} }
func (*everything) Record(_ context.Context, _ string, _ Recording, w io.Writer) error {
	_, err := w.Write([]byte("x"))
	return err
}

// parts are fakes of the parts.
type parts struct{ broken error }

func (parts) Levels() Levels { return Levels{Level: "info", Configured: "info"} }
func (parts) SetLevel(c LevelChange) (Levels, error) {
	return Levels{Level: c.Level, Until: noon().Add(c.For)}, nil
}
func (parts) Drain(l time.Duration) (DrainState, error) {
	return DrainState{Draining: true, Until: noon().Add(l)}, nil
}
func (parts) CancelDrain() (DrainState, error) { return DrainState{}, nil }
func (parts) Upgrading() error                 { return nil }
func (parts) Upgrade(c *net.UnixConn)          { _ = c.Close() }
func (p parts) Backup(_ context.Context, w io.Writer) error {
	if p.broken == nil {
		_, _ = w.Write([]byte("archive"))
	}
	return p.broken
}

// newAccess has all parts, and an audit log.
func newAccess(t *testing.T) *Access {
	t.Helper()
	dir := t.TempDir()
	log, err := audit.Open(filepath.Join(dir, "audit.jsonl"), filepath.Join(dir, "audit.head"), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	hub := new(events.Hub)
	t.Cleanup(func() { hub.Close(); _ = log.Close() })
	return &Access{Audit: log, Debug: true, Names: map[int]string{1001: "ann"},
		Parts: Parts{Events: hub, Levels: parts{}, Drainer: parts{}, Backups: parts{}, Upgrade: parts{}}}
}

// as makes a request as a user.
func as(h http.Handler, uid int, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r = r.WithContext(context.WithValue(r.Context(), peerKey{}, Peer{UID: uid, PID: 7, Groups: []int{uid + 1}}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func recorded(t *testing.T, a *Access) (list []audit.Record) {
	t.Helper()
	err := audit.Select([]string{a.Audit.Path()}, func(r audit.Record) bool { list = append(list, r); return true })
	if err != nil {
		t.Fatal(err)
	}
	return list[1:] // less the beginning
}

// Every path has a row, and every row a path.
func TestEveryPathHasARow(t *testing.T) {
	r := routesOf(&everything{}, newAccess(t))
	if err := r.check(); err != nil {
		t.Error(err)
	}
	for pattern, row := range r.rows {
		if !r.there[pattern] {
			t.Errorf("%s is in the table, and there is no such path", pattern)
		}
		if row.Role == NoRole || row.Summary == "" {
			t.Errorf("%s: the row does not say what it is, or for whom", pattern)
		}
	}
	r.HandleFunc("GET /v1/new", func(http.ResponseWriter, *http.Request) {})
	if err := r.check(); err == nil || !strings.Contains(err.Error(), "/v1/new") {
		t.Errorf("a path without a row: %v", err)
	}
	w := as(&guard{routes: r, access: new(Access), own: 1000, who: func(_ http.ResponseWriter, r *http.Request) (caller, bool) { return caller{role: Admin}, true }}, 1000, "GET", "/v1/new", "")
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), CodeNobody) {
		t.Errorf("it is served: %d %s", w.Code, w.Body)
	}
}

// Each role may do what its rows say and no more, whatever is asked.
func TestRoles(t *testing.T) {
	uid := func(n int) *int { return &n }
	a := newAccess(t)
	a.Group = uid(501)
	a.Grants = []Grant{{UID: uid(1001), Role: Viewer}, {GID: uid(1003), Role: Operator}, {GID: uid(1003), Role: Viewer}, {UID: uid(1003), Role: Admin}, {Certificate: "x", Role: Admin}}
	h, err := guarded(&everything{}, a, 1000, nil)
	if err != nil {
		t.Fatal(err)
	}
	roles := map[int]Role{0: Admin, 1000: Admin, 500: Viewer, 1001: Viewer, 1002: Operator, 1003: Admin, 1004: NoRole, -1: NoRole}
	table := Routes()
	for user, role := range roles {
		for i := range table {
			row := &table[i]
			if row.Answer == eventsType || strings.Contains(row.Pattern, "pprof") {
				continue // it goes on
			}
			path := strings.NewReplacer("{name}", "guard").Replace(row.Pattern)
			w := as(h, user, row.Method, path, "")
			if no := w.Code == http.StatusForbidden; no != (role < row.Role) || no && !strings.Contains(w.Body.String(), CodeRole) {
				t.Errorf("user %d, %s: %s %s: %d %.100s", user, role, row.Method, path, w.Code, w.Body)
			}
		}
	}
	if w := as(h, 1004, "GET", "/v1/status", ""); !strings.Contains(w.Body.String(), "uid 1004 has the role none, and GET /v1/status needs viewer") || !strings.Contains(w.Body.String(), "admin.roles") {
		t.Errorf("%s", w.Body)
	}
}

// What was changed and what was refused is in the log, with who, why and what came of it;
// what was only looked at is not. Nothing of bodies is.
func TestAudit(t *testing.T) {
	a := newAccess(t)
	one := 1001
	a.Grants = []Grant{{UID: &one, Role: Operator}}
	h, _ := guarded(&everything{}, a, 1000, nil)
	as(h, 1001, "GET", "/v1/status", "")
	as(h, 1001, "PUT", "/v1/bandwidth", `{"scope":"global","down":5}`)
	as(h, 1001, "PUT", "/v1/bandwidth", `{"scope":"secret-word"}`)
	as(h, 1001, "POST", "/v1/bans", `{"who":"198.51.100.0/24","why":"secret-word"}`)
	as(h, 1001, "DELETE", "/v1/bans?who=198.51.100.0/24&x=secret-word", "")
	as(h, 1001, "POST", "/v1/backup", "secret-word")
	as(h, 1000, "POST", "/v1/policies/other/swap?now=true", "secret-word")
	var lines []string
	for _, r := range recorded(t, a) {
		lines = append(lines, fmt.Sprintf("%s|%s|%s|%s|%s|%s", r.Actor, r.Actor.Role, r.Action, r.Object, r.Result, r.Code))
	}
	want := []string{
		"ann (uid 1001)|operator|PUT /v1/bandwidth|/v1/bandwidth global down=5|ok|",
		"ann (uid 1001)|operator|PUT /v1/bandwidth|/v1/bandwidth secret-word|failed|" + CodeScope,
		"ann (uid 1001)|operator|POST /v1/bans|/v1/bans 198.51.100.0/24|ok|",
		"ann (uid 1001)|operator|DELETE /v1/bans|/v1/bans who=198.51.100.0/24|ok|",
		"ann (uid 1001)|operator|POST /v1/backup|/v1/backup|refused|EF2140",
		"uid 1000|admin|POST /v1/policies/{name}/swap|/v1/policies/other/swap now=true|failed|" + CodeNoModule,
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%s", strings.Join(lines, "\n"))
	}
	r := httptest.NewRequest("DELETE", "/v1/drain", nil)
	r.Header.Set(reasonHeader, "ticket 7")
	h.ServeHTTP(httptest.NewRecorder(), r)
	for _, bad := range []string{"a\x1bb", strings.Repeat("x", 501)} {
		r.Header.Set(reasonHeader, bad)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusBadRequest {
			t.Errorf("%.10q: %d", bad, w.Code)
		}
	}
	list := recorded(t, a)
	if last := list[len(list)-1]; last.Reason != "ticket 7" {
		t.Errorf("%+v", last)
	}
	w := as(h, 1000, "GET", "/v1/audit?limit=2", "")
	var got []audit.Record
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got) != 2 || got[1].Reason != "ticket 7" {
		t.Errorf("%v, %s", err, w.Body)
	}
}

// panics is a Controller whose change panics.
type panics struct{ everything }

func (*panics) Limit(Limit) error { panic("mistake") }
func (*panics) Panicked(any)      {}

// A change that ends in a panic is recorded as one that failed.
func TestAuditOfPanics(t *testing.T) {
	a := newAccess(t)
	h, _ := guarded(&panics{}, a, 1000, nil)
	if w := as(h, 1000, "PUT", "/v1/bandwidth", `{"scope":"global","down":5}`); w.Code != http.StatusInternalServerError {
		t.Error(w.Code)
	}
	if list := recorded(t, a); len(list) != 1 || list[0].Result != audit.Failed {
		t.Errorf("%+v", list)
	}
}

// While the log cannot be written nothing of the server is changed; what an operator does
// about a full disk works.
func TestAuditFails(t *testing.T) {
	a := newAccess(t)
	h, _ := guarded(&everything{}, a, 1000, nil)
	blocked := filepath.Join(filepath.Dir(a.Audit.Path()), "audit.head.new")
	if err := os.MkdirAll(filepath.Join(blocked, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if w := as(h, 1000, "POST", "/v1/drain", ""); w.Code != http.StatusOK {
		t.Errorf("drain: %d %s", w.Code, w.Body)
	}
	if w := as(h, 1000, "POST", "/v1/backup", ""); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), CodeAuditFull) {
		t.Errorf("backup: %d %s", w.Code, w.Body)
	}
	_ = os.RemoveAll(blocked)
	if w := as(h, 1000, "POST", "/v1/backup", ""); w.Code != http.StatusOK || w.Body.String() != "archive" {
		t.Errorf("backup: %d %s", w.Code, w.Body)
	}
}

// Who has seen something else than what is there changes nothing.
func TestIfMatch(t *testing.T) {
	h := handler(&fake{})
	first := as(h, os.Geteuid(), "GET", "/v1/bandwidth", "").Header().Get("ETag")
	put := func(match, down string) int {
		r := httptest.NewRequest("PUT", "/v1/bandwidth", strings.NewReader(`{"scope":"global","down":`+down+`}`))
		r.Header.Set("If-Match", match)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	if got := []int{put(first, "5"), put(first, "6"), put("*", "7")}; !slices.Equal(got, []int{200, 412, 200}) || first == "" {
		t.Errorf("%q: %v", first, got)
	}
}

// What is answered is what the description says.
func TestAnswersFitTheDescription(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(OpenAPI()))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range doc.(jsonObject)["components"].(jsonObject)["schemas"].(jsonObject) {
		if s := s.(jsonObject); s["properties"] != nil {
			s["additionalProperties"] = false // here, what is not described is a fault
		}
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	h, _ := guarded(&everything{}, newAccess(t), os.Geteuid(), nil)
	bodies := map[string]string{"PUT /v1/bandwidth": `{"scope":"global","down":5}`, "POST /v1/bans": `{"who":"198.51.100.0/24"}`, "PUT /v1/logs/levels": `{"level":"debug","for":1000}`,
		"POST /v1/drain": `{"limit":5}`, "POST /v1/policies/swap": `{"modules":[{"name":"guard","module":"bQ=="}]}`, "POST /v1/policies/{name}/swap": "m",
		"POST /v1/users": `{"users":[{"name":"bob"}]}`, "PATCH /v1/users/{name}": `{"settings":{"perm":"elr"}}`, "POST /v1/users/{name}/password": `{"password_hash":"$2a$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"}`,
		"PATCH /v1/sessions/{id}": `{"down":5}`, "PATCH /v1/transfers/{id}": `{"down":5}`}
	table := Routes()
	for i := range table {
		r := &table[i]
		if r.Answer != "" {
			continue
		}
		path := strings.NewReplacer("users/{name}", "users/anna", "{name}", "guard", "sessions/{id}", "sessions/1", "transfers/{id}", "transfers/2-9").Replace(r.Pattern)
		if r.Method == "DELETE" && r.Pattern == "/v1/bans" {
			path += "?who=198.51.100.0/24"
		}
		if r.Method == "DELETE" && r.Pattern == "/v1/sessions" {
			path += "?user=ann"
		}
		req := httptest.NewRequest(r.Method, path, strings.NewReader(bodies[r.Method+" "+r.Pattern]))
		if r.Body != "" {
			req.Header.Set("Content-Type", r.Body)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		at := "openapi.json#/paths/" + strings.ReplaceAll(r.Pattern, "/", "~1") + "/" + strings.ToLower(r.Method) + "/responses/200/content/application~1json/schema"
		if w.Code != http.StatusOK {
			at = "openapi.json#/components/responses/Refused/content/application~1json/schema"
		}
		s, err := c.Compile(at)
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, path, err)
			continue
		}
		v, err := jsonschema.UnmarshalJSON(w.Body)
		if err == nil {
			err = s.Validate(v)
		}
		if err != nil {
			t.Errorf("%s %s answers %d: %v", r.Method, path, w.Code, err)
		}
		if w.Code != http.StatusOK && !strings.HasSuffix(path, "promote") && !strings.HasSuffix(path, "upgrade") {
			t.Errorf("%s %s answers %d", r.Method, path, w.Code)
		}
	}
}

// An archive that breaks off is seen by its reader.
func TestBackupBreaks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s, err := Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	a := newAccess(t)
	a.Backups = half{}
	s.Guard(*a)
	done := make(chan error, 1)
	go func() { done <- s.Serve(&everything{}, quiet()) }()
	if _, err := (Client{Path: path}).Backup(t.Context(), io.Discard); err == nil {
		t.Error("half an archive is taken for one")
	}
	a.Backups = parts{broken: errors.New("no room")}
	if err := errors.Join(s.Close(), <-done); err != nil {
		t.Error(err)
	}
}

type half struct{}

func (half) Backup(_ context.Context, w io.Writer) error {
	_, _ = w.Write(make([]byte, 4096))
	return errors.New("no room")
}
