package parity

import (
	"fmt"
	"slices"
	"testing"
)

// behaviour is something that clients see of the model, in runs of it and in its
// own tests.
type behaviour struct {
	text string
	kind kind
	why  string // for all but the same
	// proofs are dialogues of tests/conformance, "STOR: an empty file", and lines of
	// the first table.
	proofs []string
	test   func(*testing.T) // one of its own, or nil
}

// behaviours are numbered from 1 in their order, which is that of the list they were
// written down in.
func behaviours() []behaviour {
	return slices.Concat(loginBehaviours(), pathBehaviours(), transferBehaviours(), portBehaviours(), guardBehaviours())
}

func loginBehaviours() []behaviour {
	return []behaviour{
		{"the banner is 220, and more than 75 characters stand above an empty last line", same, "", []string{"FTPHandler.banner"}, nil},
		{"USER is 331 for any name", same, "", []string{"USER: any name is asked for a password"}, nil},
		{"PASS before USER, and when logged in, is 503", same, "", []string{"PASS: before USER", "PASS: when logged in"}, nil},
		{"a wrong password is 530 after a delay, in which this session reads nothing and others go on", same, "", []string{"FTPHandler.auth_failed_timeout"}, nil},
		{"the third failure closes the connection", same, "", []string{"PASS: the third failure closes the connection"}, nil},
		{"after a failure USER is needed again", same, "", []string{"PASS: wrong passwords, all in the same words"}, nil},
		{"anonymous gets in with any password and with none; the name is compared byte by byte", same, "", []string{"login: the anonymous user"}, testAnonymous},
		{"USER of somebody who is logged in is 331 and ends the login", same, "", []string{"USER: a second USER ends the login", "USER: the transfer parameters begin anew"}, nil},
		{"REIN is 230, forgets TYPE, REST, RNFR, PBSZ and PROT, and lets a running transfer end", different, "220, the reply that RFC 959 §5.4 has for it; it is said when the transfer has ended",
			[]string{"REIN: the session is as new", "REIN: a running transfer ends first"}, testReinTLS},
		{"QUIT during a transfer is 221 at once, and 226 when it is done", different, "226 and then 221: clients close on 221", []string{"QUIT: during a transfer: 226, then 221", "during: QUIT lets it end"}, nil},
		{"before the login all is 530 but AUTH, FEAT, HELP, NOOP, PASS, PBSZ, PROT, QUIT, SITE HELP, STAT, SYST and USER", same, "", []string{"login: commands before the login", "login: the rest of them", "login: a client that has not logged in may ask a while, but not for ever"}, testBeforeLogin},
		{"a missing argument, and one too many, is 501, also before the login", same, "", []string{"login: first it is seen whether there is an argument, and what it is like after the login"}, nil},
		{"an unknown command is 500 and named, a word of SITE with it; capitals do not matter", same, "", []string{"lines: what is no command", "behaviours/01-case: a few", "behaviours/01-case: at random"}, testUnknown},
		{"the Telnet signals before ABOR, STAT and QUIT are tolerated, also as urgent data", same, "",
			[]string{"ABOR: with the Telnet synch before it", "ABOR: with the Telnet synch as urgent data", "ABOR: with a part of the Telnet synch, byte by byte", "lines: Telnet sequences are taken out"}, testSignals},
		{"a line of more than 2048 bytes is 500 and the session goes on", different, "8192 bytes; one reply and not two; the third such line ends the session",
			[]string{"lines: an over-long line is thrown away whole, and the third one closes", "lines: a line as long as may be"}, nil},
		{"commands in one packet are answered in their order", same, "", []string{"lines: commands in one packet are answered in their order"}, nil},
	}
}

