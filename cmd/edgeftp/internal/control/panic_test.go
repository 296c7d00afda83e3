package control

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// clumsy is a controller that makes a mistake.
type clumsy struct {
	Controller
	told []any
}

func (c *clumsy) Status() Status     { panic("a mistake with a secret") }
func (c *clumsy) Policies() Policies { return nil }
func (c *clumsy) Panicked(p any)     { c.told = append(c.told, p) }

// A handler's mistake is answered and told, and the server answers on.
func TestHandlerPanics(t *testing.T) {
	c := &clumsy{}
	h := handler(c)
	for n := 1; n < 3; n++ {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/status", nil))
		if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), CodeFault) || strings.Contains(w.Body.String(), "secret") || len(c.told) != n {
			t.Errorf("%d %s; told %v", w.Code, w.Body, c.told)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/healthz", nil))
	if w.Code != http.StatusOK {
		t.Error(w.Code)
	}
}

// What ends a connection on purpose is no mistake.
func TestRecoveringLetsAborts(t *testing.T) {
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("recovered %v", p)
		}
	}()
	h := Recovering(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), func(p any) { t.Errorf("told %v", p) })
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
}
