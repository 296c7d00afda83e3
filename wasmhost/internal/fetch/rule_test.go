package fetch

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestOrigins(t *testing.T) {
	c := newClient(t, Config{Allow: []string{"https://api.example.com", "plain.example:8443", "*.wild.example", "http://old.example",
		"http://192.0.2.7:8080", "https://[2001:db8::1]", "https://UPPER.example/"}})
	for u, want := range map[string]bool{
		"https://api.example.com/x?y=z":     true,
		"https://API.example.com:443/":      true,
		"https://api.example.com:444/":      false,
		"http://api.example.com/":           false,
		"http://api.example.com:443/":       false,
		"https://api.example.com.evil.com/": false,
		"https://xapi.example.com/":         false,
		"https://plain.example:8443/":       true,
		"https://plain.example/":            false,
		"https://a.wild.example/":           true,
		"https://a.b.wild.example/":         true,
		"https://wild.example/":             false,
		"https://xwild.example/":            false,
		"http://old.example/":               true,
		"https://old.example/":              false,
		"http://192.0.2.7:8080/":            true,
		"http://192.0.2.7/":                 false,
		"https://[2001:DB8:0::1]/":          true,
		"https://[2001:db8::2]/":            false,
		"https://upper.example/":            true,
	} {
		_, err := c.prepare(get(u))
		if (err == nil) != want || err != nil && !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v, want allowed %v", u, err, want)
		}
	}
	if _, err := newClient(t, Config{}).prepare(get("https://api.example.com/")); !errors.Is(err, ErrDenied) {
		t.Errorf("the zero value went there: %v", err)
	}
}

func TestBadOrigins(t *testing.T) {
	for _, s := range []string{"", "https://", "ftp://a.example", "https://a.example/v1", "https://u:p@a.example", "https://a.example?x",
		"https://a.example#x", "*.com", "*", "a.*.example", "https://a.example:0", "https://a.example:70000", "https://a.example:x",
		"https://a..example", "https://-.\x00", "https://exämple.com", "https://[fe80::1%25eth0]", "https://0x7f.1", "https://2130706433",
		"https://127.1", "https://" + strings.Repeat("a", 64) + ".example", "mailto:x"} {
		if _, err := New(Config{Allow: []string{s}}); err == nil {
			t.Errorf("%q was taken", s)
		}
		if err := Check(s); err == nil {
			t.Errorf("Check took %q", s)
		}
	}
}

func TestBadRequests(t *testing.T) {
	c := newClient(t, Config{Allow: []string{"http://127.0.0.1:1", "https://a.example", "https://*.b.example"}})
	ok := "https://a.example/"
	for what, r := range map[string]*Request{
		"method":         {Method: "TRACE", URL: ok},
		"method space":   {Method: "GET ", URL: ok},
		"no method":      {URL: ok},
		"relative":       {Method: "GET", URL: "/x"},
		"no host":        {Method: "GET", URL: "https:///x"},
		"scheme":         {Method: "GET", URL: "file:///etc/passwd"},
		"user":           {Method: "GET", URL: "https://a.example@evil.example/"},
		"user 2":         {Method: "GET", URL: "https://x:y@a.example/"},
		"fragment":       {Method: "GET", URL: ok + "#x"},
		"backslash":      {Method: "GET", URL: `https://a.example\@evil.example/`},
		"newline":        {Method: "GET", URL: "https://a.example/\r\nX: y"},
		"space":          {Method: "GET", URL: "https://a.example/ HTTP/1.1"},
		"beyond ASCII":   {Method: "GET", URL: "https://a.example/ä"},
		"decimal":        {Method: "GET", URL: "https://2130706433/"},
		"hexadecimal":    {Method: "GET", URL: "https://0x7f000001/"},
		"short":          {Method: "GET", URL: "https://127.1/"},
		"octal":          {Method: "GET", URL: "https://0177.0.0.1/"},
		"dot":            {Method: "GET", URL: "https://a.example./"},
		"escaped host":   {Method: "GET", URL: "https://a%2eexample/"},
		"zone":           {Method: "GET", URL: "https://[fe80::1%25lo]/"},
		"port":           {Method: "GET", URL: "https://a.example:99999/"},
		"long":           {Method: "GET", URL: ok + strings.Repeat("x", MaxURL)},
		"body":           {Method: "POST", URL: ok, Body: make([]byte, MaxBody+1)},
		"field name":     {Method: "GET", URL: ok, Headers: []Header{{"X Y", "z"}}},
		"no field name":  {Method: "GET", URL: ok, Headers: []Header{{"", "z"}}},
		"name newline":   {Method: "GET", URL: ok, Headers: []Header{{"X\r\nY", "z"}}},
		"value newline":  {Method: "GET", URL: ok, Headers: []Header{{"X", "z\r\nHost: evil.example"}}},
		"value LF":       {Method: "GET", URL: ok, Headers: []Header{{"X", "z\nY: z"}}},
		"value NUL":      {Method: "GET", URL: ok, Headers: []Header{{"X", "z\x00"}}},
		"host":           {Method: "GET", URL: ok, Headers: []Header{{"hOST", "evil.example"}}},
		"framing":        {Method: "POST", URL: ok, Headers: []Header{{"Transfer-Encoding", "chunked"}}},
		"length":         {Method: "POST", URL: ok, Headers: []Header{{"Content-Length", "5"}}},
		"proxy":          {Method: "GET", URL: ok, Headers: []Header{{"Proxy-Authorization", "x"}}},
		"upgrade":        {Method: "GET", URL: ok, Headers: []Header{{"Upgrade", "websocket"}}},
		"long field":     {Method: "GET", URL: ok, Headers: []Header{{"X", strings.Repeat("z", MaxHeader)}}},
		"too many":       {Method: "GET", URL: ok, Headers: make([]Header, MaxHeaders+1)},
		"under wildcard": {Method: "GET", URL: "https://a_%00.b.example/"},
	} {
		_, err := c.prepare(r)
		wantErr(t, what, err, ErrRequest)
	}
	denied := get(ok)
	denied.Permit = func(scheme, host string, port uint16) bool {
		return scheme != "https" || host != "a.example" || port != 443
	}
	_, err := c.prepare(denied)
	wantErr(t, "no permit", err, ErrDenied)
}

// FuzzTarget holds that whatever is allowed has the host that was judged.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"https://a.example/x?y", "http://[::1]:80/", "https://a.example:443@evil/", "https://a%2eexample/", "https:a.example"} {
		f.Add(s)
	}
	c, err := New(Config{Allow: []string{"https://a.example", "https://*.b.example:8443"}, Resolve: func(context.Context, string) ([]netip.Addr, error) { return nil, nil }})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(c.Close)
	f.Fuzz(func(t *testing.T, s string) {
		req, err := c.prepare(get(s))
		if err != nil {
			return
		}
		host := strings.ToLower(req.URL.Host)
		if req.URL.Scheme != "https" || host != "a.example" && host != "a.example:443" && !strings.HasSuffix(host, ".b.example:8443") {
			t.Errorf("%q goes to %s", s, req.URL)
		}
	})
}
