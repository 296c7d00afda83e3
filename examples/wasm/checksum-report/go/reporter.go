package main

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fetch"
	"github.com/edgeftp/edgeftp/guest-sdk/go/kv"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
)

// reporter computes the sum where the bytes are at hand, at the commit of an upload,
// and reports it when the upload is visible, which may be told later, to another
// instance, and after a restart.
type reporter struct {
	url, token string
	timeout    time.Duration
	sums       policy.KV
}

func newReporter() *reporter { return &reporter{sums: kv.Open()} }

// Configure takes the settings.
func (r *reporter) Configure(s *settings.Settings) {
	if r.url = s.String("url", ""); r.url == "" {
		s.Refuse("url", "is needed")
	}
	r.token = s.String("token", "")
	r.timeout = time.Duration(s.Int("timeout_ms", 2000)) * time.Millisecond
	if r.timeout < time.Millisecond || r.timeout > 10*time.Second {
		s.Refuse("timeout_ms", "must be 1 to 10000")
	}
}

// keep is for how long a sum waits for its event: longer than any outage of the other
// server that should be survived.
const keep = 30 * 24 * time.Hour

// key is what the last question about an upload and its event have in common: the
// number of the command within its session. Numbers of sessions come again after a
// restart, a client's port beside them hardly ever.
func key(m *policy.Meta) string {
	return "sum:" + m.Session.Peer.String() + "/" + strconv.FormatUint(m.Session.ID, 10) + "/" + strconv.FormatUint(m.Request, 10)
}

// Authorize computes the sum of an upload before it becomes visible. It refuses
// nothing: an upload without a sum is reported without one.
func (r *reporter) Authorize(ctx context.Context, a *policy.Action) (policy.Answer, error) {
	if a.Op != policy.OpCommit {
		return policy.Answer{}, nil
	}
	sum, err := policy.ServicesOf(ctx).Digest(ctx, "SHA-256")
	if err == nil {
		err = r.sums.Set(key(&a.Meta), sum, keep)
	}
	if err != nil {
		edgeftp.Log(edgeftp.Warn, "no sum of "+a.Path+": "+err.Error())
	}
	return policy.Answer{}, nil
}

// Observe reports. An error has the event told again, if the operator keeps events
// (events: durable); the sum stays until it was taken.
func (r *reporter) Observe(_ context.Context, e *policy.Event) error {
	if e.Kind != policy.EventFileReceived || e.Shadow { // of two on trial one reports
		return nil
	}
	k := key(&e.Meta)
	sum, ok := r.sums.Get(k)
	if !ok {
		edgeftp.Log(edgeftp.Warn, "reporting "+e.Path+" without its sum: it is not kept any more")
	}
	q := &fetch.Request{Method: "POST", URL: r.url, Body: report(e, sum), Timeout: r.timeout,
		Header: []fetch.Field{{Name: "Content-Type", Value: "application/json"}}}
	if r.token != "" {
		q.Header = append(q.Header, fetch.Field{Name: "Authorization", Value: "Bearer " + r.token})
	}
	answer, err := fetch.Do(q, 0)
	switch {
	case err != nil:
		return errors.New("reporting " + e.Path + ": " + err.Error())
	case answer.Status < 200 || answer.Status > 299:
		return errors.New("reporting " + e.Path + ": the other server answers " + strconv.Itoa(answer.Status))
	}
	return r.sums.Set(k, nil, 0)
}

// report is the body of a report.
func report(e *policy.Event, sum []byte) []byte {
	digest := "null"
	if sum != nil {
		digest = `"` + hex.EncodeToString(sum) + `"`
	}
	return []byte(`{"path":` + quote(e.Path) + `,"size":` + strconv.FormatInt(e.Size, 10) + `,"sha256":` + digest +
		`,"user":` + quote(e.Session.User) + `,"time":` + quote(e.Time.Format(time.RFC3339Nano)) + "}")
}

// quote writes s as a JSON string (RFC 8259 §7); bytes that are not UTF-8 become U+FFFD.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range strings.ToValidUTF8(s, "\ufffd") {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < 0x20:
			b.WriteString(`\u00` + hex.EncodeToString([]byte{byte(c)}))
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
