package control

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/audit"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/sandbox"
	"github.com/edgeftp/edgeftp/policies/eventlog"
)

// Route is a row of the table of all that can be asked. What it says is what is guarded,
// and what openapi.json tells.
type Route struct {
	Method, Pattern string
	Role            Role   // that it takes
	Summary         string // in one line
	Request         any    // a value of the body's type; nil is no body
	Body            string // media type of a body that is not JSON
	Response        any    // a value of the answer's type; nil is {}
	Answer          string // media type of an answer that is not JSON
	Query           []string
	Optional        bool // there may be no body
	Also            int  // a status beside 200 that has the same answer
	Recorded        bool // in the audit log, though it changes nothing
}

// recorded reports whether requests go into the audit log.
func (r *Route) recorded() bool { return r.Recorded || r.Method != http.MethodGet }

// Routes returns the table. Whoever adds a path adds its row: a path without one is
// refused when the server starts.
func Routes() []Route {
	return slices.Concat(serverRoutes(), policyTable(), userTable(), configTable(), houseTable())
}

func serverRoutes() []Route {
	return []Route{
		{Method: "GET", Pattern: "/v1/status", Role: Viewer, Summary: "What the server is doing", Response: Status{}},
		{Method: "GET", Pattern: "/v1/sandbox", Role: Viewer, Summary: "What the process is shut off from", Response: sandbox.State{}},
		{Method: "GET", Pattern: "/v1/bandwidth", Role: Viewer, Summary: "The limits on rates that are in force", Response: Bandwidth{}},
		{Method: "PUT", Pattern: "/v1/bandwidth", Role: Operator, Summary: "Change a limit; running transfers follow at once", Request: Limit{}, Response: Bandwidth{}},
		{Method: "GET", Pattern: "/v1/sessions", Role: Viewer, Summary: "The sessions", Response: []Session{}, Query: []string{"user", "listener", "address"}},
		{Method: "DELETE", Pattern: "/v1/sessions", Role: Operator, Summary: "End the sessions of a user or of a network", Response: Kicked{}, Query: []string{"user", "address", "reason"}},
		{Method: "GET", Pattern: "/v1/sessions/{id}", Role: Viewer, Summary: "One session", Response: Session{}},
		{Method: "DELETE", Pattern: "/v1/sessions/{id}", Role: Operator, Summary: "End a session", Response: Kicked{}, Query: []string{"reason"}},
		{Method: "PATCH", Pattern: "/v1/sessions/{id}", Role: Operator, Summary: "Limit a session's rates; its transfers follow at once", Request: LiveLimit{}, Response: Session{}},
		{Method: "GET", Pattern: "/v1/transfers", Role: Viewer, Summary: "The transfers that run", Response: []Transfer{}},
		{Method: "DELETE", Pattern: "/v1/transfers/{id}", Role: Operator, Summary: "End a transfer; its session goes on"},
		{Method: "PATCH", Pattern: "/v1/transfers/{id}", Role: Operator, Summary: "Limit a transfer's rate; it follows at once", Request: LiveLimit{}},
		{Method: "GET", Pattern: "/v1/bans", Role: Viewer, Summary: "Who is banned and who is watched", Response: Defence{}},
		{Method: "POST", Pattern: "/v1/bans", Role: Operator, Summary: "Turn a network away", Request: NewBan{}, Response: Ban{}},
		{Method: "DELETE", Pattern: "/v1/bans", Role: Operator, Summary: "Take a ban back", Response: Defence{}, Query: []string{"who"}},
		{Method: "GET", Pattern: "/v1/certificates", Role: Viewer, Summary: "Certificates that are served and wanted", Response: []acme.Certificate{}},
		{Method: "POST", Pattern: "/v1/certificates/{name}/renew", Role: Admin, Summary: "Order a new certificate now", Response: acme.Certificate{}},
		{Method: "GET", Pattern: "/v1/authority", Role: Viewer, Summary: "The certificate of the development authority", Response: Authority{}},
	}
}

