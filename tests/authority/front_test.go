package authority

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// Pebble answers one request at a time: beside each other, some of them wait for ever.
func TestOneAtATime(t *testing.T) {
	var inside, beside atomic.Int32
	f := newFront(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if inside.Add(1) > 1 {
			beside.Add(1)
		}
		for range 100 {
			runtime.Gosched()
		}
		inside.Add(-1)
	}), Options{NonceReject: 50})
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			f.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/order-plz", http.NoBody))
		})
	}
	all.Wait()
	if n := beside.Load(); n > 0 {
		t.Errorf("%d requests were answered beside others", n)
	}
}
