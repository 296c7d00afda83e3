package edge

import (
	"net/netip"
	"strings"
	"testing"
)

func TestPick(t *testing.T) {
	a := Advertise{Address: "203.0.113.1",
		ByLocal: map[netip.Addr]string{netip.MustParseAddr("192.0.2.9"): "203.0.113.2"},
		ByClient: map[netip.Prefix]string{
			netip.MustParsePrefix("10.0.0.0/8"):  "10.0.0.5",
			netip.MustParsePrefix("10.1.0.0/16"): "10.1.0.5",
		}}
	for _, c := range []struct{ local, client, want string }{
		{"192.0.2.8", "198.51.100.1", "203.0.113.1"},
		{"192.0.2.9", "198.51.100.1", "203.0.113.2"},
		{"192.0.2.9", "10.2.0.1", "10.0.0.5"},
		{"192.0.2.8", "10.1.2.3", "10.1.0.5"},
	} {
		if got := a.pick(netip.MustParseAddr(c.local), netip.MustParseAddr(c.client)); got != c.want {
			t.Errorf("%s from %s is told %q, want %q", c.local, c.client, got, c.want)
		}
	}
	if got := (Advertise{}).pick(netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("10.1.2.3")); got != "" || !(Advertise{}).isZero() || a.isZero() {
		t.Errorf("the zero value tells %q", got)
	}
}

func TestCheckAdvertised(t *testing.T) {
	for text, ok := range map[string]bool{
		"203.0.113.1": true, "256.256.256.256": true, "ftp.example.com": true, "localhost": true, "a-b.example.": true,
		"": false, "::1": false, "2001:db8::1": false, "a b": false, "-a.example": false, "a..b": false,
		strings.Repeat("a.", 127) + "b": false, "1234.1.1.1": true, "a\r\nb": false, "ftp.example.com:21": false,
	} {
		if err := CheckAdvertised(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzCheckAdvertised(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "::1", "ftp.example.com", "a\n", "256.1.1.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if CheckAdvertised(text) == nil && strings.ContainsAny(text, " \r\n\x00(),:") {
			t.Fatalf("%q passes", text)
		}
	})
}

// What PASV tells is the address that was asked for, whatever it is, and a name's
// address.
func TestAdvertised(t *testing.T) {
	for text, want := range map[string]string{"256.256.256.256": "(256,256,256,256,", "localhost": "(127,0,0,1,", "": "(127,0,0,1,"} {
		r := start(t, func(c *Config) { c.Listeners[0].Advertise.Address = text })
		if reply := r.do(r.login(), "PASV", 227); !strings.Contains(reply.String(), want) {
			t.Errorf("%q: %q", text, reply)
		}
		r.stop()
	}
}

func TestAdvertisedNameWithoutAddress(t *testing.T) {
	conf := basic(newKeeper())
	conf.Listeners[0].Advertise.Address = "no-such-name.invalid"
	srv, err := New(conf)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.chain.Close()
	if err := srv.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "no-such-name.invalid") {
		t.Errorf("Listen: %v", err)
	}
	if len(srv.Addresses()) > 0 && srv.listeners[0].Listener != nil {
		if _, err := srv.listeners[0].Accept(); err == nil {
			t.Error("a listener was left open")
		}
	}
}
