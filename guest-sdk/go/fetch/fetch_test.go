package fetch

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// TestDo holds the native form to what a module sees.
func TestDo(t *testing.T) {
	hang := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hang":
			<-hang
		case "/redirect":
			http.Redirect(w, r, "/", http.StatusFound)
		default:
			body, _ := io.ReadAll(r.Body)
			w.Header().Add("X-Two", "a")
			w.Header().Add("X-Two", "b")
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, r.Method+" "+r.Header.Get("X-In")+" "+string(body))
		}
	}))
	defer s.Close()
	defer close(hang)
	got, err := Do(&Request{Method: "POST", URL: s.URL, Header: []Field{{Name: "X-In", Value: "in"}}, Body: []byte("body"), Want: []string{"x-TWO", "none"}}, 0)
	wanted := &Response{Status: 418, Header: []Field{{Name: "x-two", Value: "a"}, {Name: "x-two", Value: "b"}}, Body: []byte("POST in body")}
	if x := cmp.Diff(wanted, got); err != nil || x != "" {
		t.Error(err, x)
	}
	if got, err := Do(&Request{URL: s.URL + "/redirect"}, 0); err != nil || got.Status != 302 {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, c := range map[string]struct {
		r     Request
		limit int
		want  error
	}{
		"too long":      {Request{Method: "POST", URL: s.URL, Body: []byte(strings.Repeat("x", 100))}, 100, abi.ErrnoSize},
		"slow":          {Request{URL: s.URL + "/hang", Timeout: 20 * time.Millisecond}, 0, abi.ErrnoTimeout},
		"nobody there":  {Request{URL: "http://127.0.0.1:1/"}, 0, abi.ErrnoIO},
		"not absolute":  {Request{URL: "/a"}, 0, abi.ErrnoInvalid},
		"cannot be one": {Request{URL: s.URL, Method: "TRACE"}, 0, abi.ErrEncode},
	} {
		if got, err := Do(&c.r, c.limit); !errors.Is(err, c.want) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}