func pathBehaviours() []behaviour {
	return []behaviour{
		{"CWD without an argument leads to the root; CDUP stays there; both are 250 with the path in quotes", same, "", []string{"CWD: directories", "CDUP: up to the root and not further", "FTPHandler.ftp_CWD"}, nil},
		{"PWD and MKD double quotes", same, "", []string{"PWD: the working directory", "MKD: a directory is made"}, nil},
		{".. never leaves the root; links inside are followed, links that lead out are 550", same, "", []string{"RETR: paths do not lead out", "RETR: links inside are followed, links that lead out are refused"}, nil},
		{"RMD and RNFR of the root are 550", same, "", []string{"RMD: refusals", "RNFR: refusals"}, nil},
		{"RNTO without RNFR is 503; commands may come between", same, "", []string{"RNTO: refusals", "RNFR: it is remembered over other commands"}, nil},
		{"SIZE is 550 in text; SIZE and MDTM are 550 for what is no file", same, "", []string{"SIZE: in text transfers", "SIZE: refusals", "MDTM: refusals"}, nil},
		{"MDTM is 213 and fourteen digits, GMT or local", same, "", []string{"MDTM: a file", "FTPHandler.use_gmt_times"}, nil},
		{"MFMT is 213 and sets the time; other forms of it are 550", same, "", []string{"MFMT: the time is set", "MFMT: refusals"}, nil},
		{"SITE CHMOD takes three or four octal digits; all else is 501", safer, "no set-id and sticky bits", []string{"SITE-CHMOD: a mode is set", "SITE-CHMOD: refusals", "SITE-CHMOD: set-id and sticky bits are never set"}, nil},
		{"TYPE takes A, L7, I and L8; the rest is 504; text is the default", different, "A N and L 8 as well", []string{"TYPE: the types", "TYPE: what is not supported", "TYPE: text is the default"}, nil},
		{"STRU F, MODE S, ALLO 202, NOOP 200, SYST 215 UNIX Type: L8", different, "MODE Z as well",
			[]string{"STRU: the structures", "MODE: the modes", "ALLO: sizes", "ALLO: anything is superfluous", "NOOP: it does nothing", "SYST: the system"}, nil},
		{"FEAT is sorted, stars are at the facts that are told, UTF8 is there with UTF-8 alone", same, "", []string{"FEAT: the extensions", "FTPHandler.ftp_FEAT", "FTPHandler.encoding"}, nil},
		{"OPTS MLST chooses facts, ignores unknown ones, and none is none; without a semicolon 501", same, "", []string{"OPTS-MLST: facts are chosen", "OPTS-MLST: refusals", "OPTS: refusals", "MLST: chosen facts, and none"}, nil},
		{"OPTS UTF8 is 200", same, "", []string{"OPTS-UTF8: on, before and after the login"}, nil},
	}
}

func transferBehaviours() []behaviour {
	return []behaviour{
		{"REST is 350 in binary; in text, and for what is no number, 501; beyond the end 554; other commands keep it", different, "REST 0 is taken in text too",
			[]string{"REST: a download from the middle", "REST: in text transfers", "REST: what is not an offset", "REST: the end of the file, and beyond", "REST: it outlives other commands"}, nil},
		{"REST and STOR of a file that is not there is 550, and the marker is gone", same, "", []string{"REST: an upload to a name that does not exist"}, nil},
		{"APPE and STOU after REST are 450", different, "REST to the end of the file goes with APPE", []string{"REST: APPE and STOU do not take it", "FTPHandler.ftp_APPE"}, nil},
		{"STOU is 150 FILE: name, or 125; without permission nothing is left", same, "", []string{"STOU: a name is made up", "STOU: when the data connection is there already", "STOU: no permission"}, nil},
		{"150 before the data connection, 125 after it; either may be first", same, "", []string{"PASV: a transfer", "PASV: the connection before the command", "FTPHandler.ftp_RETR"}, nil},
		{"226 at the end; a download that the client breaks off is 426", same, "", []string{"RETR: a file", "RETR: the client resets the data connection", "RETR: the client closes the data connection early"}, nil},
		{"ABOR is 225, 225 with a port, 426 and 226 with a transfer; also as urgent data", different, "426 and 226 also before the first byte", []string{"ABOR: nothing to abort", "ABOR: an upload", "ABOR: a transfer whose data connection was never made", "abort: in the clear", "abort: with urgent data"}, nil},
		{"STAT during a transfer tells the bytes at once", same, "", []string{"STAT: during a transfer, with the bytes so far"}, nil},
		{"STAT path lists on the control connection, 213; patterns are 550", different, "212 for a directory (RFC 959 §4.1.3)", []string{"STAT: a directory and a file", "STAT: options of ls, but no patterns"}, nil},
		{"LIST of a file is one line, of what is missing 550, of an empty directory nothing; -a, -l, -al, -la are ignored", same, "",
			[]string{"LIST: one file", "LIST: what is missing is refused before any mark", "LIST: an empty directory", "FTPHandler.ftp_LIST"}, nil},
		{"MLSD of a file, and of what is missing, is 501", different, "what is missing is 550 (RFC 3659 §7.2.1), which clients ask for", []string{"MLSD: what is no directory is refused before any mark"}, nil},
		{"MLST is 250 with the full path behind one space", same, "", []string{"MLST: a file", "MLST: a directory, the working directory and the root"}, nil},
		{"text: LF becomes CR LF and back, also when it is cut in two", same, "", []string{"text: out: LF becomes CR LF, CR LF stays", "text: in: CR LF becomes LF, other CRs stay, also the last byte", "text: in: a CR LF that is cut in two"}, nil},
	}
}

