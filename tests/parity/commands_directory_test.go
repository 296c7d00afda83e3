package parity

import (
	"os"
	"testing"
	"time"
)

func directoryCommands() []line {
	return []line{
		{"FTPHandler.ftp_CWD", "command: 250 with the path in quotes; the root without an argument", "pi.Standard[CWD]", "code", different,
			"quotes in the path are doubled, as they are in 257", testCWD},
		{"FTPHandler.ftp_CDUP", "command: as CWD to the parent; stays at the root", "pi.Standard[CDUP]", "code", different,
			"quotes in the path are doubled, as they are in 257", testCDUP},
		{"FTPHandler.ftp_PWD", "command: 257 with the path, quotes in it doubled", "pi.Standard[PWD]", "code", same, "", testPWD},
		{"FTPHandler.ftp_MKD", "command: 257 with the path, quotes in it doubled", "pi.Standard[MKD]", "code", same, "", testMKD},
		{"FTPHandler.ftp_RMD", "command: 250; 550 for the root and for what is not empty", "pi.Standard[RMD]", "code", same, "", testRMD},
		{"FTPHandler.ftp_DELE", "command: 250; 550 for what is no file", "pi.Standard[DELE]", "code", same, "", testDELE},
	}
}

func renameCommands() []line {
	return []line{
		{"FTPHandler.ftp_RNFR", "command: 350; 550 for the root and what is not there", "pi.Standard[RNFR]", "code", same, "", testRNFR},
		{"FTPHandler.ftp_RNTO", "command: 250; 503 without RNFR; other commands may come between; replaces a file", "pi.Standard[RNTO]", "code", same, "", testRNTO},
	}
}

func factCommands() []line {
	return []line{
		{"FTPHandler.ftp_SIZE", "command: 213 and the length; 550 in text, and for what is no file", "pi.Standard[SIZE]", "code", same, "", testSIZE},
		{"FTPHandler.ftp_MDTM", "command: 213 and the time; 550 for what is no file", "pi.Standard[MDTM]", "code", different,
			"a time before the name sets it, as clients without MFMT do, unless a file has that whole name", testMDTM},
		{"FTPHandler.ftp_MFMT", "command: 213 Modify=time; /path and the time is set; 550 for another form of the time, 501 for one argument", "pi.Standard[MFMT]", "code", different,
			"the time of the last access, which the model sets too, is left alone", testMFMT},
	}
}

func testCWD(t *testing.T) {
	s := serve(t, nil)
	s.mkdir(`d/with "quotes"`)
	s.write("a", "x")
	s.must(os.Symlink("/", s.path("out")))
	c := s.login()
	c.says("CWD d", `250 "/d" *`, `CWD with "quotes"`, `250 "/d/with ""quotes""" *`, "CWD", `250 "/" *`, "CWD /d/../d/.", `250 "/d" *`, "CWD ../../..", `250 "/" *`,
		"CWD a", "550", "CWD missing", "550", "CWD out", "550", "PWD", `257 "/" *`)
	limited(t, "lr").login().says("CWD /", "550")
	s.greeted().says("CWD /", "530")
}

func testCDUP(t *testing.T) {
	s := serve(t, nil)
	s.mkdir(`d"/e`)
	c := s.login()
	c.says(`CWD d"/e`, "250", "CDUP", `250 "/d""" *`, "CDUP", `250 "/" *`, "CDUP", `250 "/" *`, "CDUP x", "501")
	limited(t, "lr").login().says("CDUP", "550")
	s.greeted().says("CDUP", "530")
}

func testPWD(t *testing.T) {
	s := serve(t, nil)
	s.mkdir(`a "b"`)
	c := s.login()
	c.says("PWD", `257 "/" *`, `CWD a "b"`, "250", "PWD", `257 "/a ""b""" *`, "PWD x", "501")
	limited(t, "").login().says("PWD", "257")
	s.greeted().says("PWD", "530")
}

func testMKD(t *testing.T) {
	s := serve(t, nil)
	c := s.login()
	c.says("MKD d", `257 "/d" *`, `MKD d/a "b"`, `257 "/d/a ""b""" *`, "MKD d", "550", "MKD missing/d", "550", "MKD", "501", "MKD /", "550")
	if info, err := os.Stat(s.path(`d/a "b"`)); err != nil || !info.IsDir() {
		t.Errorf("the directory: %v, %v", info, err)
	}
	limited(t, "elradfw").login().says("MKD d", "550")
	s.greeted().says("MKD d", "530")
}

