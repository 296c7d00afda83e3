package bridge

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// Every way to a data connection works in both directions, and all clients are on one
// connection.
func TestTransfers(t *testing.T) {
	r := start(t, nil)
	want := r.put("/a.bin", 300_000)
	for _, mode := range []userpi.Mode{userpi.EPSV, userpi.PASV, userpi.PORT, userpi.EPRT} {
		c := r.client()
		must(t, c, "TYPE I", 200)
		got, err := c.Get(mode, "RETR a.bin")
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: %d bytes, %v", mode, len(got), err)
		}
		if _, err := c.Put(mode, "STOR up.bin", bytes.NewReader(want)); err != nil {
			t.Errorf("%v: %v", mode, err)
		}
		if got := r.read("/up.bin"); !bytes.Equal(got, want) {
			t.Errorf("%v: %d bytes have arrived", mode, len(got))
		}
		for _, line := range []string{"LIST", "NLST", "MLSD"} {
			if got, err := c.Get(mode, line); err != nil || !bytes.Contains(got, []byte("a.bin")) {
				t.Errorf("%v %s: %q, %v", mode, line, got, err)
			}
		}
		must(t, c, "DELE up.bin", 250)
		if err := c.Quit(); err != nil {
			t.Error(err)
		}
	}
	if n := r.connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func (r *rig) read(name string) []byte {
	r.t.Helper()
	f, err := r.files.Open(vfs.Path(name))
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// What protects is answered here; FEAT tells of nothing that is not here, and of what is.
func TestLocalAnswers(t *testing.T) {
	r := start(t, nil)
	c := r.client()
	for line, code := range map[string]int{"AUTH TLS": 534, "PBSZ 0": 503, "PROT P": 534, "PROT C": 200, "CCC": 533, "QDAT": 502,
		"EPSV 2": 522, "EPRT |2|::1|5000|": 501, "EPRT |7|x|5000|": 522, "PORT 127,0,0,1,0,21": 501, "PORT 10,0,0,1,20,20": 501, "PORT 1,2": 501,
		"RETR a": 425, "STOR a": 425, "LIST": 425, "12": 500, "STAT": 211, "NOOP": 200, "ABOR": 225, "EPSV ALL": 200} {
		if line == "EPSV ALL" {
			continue
		}
		must(t, c, line, code)
	}
	must(t, c, "EPSV ALL", 200)
	must(t, c, "PASV", 501)
	must(t, c, "EPSV", 229)
	reply := must(t, c, "FEAT", 211)
	for _, line := range reply.Lines {
		word := strings.Fields(line)[0]
		if slices.Contains([]string{"AUTH", "PBSZ", "PROT", "FTPQ", "QDAT"}, word) {
			t.Errorf("FEAT has %q", line)
		}
	}
	all := strings.Join(reply.Lines, "\n")
	for _, word := range []string{"EPRT", "EPSV", "PASV", "MLST", "REST STREAM", "UTF8"} {
		if strings.Count(all, word) != 1 {
			t.Errorf("FEAT has %q %d times:\n%s", word, strings.Count(all, word), all)
		}
	}
}

// Before the login there is no port.
func TestNotLoggedIn(t *testing.T) {
	r := start(t, nil)
	c, err := userpi.Dial(r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Expect("the connection", 220); err != nil {
		t.Fatal(err)
	}
	must(t, c, "PASV", 530)
	must(t, c, "USER anna", 331)
	must(t, c, "PASS wrong", 530)
	must(t, c, "EPSV", 530)
	must(t, c, "USER anna", 331)
	must(t, c, "PASS secret", 230)
	must(t, c, "EPSV", 229)
}

// Commands that are sent without waiting are answered in their order, each transfer over its
// own port.
func TestPipelined(t *testing.T) {
	r := start(t, nil)
	want := r.put("/a.bin", 100_000)
	c := r.client()
	if err := c.Send("TYPE I\r\nEPSV\r\nRETR a.bin\r\nNOOP\r\nPWD\r\nMKD d\r\nCWD d\r\nPWD"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Expect("TYPE", 200); err != nil {
		t.Fatal(err)
	}
	port, err := c.Expect("EPSV", 229)
	if err != nil {
		t.Fatal(err)
	}
	got := fetch(t, c, port)
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes", len(got))
	}
	var codes []int
	for range 7 {
		reply, err := c.Reply()
		if err != nil {
			t.Fatal(codes, err)
		}
		codes = append(codes, reply.Code)
	}
	// NOOP may be answered while the transfer runs.
	if slices.Sort(codes[:3]); !slices.Equal(codes, []int{150, 200, 226, 257, 257, 250, 257}) {
		t.Errorf("%v", codes)
	}
}

func fetch(t *testing.T, c *userpi.Client, port userpi.Reply) []byte {
	t.Helper()
	conn := connect(t, c, port)
	defer conn.Close()
	b, err := io.ReadAll(conn)
	if err != nil {
		t.Error(err)
	}
	return b
}

// A file that is not there, and one that the client does not want to the end.
func TestRefusedAndAborted(t *testing.T) {
	r := start(t, nil)
	r.put("/big.bin", 24<<20)
	c := r.client()
	must(t, c, "TYPE I", 200)
	must(t, c, "EPSV", 229)
	must(t, c, "RETR none.bin", 550)
	conn, err := c.Begin(userpi.EPSV, "RETR big.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.CopyN(io.Discard, conn, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := c.Send("ABOR"); err != nil {
		t.Fatal(err)
	}
	for _, code := range []int{426, 226} {
		if _, err := c.Expect("ABOR", code); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.Copy(io.Discard, conn); err == nil {
		t.Error("an aborted download has ended as a whole one does")
	}
	if got, err := c.Get(userpi.EPSV, "NLST"); err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// An upload whose connection is reset is not published; one that ends is.
func TestUploadReset(t *testing.T) {
	r := start(t, nil)
	c := r.client()
	must(t, c, "TYPE I", 200)
	conn, err := c.Begin(userpi.PASV, "STOR half.bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	if err := userpi.Reset(conn); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Expect("STOR", 426); err != nil {
		t.Fatal(err)
	}
	if _, err := r.files.Stat("/half.bin"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half of a file is there: %v", err)
	}
}

// A client that closes its data connection early is told of it by the server.
func TestClientClosesEarly(t *testing.T) {
	r := start(t, nil)
	r.put("/big.bin", 24<<20)
	c := r.client()
	must(t, c, "TYPE I", 200)
	conn, err := c.Begin(userpi.PASV, "RETR big.bin")
	if err != nil {
		t.Fatal(err)
	}
	if err := userpi.Reset(conn); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Expect("RETR", 426); err != nil {
		t.Fatal(err)
	}
	must(t, c, "NOOP", 200)
}

// MODE Z and text go through as they are.
func TestModes(t *testing.T) {
	r := start(t, nil)
	r.put("/a.bin", 1000)
	if err := r.files.WriteFile("/a.txt", []byte("one\ntwo\n")); err != nil {
		t.Fatal(err)
	}
	c := r.client()
	must(t, c, "TYPE A", 200)
	if got, err := c.Get(userpi.EPSV, "RETR a.txt"); err != nil || string(got) != "one\r\ntwo\r\n" {
		t.Errorf("%q, %v", got, err)
	}
	must(t, c, "TYPE I", 200)
	must(t, c, "MODE Z", 200)
	if got, err := c.Get(userpi.EPSV, "RETR a.txt"); err != nil || len(got) == 0 || string(got) == "one\ntwo\n" {
		t.Errorf("%q, %v", got, err)
	}
	must(t, c, "MODE S", 200)
	must(t, c, "REST 4", 350)
	if got, err := c.Get(userpi.EPSV, "RETR a.txt"); err != nil || string(got) != "two\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// More clients than there is room for are told so; a connection that nobody uses is closed,
// and made again when somebody comes.
func TestRoomAndKeep(t *testing.T) {
	r := start(t, func(c *Config, _ *edge.Config) { c.Sessions, c.Keep = 1, 10*time.Millisecond })
	c := r.client()
	other, err := userpi.Dial(r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Expect("the connection", 421); err != nil {
		t.Error(err)
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
	r.log.wait(t, "connection closed")
	must(t, r.client(), "NOOP", 200)
	if n := r.connections(); n != 2 {
		t.Errorf("%d connections", n)
	}
}