func portBehaviours() []behaviour {
	return []behaviour{
		{"PORT and EPRT are 200 when connected, 425 refused, 501 foreign, privileged or malformed, 421 without an answer", different, "200 at once, and 425 with the transfer",
			[]string{"PORT: addresses and ports that are refused", "PORT: malformed arguments", "PORT: nobody listens", "EPRT: addresses and ports that are refused", "ActiveDTP.timeout"}, nil},
		{"EPSV is 229; the wrong family 522, an unknown one 501; ALL is 220 and the others are 501 then", different, "an unknown family is 522 (RFC 2428 §3), ALL is 200",
			[]string{"EPSV: the protocol named", "EPSV: ALL, until the session begins anew", "PASV: after EPSV ALL", "PORT: after EPSV ALL", "EPRT: after EPSV ALL"}, nil},
		{"a second PASV or EPSV closes the port of the first", same, "", []string{"PASV: a second PASV closes the first port", "EPSV: a second EPSV closes the first port"}, nil},
		{"a data connection from another address is 425, and the port stays", different, "no reply that nobody has asked for", []string{"PASV: a stranger does not get it and does not block it"}, nil},
		{"when nobody connects, 421 and the session stays", different, "425, because 421 says that the session ends", []string{"PASV: nobody connects"}, nil},
		{"a data connection that stalls is 421 and the end of the session; the idle limit rests meanwhile", same, "",
			[]string{"STOR: nothing comes: the session ends", "RETR: the client stops reading: the session ends", "FTPHandler.timeout", "DTPHandler.timeout"}, nil},
		{"an idle session is told 421 and closed", same, "", []string{"login: nothing is heard for too long"}, nil},
		{"passive ports are of the list; the address is of the map, or else the masquerade address", safer, "also when the list is exhausted", []string{"FTPHandler.passive_ports", "FTPHandler.masquerade_address", "FTPHandler.masquerade_address_map"}, nil},
		{"too many sessions, in all and of one address, are 421; too many data connections 425", different, "sessions alone are counted", []string{"login: too many sessions in all", "login: too many sessions of one address"}, nil},
		{"a listener on :: serves IPv4 clients as such: 227, PORT and EPRT |1|", same, "", nil, testDualStack},
		{"what a permission does not allow is 550; directories have permissions of their own, with or without those below", different, "the longest directory decides, where the model's first rule does",
			[]string{"perm letters", "STOR: permissions of one directory", "RNTO: the permission is needed for both names"}, testOverride},
	}
}

func guardBehaviours() []behaviour {
	return []behaviour{
		{"AUTH TLS, SSL, TLS-C and TLS-P are 234; again 503; unknown 502", different, "unknown is 504 (RFC 4217 §4)", []string{"AUTH: the mechanisms", "AUTH: refusals", "AUTH: a second one"}, nil},
		{"PBSZ and PROT in the clear are 503, PROT without PBSZ too; S and E are 521, others 502; C and P change from transfer to transfer", different, "PBSZ may be left out",
			[]string{"PBSZ: on one in the clear", "PBSZ: on a protected connection", "PROT: on a connection in the clear", "PROT: the levels", "PROT: C and P by transfer"}, nil},
		{"where TLS is required, USER and PASS are 550, and so are PASV, EPSV, PORT and EPRT without PROT P", different, "PROT C is 534 at once",
			[]string{"USER: where TLS is required", "PASS: before USER, where TLS is required", "PASV: where data connections need TLS", "EPSV: where data connections need TLS", "PORT: where data connections need TLS", "EPRT: where data connections need TLS"}, nil},
		{"a TLS handshake that fails on a data connection is 522", same, "", []string{"PROT: plain bytes on a data connection that should be protected"}, nil},
		{"a client that leaves TLS and goes on in the clear is cut off", same, "", []string{"TLS_FTPHandler.handle_ssl_shutdown"}, nil},
		{"callbacks: connect, login, files, logout by QUIT, REIN and USER, disconnect; a failed login with its name", same, "", []string{"example: callbacks", "FTPHandler.on_logout", "FTPHandler.on_login_failed"}, testOrder},
		{"clients that connect and are gone at once, to the control and to passive ports, disturb nobody", same, "", nil, testVanishing},
		{"a command of one's own has its permission, login, argument and help from its entry, and HELP lists it", same, "",
			[]string{"example: SITE USAGE", "proto_cmds: perm", "proto_cmds: auth", "proto_cmds: arg", "proto_cmds: help"}, nil},
	}
}

