package blackbox

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/tests/peers"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func dataAttacks() []attack {
	return []attack{
		{name: "bounce-port", row: 36, correct: "PORT leads to nobody else", try: func(t *trial) { bounce(t, portLine) }},
		{name: "bounce-eprt", row: 36, correct: "nor does EPRT, in no form of an address", try: func(t *trial) { bounce(t, eprtLine) }},
		{name: "bounce-privileged-port", row: 37, correct: "ports below 1024 are refused", try: bouncePrivileged},
		{name: "bounce-self", row: 37, correct: "the server does not connect to itself", try: bounceSelf},
		{name: "port-malformed", row: 38, correct: "a refused PORT leaves no port behind", try: portMalformed},
		{name: "pasv-stolen", row: 39, correct: "a thief from elsewhere gets nothing", try: pasvStolen, patient: true},
		{name: "pasv-stolen-owner-served", row: 40, correct: "the owner is served though the thief came first", try: pasvOwner, patient: true},
		{name: "pasv-unpredictable", row: 41, correct: "ports cannot be foretold", try: pasvUnpredictable},
		{name: "tls-data-bound-to-session", row: 42, correct: "a thief at the same address gets nothing over TLS", try: dataBound, patient: true},
		{name: "pasv-repeated", row: 43, correct: "a session has one port", try: pasvRepeated},
		{name: "pasv-hoarded", row: 43, correct: "without ports there is a refusal, and then there are again some", try: pasvHoarded, form: fewPorts},
		{name: "pasv-single-use", row: 44, correct: "a port serves one transfer", try: pasvSingleUse},
		{name: "pasv-closed-on-quit", row: 44, correct: "QUIT closes the port", try: pasvClosedOnQuit},
		{name: "data-never-opened", row: 45, correct: "ABOR is heard while a data connection is awaited", try: neverOpened},
		{name: "data-never-opened-drop", row: 45, correct: "clients that go then leave nothing", try: neverOpenedDrop},
		{name: "slow-readers", row: 46, correct: "downloads that nobody reads cost little", try: slowReaders},
		{name: "abort-slow-download", row: 46, correct: "ABOR ends a download that trickles", try: abortSlow},
		{name: "abort-storm", row: 47, correct: "after many ABOR the session is in step", try: abortStorm, patient: true},
		{name: "disconnect-storm", row: 47, correct: "clients that go in the middle leave nothing", try: disconnectStorm},
		{name: "list-drop", row: 47, correct: "a listing whose connection is reset is answered", try: listDrop},
		{name: "epsv-all", row: 48, correct: "after EPSV ALL nothing else is taken", try: epsvAll},
	}
}

func portLine(a netip.AddrPort) []string {
	return []string{"PORT " + userpi.FormatPort(net.TCPAddrFromAddrPort(a))}
}

func eprtLine(a netip.AddrPort) []string {
	ip := a.Addr()
	six := netip.AddrFrom16(ip.As16())
	return []string{
		userpi.FormatEPRT(net.TCPAddrFromAddrPort(a)),
		fmt.Sprintf("|2|%s|%d|", six, a.Port()),
		fmt.Sprintf("|1|%s|%d|", six, a.Port()),
	}
}

// trap is a listener of the case at its n-th address.
func (t *trial) trap(n, port int) *net.TCPListener {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: t.from(n), Port: port})
	t.must(err)
	t.later(func() { l.Close() })
	return l
}

// caught reports whether somebody connects to a trap.
func caught(l *net.TCPListener, within time.Duration) bool {
	_ = l.SetDeadline(time.Now().Add(within))
	conn, err := l.Accept()
	if err == nil {
		conn.Close()
	}
	return err == nil
}

