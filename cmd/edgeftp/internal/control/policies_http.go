package control

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Headers of a module that is sent as it is.
const (
	signatureHeader = "Edgeftp-Signature" // base64
	sourceHeader    = "Edgeftp-Source"    // as in a URL's path
)

// maxSwap bounds the JSON of several modules.
const maxSwap = 96 << 20

// policyRoutes adds the paths that [Policies] names.
func policyRoutes(mux *router, p Policies) {
	mux.HandleFunc("POST /v1/policies/{name}/swap", func(w http.ResponseWriter, r *http.Request) {
		s, ok := readSwap(w, r)
		if !ok {
			return
		}
		list, err := p.Swap(r.Context(), s)
		if err == nil && len(list) > 0 {
			answer(w, http.StatusOK, list[0])
			return
		}
		conclude(w, nil, err)
	})
	mux.HandleFunc("POST /v1/policies/swap", func(w http.ResponseWriter, r *http.Request) {
		var s Swap
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSwap)).Decode(&s); err != nil {
			refuse(w, http.StatusBadRequest, &Refusal{Code: CodeNotWhole, Message: fmt.Sprintf("those are no modules: %v", err)})
			return
		}
		names := ""
		for _, m := range s.Modules {
			names += " " + m.Name
			if !checkModule(w, m.Module) {
				return
			}
		}
		About(r, names)
		patient(w)
		list, err := p.Swap(r.Context(), s)
		conclude(w, whole(list), err)
	})
	mux.HandleFunc("POST /v1/policies/{name}/promote", func(w http.ResponseWriter, r *http.Request) {
		now, err := p.Promote(r.Context(), r.PathValue("name"))
		conclude(w, now, err)
	})
	mux.HandleFunc("POST /v1/policies/{name}/rollback", func(w http.ResponseWriter, r *http.Request) {
		now, err := p.Rollback(r.Context(), r.PathValue("name"), r.URL.Query().Get("to"))
		conclude(w, now, err)
	})
	mux.HandleFunc("GET /v1/policies/{name}/history", func(w http.ResponseWriter, r *http.Request) {
		list, err := p.History(r.PathValue("name"))
		conclude(w, whole(list), err)
	})
	mux.HandleFunc("GET /v1/policies/{name}/differences", func(w http.ResponseWriter, r *http.Request) {
		list, err := p.Differences(r.PathValue("name"))
		conclude(w, whole(list), err)
	})
}

// query writes what a swap says beside its module.
func (s *Swap) query() url.Values {
	q := url.Values{}
	if s.Canary != 0 {
		q.Set("canary", strconv.Itoa(s.Canary))
	}
	if s.For != 0 {
		q.Set("for", s.For.String())
	}
	for name, on := range map[string]bool{"shadow": s.Shadow, "now": s.Now, "allow_downgrade": s.Downgrade} {
		if on {
			q.Set(name, "true")
		}
	}
	return q
}

// readQuery is the reverse of query.
func (s *Swap) readQuery(q url.Values) (err error) {
	for name := range q {
		value := q.Get(name)
		switch name {
		case "canary":
			s.Canary, err = strconv.Atoi(value)
		case "for":
			s.For, err = time.ParseDuration(value)
		case "shadow":
			s.Shadow, err = strconv.ParseBool(value)
		case "now":
			s.Now, err = strconv.ParseBool(value)
		case "allow_downgrade":
			s.Downgrade, err = strconv.ParseBool(value)
		default:
			err = errors.New("no such word")
		}
		if err != nil {
			return fmt.Errorf("%.100q=%.100q is not understood", name, value)
		}
	}
	return nil
}

// readSwap returns the swap of one module that a request carries, or answers why
// not.
func readSwap(w http.ResponseWriter, r *http.Request) (s Swap, ok bool) {
	if err := s.readQuery(r.URL.Query()); err != nil {
		refuse(w, http.StatusBadRequest, &Refusal{Code: CodeTrial, Message: err.Error()})
		return s, false
	}
	m := Module{Name: r.PathValue("name")}
	if m.Module, ok = readModule(w, r); !ok {
		return s, false
	}
	var err error
	if m.Signature, err = base64.StdEncoding.DecodeString(r.Header.Get(signatureHeader)); err != nil {
		refuse(w, http.StatusBadRequest, &Refusal{Code: CodeNoSignature, Message: "the header " + signatureHeader + " is not base64"})
		return s, false
	}
	if m.Source, err = url.PathUnescape(r.Header.Get(sourceHeader)); err != nil {
		m.Source = ""
	}
	s.Modules = []Module{m}
	return s, true
}

// patient lifts the limit on reading once a request has been read: compiling may
// take longer, and a read that timed out meanwhile would look as if the caller had
// gone.
func patient(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
}

// readModule returns the module that a request carries, or answers why not.
func readModule(w http.ResponseWriter, r *http.Request) (module []byte, ok bool) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != moduleType {
		refuse(w, http.StatusUnsupportedMediaType, &Refusal{Code: CodeNoModule,
			Message: fmt.Sprintf("the body is %.100q, not %s", r.Header.Get("Content-Type"), moduleType)})
		return nil, false
	}
	module, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxModule+1))
	if err != nil && len(module) <= maxModule {
		refuse(w, http.StatusBadRequest, &Refusal{Code: CodeNotWhole, Message: "the module was not sent whole"})
		return nil, false
	}
	if !checkModule(w, module) {
		return nil, false
	}
	patient(w)
	return module, true
}

// checkModule answers why a module cannot be one, by its length.
func checkModule(w http.ResponseWriter, module []byte) bool {
	switch {
	case len(module) > maxModule:
		refuse(w, http.StatusRequestEntityTooLarge, &Refusal{Code: CodeTooMuch,
			Message: fmt.Sprintf("the module is larger than %d MiB", maxModule>>20), Help: "build it without debugging information"})
	case len(module) == 0:
		refuse(w, http.StatusBadRequest, &Refusal{Code: CodeEmpty, Message: "the module is empty", Help: "build it again, or name another file; nothing has changed"})
	default:
		return true
	}
	return false
}
