package parity

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/tests/ports"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func handlerNetwork() []line {
	return []line{
		{"FTPHandler.masquerade_address", "attribute = None: the address that the 227 reply tells, whatever text it is", "edge.Advertise.Address, edge.Listener.Advertise",
			"listeners[].passive.advertise=auto", same, "", testMasquerade},
		{"FTPHandler.masquerade_address_map", "attribute = {}: the same by the server's own address; wins over masquerade_address", "edge.Advertise.ByLocal",
			"listeners[].passive.advertise_local={}", same, "", testMasqueradeMap},
		{"FTPHandler.passive_ports", "attribute = None: the ports that PASV and EPSV listen on, in random order", "pi.Passive.Ports, dtp.PortRange, dtp.PortSpan", "listeners[].passive.ports", safer,
			"when all are taken the answer is 425; the model listens on some other port, which a firewall drops", testPassivePorts},
		{"FTPHandler.use_gmt_times", "attribute = True: GMT or local times in LIST, MLSx, MDTM and MFMT", "edge.Config.Zone, edge.Listener.Zone", "listeners[].timestamps=gmt", same, "", testZone},
		{"FTPHandler.use_sendfile", "attribute = True: the kernel moves plain files by itself", "edge.Transfer.Copy, dtp.Transfer.Copy", "transfer.sendfile=true", same, "", testSendfile},
		{"FTPHandler.tcp_no_delay", "attribute = True: no Nagle algorithm on control connections", "edge.Transfer.Nagle", "transfer.tcp_nodelay=true", same, "", testNoDelay},
	}
}

// numbers returns what stands in the parentheses of the 227 reply, less the port.
func (c *client) numbers() string {
	c.t.Helper()
	r := c.ask("PASV")
	_, text, _ := strings.Cut(r.Text(), "(")
	parts := strings.Split(text, ",")
	if r.Code != 227 || len(parts) != 6 {
		c.t.Fatalf("PASV was answered %q", r)
	}
	return strings.Join(parts[:4], ".")
}

func testMasquerade(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		if got := s.login().numbers(); got != "127.0.0.1" {
			s.Errorf("PASV tells %s", got)
		}
	})
	for _, text := range []string{"203.0.113.10", "256.256.256.256"} {
		set := func(c *edge.Config) { c.Listeners[0].Advertise.Address = text }
		t.Run(text, func(t *testing.T) {
			both(t, set, file{listener: "passive: { advertise: " + text + " }"}, func(s *site) {
				c := s.login()
				if got := c.numbers(); got != text {
					s.Errorf("PASV tells %s", got)
				}
				c.says("EPSV", "229 *(|||*|)*")
				s.write("a", "content")
				if got := c.get("RETR a"); got != "content" { // EPSV is not led astray
					s.Errorf("got %q", got)
				}
			})
		})
	}
}

func testMasqueradeMap(t *testing.T) {
	set := func(c *edge.Config) {
		c.Listeners[0].Advertise = edge.Advertise{Address: "192.0.2.1", ByLocal: map[netip.Addr]string{netip.MustParseAddr("127.0.0.1"): "198.51.100.7"}}
		c.Listeners = append(c.Listeners, edge.Listener{Name: "other", Address: "127.0.0.2:0", Advertise: c.Listeners[0].Advertise})
	}
	const passive = "passive: { advertise: 192.0.2.1, advertise_local: { 127.0.0.1: 198.51.100.7 } }"
	f := file{listener: passive, more: "  - { name: other, address: \"127.0.0.2:0\", tls: { control: off }, " + passive + " }\n"}
	both(t, set, f, func(s *site) {
		for i, want := range []string{"198.51.100.7", "192.0.2.1"} {
			c := s.dialAt(i)
			c.must(c.Login(user, password))
			if got := c.numbers(); got != want {
				s.Errorf("listener %d tells %s, want %s", i, got, want)
			}
		}
	})
}