func bounce(t *trial, lines func(netip.AddrPort) []string) {
	t.plant("file", "x")
	l := t.trap(9, 0)
	ap := netip.MustParseAddrPort(l.Addr().String())
	c := t.login(0)
	for _, line := range lines(ap) {
		if !strings.HasPrefix(line, "PORT") {
			line = "EPRT " + line
		}
		r, err := c.Do(line)
		t.must(err)
		if r.Code < 400 {
			t.must(c.Send("RETR file"))
			t.check(!caught(l, time.Second), "%s leads to a stranger", line)
			t.fail("%s was answered %q", line, r)
		}
	}
	t.inStep(c, "PORT")
}

func bouncePrivileged(t *trial) {
	c := t.login(0)
	ip := t.from(0)
	for _, port := range []int{22, 25, 1023} {
		r := t.refused(c, "PORT "+userpi.FormatPort(&net.TCPAddr{IP: ip, Port: port}))
		t.check(r.Code >= 500, "%v", r)
		t.refused(c, "EPRT "+userpi.FormatEPRT(&net.TCPAddr{IP: ip, Port: port}))
	}
}

// bounceSelf comes from the server's own address, as otherwise it is a stranger's.
func bounceSelf(t *trial) {
	t.plant("file", "x")
	conn, err := net.DialTimeout("tcp", t.Addr, 5*time.Second)
	t.must(err)
	t.later(func() { conn.Close() })
	c := userpi.New(conn)
	c.Timeout, c.Lenient = 5*time.Second, true
	t.must(c.Login(peers.User, peers.Password))
	r, err := c.Do("PORT " + userpi.FormatPort(conn.RemoteAddr()))
	t.must(err)
	if r.Code >= 400 {
		return
	}
	r, err = c.Do("RETR " + t.cwd + "/file")
	t.check(err == nil && r.Code >= 400, "it connects to its own port: %v, %v", r, err)
}

func portMalformed(t *trial) {
	t.plant("file", "x")
	l := t.trap(0, 0)
	for _, line := range []string{"PORT 1,2,3,4,5", "PORT 127,0,0,1,256,1", "PORT x", "EPRT |1|127.0.0.1|0|", "EPRT |1|127.0.0.1|", "EPRT |4|127.0.0.1|2000|"} {
		c := t.login(0)
		t.do(c, "PORT "+userpi.FormatPort(l.Addr()), 200)
		t.refused(c, line)
		c.Timeout = 3 * time.Second
		r, err := c.Do("RETR file")
		t.check(!caught(l, 50*time.Millisecond), "the port before %q is used", line)
		t.check(err == nil, "RETR behind %q: %v", line, err)
		t.check(r.Code >= 400 || r.Code == 150, "RETR behind %q: %v", line, r)
		c.Close()
	}
}

func pasvStolen(t *trial) {
	t.plant("file", strings.Repeat("treasure", 1000))
	c := t.login(0)
	addr, err := passive(c)
	t.must(err)
	conn, err := t.dialAt(9, addr)
	if err != nil {
		return
	}
	t.must(c.Send("RETR file"))
	_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
	data, _ := io.ReadAll(conn)
	t.check(len(data) == 0, "the thief has %d bytes", len(data))
}

func pasvOwner(t *trial) {
	t.plant("file", "treasure")
	c := t.login(0)
	addr, err := passive(c)
	t.must(err)
	for i := range 3 {
		if conn, err := t.dialAt(9+i, addr); err == nil {
			go io.Copy(io.Discard, conn)
		}
	}
	conn, err := t.dialAt(0, addr)
	t.check(err == nil, "the owner is turned away: %v", err)
	t.must(c.Send("RETR file"))
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	data, _ := io.ReadAll(conn)
	t.check(string(data) == "treasure", "the owner has %q", data)
}

func pasvUnpredictable(t *trial) {
	seen, next, last := map[string]bool{}, 0, 0
	for i := range 24 {
		c := t.login(i)
		addr, err := passive(c)
		t.must(err)
		port := int(netip.MustParseAddrPort(addr).Port())
		if d := port - last; i > 0 && d >= -2 && d <= 2 {
			next++
		}
		seen[addr], last = true, port
	}
	t.check(len(seen) >= 20 && next <= 4, "%d ports of 24 sessions, %d beside the one before", len(seen), next)
}

