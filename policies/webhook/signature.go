package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/eventlog"
)

// The fields of a request that a receiver looks at.
const (
	// HeaderID has the identity of the event: the same at each attempt.
	HeaderID = "Idempotency-Key"
	// HeaderTime has the second of the attempt, since 1970.
	HeaderTime = "Edgeftp-Timestamp"
	// HeaderSignature has what Sign returns. It is missing without a secret.
	HeaderSignature = "Edgeftp-Signature"
)

// scheme stands before a signature, so that there may be others one day.
const scheme = "v1="

// Sign returns the signature of a request: "v1=" and in hex the HMAC-SHA256 (RFC 2104,
// FIPS 180-4), under the secret, of the timestamp as its field has it, a dot, and the body.
func Sign(secret, timestamp string, body []byte) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(timestamp + "."))
	m.Write(body)
	return scheme + hex.EncodeToString(m.Sum(nil))
}

// The reasons of [Verify].
var (
	ErrSignature = errors.New("the signature is not that of the body and the timestamp")
	ErrTime      = errors.New("the timestamp is too far from now")
)

// Verify is for receivers: whether a signature is that of a body, and its timestamp not
// further from now than within. The error is [ErrSignature] or [ErrTime].
func Verify(secret, timestamp, signature string, body []byte, now time.Time, within time.Duration) error {
	if !hmac.Equal([]byte(Sign(secret, timestamp, body)), []byte(signature)) {
		return ErrSignature
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > within {
		return ErrTime
	}
	return nil
}

// ID is the identity of an event of an instance: it is made of what the event says, so
// that it is the same after a restart, and for every receiver.
func ID(instance string, e *policy.Event) string {
	s := e.Session
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %d %d %d %q %q %q %q %q %q %d %d %d %q %d", instance, e.Time.UnixNano(), e.Kind, s.ID, e.Request,
		s.User, s.Peer.String(), s.Listener, e.Path, e.Path2, e.Text, e.Op, e.Size, e.Code, e.Policy, e.Generation))
	return hex.EncodeToString(sum[:16])
}

// body is an event as it is posted: the object of the event log, with an identity and the
// name of the instance before the rest.
func body(id, instance string, e *policy.Event) ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, `{"id":%q,`, id)
	if instance != "" {
		name, err := json.Marshal(instance)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, `"instance":%s,`, name)
	}
	r := eventlog.RecordOf(e)
	line, err := r.AppendTo(nil)
	if err != nil {
		return nil, err
	}
	return append([]byte(b.String()), line[1:]...), nil
}