func policyTable() []Route {
	return []Route{
		{Method: "GET", Pattern: "/v1/policies", Role: Viewer, Summary: "The policies in the order in which they are asked", Response: []Policy{}},
		{Method: "POST", Pattern: "/v1/policies/swap", Role: Admin, Summary: "Put modules in the place of policies, all or none", Request: Swap{}, Response: []Policy{}},
		{Method: "POST", Pattern: "/v1/policies/{name}/swap", Role: Admin, Summary: "Put a module in the place of a policy", Body: moduleType, Response: Policy{},
			Query: []string{"canary", "for", "shadow", "now", "allow_downgrade"}},
		{Method: "POST", Pattern: "/v1/policies/{name}/promote", Role: Admin, Summary: "Put the candidate in force for all", Response: Policy{}},
		{Method: "POST", Pattern: "/v1/policies/{name}/rollback", Role: Admin, Summary: "End a trial, or bring an earlier module back", Response: Policy{}, Query: []string{"to"}},
		{Method: "GET", Pattern: "/v1/policies/{name}/history", Role: Viewer, Summary: "The modules that the slot took, the newest first", Response: []Accepted{}},
		{Method: "GET", Pattern: "/v1/policies/{name}/differences", Role: Viewer, Summary: "What the shadow answered otherwise", Response: []Difference{}},
		{Method: "GET", Pattern: "/v1/policies/{name}/record", Role: Admin, Summary: "Record what the policy is asked", Answer: recordingType, Recorded: true,
			Query: []string{"for", "max", "sample", "names", "hook", "op", "under", "keep"}},
	}
}

// userTable are the paths of users. Hashes of passwords are never shown.
func userTable() []Route {
	return []Route{
		{Method: "GET", Pattern: "/v1/users", Role: Admin, Summary: "The users of every source", Response: []User{}},
		{Method: "POST", Pattern: "/v1/users", Role: Admin, Summary: "Add users to the store, all or none", Request: NewUsers{}, Response: []User{}},
		{Method: "GET", Pattern: "/v1/users/{name}", Role: Admin, Summary: "One user, and what he has used of his quota", Response: User{}},
		{Method: "PATCH", Pattern: "/v1/users/{name}", Role: Admin, Summary: "Change a user of the store", Request: UserChange{}, Response: User{}},
		{Method: "POST", Pattern: "/v1/users/{name}/password", Role: Admin, Summary: "Give a user of the store another password, by its hash", Request: NewPassword{}, Response: User{}},
		{Method: "DELETE", Pattern: "/v1/users/{name}", Role: Admin, Summary: "Remove a user from the store, and end his sessions", Response: User{}},
	}
}

// configTable are the paths of the configuration. Its text may hold hashes of passwords.
func configTable() []Route {
	return []Route{
		{Method: "GET", Pattern: "/v1/config", Role: Admin, Summary: "The configuration that is in force", Response: RunningConfig{}},
		{Method: "POST", Pattern: "/v1/config/validate", Role: Admin, Summary: "What applying a configuration would do", Body: configType, Optional: true, Response: ConfigResult{}},
		{Method: "POST", Pattern: "/v1/config/apply", Role: Admin, Summary: "Put a configuration in force, or without a body the server's own file", Body: configType, Optional: true, Response: ConfigResult{}},
		{Method: "GET", Pattern: "/v1/config/history", Role: Viewer, Summary: "What was in force, the newest first", Response: []ConfigEntry{}},
		{Method: "POST", Pattern: "/v1/config/rollback", Role: Admin, Summary: "Put an earlier configuration in force again", Response: ConfigResult{}, Query: []string{"to"}},
	}
}