func dataBound(t *trial) {
	t.plant("file", strings.Repeat("treasure", 1000))
	for _, version := range []uint16{tls.VersionTLS13, tls.VersionTLS12} {
		conf := anyTLS()
		conf.MaxVersion = version
		c, err := t.session(0, conf)
		t.must(err)
		addr, err := passive(c)
		t.must(err)
		conn, err := t.dialAt(0, addr)
		t.must(err)
		t.must(c.Send("RETR file"))
		_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
		thief := tls.Client(conn, conf)
		data, _ := io.ReadAll(thief)
		t.check(len(data) == 0, "the thief has %d bytes", len(data))
	}
}

func pasvRepeated(t *trial) {
	t.plant("file", "x")
	c := t.login(0)
	_, err := passive(c)
	t.must(err)
	before := t.state()
	for range 200 {
		_, err := passive(c)
		t.must(err)
	}
	t.givenBack(before, time.Second)
	text, err := t.get(c, "RETR file")
	t.check(err == nil && text == "x", "behind them: %q, %v", text, err)
}

func pasvHoarded(t *trial) {
	var hoard []*userpi.Client
	got := 0
	for i := range 15 {
		c, err := t.session(i, nil)
		if err != nil {
			var full *userpi.Unexpected
			t.check(errors.As(err, &full) && full.Reply.Code == 421, "session %d: %v", i, err)
			break
		}
		hoard = append(hoard, c)
		c.Timeout = 5 * time.Second
		r, err := c.Do("EPSV")
		var timeout net.Error
		t.check(!asTimeout(err, &timeout), "session %d is not answered", i)
		if err == nil && r.Code == 229 {
			got++
		}
	}
	t.check(got <= 10, "%d of 10 ports were given", got)
	for _, c := range hoard {
		c.Close()
	}
	var err error
	ok := t.until(10*time.Second, func() bool {
		err = visit(t.ctx, t.Server, t.net, false, 2*time.Second)
		return err == nil
	})
	t.check(ok, "when they have gone: %v", err)
}

func pasvSingleUse(t *trial) {
	t.plant("file", "x")
	c := t.login(0)
	p, err := c.Prepare(userpi.EPSV)
	t.must(err)
	t.must(c.Send("RETR file"))
	conn, err := p.Open()
	t.must(err)
	addr := conn.RemoteAddr().String()
	_, err = io.ReadAll(conn)
	t.must(err)
	conn.Close()
	for r := (userpi.Reply{}); r.Code != 226; {
		r, err = c.Reply()
		t.must(err)
	}
	t.closed(addr)
}

// closed holds that nobody listens at an address any more, or soon.
func (t *trial) closed(addr string) {
	t.check(t.until(2*time.Second, func() bool {
		conn, err := t.dialAt(0, addr)
		if err != nil {
			return true
		}
		conn.Close()
		return false
	}), "the port is open")
}

func pasvClosedOnQuit(t *trial) {
	c := t.login(0)
	addr, err := passive(c)
	t.must(err)
	t.do(c, "QUIT", 221)
	t.closed(addr)
}

func neverOpened(t *trial) {
	t.plant("file", "x")
	c := t.login(0)
	for _, line := range []string{"RETR file", "LIST", "STOR new"} {
		_, err := passive(c)
		t.must(err)
		t.must(c.Send(line))
		c.Timeout = 300 * time.Millisecond
		_, _ = c.Reply() // some say 150 now
		t.abortEither(c, line)
		t.inStep(c, line)
	}
}

