package providers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// signature signs requests to Amazon's services ("AWS Signature Version 4" in their
// documentation): of the host, the time, the address and the body.
type signature struct{ key, secret, region, service string }

// sign adds the headers X-Amz-Date and Authorization. The query of the request has to be
// in the order of its keys, as Encode of url.Values writes it; its spaces become %20.
func (s signature) sign(req *http.Request, body []byte, now time.Time) {
	now = now.UTC()
	date, stamp := now.Format("20060102"), now.Format("20060102T150405Z")
	req.Header.Set("X-Amz-Date", stamp)

	req.URL.RawQuery = strings.ReplaceAll(req.URL.RawQuery, "+", "%20")
	const names = "host;x-amz-date"
	path := req.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	request := strings.Join([]string{
		req.Method, path,
		req.URL.RawQuery,
		"host:" + req.URL.Host, "x-amz-date:" + stamp, "",
		names, digest(body),
	}, "\n")

	scope := strings.Join([]string{date, s.region, s.service, "aws4_request"}, "/")
	text := strings.Join([]string{"AWS4-HMAC-SHA256", stamp, scope, digest([]byte(request))}, "\n")
	key := []byte("AWS4" + s.secret)
	for _, part := range []string{date, s.region, s.service, "aws4_request"} {
		key = code(key, part)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.key+"/"+scope+
		", SignedHeaders="+names+", Signature="+hex.EncodeToString(code(key, text)))
}

func code(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
