package quicnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

var (
	_ pi.Carrier   = (*Conn)(nil)
	_ pi.Binder    = (*Conn)(nil)
	_ dtp.Directed = (*port)(nil)
	_ dtp.Ender    = (*upload)(nil)
	_ dtp.Ender    = (*download)(nil)
)

// keeper is a policy that lets in whoever says "secret", and keeps what it sees.
type keeper struct {
	mu     sync.Mutex
	who    policy.Session // of the last login
	bound  []byte
	events []policy.Event
}

func (*keeper) Name() string { return "keeper" }

func (k *keeper) Hooks() policy.Hooks { return policy.Hooks{Authenticator: k, Observer: k} }

func (k *keeper) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.who, k.bound = *l.Session, l.Binding
	if l.Password != "secret" {
		return policy.Identity{}, nil
	}
	all := policy.Perms(policy.PermAll)
	return policy.Identity{Verdict: policy.Allow, Perms: &all}, nil
}

func (k *keeper) Observe(_ context.Context, e *policy.Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.events = append(k.events, *e)
	return nil
}

// asked returns who wanted to log in last, and what that was bound to.
func (k *keeper) asked() (policy.Session, []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.who, k.bound
}

// saw returns the events of a kind.
func (k *keeper) saw(kind policy.EventKind) (out []policy.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.events {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// host is an FTP server behind a listener.
type host struct {
	*site
	keeper *keeper
	files  *vfs.Mem
}

func serve(t *testing.T, others ...policy.Policy) *host {
	t.Helper()
	h := &host{keeper: new(keeper), files: vfs.NewMem()}
	quic := listen(t, nil)
	slots := []edge.Slot{{Name: "keeper", Policy: h.keeper}}
	for _, p := range others {
		slots = append(slots, edge.Slot{Name: p.Name(), Policy: p})
	}
	srv, err := edge.New(edge.Config{FS: h.files, Listeners: []edge.Listener{{Name: "main"}}, Log: slog.New(slog.DiscardHandler),
		Policies: slots, Logins: edge.Logins{FailDelay: -1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.site = quic
	var sessions sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	sessions.Go(func() {
		for {
			c, err := h.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			sessions.Go(func() { _ = srv.ServeConn(ctx, c, "main") })
		}
	})
	t.Cleanup(func() {
		_ = h.Close()
		cancel()
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		sessions.Wait()
	})
	return h
}

// login begins a session.
func (h *host) login(t *testing.T, c *Client) *userpi.Client {
	t.Helper()
	conn, err := c.Session(within(t))
	if err != nil {
		t.Fatal(err)
	}
	u := userpi.New(conn)
	if err := u.Login("dev", "secret"); err != nil {
		t.Fatal(err)
	}
	return u
}

func must(t *testing.T, u *userpi.Client, line string, codes ...int) userpi.Reply {
	t.Helper()
	r, err := u.Must(line, codes...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func expect(t *testing.T, u *userpi.Client, what string, codes ...int) userpi.Reply {
	t.Helper()
	r, err := u.Expect(what, codes...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// put stores a file, all in one flight.
func put(t *testing.T, c *Client, u *userpi.Client, name string, content []byte) {
	t.Helper()
	token := c.Token()
	if err := errors.Join(u.Send("QDAT "+token), u.Send("STOR "+name)); err != nil {
		t.Fatal(err)
	}
	up, err := c.Send(within(t), token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := up.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := up.Close(); err != nil {
		t.Fatal(err)
	}
	if r := expect(t, u, "QDAT", 200); !strings.HasPrefix(r.Text(), token+" ") {
		t.Errorf("QDAT is answered %q", r.Text())
	}
	expect(t, u, "the mark", 150)
	expect(t, u, "the end", 226)
}

// get runs a command that sends something, all in one flight.
func get(t *testing.T, c *Client, u *userpi.Client, line string) string {
	t.Helper()
	token := c.Token()
	if err := errors.Join(u.Send("QDAT "+token), u.Send(line)); err != nil {
		t.Fatal(err)
	}
	down, err := c.Receive(within(t), token)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(down)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, u, "QDAT", 200)
	expect(t, u, "the mark", 150)
	expect(t, u, "the end", 226)
	return string(b)
}

// unpublished expects that nobody can have a file. That its name is there, so that its owner
// can go on with it, is another matter.
func unpublished(t *testing.T, c *Client, u *userpi.Client, name string) {
	t.Helper()
	must(t, u, "QDAT "+c.Token(), 200)
	must(t, u, "RETR "+name, 550, 450)
}

func TestWholeSession(t *testing.T) {
	h := serve(t)
	c := h.dial(t)
	u := h.login(t, c)
	if who, bound := h.keeper.asked(); who.Protocol != ProtocolFTP || who.TLS.Version == "" || !bytes.Equal(bound, c.Binding()) {
		t.Errorf("the authenticator is asked of %+v, bound to %x", who, bound)
	}
	if r := must(t, u, "FEAT", 211); !strings.Contains(fmt.Sprint(r), "FTPQ 1") {
		t.Errorf("FEAT: %v", r)
	}
	for line, code := range map[string]int{
		"AUTH TLS": 503, "PBSZ 0": 200, "PROT P": 200, "PROT C": 534, "CCC": 534,
		"PASV": 522, "EPSV": 522, "EPSV 2": 522, "PORT 127,0,0,1,4,1": 522, "EPRT |1|127.0.0.1|1025|": 522,
		"QDAT x": 501, "LIST": 425,
	} {
		must(t, u, line, code)
	}
	must(t, u, "TYPE I", 200)
	file := pattern(1 << 20)
	put(t, c, u, "file.bin", file)
	if got := get(t, c, u, "RETR file.bin"); got != string(file) {
		t.Errorf("%d bytes come back of %d", len(got), len(file))
	}
	if got := get(t, c, u, "LIST"); !strings.Contains(got, "file.bin") {
		t.Errorf("LIST: %q", got)
	}
	put(t, c, u, "empty", nil)
	if got := get(t, c, u, "RETR empty"); got != "" {
		t.Errorf("an empty file: %q", got)
	}

	chosen := must(t, u, "QDAT", 200) // by the server
	token := strings.Fields(chosen.Text())[0]
	if err := u.Send("NLST"); err != nil {
		t.Fatal(err)
	}
	down, err := c.Receive(within(t), token)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(down); err != nil || string(b) != "empty\r\nfile.bin\r\n" {
		t.Errorf("NLST: %q, %v", b, err)
	}
	expect(t, u, "the mark", 150)
	expect(t, u, "the end", 226)
	must(t, u, "QDAT "+token, 501) // used
	if err := u.Quit(); err != nil {
		t.Error(err)
	}
	if c.Err() != nil {
		t.Errorf("the connection ends with its session: %v", c.Err())
	}
	h.login(t, c) // without a handshake
	if st := h.Stats(); st.Handshakes != 1 {
		t.Errorf("%+v", st)
	}
}

// segmentDialogue is the dialogue under "Segments" in docs/ftpq.md: the commands, and the
// codes of the replies.
func segmentDialogue(t *testing.T) (said, codes []string) {
	t.Helper()
	b, err := os.ReadFile("../../docs/ftpq.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "\n## Segments\n")
	text, _, _ = strings.Cut(text, "\n## ")
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "C: "); ok {
			said = append(said, strings.TrimSpace(command))
		}
		if reply, ok := strings.CutPrefix(line, "S: "); ok {
			codes = append(codes, reply[:3])
		}
	}
	return said, codes
}

// A segment is one flight: neither QDAT nor MLST uses up what RANG has said. The dialogue is
// that of the specification.
func TestSegment(t *testing.T) {
	said, codes := segmentDialogue(t)
	if len(said) != 4 || len(codes) != 5 {
		t.Fatalf("docs/ftpq.md has %q and %q", said, codes)
	}
	h := serve(t)
	c := h.dial(t)
	u := h.login(t, c)
	must(t, u, "TYPE I", 200)
	file := pattern(3<<20 + 5)
	put(t, c, u, "file.bin", file)
	for _, flight := range [][]string{said, {said[1], said[0], said[3], said[2]}} { // RANG may come first
		token := c.Token()
		var answers []string
		for _, line := range flight {
			if strings.HasPrefix(line, "QDAT ") {
				line = "QDAT " + token
			}
			answers = append(answers, map[string]string{"QDAT": "200", "RANG": "350", "RETR": "150 226", "MLST": "250"}[line[:4]])
			if err := u.Send(line); err != nil {
				t.Fatal(err)
			}
		}
		down, err := c.Receive(within(t), token)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(down); err != nil || !bytes.Equal(b, file[1<<20:2<<20]) {
			t.Errorf("%q: %d bytes, %v", flight, len(b), err)
		}
		want := strings.Fields(strings.Join(answers, " "))
		if flight[0] == said[0] && !slices.Equal(want, codes) {
			t.Errorf("docs/ftpq.md has the replies %q", codes)
		}
		for _, code := range want {
			n, err := strconv.Atoi(code)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, u, strings.Join(flight, ", "), n)
		}
		must(t, u, "QDAT", 200) // and the range is used up
	}
	if got := get(t, c, u, "RETR file.bin"); got != string(file) {
		t.Errorf("%d bytes behind a segment", len(got))
	}
}

// What ends without FIN is not published, however it ends.
func TestTruncatedUpload(t *testing.T) {
	h := serve(t)
	c := h.dial(t)
	u := h.login(t, c)
	must(t, u, "TYPE I", 200)
	put(t, c, u, "kept", []byte("as it was"))
	for name, cut := range map[string]func(*Upload){
		"new":  func(up *Upload) { up.Reset(CodeStorage) },
		"kept": func(up *Upload) { up.Reset(CodeAborted) },
	} {
		token := c.Token()
		must(t, u, "QDAT "+token, 200)
		must(t, u, "STOR "+name, 150)
		up, err := c.Send(within(t), token)
		if err != nil {
			t.Fatal(err)
		}
		writes(t, up, "half of it")
		cut(up)
		expect(t, u, "the end", 426)
	}
	unpublished(t, c, u, "new")

	raw := h.rawConn(t) // and a connection that ends in the middle, with code 0
	near, err := raw.OpenStreamSync(within(t))
	if err != nil {
		t.Fatal(err)
	}
	token := NewToken()
	writes(t, near, "\x40\x43USER dev\r\nPASS secret\r\nTYPE I\r\nQDAT "+token.String()+"\r\nSTOR kept\r\n")
	rawData(t, raw, append(head(token), "half"...))
	for b, text := make([]byte, 512), ""; !strings.Contains(text, "\r\n150 "); {
		n, err := near.Read(b)
		if text += string(b[:n]); err != nil {
			t.Fatal(text, err)
		}
	}
	_ = raw.CloseWithError(0, "")
	await(t, func() bool { return h.Stats().Sessions == 1 })
	if got := get(t, c, u, "RETR kept"); got != "as it was" {
		t.Errorf("kept has become %q", got)
	}
	await(t, func() bool { return len(h.keeper.saw(policy.EventIncompleteFileReceived)) == 3 })
}

// ABOR is heard beside a transfer that does not move, and ends its stream.
func TestAbort(t *testing.T) {
	h := serve(t)
	c := h.dial(t)
	u := h.login(t, c)
	must(t, u, "TYPE I", 200)
	put(t, c, u, "large", pattern(4<<20)) // more than the client's first window
	token := c.Token()
	must(t, u, "QDAT "+token, 200)
	must(t, u, "RETR large", 150)
	down, err := c.Receive(within(t), token)
	if err != nil {
		t.Fatal(err)
	}
	reads(t, down, string(pattern(1000)))
	if err := u.Send("ABOR"); err != nil {
		t.Fatal(err)
	}
	expect(t, u, "RETR", 426)
	expect(t, u, "ABOR", 226)
	wantCode(t, down, CodeAborted)

	token = c.Token()
	must(t, u, "QDAT "+token, 200)
	must(t, u, "STOR new", 150)
	up, err := c.Send(within(t), token)
	if err != nil {
		t.Fatal(err)
	}
	writes(t, up, "half")
	await(t, func() bool { return strings.Contains(must(t, u, "STAT", 211, 213).String(), " 4 bytes") }) // ABOR could overtake them
	if err := u.Send("ABOR"); err != nil {
		t.Fatal(err)
	}
	expect(t, u, "STOR", 426)
	expect(t, u, "ABOR", 226)
	<-up.d.stream.Context().Done()
	if e, ok := errors.AsType[*Error](up.Close()); !ok || e.Code != CodeAborted {
		t.Errorf("the upload ends with %v", up.Close())
	}
	unpublished(t, c, u, "new")

	token = c.Token() // and where no stream comes
	must(t, u, "QDAT "+token, 200)
	must(t, u, "STOR new", 150)
	if err := u.Send("ABOR"); err != nil {
		t.Fatal(err)
	}
	expect(t, u, "STOR", 426)
	expect(t, u, "ABOR", 226)
	if up, err = c.Send(within(t), token); err != nil {
		t.Fatal(err)
	}
	<-up.d.stream.Context().Done()
	if e, ok := errors.AsType[*Error](up.Close()); !ok || e.Code != CodeToken {
		t.Errorf("the late upload ends with %v", up.Close())
	}
	must(t, u, "NOOP", 200)
}

// A session goes on when its client's address changes, and observers are told.
func TestSessionMoves(t *testing.T) {
	h := serve(t)
	r := newRelay(t, h.Addr().(*net.UDPAddr))
	conf := h.dialConfig()
	conf.Addr = r.front.LocalAddr().String()
	c, err := Dial(within(t), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	u := h.login(t, c)
	r.rebind(t)
	must(t, u, "NOOP", 200) // by which the server learns of it, and perhaps looks before
	await(t, func() bool { return len(h.keeper.saw(policy.EventClientMoved)) == 1 })
	if e := h.keeper.saw(policy.EventClientMoved)[0]; e.Session.Peer.String() != r.behind().LocalAddr().String() {
		t.Errorf("the client has moved to %v, not %v", e.Session.Peer, r.behind().LocalAddr())
	}
}

// A client that was written from the specification alone does a whole transfer.
func TestSpecification(t *testing.T) {
	h := serve(t)
	c := h.rawConn(t)
	near, err := c.OpenStreamSync(within(t))
	if err != nil {
		t.Fatal(err)
	}
	up, down := Token{1}, Token{2}
	writes(t, near, "\x40\x43USER dev\r\nPASS secret\r\nTYPE I\r\n"+
		"QDAT AEAAAAAAAAAAAAAAAAAAAAAAAA\r\nSTOR f\r\nQDAT AIAAAAAAAAAAAAAAAAAAAAAAAA\r\nRETR f\r\nQUIT\r\n")
	d := rawData(t, c, append([]byte("\x40\x46\x10\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "file"...))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := c.AcceptUniStream(within(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(s)
	if want := "\x40\x46\x10\x02" + strings.Repeat("\x00", 15) + "file"; err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
	text, err := io.ReadAll(near)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for line := range strings.Lines(string(text)) {
		codes = append(codes, line[:3])
	}
	if got := strings.Join(codes, " "); got != "220 331 230 200 200 150 226 200 150 226 221" {
		t.Errorf("the replies are %s (%v, %v)", got, up, down)
	}
}
