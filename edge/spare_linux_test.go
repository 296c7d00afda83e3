package edge

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// TestPassiveAgain: transfers that follow each other get the port of the one before, a
// few times; those of a listener that wants fresh ones do not. What is moved is the same.
func TestPassiveAgain(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		t.Run(fmt.Sprintf("fresh %v", fresh), func(t *testing.T) {
			r := start(t, func(c *Config) { c.Listeners[0].Passive.Fresh = fresh })
			defer r.stop()
			c := r.login()
			ports := map[string]int{}
			const files = 20
			for i := range files {
				name, want := fmt.Sprintf("f%d", i), bytes.Repeat([]byte{byte(i)}, 1+i*3000)
				ports[r.stores(c, name, want)]++
				got, err := c.Get(userpi.PASV, "RETR "+name)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%s: %d bytes, %v", name, len(got), err)
				}
				if list, err := c.Get(userpi.EPSV, "NLST"); err != nil || len(bytes.Fields(list)) != i+1 {
					t.Fatalf("the list: %q, %v", list, err)
				}
			}
			if fresh != (len(ports) > files/2) {
				t.Errorf("%d uploads, fresh %v, had the ports %v", files, fresh, ports)
			}
		})
	}
}

// stores stores a file by EPSV and returns the port.
func (r *rig) stores(c *userpi.Client, name string, content []byte) string {
	r.t.Helper()
	port := strings.Split(r.do(c, "EPSV", 229).String(), "|")[3]
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	r.must(err)
	defer conn.Close()
	r.do(c, "STOR "+name, 125, 150)
	_, err = conn.Write(content)
	r.must(err)
	r.must(conn.Close())
	r.expect(c, "STOR", 226)
	r.nobody(port)
	return port
}

// nobody looks that a port does not listen.
func (r *rig) nobody(port string) {
	r.t.Helper()
	if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		conn.Close()
		r.t.Errorf("somebody listens on port %s", port)
	}
}

// TestPassiveGivenBack: a session that does something else than one transfer after the
// other does not get its port again: with REIN, AUTH, after a rest, and where a port was
// not used.
func TestPassiveGivenBack(t *testing.T) {
	server, client, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, func(c *Config) { c.Listeners[0].TLS = server })
	defer r.stop()
	again := func(c *userpi.Client) { r.must(c.Identify("dev", "secret")); r.do(c, "TYPE I", 200) }
	for name, between := range map[string]func(c *userpi.Client, port string){
		"REIN": func(c *userpi.Client, _ string) { r.do(c, "REIN", 220); again(c) },
		"AUTH": func(c *userpi.Client, _ string) { r.do(c, "AUTH TLS", 234); r.must(c.StartTLS(client)); again(c) },
		"rest": func(*userpi.Client, string) { <-time.After(1500 * time.Millisecond) },
		"unused": func(c *userpi.Client, port string) {
			if told := r.do(c, "EPSV", 229).String(); !strings.Contains(told, "|"+port+"|") {
				t.Errorf("after port %s: %q", port, told)
			}
		},
		"ABOR":   func(c *userpi.Client, _ string) { r.do(c, "EPSV", 229); r.do(c, "ABOR", 225, 226) },
		"active": func(c *userpi.Client, _ string) { r.do(c, "EPSV", 229); r.do(c, "PORT 127,0,0,1,200,10", 200) },
	} {
		t.Run(name, func(t *testing.T) {
			c := r.login()
			first := r.stores(c, "a", []byte("one"))
			between(c, first)
			if second := r.stores(c, "a", []byte("two")); second == first {
				t.Errorf("port %s again", first)
			}
		})
	}
}
