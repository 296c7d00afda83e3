package abi

import (
	"encoding/binary"
	"strings"
	"time"
)

// Keys of the entries of a request and a response of the import fetch: u32 key, u32
// length, bytes (ABI §7).
const (
	fetchMethod uint32 = iota + 1
	fetchURL
	fetchHeader
	fetchBody
	fetchTimeout
	fetchWant
)

// FetchField is one field of a header, or what is wanted of one.
type FetchField struct {
	Name, Value string
}

// FetchRequest is one HTTP request of a guest (import fetch). The zero value lacks
// a URL.
type FetchRequest struct {
	Method  string // empty for GET
	URL     string // absolute
	Header  []FetchField
	Body    []byte
	Timeout time.Duration // whole milliseconds count; 0 leaves it to the call's
	Want    []string      // names of the header fields that the response is to show
}

// FetchResponse is the answer to a [FetchRequest].
type FetchResponse struct {
	Status int          // such as 200 (RFC 9110 §15)
	Header []FetchField // those that were wanted, names in lower case
	Body   []byte
}

// AppendFetchRequest appends the bytes of a request to dst. It fails with
// [ErrEncode] for one that [DecodeFetchRequest] would refuse.
func AppendFetchRequest(dst []byte, r *FetchRequest) ([]byte, error) {
	if err := r.check(); err != nil {
		return dst, wrong(ErrEncode, "%s", err)
	}
	if r.Method != "" {
		dst = appendWide(dst, fetchMethod, r.Method)
	}
	dst = appendWide(dst, fetchURL, r.URL)
	dst = appendFields(dst, r.Header)
	for _, name := range r.Want {
		dst = appendWide(dst, fetchWant, name)
	}
	if ms := r.Timeout.Milliseconds(); ms > 0 {
		dst = binary.LittleEndian.AppendUint32(appendWideHead(dst, fetchTimeout, 4), uint32(min(ms, 1<<31-1)))
	}
	if len(r.Body) > 0 {
		dst = append(appendWideHead(dst, fetchBody, len(r.Body)), r.Body...)
	}
	return dst, nil
}

// DecodeFetchRequest reads a guest's request, or fails with [ErrRecord]. Nothing of
// it points into b. The form of the URL beyond its length and characters is for the
// caller to check, and whether its host is granted.
func DecodeFetchRequest(b []byte) (FetchRequest, error) {
	var r FetchRequest
	var seen uint32
	for len(b) > 0 {
		key, value, rest, err := cutWide(b)
		if err != nil {
			return FetchRequest{}, err
		}
		if key > fetchWant {
			return FetchRequest{}, wrong(ErrRecord, "unknown entry %d of a request", key)
		}
		if seen&(1<<key) != 0 && key != fetchHeader && key != fetchWant {
			return FetchRequest{}, wrong(ErrRecord, "entry %d of a request is given twice", key)
		}
		seen |= 1 << key
		if err := r.set(key, value); err != nil {
			return FetchRequest{}, err
		}
		b = rest
	}
	if err := r.check(); err != nil {
		return FetchRequest{}, err
	}
	return r, nil
}

func (r *FetchRequest) set(key uint32, value []byte) error {
	switch key {
	case fetchMethod:
		r.Method = string(value)
		if r.Method == "" {
			return wrong(ErrRecord, "an empty method")
		}
	case fetchURL:
		r.URL = string(value)
	case fetchHeader:
		if len(r.Header) == MaxFetchHeaders || len(value) > MaxFetchHeader {
			return wrong(ErrRecord, "too many or too long header fields")
		}
		name, v, ok := strings.Cut(string(value), "\x00")
		if !ok {
			return wrong(ErrRecord, "a header field without a NUL")
		}
		r.Header = append(r.Header, FetchField{name, v})
	case fetchBody:
		if len(value) > MaxFetchBody {
			return wrong(ErrRecord, "a body of %d bytes", len(value))
		}
		r.Body = append([]byte(nil), value...)
	case fetchTimeout:
		if len(value) != 4 {
			return wrong(ErrRecord, "TIMEOUT_MS has %d bytes, want 4", len(value))
		}
		r.Timeout = time.Duration(binary.LittleEndian.Uint32(value)) * time.Millisecond
	case fetchWant:
		if len(r.Want) == MaxFetchWants {
			return wrong(ErrRecord, "too many wanted header fields")
		}
		r.Want = append(r.Want, string(value))
	default:
		return wrong(ErrRecord, "entry 0 of a request")
	}
	return nil
}