// houseTable are the paths of the API itself.
func houseTable() []Route {
	return []Route{
		{Method: "GET", Pattern: "/v1/healthz", Role: Viewer, Summary: "The process answers"},
		{Method: "GET", Pattern: "/v1/readyz", Role: Viewer, Summary: "Whether each part of the server is ready; 503 if one is not", Response: Readiness{}, Also: 503},
		{Method: "GET", Pattern: "/v1/openapi.json", Role: Viewer, Summary: "This description", Response: map[string]any{}},
		{Method: "GET", Pattern: "/v1/events", Role: Viewer, Summary: "What happens, as server-sent events; those of a slow reader are lost, and counted", Response: eventlog.Record{}, Answer: eventsType,
			Query: []string{"kind", "user", "session"}},
		{Method: "GET", Pattern: "/v1/webhooks", Role: Viewer, Summary: "The webhooks, what waits for them, and what went wrong last", Response: []Webhook{}},
		{Method: "POST", Pattern: "/v1/webhooks/test", Role: Operator, Summary: "Send a test event to the webhooks, or to one", Response: []WebhookTrial{}, Query: []string{"name"}},
		{Method: "GET", Pattern: "/v1/logs", Role: Viewer, Summary: "The logs, and how many lines they have lost", Response: []LogFile{}},
		{Method: "POST", Pattern: "/v1/logs/reopen", Role: Operator, Summary: "Open every log again under its name", Response: []LogFile{}},
		{Method: "GET", Pattern: "/v1/logs/levels", Role: Viewer, Summary: "What is logged", Response: Levels{}},
		{Method: "PUT", Pattern: "/v1/logs/levels", Role: Operator, Summary: "Change what is logged, for a while or until the server ends", Request: LevelChange{}, Response: Levels{}},
		{Method: "POST", Pattern: "/v1/drain", Role: Operator, Summary: "Let no new session begin, and stop when the last one has ended or the limit is over", Request: Drain{}, Optional: true, Response: DrainState{}},
		{Method: "DELETE", Pattern: "/v1/drain", Role: Operator, Summary: "Let sessions begin again", Response: DrainState{}},
		{Method: "POST", Pattern: "/v1/upgrade", Role: Admin, Summary: "Give the server's place to the process that asks, over the socket alone: 101, and a protocol of edgeftp's own"},
		{Method: "POST", Pattern: "/v1/backup", Role: Admin, Summary: "An archive of all that the server is", Answer: backupType},
		{Method: "GET", Pattern: "/v1/debug/pprof/{profile}", Role: Admin, Summary: "A profile of the process; with admin.debug alone", Answer: "application/octet-stream", Recorded: true, Query: []string{"seconds", "debug"}},
		{Method: "GET", Pattern: "/v1/audit", Role: Admin, Summary: "The newest records of the audit log, the oldest first", Response: []audit.Record{}, Query: []string{"since", "limit"}},
	}
}

// router is a mux that knows the rows of its patterns.
type router struct {
	mux     *http.ServeMux
	rows    map[string]*Route // by pattern
	there   map[string]bool   // those that were added
	unknown []string          // patterns without a row
}

func newRouter() *router {
	r := &router{mux: http.NewServeMux(), rows: map[string]*Route{}, there: map[string]bool{}}
	table := Routes()
	for i := range table {
		r.rows[table[i].Method+" "+table[i].Pattern] = &table[i]
	}
	return r
}

// HandleFunc adds a path, as http.ServeMux does. The pattern has a method.
func (r *router) HandleFunc(pattern string, f func(http.ResponseWriter, *http.Request)) {
	r.there[pattern] = true
	if r.rows[pattern] == nil {
		r.unknown = append(r.unknown, pattern)
	}
	r.mux.HandleFunc(pattern, f)
}

// find returns the row of a request. What is not there at all has one, so that it can be
// told to those who may look.
func (r *router) find(req *http.Request) (*Route, bool) {
	_, pattern := r.mux.Handler(req)
	if pattern == "/" || pattern == "" {
		return &Route{Method: http.MethodGet, Pattern: "/", Role: Viewer}, true
	}
	if row := r.rows[pattern]; row != nil {
		return row, true
	}
	return &Route{Method: req.Method, Pattern: pattern}, false
}

// check refuses paths that nobody has said anything about.
func (r *router) check() error {
	if len(r.unknown) == 0 {
		return nil
	}
	return fmt.Errorf("the table of the admin API has no row for %q: who may do that is not known", r.unknown)
}
