package wasmhost

import (
	"testing"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

func TestHostCallWords(t *testing.T) {
	request, err := abi.AppendFetchRequest(nil, &abi.FetchRequest{Method: "POST", URL: "https://a.example/x"})
	if err != nil {
		t.Fatal(err)
	}
	response, err := abi.AppendFetchResponse(nil, &abi.FetchResponse{Status: 204, Body: []byte("abc")})
	if err != nil {
		t.Fatal(err)
	}
	text := func(parts ...string) (b []byte) {
		for _, s := range parts {
			b = append(append(b, byte(len(s)), 0, 0, 0), s...)
		}
		return b
	}
	number := func(b []byte, n ...byte) []byte {
		for _, v := range n {
			b = append(b, v, 0, 0, 0, 0, 0, 0, 0)
		}
		return b
	}
	none := []byte{0xff, 0xff, 0xff, 0xff}
	for _, c := range []struct {
		call HostCall
		want string
	}{
		{HostCall{"kv_get", text("k"), 5, []byte("value")}, `kv_get("k") = "value"`},
		{HostCall{"kv_get", text("k"), 4097, nil}, `kv_get("k") = 4097 bytes, of which there was no room`},
		{HostCall{"kv_get", text("k"), -1, nil}, `kv_get("k") = -1, not found`},
		{HostCall{"kv_set", number(append(text("k"), none...), 9), 0, nil}, `kv_set("k", none, 9) = 0`},
		{HostCall{"kv_incr", number(text("k"), 2, 0), 0, number(nil, 7)}, `kv_incr("k", 2, 0) = 7`},
		{HostCall{"log", append(number(nil, 1), text("a\nb")...), 0, nil}, `log(1, "a\nb")`},
		{HostCall{"metric", number(text("m"), 0, 3), 0, nil}, `metric("m", 0, 3)`},
		{HostCall{"random", number(nil, 16), 0, make([]byte, 16)}, `random(16)`},
		{HostCall{"pw_verify", text("$2a$secret"), 1, nil}, `pw_verify(a hash of 10 bytes) = 1`},
		{HostCall{"digest", text("MD5"), 2, []byte{0xab, 0xcd}}, `digest("MD5") = abcd`},
		{HostCall{"fetch", text(string(request)), int64(len(response)), response}, `fetch(POST https://a.example/x) = 204, 3 bytes`},
		{HostCall{"fetch", text("x"), -9, nil}, `fetch("x") = -9, invalid argument`},
		{HostCall{Import: "kv_cas"}, `kv_cas() = 0`},
		{HostCall{Import: "other", In: text("x")}, `other() = 0`},
	} {
		if got := c.call.Words(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