// defects are what the list names as not to be matched.
func defects() []behaviour {
	return []behaviour{
		{"an over-long line is answered twice", safer, "once", []string{"lines: an over-long line is thrown away whole, and the third one closes"}, nil},
		{"EPSV ALL outlives REIN and USER", safer, "it ends with the login", []string{"EPSV: ALL, until the session begins anew"}, nil},
		{"unix.mode is written as Python writes octal numbers", safer, "in octal digits alone", nil, testUnixMode},
		{"the reply to PASV on IPv6 cannot be read", safer, "425", []string{"PASV: over IPv6 there is no form for it"}, nil},
		{"commands in the clear behind AUTH are carried out under TLS", safer, "421 and the end", []string{"injection: a login and a command", "injection: of somebody who has logged in", "behaviours/47-injection: NOOP and FEAT behind it"}, nil},
		{"a protected data connection can be taken by a stranger", safer, "it has to resume its control connection's session", []string{"theft: a download, TLS 1.3", "theft: a download, TLS 1.2", "theft: an upload"}, nil},
		{"an upload under TLS that is cut is taken for whole", safer, "426", []string{"truncation: TLS 1.3", "truncation: TLS 1.2"}, nil},
		{"an upload that is reset is taken for whole", safer, "426", []string{"FTPHandler.on_incomplete_file_received", "STOR: an interrupted upload leaves the older file"}, nil},
		{"STOR empties the old file before there is a data connection", safer, "it is whole until the new one is", []string{"STOR: an older file is replaced, and is whole until then"}, nil},
		{"one call that blocks stops every session", safer, "it stops its own", nil, testBlocked},
		{"the throttle lets half of it through at once, and knows single connections alone", safer, "it holds from the first byte, and is shared", []string{"ThrottledDTPHandler"}, nil},
		{"the throttle does not go with TLS", safer, "it does", []string{"ThrottledDTPHandler"}, nil},
		{"an exhausted list of passive ports leads out of it", safer, "425", []string{"FTPHandler.passive_ports"}, nil},
		{"links are looked at and then opened, and facts of what is outside are told", safer, "paths are followed inside the root by the kernel", []string{"RETR: links inside are followed, links that lead out are refused"}, testOutside},
	}
}

// TestBehaviours: each has a proof, the dialogues are there, and the tests pass.
func TestBehaviours(t *testing.T) {
	known := scripts(t)
	for _, s := range document() {
		for _, l := range s.lines {
			known[l.id] = true
		}
	}
	prove := func(t *testing.T, b behaviour) {
		t.Parallel()
		for _, fault := range b.faults(known) {
			t.Error(fault)
		}
		if b.test != nil {
			b.test(t)
		}
	}
	all := behaviours()
	if len(all) != 62 {
		t.Errorf("there are %d behaviours", len(all))
	}
	for i, b := range all {
		t.Run(fmt.Sprintf("%02d", i+1), func(t *testing.T) { prove(t, b) })
	}
	for i, b := range defects() {
		t.Run(fmt.Sprintf("defect %02d", i+1), func(t *testing.T) { prove(t, b) })
	}
}

func (b behaviour) faults(known map[string]bool) (all []string) {
	if len(b.proofs) == 0 && b.test == nil {
		all = append(all, "nothing proves it")
	}
	for _, p := range b.proofs {
		if !known[p] {
			all = append(all, fmt.Sprintf("there is no dialogue and no line %q", p))
		}
	}
	if (b.why == "") != (b.kind == same) {
		all = append(all, fmt.Sprintf("it is %s: a reason is for what is not the same, and needed there", b.kind))
	}
	return all
}