func testRMD(t *testing.T) {
	s := serve(t, nil)
	s.mkdir("d/e")
	s.write("a", "x")
	c := s.login()
	c.says("RMD d", "550", "RMD d/e", "250", "RMD d", "250", "RMD a", "550", "RMD missing", "550", "RMD /", "550 *root*", "RMD", "501")
	s.absent("d")
	limited(t, "elrafmw").login().says("RMD d", "550")
	s.greeted().says("RMD d", "530")
}

func testDELE(t *testing.T) {
	s := serve(t, nil)
	s.mkdir("d")
	s.write("a", "x")
	c := s.login()
	c.says("DELE a", "250", "DELE a", "550", "DELE d", "550", "DELE /", "550", "DELE", "501")
	s.absent("a")
	limited(t, "elrafmw").login().says("DELE a", "550")
	s.greeted().says("DELE a", "530")
}

func testRNFR(t *testing.T) {
	s := serve(t, nil)
	s.write("a", "x")
	c := s.login()
	c.says("RNFR a", "350", "RNFR missing", "550", "RNTO b", "503", "RNFR /", "550", "RNFR", "501")
	s.holds("a", "x")
	limited(t, "elradmw").login().says("RNFR a", "550")
	s.greeted().says("RNFR a", "530")
}

func testRNTO(t *testing.T) {
	s := serve(t, nil)
	s.write("a", "x")
	s.write("old", "y")
	s.mkdir("d")
	c := s.login()
	c.says("RNTO b", "503", "RNFR a", "350", "NOOP", "200", "CWD d", "250", "PWD", "257", "RNTO b", "250", "RNTO c", "503")
	s.holds("d/b", "x")
	c.says("RNFR b", "350", "RNTO /old", "250", "RNFR /d", "350", "RNTO /e", "250", "RNFR /old", "350", "RNTO /missing/a", "550", "RNTO /b", "503", "RNTO", "501")
	s.holds("old", "x")
	s.absent("d")
	s.greeted().says("RNTO a", "530")
}

func testSIZE(t *testing.T) {
	s := serve(t, nil)
	s.write("a", "12345")
	s.mkdir("d")
	c := s.login()
	c.says("SIZE a", "550", "TYPE I", "200", "SIZE a", "213 5", "SIZE d", "550 /d *", "SIZE missing", "550 /missing *", "SIZE", "501")
	limited(t, "er").login().says("TYPE I", "200", "SIZE a", "550")
	s.greeted().says("SIZE a", "530")
}

func testMDTM(t *testing.T) {
	s := serve(t, nil)
	s.write("a", "x")
	s.mkdir("d")
	s.touch("a", time.Date(2020, 1, 31, 22, 0, 1, 0, time.UTC))
	c := s.login()
	c.says("MDTM a", "213 20200131220001", "MDTM d", "550 /d *", "MDTM missing", "550 /missing *", "MDTM", "501", "MDTM 20210101000000 a", "213", "MDTM a", "213 20210101000000")
	s.write("20220101000000 a", "y")
	c.says("MDTM 20220101000000 a", "213", "MDTM a", "213 20210101000000")
	limited(t, "er").login().says("MDTM a", "550")
	s.greeted().says("MDTM a", "530")
}

func testMFMT(t *testing.T) {
	s := serve(t, nil)
	s.write("d/a", "x")
	used := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	s.touch("d/a", used)
	c := s.login()
	c.says("CWD d", "250", "MFMT 20200131220001 a", "213 Modify=20200131220001; /d/a", "MDTM a", "213 20200131220001",
		"MFMT 20200131220001.5 a", "550", "MFMT 2020 a", "550", "MFMT x a", "550", "MFMT 20200131220001", "501", "MFMT", "501", "MFMT 20200131220001 /d", "550", "MFMT 20200131220001 missing", "550")
	info, err := os.Stat(s.path("d/a"))
	s.must(err)
	if want := time.Date(2020, 1, 31, 22, 0, 1, 0, time.UTC); !info.ModTime().Equal(want) {
		t.Errorf("the time is %v", info.ModTime().UTC())
	}
	s.read("d/a", used)
	limited(t, "elradfmwM").login().says("MFMT 20200131220001 a", "550")
	s.greeted().says("MFMT 20200131220001 a", "530")
}
