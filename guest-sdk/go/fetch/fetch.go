// Package fetch gives a guest HTTP requests, in the stages auth, site, event and
// cert. Importing it makes the module import the function fetch, which needs a capability
// "fetch:HOST" or "fetch:HOST:PORT" in its manifest and a grant (ABI §7, §8).
package fetch

import "github.com/edgeftp/edgeftp/wasmhost/abi"

// Request is one request, Response its answer, and Field one field of a header.
type (
	Request  = abi.FetchRequest
	Response = abi.FetchResponse
	Field    = abi.FetchField
)

// DefaultLimit is the length of a response, in bytes, that a limit of 0 stands for.
const DefaultLimit = 64 << 10

// Do sends the request and returns the whole response, whatever its status is.
// Redirects are not followed. limit bounds the response with its header in bytes: a
// longer one is abi.ErrnoSize, 0 is DefaultLimit, and more than abi.MaxFetchReply is
// that.
//
// It fails with an abi.Errno, or with abi.ErrEncode for a request that cannot be
// sent. Natively the test's guesttest.World answers; where there is none, the
// request is sent, to any host.
func Do(r *Request, limit int) (*Response, error) {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return do(r, min(limit, abi.MaxFetchReply))
}