// free returns ports that are the test's.
func free(t *testing.T, n int) (list []uint16) {
	t.Helper()
	for range n {
		list = append(list, uint16(ports.Row(t, 1)))
	}
	return list
}

func testPassivePorts(t *testing.T) {
	list := free(t, 2)
	set := func(c *edge.Config) {
		c.Listeners[0].Passive.Ports = dtp.PortRange{{First: list[0], Last: list[0]}, {First: list[1], Last: list[1]}}
	}
	both(t, set, file{listener: fmt.Sprintf("passive: { ports: [%d, %d] }", list[0], list[1])}, func(s *site) {
		seen := map[uint16]bool{}
		clients := []*client{s.login(), s.login(), s.login()}
		for _, c := range clients[:2] {
			seen[netip.MustParseAddrPort(c.passive("EPSV")).Port()] = true
		}
		if !seen[list[0]] || !seen[list[1]] {
			s.Errorf("ports %v, want %v", seen, list)
		}
		clients[2].says("EPSV", "425", "PASV", "425")
		clients[0].says("QUIT", "221")
		clients[0].closed()
		until(s.T, "a port is free again", func() bool { return clients[2].ask("EPSV").Code == 229 })
	})
}

func testZone(t *testing.T) {
	const gmt, east = "20200131220000", "20200201013000"
	prove := func(want string) func(*site) {
		return func(s *site) {
			s.write("a", "x")
			c := s.login()
			c.says("MFMT "+gmt+" a", "213 Modify="+want+"; /a", "MDTM a", "213 "+want, "MLST a", "250 *modify="+want+";*")
			if got := c.lines("LIST"); len(got) != 1 || !glob("* 2020 a", got[0]) {
				s.Errorf("LIST: %q", got)
			}
		}
	}
	both(t, nil, file{}, prove(gmt))
	zone, path := easternZone(t)
	t.Run("local", func(t *testing.T) {
		both(t, func(c *edge.Config) { c.Zone = zone }, file{listener: "timestamps: local", env: []string{"TZ=" + path}}, prove(east))
	})
}

func testSendfile(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		if s.write("a", strings.Repeat("a", 32<<10)); !s.byReference(s.binary(), "RETR a") {
			s.Error("the file was copied")
		}
	})
	t.Run("off", func(t *testing.T) {
		both(t, func(c *edge.Config) { c.Transfer.Copy = true }, file{top: "transfer: { sendfile: false }\n"}, func(s *site) {
			if s.write("a", strings.Repeat("a", 32<<10)); s.byReference(s.binary(), "RETR a") {
				s.Error("the kernel has moved the file by itself")
			}
		})
	})
}

// byReference reports whether a download shows what is written to the file after
// the server has sent it: sendfile(2) puts the file's own pages on the socket, and
// only the client copies them. It is asked of the page cache of Linux.
func (s *site) byReference(c *client, line string) bool {
	s.Helper()
	_, name, _ := strings.Cut(line, " ")
	s.onLinux()
	conn, err := c.Begin(userpi.PASV, line)
	s.must(err)
	c.next("226") // all of it is under way
	s.must(overwrite(s.path(name), "b"))
	got := drain(conn)
	if strings.Trim(got, "ab") != "" || len(got) != 32<<10 {
		s.Fatalf("%d bytes came", len(got))
	}
	return strings.Contains(got, "b")
}

func testNoDelay(t *testing.T) {
	prove := func(want bool) func(*site) {
		return func(s *site) {
			if got := s.noDelay(s.greeted()); got != want {
				s.Errorf("TCP_NODELAY is %v", got)
			}
		}
	}
	both(t, nil, file{}, prove(true))
	t.Run("off", func(t *testing.T) {
		both(t, func(c *edge.Config) { c.Transfer.Nagle = true }, file{top: "transfer: { tcp_nodelay: false }\n"}, prove(false))
	})
}
