package authority

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/letsencrypt/pebble/v2/wfe"
)

// Endpoint is a part of the authority's interface.
type Endpoint string

// The endpoints (RFC 8555 §7.1, RFC 9773 §4.1).
const (
	Directory   Endpoint = "directory"
	NewNonce    Endpoint = "newNonce"
	NewAccount  Endpoint = "newAccount"
	Account     Endpoint = "account"
	KeyChange   Endpoint = "keyChange"
	NewOrder    Endpoint = "newOrder"
	Order       Endpoint = "order"
	Authz       Endpoint = "authorization"
	Challenge   Endpoint = "challenge"
	Finalize    Endpoint = "finalize"
	Certificate Endpoint = "certificate"
	RevokeCert  Endpoint = "revokeCert"
	RenewalInfo Endpoint = "renewalInfo"
	Unknown     Endpoint = "unknown"
)

// endpoint tells what pebble has at a path.
func endpoint(path string) Endpoint {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case strings.TrimPrefix(wfe.DirectoryPath, "/"):
		return Directory
	case "nonce-plz":
		return NewNonce
	case "sign-me-up":
		return NewAccount
	case "my-account":
		return Account
	case "rollover-account-key":
		return KeyChange
	case "order-plz":
		return NewOrder
	case "my-order":
		return Order
	case "authZ":
		return Authz
	case "chalZ":
		return Challenge
	case "finalize-order":
		return Finalize
	case "certZ":
		return Certificate
	case "revoke-cert":
		return RevokeCert
	case "draft-ietf-acme-ari-03":
		return RenewalInfo
	}
	return Unknown
}

// Request is one request that the authority was sent.
type Request struct {
	At       time.Time
	Endpoint Endpoint
	Method   string
	Path     string
	Status   int // of the answer; 0 while there is none, or when it was cut off
	// Of orders: the names, the profile, and the certificate that it replaces (RFC 9773
	// §5).
	Names    []string
	Profile  string
	Replaces string
}

// front stands before pebble: it writes down what is asked, and does the faults.
type front struct {
	next         http.Handler
	nonceReject  int
	renewalRetry time.Duration
	offered      []string // kinds of challenges; nil: all

	turn sync.Mutex // see ask

	mu       sync.Mutex
	requests []*Request
	posts    int
	fault    Fault
	broken   bool
	mended   chan struct{} // closed when the fault of now is gone
}

func newFront(next http.Handler, o Options) *front {
	return &front{
		next: next, nonceReject: o.NonceReject, renewalRetry: o.RenewalRetry, offered: o.Challenges, mended: make(chan struct{}),
	}
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	req := &Request{At: time.Now(), Endpoint: endpoint(r.URL.Path), Method: r.Method, Path: r.URL.Path}
	if req.Endpoint == NewOrder {
		req.order(body)
	}
	fault, mended, reject := f.take(req)
	if fault.Delay > 0 && !f.delay(r, fault.Delay, mended) {
		panic(http.ErrAbortHandler) // cut off: to return would be an empty answer
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	switch {
	case fault.Status != 0:
		fault.refuse(answer)
	case reject:
		f.rejectNonce(answer, r)
	default:
		f.ask(answer, r)
	}
	if fault.Body == HTML {
		answer = page(answer.Code)
	}
	if req.Endpoint == Authz && f.offered != nil && answer.Code == http.StatusOK {
		f.offer(answer)
	}
	if req.Endpoint == RenewalInfo && answer.Code == http.StatusOK && f.renewalRetry > 0 {
		answer.Header().Set("Retry-After", seconds(f.renewalRetry))
	}
	f.mu.Lock()
	req.Status = answer.Code
	f.mu.Unlock()
	send(w, r, answer, fault.Body == Truncated)
}

// ask has pebble answer, one request at a time. A new order holds its store and waits for an
// authorization, and who asks for that one holds it and waits for the store (2.10.3): beside
// each other, with a certificate to be stored meanwhile, they wait for ever.
func (f *front) ask(w http.ResponseWriter, r *http.Request) {
	f.turn.Lock()
	defer f.turn.Unlock()
	f.next.ServeHTTP(w, r)
}

// take writes the request down, and tells the fault that it meets.
func (f *front) take(req *Request) (fault Fault, mended <-chan struct{}, reject bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, req)
	if f.broken && (len(f.fault.At) == 0 || slices.Contains(f.fault.At, req.Endpoint)) {
		fault = f.fault
		if f.fault.Times > 0 {
			f.fault.Times--
			f.broken = f.fault.Times > 0
		}
	}
	if req.Method == http.MethodPost {
		f.posts++
		reject = f.posts*f.nonceReject/100 > (f.posts-1)*f.nonceReject/100
	}
	return fault, f.mended, reject
}

// delay reports whether the request is to be answered after all.
func (f *front) delay(r *http.Request, d time.Duration, mended <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-mended:
	case <-r.Context().Done():
		return false
	}
	return true
}

// rejectNonce refuses a request for its nonce, and gives a new one.
func (f *front) rejectNonce(answer *httptest.ResponseRecorder, r *http.Request) {
	fresh, head := httptest.NewRecorder(), httptest.NewRequest(http.MethodHead, "/nonce-plz", nil)
	head.Header.Set("User-Agent", r.UserAgent())
	f.ask(fresh, head)
	answer.Header().Set("Replay-Nonce", fresh.Header().Get("Replay-Nonce"))
	problem(answer, http.StatusBadRequest, "badNonce", "this nonce is refused although it is good")
}

// offer takes the challenges out of an authorization that are not offered.
func (f *front) offer(answer *httptest.ResponseRecorder) {
	var authz map[string]any
	if json.Unmarshal(answer.Body.Bytes(), &authz) != nil {
		return
	}
	all, _ := authz["challenges"].([]any)
	authz["challenges"] = slices.DeleteFunc(all, func(c any) bool {
		one, _ := c.(map[string]any)
		kind, _ := one["type"].(string)
		return !slices.Contains(f.offered, kind)
	})
	answer.Body.Reset()
	_ = json.NewEncoder(answer.Body).Encode(authz) // to a buffer, which takes everything
}

// order reads what is ordered out of the signed request (RFC 8555 §7.4).
func (r *Request) order(body []byte) {
	var signed struct {
		Payload string `json:"payload"`
	}
	var order struct {
		Identifiers []struct {
			Value string `json:"value"`
		} `json:"identifiers"`
		Profile  string `json:"profile"`
		Replaces string `json:"replaces"`
	}
	if json.Unmarshal(body, &signed) != nil {
		return
	}
	payload, err := base64.RawURLEncoding.DecodeString(signed.Payload)
	if err != nil || json.Unmarshal(payload, &order) != nil {
		return
	}
	for _, id := range order.Identifiers {
		r.Names = append(r.Names, id.Value)
	}
	r.Profile, r.Replaces = order.Profile, order.Replaces
}

// send answers; a truncated answer ends in the middle of its document.
func send(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder, truncated bool) {
	body := answer.Body.Bytes()
	if truncated {
		body = body[:len(body)/2]
	}
	maps.Copy(w.Header(), answer.Header())
	if r.Method != http.MethodHead {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body) // the client may have gone
}

// seconds is a duration as Retry-After has it, rounded up.
func seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}
