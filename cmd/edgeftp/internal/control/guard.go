package control

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"unicode"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/audit"
)

// reasonHeader is the header of a request that says why it is made, for the audit log.
const reasonHeader = "X-Reason"

// maxReason is how many bytes a reason may have.
const maxReason = 500

// guard lets those do something who may, and writes down what they did.
type guard struct {
	routes *router
	serve  http.Handler // of routes
	access *Access
	own    int
	who    func(w http.ResponseWriter, r *http.Request) (c caller, ok bool) // or answers why not
}

// ServeHTTP answers one request.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who, ok := g.who(w, r)
	if !ok {
		return
	}
	row, ok := g.routes.find(r)
	rec := audit.Record{Actor: who.Actor, Action: row.Method + " " + row.Pattern, Object: object(r, row), Reason: reason(r)}
	switch {
	case !ok: // nobody gets where the table does not lead
		rec.Code = CodeNobody
		g.refused(w, http.StatusForbidden, rec, &Refusal{Code: rec.Code, Message: "nobody may do that: the server has no rule about it"})
		return
	case who.role < row.Role:
		rec.Code = CodeRole
		g.refused(w, http.StatusForbidden, rec, noRight(&who, row))
		return
	case strings.ContainsFunc(rec.Reason, unicode.IsControl) || len(rec.Reason) > maxReason:
		refuse(w, http.StatusBadRequest, &Refusal{Code: CodeReason, Message: "the reason is not one line of at most 500 bytes", Help: "say it in fewer words"})
		return
	case !row.recorded():
		g.serve.ServeHTTP(w, r)
		return
	}
	if g.access.Away != nil {
		if err := g.access.Away(); err != nil {
			conclude(w, nil, err)
			return
		}
	}
	if g.access.Audit != nil && row.Role == Admin {
		if err := g.access.Audit.Ready(); err != nil {
			refuse(w, http.StatusServiceUnavailable, &Refusal{Code: CodeAuditFull, Message: "the audit log cannot be written, so nothing is changed: " + err.Error(),
				Help: "make room on the disk of the state directory; what an operator may do works meanwhile, and is in the server's log"})
			return
		}
	}
	g.act(w, r, rec)
}

// act makes the change and records what came of it.
func (g *guard) act(w http.ResponseWriter, r *http.Request, rec audit.Record) {
	note := &remark{}
	out := &watched{ResponseWriter: w}
	rec.Result = audit.Failed // should the handler not come back
	defer func() {
		if g.access.Audit != nil {
			rec.Object = strings.TrimSpace(rec.Object + " " + note.about)
			rec.Code = out.code
			_ = g.access.Audit.Append(rec) // if not there, it is in the server's log
		}
		if note.after != nil {
			note.after()
		}
	}()
	g.serve.ServeHTTP(out, r.WithContext(context.WithValue(r.Context(), remarkKey{}, note)))
	if out.status < http.StatusBadRequest {
		rec.Result = audit.OK
	}
}

// refused answers and records a refusal.
func (g *guard) refused(w http.ResponseWriter, status int, rec audit.Record, why *Refusal) {
	if g.access.Audit != nil {
		g.access.Audit.Refuse(rec)
	}
	refuse(w, status, why)
}

// remark is what a handler says of its request, for the audit log.
type remark struct {
	about string
	after func() // nil: nothing is to be done when the request was recorded
}

type remarkKey struct{}

// About says what a request is about where its path does not: the network that is banned,
// the user whose limit is changed. It goes into the audit log: never hand a secret over.
func About(r *http.Request, what string) {
	if n, ok := r.Context().Value(remarkKey{}).(*remark); ok {
		n.about = what
	}
}

// object is what a request is about: its path, and those of its query's values that the
// route names.
func object(r *http.Request, row *Route) string {
	text := r.URL.Path
	for _, name := range row.Query {
		if v := r.URL.Query().Get(name); v != "" {
			text += " " + name + "=" + v
		}
	}
	return text
}

func reason(r *http.Request) string { return r.Header.Get(reasonHeader) }

// watched sees what was answered.
type watched struct {
	http.ResponseWriter
	status int
	code   string // of the refusal
}

// WriteHeader implements http.ResponseWriter.
func (w *watched) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController do its work.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// refuse answers {"error": {code, message, help}}.
func refuse(w http.ResponseWriter, status int, r *Refusal) {
	if seen, ok := w.(*watched); ok {
		seen.code = r.Code
	}
	answer(w, status, map[string]any{"error": r})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // nobody is left to tell if the caller has gone
}
