package control

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/acme"
)

// Certifier looks after the server's certificates. A [Controller] may be one.
type Certifier interface {
	// Certificates lists what is served and what is wanted (GET /v1/certificates).
	Certificates() []acme.Certificate
	// Renew orders a new certificate for a name that is listed, and returns it once it
	// is served (POST /v1/certificates/{name}/renew). It ends with ctx. After an error
	// the certificate before is still in use.
	Renew(ctx context.Context, name string) (acme.Certificate, error)
	// Authority returns the certificate of the development authority, PEM (GET
	// /v1/authority).
	Authority() (Authority, error)
}

// Authority is the server's own authority, without its key.
type Authority struct {
	PEM string `json:"pem"`
}

// MaxRenewal is how long a renewal takes at most: an authority answers within seconds,
// and name servers may need a minute or two to show a record.
const MaxRenewal = 5 * time.Minute

// certificateRoutes adds the paths that [Certifier] names.
func certificateRoutes(mux *router, c Certifier) {
	mux.HandleFunc("GET /v1/certificates", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, whole(c.Certificates()))
	})
	mux.HandleFunc("POST /v1/certificates/{name}/renew", func(w http.ResponseWriter, r *http.Request) {
		patient(w)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(MaxRenewal + time.Minute))
		ctx, cancel := context.WithTimeout(r.Context(), MaxRenewal)
		defer cancel()
		now, err := c.Renew(ctx, r.PathValue("name"))
		conclude(w, now, err)
	})
	mux.HandleFunc("GET /v1/authority", func(w http.ResponseWriter, _ *http.Request) {
		a, err := c.Authority()
		conclude(w, a, err)
	})
}

// certificatePath is the path of what is done with a certificate. A dot is escaped
// where it would stand for a directory.
func certificatePath(name, what string) string {
	segment := url.PathEscape(name)
	if segment == "." || segment == ".." {
		segment = strings.ReplaceAll(segment, ".", "%2E")
	}
	return "/v1/certificates/" + segment + "/" + what
}

// Certificates asks for GET /v1/certificates.
func (c Client) Certificates(ctx context.Context) ([]acme.Certificate, error) {
	var list []acme.Certificate
	err := c.do(ctx, http.MethodGet, "/v1/certificates", nil, &list)
	return list, err
}

// Renew has the server order a new certificate for a name, and returns it. It takes up
// to [MaxRenewal].
func (c Client) Renew(ctx context.Context, name string) (acme.Certificate, error) {
	var now acme.Certificate
	err := c.do(ctx, http.MethodPost, certificatePath(name, "renew"), nil, &now)
	return now, err
}

// Authority asks for the certificate of the development authority.
func (c Client) Authority(ctx context.Context) (Authority, error) {
	var a Authority
	err := c.do(ctx, http.MethodGet, "/v1/authority", nil, &a)
	return a, err
}

// CertState says in a word how a certificate stands.
type CertState string

// The states, each worse than the one before.
const (
	CertOK      CertState = "ok"
	CertDue     CertState = "due"           // to be renewed by now; files: put new ones in place
	CertFailing CertState = "failing"       // the last order, or look at changed files, came to nothing
	CertEarly   CertState = "not valid yet" // clients refuse it
	CertNone    CertState = "none yet"      // clients of the name cannot use TLS
	CertExpired CertState = "expired"       // clients refuse it
)

// CertStates returns all states, the best first.
func CertStates() []CertState {
	return []CertState{CertOK, CertDue, CertFailing, CertEarly, CertNone, CertExpired}
}

// rank is the greater the worse a state is.
func (s CertState) rank() int {
	for i, other := range CertStates() {
		if s == other {
			return i
		}
	}
	return 0
}

// fileMargin is how long before their end certificate files are due, if they live long:
// that is when the log begins to warn of them. Nothing says when their authority would
// renew them.
const fileMargin = 14 * 24 * time.Hour

// StateOf returns the worst state that holds for a certificate at a time.
func StateOf(c *acme.Certificate, now time.Time) CertState {
	due := c.Renew
	if due.IsZero() && !c.NotAfter.IsZero() {
		due = c.NotAfter.Add(-min(fileMargin, c.NotAfter.Sub(c.NotBefore)/3))
	}
	switch {
	case c.NotAfter.IsZero():
		return CertNone
	case now.After(c.NotAfter):
		return CertExpired
	case now.Before(c.NotBefore):
		return CertEarly
	case c.Failures > 0 || c.Failed != "":
		return CertFailing
	case !now.Before(due):
		return CertDue
	}
	return CertOK
}

// CertSummary is what [Status] says of all certificates together.
type CertSummary struct {
	Count     int       `json:"count"`
	State     CertState `json:"state"` // the worst of all
	Name      string    `json:"name"`  // of the first certificate in that state
	Worst     int       `json:"worst"` // how many are in that state
	Renew     time.Time `json:"renew,omitzero"`
	RenewName string    `json:"renew_name,omitempty"` // of the certificate that is to be ordered next, at Renew
}

// summarize sums certificates up; of none it is nil.
func summarize(list []acme.Certificate, now time.Time) *CertSummary {
	if len(list) == 0 {
		return nil
	}
	s := &CertSummary{Count: len(list), State: CertOK}
	for i := range list {
		c := &list[i]
		state := StateOf(c, now)
		switch d := cmp.Compare(state.rank(), s.State.rank()); {
		case d > 0 || s.Worst == 0 && d == 0:
			s.State, s.Name, s.Worst = state, c.Name, 1
		case d == 0:
			s.Worst++
		}
		next := c.Renew
		if c.Next.After(next) {
			next = c.Next
		}
		if !next.IsZero() && (s.Renew.IsZero() || next.Before(s.Renew)) {
			s.Renew, s.RenewName = next, c.Name
		}
	}
	return s
}
