package e2e

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
)

// A group and the defaults say where their users may log in from, for users of the list and of the store alike; what
// is denied is so inside of that; and a change of the configuration holds for the next login.
func TestAccessOfGroups(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	conf := func(denied string) string {
		return listener("proxy_protocol: { mode: required, trusted: [127.0.0.1] }") +
			"limits: { logins: { delay_after_failure: 0s } }\ndefender: { enabled: false }\n" +
			"users: { defaults: { networks: [10.0.0.0/8], deny_networks: [" + denied + "] }, groups: [{ name: office, networks: [198.51.100.0/24] }],\n" +
			"  list: [{ name: dev, password_hash: @HASH@ }, { name: member, group: office, password_hash: @HASH@ }] }\n"
	}
	s := p.serve(t, conf("10.9.0.0/16"))
	word := p.secretFile(t, secret)
	for _, args := range [][]string{{"add", "anna", "--group", "office", "--password-file", word}, {"add", "bert", "--password-file", word}} {
		p.changed(t, args...)
	}
	login := func(from, name string) bool {
		t.Helper()
		conn := must(net.Dial("tcp", s.addr))(t)
		defer conn.Close()
		must(io.WriteString(conn, "PROXY TCP4 "+from+" 192.0.2.1 1024 21\r\nUSER "+name+"\r\nPASS "+secret+"\r\n"))(t)
		in := bufio.NewReader(conn)
		for range 2 { // the greeting, and the answer to USER
			must(in.ReadString('\n'))(t)
		}
		reply := must(in.ReadString('\n'))(t)
		if !strings.HasPrefix(reply, "230 ") && !strings.HasPrefix(reply, "530 ") {
			t.Errorf("%s from %s: %s", name, from, reply)
		}
		return strings.HasPrefix(reply, "230 ")
	}
	check := func(when string, want map[string]bool) {
		t.Helper()
		for who, may := range want {
			if name, from, _ := strings.Cut(who, " "); login(from, name) != may {
				t.Errorf("%s: %s from %s: %v", when, name, from, !may)
			}
		}
	}
	check("at first", map[string]bool{
		"dev 10.1.2.3": true, "dev 10.9.2.3": false, "dev 198.51.100.1": false,
		"bert 10.1.2.3": true, "bert 10.9.2.3": false, "bert 198.51.100.1": false,
		"member 198.51.100.1": true, "member 10.1.2.3": false,
		"anna 198.51.100.1": true, "anna 10.1.2.3": false,
	})
	s.expect(t, "login failed", `\"bert\" may not log in from 10.9.2.3: it is in one of his denied networks`)
	p.again(t, conf("198.51.100.1"))
	s.reload(t, 0)
	p.changed(t, "set", "bert", "--deny-network", "10.1.2.3")
	check("after a reload", map[string]bool{
		"dev 10.9.2.3": true, "bert 10.9.2.3": true, "bert 10.1.2.3": false,
		"member 198.51.100.1": false, "anna 198.51.100.1": false, "anna 198.51.100.2": true,
	})
	s.stop(t)
}
