package parity

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func exceptions() []line {
	return []line{
		{"_FileReadWriteError", "exception: a file failed in the middle of a transfer", "dtp.Result.Err, dtp.ErrBroken", "code", different,
			"451 and not 426, with which RFC 959 §5.4 tells that the connection broke", testReadError},
		{"_GiveUpOnSendfile", "exception: sendfile cannot do it, and the file is copied", "dtp.Transfer.Copy", "code", same, "", testGiveUp},
	}
}

func constants() []line {
	return []line{
		{"CR_BYTE", "constant: 13, for the conversion of text", "dtp.Transfer.ASCII", "code", needless,
			"line ends are converted in one place, which has no use for a public number", testCarriageReturn},
		{"proto_cmds", "constant: the command table, with perm, auth, arg and help", "pi.Standard, pi.Table.Rows, pi.Spec", "code", same, "", testStandardTable},
		{"over 40 commands", "claim: more than 40 commands; the library knows 50", "pi.Standard", "code", same, "", testCommandCount},
	}
}

func testReadError(t *testing.T) {
	lost := errors.New("the disk is gone")
	s := serve(t, func(c *edge.Config) {
		c.Transfer.Run = func(ctx context.Context, tr *dtp.Transfer) dtp.Result {
			if tr.Send != nil {
				tr.Send = io.MultiReader(io.LimitReader(tr.Send, 3), iotest.ErrReader(lost))
			}
			return tr.Run(ctx)
		}
	})
	s.write("a", "content")
	c := s.binary()
	p, err := c.Begin(userpi.EPSV, "RETR a")
	s.must(err)
	if got := drain(p); got != "con" {
		t.Errorf("got %q", got)
	}
	if r := c.next("451"); strings.Contains(r.String(), "disk") {
		t.Errorf("the client is told of the disk: %s", r)
	}
	if e := s.event("incomplete_file_sent"); *e.Bytes != 3 {
		t.Errorf("told: %+v", e)
	}
	c.says("NOOP", "200")
}

// Files of /proc cannot be sent by sendfile(2).
func testGiveUp(t *testing.T) {
	onLinux(t)
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l := listen(t, "127.0.0.1")
	p, err := active(t, dtp.ActiveConfig{}, l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan dtp.Result, 1)
	go func() { done <- (&dtp.Transfer{Port: p, Send: f}).Run(t.Context()) }()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	got := drain(conn)
	if r := <-done; r.Err != nil || r.Bytes != int64(len(got)) || !strings.Contains(got, "Pid:") {
		t.Errorf("got %d bytes: %.60q, %+v", len(got), got, r)
	}
}

func testCarriageReturn(t *testing.T) {
	if got, _ := sentBy(t, &dtp.Transfer{Send: strings.NewReader("\n"), ASCII: true}); got != "\x0d\n" {
		t.Errorf("got %q", got)
	}
	testReceiving(t)
}

// Each row says everything about its command, and HELP shows it.
func testStandardTable(t *testing.T) {
	s := serve(t, nil)
	c := s.greeted()
	for _, row := range pi.Standard().Rows() {
		if row.Help == "" || row.RFC == "" || row.Handler == nil {
			t.Errorf("the row %s is not whole: %+v", row.Verb, row)
		}
		ask := "HELP " + row.Verb
		if site, ok := strings.CutPrefix(row.Verb, "SITE "); ok {
			ask = "SITE HELP " + site
		}
		c.says(ask, "214 "+row.Verb+" *")
		if row.State == pi.LoggedIn && row.Grammar == pi.NoArg {
			c.says(row.Verb, "530|421")
		}
		if row.State == pi.LoggedIn {
			_ = c.Close()
			c = s.greeted() // too many would be taken for an attack
		}
	}
}

func testCommandCount(t *testing.T) {
	library := strings.Fields("ABOR ALLO APPE CDUP CWD DELE EPRT EPSV FEAT HELP LIST MDTM MFMT MLSD MLST MKD MODE NLST NOOP PASS PASV PORT PWD QUIT " +
		"REIN RETR RMD RNFR RNTO REST SIZE STAT STOR STOU STRU SYST TYPE USER XCUP XCWD XMKD XPWD XRMD AUTH PBSZ PROT")
	library = append(library, "SITE CHMOD", "SITE HELP")
	var verbs []string
	for _, row := range pi.Standard().Rows() {
		verbs = append(verbs, row.Verb)
	}
	for _, v := range library {
		if !slices.Contains(verbs, v) {
			t.Errorf("%s is missing", v)
		}
	}
	s := serve(t, nil)
	c := s.login()
	c.says("SITE", "501", "OPTS", "501", "OPTS UTF8 ON", "200", "ALLO 5", "202", "SYST", "215 UNIX Type: L8", "NOOP", "200")
	if len(library) != 48 || len(verbs) < 50 {
		t.Errorf("%d and %d commands", len(library), len(verbs))
	}
}
