package parity

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func parameterCommands() []line {
	return []line{
		{"FTPHandler.ftp_TYPE", "command: A, L7, I, L8 are 200, all else 504; text at the beginning", "pi.Standard[TYPE], edge.Transfer.Binary", "transfer.default_type=ascii", different,
			"TYPE A N and L 8 are taken, which is what RFC 959 §5.1 asks for", testTYPE},
		{"FTPHandler.ftp_MODE", "command: S is 200, B and C are 504, all else 501", "pi.Standard[MODE], edge.Transfer.NoDeflate", "transfer.deflate", different,
			"MODE Z compresses, unless it is switched off", testMODE},
		{"FTPHandler.ftp_STRU", "command: F is 200, P and R are 504, all else 501", "pi.Standard[STRU]", "code", same, "", testSTRU},
	}
}

func informationCommands() []line {
	return []line{
		{"FTPHandler.ftp_STAT", "command: 211 the session and a running transfer; with a path 213 a listing, no patterns", "pi.Standard[STAT], pi.Session.Progress", "code", different,
			"the listing of a directory is 212, as RFC 959 §4.1.3 has it; that of a file 213", testSTAT},
		{"FTPHandler.ftp_FEAT", "command: 211 with sorted lines behind one space", "pi.Standard[FEAT], pi.Spec.Feat", "code", same, "", testFEAT},
		{"FTPHandler.ftp_HELP", "command: 214 the commands, or one of them; 501 for an unknown one", "pi.Standard[HELP], pi.Spec.Help", "code", same, "", testHELP},
	}
}

func siteCommands() []line {
	return []line{
		{"FTPHandler.ftp_SITE_CHMOD", "command: three or four octal digits and a path; 501 for another form", "pi.Standard[SITE CHMOD], vfs.Chmodder", "code", safer,
			"set-id and sticky bits are refused (501)", testSiteCHMOD},
		{"FTPHandler.ftp_SITE_HELP", "command: 214 the commands of SITE, also before the login", "pi.Standard[SITE HELP]", "code", same, "", testSiteHELP},
	}
}

func testTYPE(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		s.write("a", "1\n2\n")
		c := s.greeted()
		c.says("TYPE I", "530")
		c.enter()
		if got := c.get("RETR a"); got != "1\r\n2\r\n" {
			s.Errorf("text is not the beginning: %q", got)
		}
		for line, code := range map[string]string{"TYPE A": "200", "TYPE L7": "200", "type i": "200", "TYPE L8": "200", "TYPE A N": "200", "TYPE L 8": "200",
			"TYPE X": "504", "TYPE E": "504", "TYPE L9": "504", "TYPE A T": "504", "TYPE": "501"} {
			c.says(line, code)
		}
		c.says("TYPE I", "200", "TYPE X", "504")
		if got := c.get("RETR a"); got != "1\n2\n" {
			s.Errorf("binary: %q", got)
		}
	})
	t.Run("binary", func(t *testing.T) {
		both(t, func(c *edge.Config) { c.Transfer.Binary = true }, file{top: "transfer: { default_type: binary }\n"}, func(s *site) {
			s.write("a", "1\n")
			c := s.login()
			c.says("SIZE a", "213 2", "TYPE A", "200", "REIN", "220")
			c.enter()
			c.says("SIZE a", "213 2")
		})
	})
}

func testMODE(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		c := s.greeted()
		c.says("MODE S", "530")
		c.enter()
		c.says("MODE S", "200", "mode s", "200", "MODE B", "504", "MODE C", "504", "MODE X", "501", "MODE", "501", "MODE Z", "200")
	})
	t.Run("off", func(t *testing.T) {
		both(t, func(c *edge.Config) { c.Transfer.NoDeflate = true }, file{top: "transfer: { deflate: { enabled: false } }\n"}, func(s *site) {
			s.login().says("MODE S", "200", "MODE Z", "504")
		})
	})
}

