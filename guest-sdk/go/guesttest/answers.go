//go:build !wasip1

package guesttest

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"hash/crc32"
	"path"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fetch"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// fetch answers one request of package fetch, which has checked its form.
func (w *World) fetch(r *fetch.Request) (*fetch.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := *r
	asked.Body = append([]byte(nil), r.Body...)
	w.requests = append(w.requests, asked)
	method := r.Method
	if method == "" {
		method = "GET"
	}
	answer, ok := w.HTTP[method+" "+r.URL]
	switch {
	case !ok:
		return nil, abi.ErrnoDenied
	case answer.Err != nil:
		return nil, answer.Err
	case answer.Status == 0:
		answer.Status = 200
	}
	response := &fetch.Response{Status: answer.Status, Body: []byte(answer.Body)}
	for _, want := range r.Want {
		for name, value := range answer.Header {
			if strings.EqualFold(name, want) {
				response.Header = append(response.Header, fetch.Field{Name: strings.ToLower(name), Value: value})
			}
		}
	}
	return response, nil
}

// services answer from the world without a question of their own.
type services struct{ w *World }

// asked are the services of a question about a file.
type asked struct {
	services
	path string
}

var (
	_ policy.Services = services{}
	_ policy.Services = asked{}
)

func (s services) about(path string) asked { return asked{s, path} }

// Stat finds what lies at the path.
func (s services) Stat(_ context.Context, name string) (policy.Entry, error) {
	if !strings.HasPrefix(name, "/") {
		return policy.Entry{}, abi.ErrnoInvalid
	}
	f, ok := s.w.Files[name]
	if !ok {
		return policy.Entry{}, abi.ErrnoNotFound
	}
	return policy.Entry{Name: path.Base(name), Mode: f.Mode, Size: int64(len(f.Data)), Time: f.Time}, nil
}

// Verify looks among the hashes that are right.
func (s services) Verify(_ context.Context, hash string) (bool, error) {
	switch {
	case len(hash) > abi.MaxVerifyHash:
		return false, abi.ErrnoSize
	case !strings.HasPrefix(hash, "$"):
		return false, abi.ErrnoInvalid
	}
	return s.w.Hashes[hash], nil
}

// Digest is denied where the question has no file.
func (services) Digest(context.Context, string) ([]byte, error) { return nil, abi.ErrnoDenied }

// Digest is that of the question's file.
func (a asked) Digest(_ context.Context, algorithm string) ([]byte, error) {
	var h hash.Hash
	switch strings.ToUpper(algorithm) {
	case "SHA-256":
		h = sha256.New()
	case "SHA-512":
		h = sha512.New()
	case "SHA-1":
		h = sha1.New()
	case "MD5":
		h = md5.New()
	case "CRC32":
		h = crc32.NewIEEE()
	default:
		return nil, abi.ErrnoInvalid
	}
	f, ok := a.w.Files[a.path]
	switch {
	case a.path == "":
		return nil, abi.ErrnoDenied
	case !ok:
		return nil, abi.ErrnoNotFound
	}
	_, _ = h.Write([]byte(f.Data)) // it never fails
	return h.Sum(nil), nil
}
