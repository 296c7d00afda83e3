package abi

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func sampleRequests() []FetchRequest {
	return []FetchRequest{
		{URL: "https://example.org/"},
		{Method: "POST", URL: "https://example.org:8443/a?b=c", Header: []FetchField{{"Accept", "*/*"}, {"X-Empty", ""}},
			Body: []byte("\x00body"), Timeout: 1500 * time.Millisecond, Want: []string{"etag", "Retry-After"}},
	}
}

func TestFetchRoundTrip(t *testing.T) {
	for _, r := range sampleRequests() {
		b, err := AppendFetchRequest([]byte("abc"), &r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeFetchRequest(b[3:])
		if x := cmp.Diff(r, got); err != nil || x != "" {
			t.Errorf("%v %s", err, x)
		}
	}
	for _, r := range []FetchResponse{{Status: 204, Body: []byte{}},
		{Status: 500, Header: []FetchField{{"etag", "x"}, {"etag", "y"}}, Body: []byte("no\x00")}} {
		b, err := AppendFetchResponse([]byte("abc"), &r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeFetchResponse(b[3:])
		if x := cmp.Diff(r, got); err != nil || x != "" {
			t.Errorf("%v %s", err, x)
		}
	}
}

func TestFetchRefuses(t *testing.T) {
	good := "https://example.org/"
	for name, r := range map[string]FetchRequest{
		"no URL":         {},
		"space in URL":   {URL: "https://example.org/a b"},
		"fragment":       {URL: good + "#x"},
		"long URL":       {URL: good + strings.Repeat("x", MaxFetchURL)},
		"method":         {URL: good, Method: "CONNECT"},
		"lower method":   {URL: good, Method: "get"},
		"second line":    {URL: good, Header: []FetchField{{"A", "b\r\nHost: x"}}},
		"name":           {URL: good, Header: []FetchField{{"A b", "x"}}},
		"no name":        {URL: good, Header: []FetchField{{"", "x"}}},
		"host":           {URL: good, Header: []FetchField{{"HOST", "x"}}},
		"length":         {URL: good, Header: []FetchField{{"Content-Length", "1"}}},
		"proxy":          {URL: good, Header: []FetchField{{"Proxy-Authorization", "x"}}},
		"33 fields":      {URL: good, Header: make([]FetchField, 33)},
		"17 wants":       {URL: good, Want: make([]string, 17)},
		"wanted newline": {URL: good, Want: []string{"a\n"}},
		"body":           {URL: good, Body: make([]byte, MaxFetchBody+1)},
		"timeout":        {URL: good, Timeout: -time.Second},
	} {
		if b, err := AppendFetchRequest([]byte("x"), &r); !errors.Is(err, ErrEncode) || string(b) != "x" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	entry := func(key uint32, s string) string { return string(appendWide(nil, key, s)) }
	for name, s := range map[string]string{
		"nothing": "", "cut": "\x02\x00\x00", "entry 0": entry(0, ""), "entry 7": entry(2, good) + entry(7, ""),
		"longer than it is": "\x02\x00\x00\x00\xff\xff\xff\xffhttp", "URL twice": entry(2, good) + entry(2, good),
		"no NUL": entry(2, good) + entry(3, "a"), "timeout of 3": entry(2, good) + entry(5, "abc"),
		"empty method": entry(2, good) + entry(1, ""), "33 fields": entry(2, good) + strings.Repeat(entry(3, "a\x00b"), 33),
		"17 wants": entry(2, good) + strings.Repeat(entry(6, "a"), 17), "body": entry(2, good) + entry(4, strings.Repeat("x", MaxFetchBody+1)),
	} {
		if r, err := DecodeFetchRequest([]byte(s)); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: got %+v, %v", name, r, err)
		}
	}
	ok := "\xc8\x00\x00\x00"
	for name, s := range map[string]string{
		"nothing": "", "no body": ok, "status 0": "\x00\x00\x00\x00" + entry(4, ""), "method": ok + entry(1, "GET") + entry(4, ""),
		"behind the body": ok + entry(4, "") + entry(3, "a\x00"), "two bodies": ok + entry(4, "") + entry(4, ""), "no NUL": ok + entry(3, "a") + entry(4, ""),
	} {
		if r, err := DecodeFetchResponse([]byte(s)); !errors.Is(err, ErrRecord) {
			t.Errorf("response, %s: got %+v, %v", name, r, err)
		}
	}
	for name, r := range map[string]FetchResponse{"status": {Status: 99}, "line": {Status: 200, Header: []FetchField{{"a", "\n"}}},
		"long": {Status: 200, Body: make([]byte, MaxFetchReply)}} {
		if _, err := AppendFetchResponse(nil, &r); !errors.Is(err, ErrEncode) {
			t.Errorf("response, %s: %v", name, err)
		}
	}
}

func FuzzFetch(f *testing.F) {
	for _, r := range sampleRequests() {
		b, err := AppendFetchRequest(nil, &r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\xc8\x00\x00\x00\x03\x00\x00\x00\x03\x00\x00\x00a\x00b\x04\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := DecodeFetchRequest(b); err == nil {
			again, err := AppendFetchRequest(nil, &r)
			if err != nil {
				t.Fatal(err)
			}
			back, err := DecodeFetchRequest(again)
			if x := cmp.Diff(r, back, cmpopts.EquateEmpty()); err != nil || x != "" && r.Timeout.Milliseconds() < 1<<31 {
				t.Error(err, x)
			}
		}
		if r, err := DecodeFetchResponse(b); err == nil && !bytes.HasSuffix(b, r.Body) {
			t.Error("the body is not the last entry")
		}
	})
}