// check is the rule for requests, the same at both ends.
func (r *FetchRequest) check() error {
	switch r.Method {
	case "", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE":
	default:
		return wrong(ErrRecord, "the method is none of GET, HEAD, POST, PUT, PATCH and DELETE")
	}
	switch {
	case r.URL == "" || len(r.URL) > MaxFetchURL || strings.IndexFunc(r.URL, notURL) >= 0:
		return wrong(ErrRecord, "the URL is missing, too long or not in its ASCII form")
	case len(r.Header) > MaxFetchHeaders || len(r.Want) > MaxFetchWants || len(r.Body) > MaxFetchBody:
		return wrong(ErrRecord, "too many header fields, or a body that is too long")
	case r.Timeout < 0:
		return wrong(ErrRecord, "TIMEOUT_MS is negative")
	}
	for _, f := range r.Header {
		if !f.good() || forbidden(f.Name) {
			return wrong(ErrRecord, "a header field that may not be sent")
		}
	}
	for _, name := range r.Want {
		if !token(name) || len(name) > MaxFetchHeader {
			return wrong(ErrRecord, "what is wanted is no name of a header field")
		}
	}
	return nil
}

func notURL(c rune) bool { return c <= ' ' || c >= 0x7f || c == '#' }

// good is the form of a field (RFC 9110 §5.5 and §5.6.2).
func (f FetchField) good() bool {
	if !token(f.Name) || len(f.Name)+1+len(f.Value) > MaxFetchHeader {
		return false
	}
	for i := range len(f.Value) {
		if c := f.Value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func token(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// forbidden are the fields that say where a request ends and to whom it goes, which
// are the host's alone.
func forbidden(name string) bool {
	switch name = strings.ToLower(name); name {
	case "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect":
		return true
	}
	return strings.HasPrefix(name, "proxy-")
}

// AppendFetchResponse appends the bytes of a response to dst. It fails with
// [ErrEncode] for a status or a field that cannot be sent, and for one that is
// longer than MaxFetchReply.
func AppendFetchResponse(dst []byte, r *FetchResponse) ([]byte, error) {
	if r.Status < 100 || r.Status > 999 || len(r.Header) > MaxFetchHeaders {
		return dst, wrong(ErrEncode, "a response with the status %d and %d header fields", r.Status, len(r.Header))
	}
	for _, f := range r.Header {
		if !f.good() {
			return dst, wrong(ErrEncode, "a header field that cannot be shown")
		}
	}
	out := binary.LittleEndian.AppendUint32(dst, uint32(r.Status))
	out = appendFields(out, r.Header)
	out = append(appendWideHead(out, fetchBody, len(r.Body)), r.Body...)
	if len(out)-len(dst) > MaxFetchReply {
		return dst, wrong(ErrEncode, "a response of %d bytes", len(out)-len(dst))
	}
	return out, nil
}

// DecodeFetchResponse reads what the import fetch wrote, or fails with [ErrRecord].
// Body points into b.
func DecodeFetchResponse(b []byte) (FetchResponse, error) {
	if len(b) < 4 {
		return FetchResponse{}, wrong(ErrRecord, "a response of %d bytes", len(b))
	}
	r := FetchResponse{Status: int(binary.LittleEndian.Uint32(b))}
	body := false
	for b = b[4:]; len(b) > 0; {
		key, value, rest, err := cutWide(b)
		if err != nil {
			return FetchResponse{}, err
		}
		name, v, ok := strings.Cut(string(value), "\x00")
		switch {
		case body || key != fetchHeader && key != fetchBody || key == fetchHeader && !ok:
			return FetchResponse{}, wrong(ErrRecord, "entry %d of a response where none belongs", key)
		case key == fetchBody:
			r.Body, body = value, true
		default:
			r.Header = append(r.Header, FetchField{name, v})
		}
		b = rest
	}
	if !body || r.Status < 100 || r.Status > 999 {
		return FetchResponse{}, wrong(ErrRecord, "a response without a body, or with the status %d", r.Status)
	}
	return r, nil
}

func appendFields(dst []byte, fields []FetchField) []byte {
	for _, f := range fields {
		dst = appendWideHead(dst, fetchHeader, len(f.Name)+1+len(f.Value))
		dst = append(append(append(dst, f.Name...), 0), f.Value...)
	}
	return dst
}

func appendWide(dst []byte, key uint32, s string) []byte {
	return append(appendWideHead(dst, key, len(s)), s...)
}

func appendWideHead(dst []byte, key uint32, n int) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(dst, key), uint32(n))
}

// cutWide takes the first entry off b.
func cutWide(b []byte) (key uint32, value, rest []byte, err error) {
	if len(b) < 8 {
		return 0, nil, nil, wrong(ErrRecord, "ends inside an entry")
	}
	n := uint64(binary.LittleEndian.Uint32(b[4:]))
	if n > uint64(len(b)-8) {
		return 0, nil, nil, wrong(ErrRecord, "an entry says %d bytes, %d are left", n, len(b)-8)
	}
	return binary.LittleEndian.Uint32(b), b[8 : 8+n], b[8+n:], nil
}
