package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/lang"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// piped is one end of a connection in memory that has addresses, none of this host.
type piped struct {
	net.Conn
	local, peer net.Addr
}

func (p piped) LocalAddr() net.Addr  { return p.local }
func (p piped) RemoteAddr() net.Addr { return p.peer }

func pipe() (server, client net.Conn) {
	ours, theirs := net.Pipe()
	here := net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:21"))
	there := net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.2:40000"))
	return piped{ours, here, there}, piped{theirs, there, here}
}

// pipePort is a data port in memory. Its client comes at once, sends a few bytes and
// takes any; one that hangs does neither.
type pipePort struct{ hangs bool }

func (p *pipePort) Open(context.Context) (net.Conn, error) {
	server, client := pipe()
	if p.hangs {
		return server, nil
	}
	go func() {
		_, _ = io.Copy(io.Discard, client)
	}()
	go func() {
		_, _ = client.Write([]byte("one\r\ntwo"))
		_ = client.Close()
	}()
	return server, nil
}

func (p *pipePort) Close() error         { return nil }
func (p *pipePort) Addr() netip.AddrPort { return netip.MustParseAddrPort("192.0.2.1:50000") }
func (p *pipePort) Until() time.Time     { return time.Time{} }

// place is the state in which a session gets the fuzzer's bytes.
type place struct {
	tls    bool
	before string
}

func places() []place {
	const in = "USER dev\r\nPASS secret\r\nTYPE I\r\n"
	return []place{
		{false, ""}, // nothing but the greeting
		{false, "USER dev\r\n"},
		{false, in},
		{false, in + "PASV\r\n"},
		{false, in + "EPRT |1|192.0.2.2|50001|\r\nSTOR hangs\r\n"}, // a transfer runs that does not end by itself
		{false, in + "RNFR a\r\nREST 2\r\nSITE CPFR a\r\nEPSV\r\n"},
		{true, ""},
		{true, in + "PBSZ 0\r\nCWD d\r\n"},
		{true, "PBSZ 0\r\nPROT P\r\n" + in + "EPSV\r\nRNFR d\r\n"},
	}
}

// house is a server in memory with one session.
type house struct {
	t    *testing.T
	srv  *Server
	root string // of the disk, empty for memory
	// foreign: a line is of another protocol, which ends a session without a word.
	foreign bool
	conn    net.Conn
	done    chan error
}

// newHouse begins a session of a whole server.
func newHouse(t *testing.T, certs *tls.Config, words *lang.Set, disk bool) *house {
	h := &house{t: t, done: make(chan error, 1)}
	k := newKeeper()
	conf := basic(k)
	l := &conf.Listeners[0]
	l.Address = ""
	l.Passive.Listen = func(context.Context, dtp.PassiveConfig) (dtp.PassivePort, error) { return &pipePort{}, nil }
	l.Active.Prepare = func(c dtp.ActiveConfig, to netip.AddrPort) (dtp.Port, error) {
		_, err := dtp.NewActive(c, to)
		return &pipePort{hangs: true}, err
	}
	l.TLS = certs
	conf.Languages = words
	conf.Commands = pi.Standard().With(pi.Optional()...)
	mem := conf.FS.(*vfs.Mem)
	if disk {
		h.root = t.TempDir()
		h.must(os.MkdirAll(filepath.Join(h.root, "d"), 0o755))
		h.must(os.WriteFile(filepath.Join(h.root, "a"), []byte("one\ntwo\r\n"), 0o644))
		h.must(os.WriteFile(filepath.Join(h.root, "d", "b"), []byte("x"), 0o644))
		d, err := vfs.OpenDisk(vfs.DiskConfig{Root: h.root})
		h.must(err)
		conf.FS = d
	}
	h.must(mem.WriteFile("/a", []byte("one\ntwo\r\n")))
	h.must(mem.WriteFile("/d/b", []byte("x")))
	srv, err := New(conf)
	h.must(err)
	h.srv = srv
	server, client := pipe()
	h.conn = client
	go func() {
		h.done <- srv.ServeConn(context.Background(), server, "main")
		if d, ok := conf.FS.(*vfs.Disk); ok {
			_ = d.Close()
		}
	}()
	return h
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// commands counts the lines that the server is sent, with the reader that it has
// itself; a line that is too long is one, and answered.
func commands(text []byte) (n int) {
	var r wire.Reader
	in := bytes.NewReader(text)
	for {
		_, err := r.ReadLine(in)
		if err != nil && !errors.Is(err, wire.ErrLineTooLong) {
			return n
		}
		n++
	}
}

// heard is what a session has said.
type heard struct {
	finals int // replies that are not marks
	last   userpi.Reply
	inStep bool // the last line was answered as such
	tls    bool // 234: what follows is TLS
}

// listen reads replies to the end, and checks each.
func (h *house) listen(c *userpi.Client, mark string) (said heard) {
	for {
		r, err := c.Reply()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed) {
			return said
		}
		if err != nil {
			h.t.Errorf("not a reply: %v", err)
			_ = c.Close()
			return said
		}
		for _, l := range r.Lines {
			if strings.ContainsFunc(l, func(c rune) bool { return c < ' ' && c != '\t' || c >= 0x7f && c < 0xa0 }) {
				h.t.Errorf("a control character in %q", r)
			}
			if h.root != "" && strings.Contains(l, h.root) || strings.Contains(l, "goroutine ") {
				h.t.Errorf("something of the host in %q", r)
			}
		}
		if r.Code >= 200 {
			said.finals++
			said.last = r
		}
		said.inStep = said.inStep || strings.Contains(r.Text(), mark)
		if r.Code == 234 {
			said.tls = true
			_, _ = io.Copy(io.Discard, c.Raw())
			return said
		}
	}
}

