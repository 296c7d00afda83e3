package cases

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Value is a value of a policy's: a JSON string is its bytes, a whole number a counter
// (ABI §7, kv_incr), null, or the zero value, no value at all.
type Value []byte

// UnmarshalJSON implements json.Unmarshaler.
func (v *Value) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		*v = nil
		return nil
	case b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*v = append(Value{}, s...)
		return nil
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return fmt.Errorf("the value %.40s is no string, no whole number and not null", b)
	}
	*v = binary.LittleEndian.AppendUint64(nil, uint64(n))
	return nil
}

// String returns the value in words: quoted text, the number of what can only be a
// counter, or that there is none.
func (v Value) String() string {
	switch {
	case v == nil:
		return "no value"
	case len(v) == 8 && bytes.IndexFunc(v, func(r rune) bool { return r < ' ' || r == 0xfffd }) >= 0:
		return strconv.FormatInt(int64(binary.LittleEndian.Uint64(v)), 10)
	}
	return strconv.Quote(string(v))
}

// Response is the answer of another server.
type Response struct {
	Status  int               `json:"status"` // 0 is 200
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// File is a file of the world, or a directory by its mode.
type File struct {
	Size  int64   `json:"size"`  // 0 is that of the data
	Mode  uint32  `json:"mode"`  // st_mode; 0 is 0o100644
	MTime int64   `json:"mtime"` // seconds since 1970; 0 is the time of the tests
	Data  *string `json:"data"`  // nil: nothing is known of it
}

// Modes of POSIX.
const (
	fileMode = 0o100644
	dirMode  = 0o040755
)

func (f *File) entry(name string) policy.Entry {
	e := policy.Entry{Name: path.Base(name), Mode: abi.FileMode(f.Mode), Size: f.Size, Time: time.Unix(f.MTime, 0).UTC()}
	if f.Mode == 0 {
		e.Mode = abi.FileMode(fileMode)
	}
	if f.Data != nil {
		e.Size = int64(len(*f.Data))
	}
	if f.MTime == 0 {
		e.Time = now()
	}
	return e
}

// hashOf returns a hash by the name that the command HASH has for it, nil if there is
// none.
func hashOf(algorithm string) hash.Hash {
	switch strings.ToUpper(algorithm) {
	case "SHA-256":
		return sha256.New()
	case "SHA-512":
		return sha512.New()
	case "SHA-1":
		return sha1.New()
	case "MD5":
		return md5.New()
	case "CRC32":
		return crc32.NewIEEE()
	}
	return nil
}

// checkWorld says what is wrong with the values, answers and files of a set or a test.
func checkWorld(values map[string]Value, http map[string]*Response, files map[string]*File) error {
	for key, v := range values {
		if err := checkValue(key, v); err != nil {
			return err
		}
	}
	for key, r := range http {
		if err := checkRequest(key); err != nil {
			return err
		}
		if r == nil {
			continue
		}
		if r.Status == 0 {
			r.Status = 200
		}
		all := &abi.FetchResponse{Status: r.Status, Body: []byte(r.Body)}
		for name, value := range r.Headers {
			all.Header = append(all.Header, abi.FetchField{Name: name, Value: value})
		}
		if _, err := abi.AppendFetchResponse(nil, all); err != nil {
			return fmt.Errorf("http %q: %w", abi.Clean(key, 200), err)
		}
	}
	for name, f := range files {
		if !strings.HasPrefix(name, "/") || path.Clean(name) != name || strings.Contains(name, "\x00") {
			return fmt.Errorf("files: %q is no canonical path", abi.Clean(name, 200))
		}
		if f != nil && (f.Size < 0 || f.Data != nil && f.Size != 0 && f.Size != int64(len(*f.Data))) {
			return fmt.Errorf("files: %q has the size %d, which is not that of its data", abi.Clean(name, 200), f.Size)
		}
	}
	return nil
}

func checkValue(key string, v Value) error {
	if key == "" || len(key) > policy.MaxKVKey || len(v) > policy.MaxKVValue {
		return fmt.Errorf("kv: key %q or its value has a length that no key or value has", abi.Clean(key, 100))
	}
	return nil
}

// checkRequest checks the form "METHOD URL".
func checkRequest(key string) error {
	method, url, _ := strings.Cut(key, " ")
	if method == "" {
		return errors.New(`http: a request is "METHOD URL"`)
	}
	if _, err := abi.AppendFetchRequest(nil, &abi.FetchRequest{Method: method, URL: url}); err != nil {
		return fmt.Errorf(`http: %q is not "METHOD URL": %w`, abi.Clean(key, 200), err)
	}
	return nil
}