// abortEither ends a transfer that may or may not have had its first reply.
func (t *trial) abortEither(c *userpi.Client, line string) {
	c.Timeout = 5 * time.Second
	t.must(c.Send("ABOR"))
	r, err := c.Reply()
	if err == nil && r.Code < 200 {
		r, err = c.Reply()
	}
	t.check(err == nil, "ABOR of %s: %v", line, err)
	c.Timeout = userpi.Timeout
	t.settled(c, "ABOR of "+line)
}

func neverOpenedDrop(t *trial) {
	t.plant("file", "x")
	before := t.state()
	for i := range 20 {
		c := t.login(i)
		_, err := passive(c)
		t.must(err)
		t.must(c.Send([]string{"RETR file", "STOR new" + fmt.Sprint(i), "LIST"}[i%3]))
	}
	t.hangUp()
	t.givenBack(before, 10*time.Second)
}

func slowReaders(t *trial) {
	t.plantHole("big", 1<<30)
	t.unread("RETR big")
}

// unread has twenty clients begin a command and read nothing of what it sends.
func (t *trial) unread(line string) {
	before := t.memory()
	for i := range 20 {
		t.begin(t.login(i), line)
	}
	t.others(soon)
	t.flat(before)
}

func abortSlow(t *trial) {
	t.plantHole("big", 1<<30)
	c := t.login(0)
	conn := t.begin(c, "RETR big")
	for range 5 {
		_, err := conn.Read(make([]byte, 1))
		t.must(err)
		t.pause(20 * time.Millisecond)
	}
	t.abort(c, 3*time.Second)
	t.inStep(c, "ABOR")
}

func abortStorm(t *trial) {
	t.plantHole("big", 1<<30)
	c := t.login(0)
	rounds := 25
	if t.full {
		rounds = 100
	}
	for i := range rounds {
		conn := t.begin(c, "RETR big")
		if i%2 == 0 {
			_, _ = conn.Read(make([]byte, 10))
		}
		t.abort(c, 5*time.Second)
		conn.Close()
	}
	t.inStep(c, "ABOR")
	t.must(t.put(c, "STOR after", "x"))
}

func disconnectStorm(t *trial) {
	t.plantHole("big", 1<<30)
	before := t.state()
	var all sync.WaitGroup
	var mu sync.Mutex
	var first error
	for i := range 50 {
		all.Go(func() {
			c, err := t.session(i, nil)
			if err == nil {
				_, err = begin(c, []string{"RETR big", fmt.Sprintf("STOR up%d", i), "LIST"}[i%3])
			}
			if err == nil {
				err = userpi.Reset(c.Raw())
			}
			mu.Lock()
			defer mu.Unlock()
			if first == nil {
				first = err
			}
		})
	}
	all.Wait()
	t.must(first)
	t.hangUp()
	t.givenBack(before, 10*time.Second)
	t.others(soon)
}

func listDrop(t *trial) {
	for i := range 500 {
		t.plant(fmt.Sprintf("a-file-with-a-name-%d", i), "")
	}
	c := t.login(0)
	c.Timeout = 5 * time.Second
	for i := range 12 {
		line := []string{"LIST", "NLST", "STAT"}[i%2]
		conn, err := begin(c, line)
		t.must(err)
		t.must(userpi.Reset(conn))
		r, err := c.Reply()
		t.check(err == nil && r.Code >= 226, "%s: %v, %v", line, r, err)
	}
	t.inStep(c, "LIST")
}

func epsvAll(t *trial) {
	c := t.login(0)
	r, err := c.Do("EPSV ALL")
	t.must(err)
	if r.Code >= 400 {
		t.absent("EPSV ALL: %v", r)
	}
	own := &net.TCPAddr{IP: t.from(0), Port: 40000}
	for range 2 {
		for _, line := range []string{"PASV", "PORT " + userpi.FormatPort(own), "EPRT " + userpi.FormatEPRT(own)} {
			t.refused(c, line)
		}
		_, err := t.get(c, "RETR none")
		t.check(err != nil, "there is a file none")
	}
}