// FuzzServer sends bytes to a whole server, in the states in which a session can be,
// in pieces. Nothing panics, everything ends, and each line is answered by one
// well-formed reply that tells nothing of the host.
func FuzzServer(f *testing.F) {
	seeds(f)
	cats, err := lang.BuiltIn()
	if err != nil {
		f.Fatal(err)
	}
	words, err := lang.NewSet("en", cats...) // which takes longer than all else
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, input []byte, state, cut uint8) {
		synctest.Test(t, func(t *testing.T) {
			server, client, err := userpi.ThrowAway() // in the bubble's time
			if err != nil {
				t.Fatal(err)
			}
			at := places()[int(state)%len(places())]
			h := newHouse(t, server, words, cut%16 == 1)
			c := userpi.New(h.conn)
			extra := 1 // the greeting
			if at.tls {
				_, err := c.Expect("the connection", 220)
				h.must(err)
				_, err = c.Must("AUTH TLS", 234)
				h.must(err)
				h.must(c.StartTLS(client))
				extra = 0
			}
			const mark = "X3STEP"
			text := slicesOf(at.before, input, "\r\nABOR\r\n"+mark+"\r\nQUIT\r\n")
			h.foreign = regexp.MustCompile(`(?i)(GET|POST|HEAD|PUT|OPTIONS|CONNECT|TRACE|PATCH|DELETE)`).Match(input)
			go feed(c, text, len(at.before), int(cut)+1)
			said := h.listen(c, mark)
			h.judge(said, commands(text)+extra)
			_ = c.Close()
			if err := <-h.done; err != nil {
				t.Errorf("ServeConn: %v", err)
			}
			h.must(h.srv.Shutdown(context.Background()))
			h.empty()
		})
	})
}

// judge holds the replies against the lines that were sent: each has one, to the last,
// or the session was ended with a word, or without one for another protocol's request.
func (h *house) judge(said heard, lines int) {
	h.t.Logf("in step %v, %d replies to %d lines, the last one %v", said.inStep, said.finals, lines, said.last)
	switch {
	case said.inStep && said.finals != lines:
		h.t.Errorf("%d replies to %d lines", said.finals, lines)
	case said.finals > lines+1: // one may say that the session ends
		h.t.Errorf("%d replies to %d lines, and the session has ended", said.finals, lines)
	case !said.inStep && !said.last.Is(221, 234, 421, 500, 530) && !h.foreign:
		h.t.Errorf("the session ended with %v", said.last)
	}
}

func slicesOf(before string, input []byte, after string) []byte {
	return append(append([]byte(before), input...), after...)
}

// empty checks that the server holds nothing of the session.
func (h *house) empty() {
	h.srv.gate.mu.Lock()
	defer h.srv.gate.mu.Unlock()
	n := &h.srv.gate.sessions
	if n.total != 0 || len(n.byIP) != 0 || len(h.srv.sessions) != 0 {
		h.t.Errorf("%d connections, %d addresses and %d sessions are left", n.total, len(n.byIP), len(h.srv.sessions))
	}
}

// feed sends the first bytes at once and the others in pieces.
func feed(c *userpi.Client, text []byte, first, piece int) {
	for n := first; len(text) > 0; n = piece {
		n = min(max(n, 1), len(text))
		if _, err := c.Write(text[:n]); err != nil {
			return
		}
		text = text[n:]
	}
}

// seeds are what the conformance scripts say, each in one of the states, and what no
// honest client says.
func seeds(f *testing.F) {
	scripts, err := filepath.Glob("../tests/conformance/*.txt")
	if err != nil || len(scripts) < 50 {
		f.Fatalf("%d conformance scripts, %v", len(scripts), err)
	}
	n := 0
	add := func(text string) {
		f.Add([]byte(text), uint8(n), uint8(255))
		n++
	}
	for _, path := range scripts {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		var said strings.Builder
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "C: "); ok {
				said.WriteString(rest + "\r\n")
			}
		}
		add(said.String())
	}
	for _, text := range []string{
		"", "\r\n", "\n\n\n", "\x00", "\xff\xf4\xff\xf2ABOR\r\n", "\xff\xfa\x00\r\nNOOP\r\n", "\x16\x03\x01\x02\x00\x01\x00", "GET / HTTP/1.1\r\n\r\n",
		strings.Repeat("A", 9000) + "\r\nNOOP\r\n", strings.Repeat("NOOP\r\n", 40), "AUTH TLS\r\nNOOP\r\n", "USER a\r\nPASS b\r\nUSER a\r\nPASS b\r\nUSER a\r\nPASS b\r\n",
		"ABOR\r\nABOR\r\n", "STAT\r\nNOOP\r\nSTAT a\r\nABOR\r\nSTAT\r\n", "REIN\r\nUSER dev\r\nPASS secret\r\n", "QUIT\r\nNOOP\r\n", "RNTO \x1b[2J\xc2\x9b\r\nCWD \x7f\r\nMKD \xff\xff\r\nPWD\r\n",
		"PASV\r\nLIST -laR\r\nEPSV\r\nNLST */*\r\nPASV\r\nMLSD\r\nSTAT -R /\r\n", "EPSV\r\nRETR a\r\nPASV\r\nSTOR b\r\nPASV\r\nAPPE b\r\nPASV\r\nSTOU\r\nHASH b\r\n",
		"MODE Z\r\nPASV\r\nSTOR z\r\nPASV\r\nRETR a\r\n", "PROT P\r\nPASV\r\nRETR a\r\n", "EPRT |1|192.0.2.2|50001|\r\nRETR a\r\nNOOP\r\nQUIT\r\n",
	} {
		for state := range places() {
			f.Add([]byte(text), uint8(state), []uint8{255, 0, 1, 6}[n%4])
			n++
		}
	}
}
