package userpi

import (
	"bufio"
	"strings"
	"testing"
)

func TestReadReply(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"220 ready\r\n", "220 ready"},
		{"220 \r\n", "220 "},
		{"211-first\r\n inner\r\n 211 not the last\r\n211 last\r\n", "211-first\n inner\n 211 not the last\n211 last"},
		{"250-a\r\n250 b\r\n", "250-a\n250 b"},
	} {
		r, err := readReply(bufio.NewReader(strings.NewReader(c.in)), false)
		if err != nil || r.String() != c.want {
			t.Errorf("readReply(%q) = %q, %v", c.in, r, err)
		}
	}
	for _, in := range []string{
		"220 ready\n", "22 ready\r\n", "220ready\r\n", "2x0 ready\r\n", "099 x\r\n", "220", "220-x\r\ny\r\n220 z\r\n",
		"220-x\r\n212 z\r\n", "220-x\r\n", "220 a\rb\r\n", "220 a\x00\r\n", "\r\n",
	} {
		if r, err := readReply(bufio.NewReader(strings.NewReader(in)), false); err == nil {
			t.Errorf("readReply(%q) took it for %q", in, r)
		}
	}
}

func TestReadReplyLenient(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"220 ready\n", "220 ready"},
		{"211-first\r\ninner\r\n211-another\n211 last\r\n", "211-first\ninner\n211-another\n211 last"},
	} {
		r, err := readReply(bufio.NewReader(strings.NewReader(c.in)), true)
		if err != nil || r.String() != c.want {
			t.Errorf("readReply(%q) = %q, %v", c.in, r, err)
		}
	}
	for _, in := range []string{"ready\r\n", "220ready\r\n", "220-x\r\ny\r\n", ""} {
		if r, err := readReply(bufio.NewReader(strings.NewReader(in)), true); err == nil {
			t.Errorf("readReply(%q) took it for %q", in, r)
		}
	}
}

func TestAddress(t *testing.T) {
	control := addr("192.0.2.1:21")
	for _, c := range []struct {
		reply Reply
		want  string
	}{
		{Reply{227, []string{"Entering Passive Mode (192,0,2,7,200,1)."}}, "192.0.2.7:51201"},
		{Reply{229, []string{"Entering Extended Passive Mode (|||51201|)"}}, "192.0.2.1:51201"},
	} {
		if got, err := Address(c.reply, control); err != nil || got != c.want {
			t.Errorf("Address(%v) = %q, %v", c.reply, got, err)
		}
	}
	for _, text := range []string{"", "()", "(1,2,3,4,5)", "(1,2,3,4,5,256)", "(1,2,3,4,5,6"} {
		if got, err := Address(Reply{227, []string{text}}, control); err == nil {
			t.Errorf("Address(227 %s) = %q", text, got)
		}
	}
	for _, text := range []string{"", "()", "(||1|)", "(|1||1|)"} {
		if got, err := Address(Reply{229, []string{text}}, control); err == nil {
			t.Errorf("Address(229 %s) = %q", text, got)
		}
	}
}

// addr is an address as a string.
type addr string

func (a addr) Network() string { return "tcp" }
func (a addr) String() string  { return string(a) }