func testSTRU(t *testing.T) {
	s := serve(t, nil)
	c := s.greeted()
	c.says("STRU F", "530")
	c.enter()
	c.says("STRU F", "200", "stru f", "200", "STRU P", "504", "STRU R", "504", "STRU X", "501", "STRU", "501")
}

func testSTAT(t *testing.T) {
	s := serve(t, nil)
	s.write("d/a", "12345")
	c := s.greeted()
	c.says("STAT", "211 *Waiting for a user name*", "STAT d", "530", "USER dev", "331", "STAT", "211 *Waiting for the password*", "PASS "+password, "230",
		"STAT", "211 *Logged in as dev*", "STAT", "211 *Connected to 127.0.0.1*", "STAT", "211 *Type: text*", "TYPE I", "200", "STAT", "211 *Type: binary*", "STAT", "211 *No data connection*",
		"EPSV", "229", "STAT", "211 *data port*", "STAT d", "212 * 5 * a", "STAT d/a", "213 * 5 * a", "STAT missing", "550", "STAT d/*", "550")
	conn, err := c.Begin(userpi.EPSV, "STOR b")
	s.must(err)
	_, err = conn.Write(make([]byte, 1234))
	s.must(err)
	until(t, "STAT tells of the transfer", func() bool { return is(c.ask("STAT"), "211 */b: 1234 bytes in * seconds") })
	s.must(userpi.End(conn))
	c.next("226")
	limited(t, "er").login().says("STAT /", "550")
}

func testFEAT(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		r := s.greeted().ask("FEAT")
		lines := r.Lines[1 : len(r.Lines)-1]
		if r.Code != 211 || !slices.IsSorted(lines) {
			s.Errorf("FEAT: %q", r)
		}
		for _, want := range []string{"EPRT", "EPSV", "MDTM", "MFMT", "REST STREAM", "SIZE", "TVFS", "UTF8"} {
			if !slices.Contains(lines, " "+want) {
				s.Errorf("FEAT does not tell %s: %q", want, r)
			}
		}
		if !is(r, "211  MLST *modify*;perm*;*size*;type*;*unique*;*unix.gid;unix.mode;unix.uid;*") && !is(r, "211  MLST *type*;*size*;*") {
			s.Errorf("MLST: %q", r)
		}
		if strings.Contains(r.String(), "AUTH") {
			s.Errorf("FEAT tells of TLS where there is none: %q", r)
		}
	})
}

func testHELP(t *testing.T) {
	s := serve(t, nil)
	c := s.greeted()
	r := c.ask("HELP")
	for _, verb := range []string{"USER", "STOU", "MLSD", "MFMT", "SITE"} {
		if !slices.Contains(strings.Fields(strings.Join(r.Lines, " ")), verb) {
			t.Errorf("HELP does not tell of %s: %q", verb, r)
		}
	}
	c.says("HELP", "214", "HELP STOU", "214 STOU *", "help stou", "214 STOU *", "HELP NOPE", "501")
}

func testSiteCHMOD(t *testing.T) {
	s := serve(t, nil)
	s.write("a", "x")
	c := s.login()
	for mode, code := range map[string]string{"600": "200", "0644": "200", "888": "501", "64": "501", "06440": "501", "rw": "501", "4755": "501"} {
		c.says("SITE CHMOD "+mode+" a", code)
	}
	c.says("SITE CHMOD 640 a", "200", "SITE CHMOD 640", "501", "SITE CHMOD", "501", "SITE CHMOD 640 missing", "550", "SITE CHMOD 1777 a", "501")
	if info, err := os.Stat(s.path("a")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	limited(t, "elradfmwT").login().says("SITE CHMOD 640 a", "550")
	s.greeted().says("SITE CHMOD 640 a", "530")
}

func testSiteHELP(t *testing.T) {
	s := serve(t, nil)
	c := s.greeted()
	c.says("SITE HELP", "214 *CHMOD*", "SITE HELP CHMOD", "214 *mode*", "site help chmod", "214 *mode*", "SITE HELP NOPE", "501", "SITE", "501", "SITE NOPE", "500")
}
