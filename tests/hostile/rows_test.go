package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// row is a threat of the list, and why we need not fear it. Numbers are those of the
// list (security.md §2); rows without one are of commands that it does not know.
type row struct {
	number int
	title  string
	here   map[string]func(*testing.T) // attacks of this package
	there  []proof                     // what was proven elsewhere already
	later  string                      // which issue has to, and what
}

// proof is a test of another package, or a dialogue of tests/conformance.
type proof struct{ where, what string }

func dialogue(script string, titles ...string) (all []proof) {
	for _, t := range titles {
		all = append(all, proof{"tests/conformance/" + script + ".txt", t})
	}
	return all
}

func tests(dir string, names ...string) (all []proof) {
	for _, n := range names {
		all = append(all, proof{dir, n})
	}
	return all
}

type attacks = map[string]func(*testing.T)

// controlRows are about the control connection.
func controlRows() []row {
	return []row{
		{1, "a line without end", attacks{"a gibibyte": endlessLine}, slices.Concat(tests("edge/wire", "TestReaderBound"), tests("tests/e2e", "TestHostileBytes")), ""},
		{2, "an over-long line whose tail is a command", nil, dialogue("lines", "the tail of an over-long line is no command", "an over-long line is thrown away whole, and the third one closes", "an over-long line before the login"), ""},
		{3, "NUL in names and passwords", attacks{"names and passwords": nulInPassword}, slices.Concat(dialogue("lines", "a NUL in an argument"), dialogue("USER", "a name with a NUL")), ""},
		{4, "CR and LF alone", nil, slices.Concat(dialogue("lines", "lines that end with LF alone", "a CR inside a line ends nothing"), tests("edge/wire", "FuzzReader")), ""},
		{5, "Telnet's bytes", attacks{"in an encoding that has them as letters": latin1}, slices.Concat(dialogue("lines", "Telnet sequences are taken out", "a doubled IAC is one byte of a name", "a Telnet sequence that never ends swallows one line at most"),
			dialogue("ABOR", "with the Telnet synch before it", "with the Telnet synch as urgent data"), tests("edge/wire", "TestReaderArgument")), ""},
		{6, "random bytes, a TLS hello", nil, slices.Concat(tests("tests/e2e", "TestHostileBytes"), dialogue("lines", "a TLS hello on a connection in the clear")), ""},
		{7, "HTTP", nil, slices.Concat(tests("tests/e2e", "TestHTTP"), dialogue("lines", "a request of a browser", "a request of a browser that posts commands")), ""},
		{8, "bad commands before the login", nil, dialogue("lines", "too many of them before the login"), ""},
		{9, "escape sequences", attacks{"in every command and in the log": escapes}, slices.Concat(dialogue("lines", "replies escape control characters"), tests("edge/wire", "FuzzReply"), tests("edge/pi", "TestPrefixIsHarmless"), tests("policies/eventlog", "TestHarmless")), ""},
		{10, "commands pipelined", attacks{"during a transfer": pipelined}, dialogue("lines", "twenty thousand commands", "commands behind a transfer wait for it", "more commands than are held"), ""},
		{11, "replies that are not read", attacks{"forty clients": unread}, tests("edge/pi", "TestUnreadReplies", "TestUnreadRepliesUnderTLS", "TestUnreadRepliesDuringWork"), ""},
		{12, "a byte now and then", attacks{"120 clients": slowLine}, tests("edge/pi", "TestLoginLimit", "TestIdle"), ""},
		{13, "silent connections", attacks{"a thousand": silent}, nil, ""},
		{14, "an end behind USER", nil, dialogue("lines", "the client half-closes"), ""},
		{15, "connects and resets", attacks{"500 beside a transfer": churn}, nil, ""},
		{16, "one address with many connections", attacks{"600": oneAddress}, tests("edge", "TestSessionsPerAddress", "TestGatePrefix"), ""},
		{17, "no descriptors left", attacks{"a server that has few": noDescriptors, "and one that knows it": countedDescriptors, "what a session takes": sessionTakes},
			slices.Concat(tests("edge/vfs", "TestNoDescriptors"), tests("edge", "TestDescriptorBudget")), ""},
		{18, "commands behind QUIT", nil, dialogue("QUIT", "what follows it is not carried out"), ""},
		{19, "malformed arguments", attacks{"of every verb": malformed}, tests("edge/pi", "FuzzSession", "FuzzArgs"), ""},
		{20, "commands during a transfer", attacks{"ten thousand": pipelined}, slices.Concat(tests("edge/pi", "TestHeldLines", "TestBarrier", "TestAbortRace"), dialogue("ABOR", "commands that waited are carried out after it"), dialogue("QUIT", "during a transfer: 226, then 221")), ""},
		{21, "REIN during a transfer", nil, dialogue("REIN", "a running transfer ends first"), ""},
		{22, "HOST against SNI", attacks{"a user of one name": hosts}, dialogue("HOST", "the name agrees with that of the TLS handshake", "the names of the listener"), "issue 9: virtual hosts with users of their own"},
	}
}

// dataRows are about data connections.
func dataRows() []row {
	return []row{
		{36, "bounce", attacks{"IPv4, private addresses led to the client": bounce, "IPv6": bounceSix}, slices.Concat(dialogue("PORT", "addresses and ports that are refused"), dialogue("EPRT", "addresses and ports that are refused"), tests("edge/dtp", "TestActiveTargets")), ""},
		{37, "privileged ports, and the server's own", attacks{"its own control ports": bounceToItself}, dialogue("PORT", "addresses and ports that are refused"), ""},
		{38, "malformed PORT, and the port of before", attacks{"every refusal": portState}, slices.Concat(dialogue("PORT", "malformed arguments", "a refused PORT leaves no port behind"), dialogue("EPRT", "malformed arguments")), ""},
		{39, "a passive port stolen from elsewhere", nil, slices.Concat(tests("tests/e2e", "TestStolenPort"), tests("edge/dtp", "TestPassiveTurnsForeignersAway")), ""},
		{40, "the thief connects first", attacks{"a siege": besieged}, slices.Concat(dialogue("PASV", "a stranger does not get it and does not block it"), tests("edge/dtp", "TestPassiveForeignerFirst")), ""},
		{41, "passive ports foretold", attacks{"a hundred": unforetold}, tests("edge/dtp", "TestPassiveUsesTheWholeRangeAndNoMore"), ""},
		{42, "a thief at the same address", attacks{"two who connect at once": twoPeers}, slices.Concat(dialogue("theft", "a download, TLS 1.3", "a download, TLS 1.2", "an upload"), tests("tests/e2e", "TestStolenPortSameAddress"), tests("edge/dtp", "TestStranger")), ""},
		{43, "PASV without end, hoarded ports", attacks{"a thousand, and all": hoarded}, slices.Concat(tests("edge/dtp", "TestPassiveAllPortsBusy"), tests("edge/pi", "TestPortExpiry")), ""},
		{44, "a port that outlives its use", nil, slices.Concat(dialogue("PASV", "a port serves one transfer"), dialogue("QUIT", "a prepared data port is closed"), dialogue("REIN", "a prepared data port is closed")), ""},
		{45, "data connections that are never opened", attacks{"and clients that go": neverOpened}, slices.Concat(dialogue("ABOR", "a transfer whose data connection was never made"), tests("edge/pi", "TestLostBeforeTheMark", "TestLostConnection")), ""},
		{46, "slow and deaf clients", attacks{"a byte now and then": trickle, "where a rate is asked for": tooSlow, "none at all": unreadDownloads},
			slices.Concat(tests("edge/dtp", "TestStall", "TestSlowUnderTLS", "TestLeastRate", "TestLeastRateOnSockets"), tests("edge/pi", "TestLeastRateReply")), ""},
		{47, "storms of ABOR and resets", attacks{"ABOR, urgent too": aborts, "data connections": resets, "control connections": lost}, slices.Concat(dialogue("abort", "in the clear", "with urgent data", "protected"), tests("edge/dtp", "TestReceiveReset", "TestSendReset")), ""},
		{48, "EPSV ALL", nil, dialogue("EPSV", "ALL, until the session begins anew", "ALL outlives a failed transfer"), ""},
		{49, "transfers between two servers", attacks{"off, and on": foreign, "where a policy says whereto": judgedPorts}, dialogue("PORT", "the server permits foreign addresses"), ""},
		{50, "an active connection that stalls", attacks{"in the handshake": stalledData}, slices.Concat(dialogue("ABOR", "a transfer over the client's port that is not accepted"), tests("edge/dtp", "TestAbortInHandshake", "TestActiveUnreached")), ""},
	}
}

// tlsRows are about TLS, and ACME.
func tlsRows() []row {
	return []row{
		{51, "commands behind AUTH", nil, slices.Concat(dialogue("injection", "a login and a command", "of somebody who has logged in", "the beginning of a line, which the first protected one would end"), tests("tests/e2e", "TestInjectionBeforeTLS")), ""},
		{52, "a login in the clear", nil, slices.Concat(dialogue("USER", "where TLS is required"), tests("tests/e2e", "TestTLSRequired")), ""},
		{53, "PROT C, CCC", nil, slices.Concat(tests("tests/e2e", "TestTLSRequired"), dialogue("CCC", "under TLS"), dialogue("PROT", "where data connections need TLS")), ""},
		{54, "clear bytes on a protected data connection", nil, slices.Concat(tests("tests/e2e", "TestTLSRequired"), tests("edge/dtp", "TestClearOnProtected")), ""},
		{55, "an upload that is cut", nil, slices.Concat(dialogue("truncation", "TLS 1.3", "TLS 1.2", "an older file stays as it is"), tests("edge/dtp", "TestProtectedUploadEnds")), ""},
		{56, "a download without close_notify", nil, tests("edge/dtp", "TestProtectedDownloadEnds", "TestDownloadEnds"), ""},
		{57, "old versions and weak ciphers", attacks{"and a hello that was cut down": downgrade}, tests("acme", "TestRefusedHellos", "TestRefusedClients"), ""},
		{58, "handshakes that stall, are none, or many", attacks{"200 that stall": stalled, "that are none": noHandshake, "200 at once": manyHandshakes, "AUTH again": authAgain}, dialogue("AUTH", "a second one", "bytes that are no handshake"), ""},
		{59, "records of one byte", attacks{"commands and a file": tinyRecords}, nil, ""},
		{60, "a certificate shared with HTTPS", attacks{"other protocols": protocols}, slices.Concat(tests("edge/dtp", "TestControlProtocols", "TestDataProtocols"), tests("acme", "TestStrictSNIElsewhere"), tests("tests/e2e", "TestHTTP")), ""},
		{61, "tickets of another host", attacks{"of another listener": otherListener}, tests("edge/dtp", "TestBindingOtherSession"), ""},
		{62, "a certificate authority that fails", nil, nil, "issue 6: ACME"},
		{63, "certificates expired, cut, on a full disk", nil, tests("acme", "TestHalfReplaced", "TestBrokenReload", "TestLocalSurvivesAFullDisk"), "issue 6: those of ACME"},
		{64, "two nodes renew at once", nil, nil, "issue 6: ACME"},
		{65, "the challenge port abused", nil, nil, "issue 6: ACME"},
		{66, "a certificate for any name on demand", nil, nil, "issue 6: ACME"},
	}
}

// newRows are about what the list does not have yet, or has in parts that are not
// this package's: commands of issue 3, TLS's finer points.
func newRows() []row {
	return []row{
		{0, "digests of huge files", attacks{"ABOR, and clients that go": hashing, "many at once": hashCrowd, "algorithms that are not offered": algorithms},
			slices.Concat(tests("edge/pi", "TestAbortHash", "TestHashTime", "FuzzCutSpan"), tests("edge", "TestTurns", "TestTurnsQueue")), ""},
		{0, "copies (68, 73, 74, 81)", attacks{"to and from the outside": copies, "between two users' roots": copiesBetweenRoots}, tests("tests/e2e", "TestOutside"), ""},
		{0, "offsets and ranges (86, 87, 88)", attacks{"at the ends of 64 bits": numbers}, dialogue("REST", "what is not an offset", "an upload beyond the end"), ""},
		{0, "bytes in the middle of a large file", attacks{"given up": inTheMiddle}, dialogue("REST", "an upload into a published file"), ""},
		{0, "MODE Z (89)", attacks{"bombs": bombs, "listings": compressedListings}, slices.Concat(dialogue("MODE", "Z: what unpacks to far too much is refused", "Z: damaged, cut short, and not compressed at all"), tests("edge/dtp", "TestDeflateBomb", "TestDeflateMemory", "FuzzInflate")), ""},
		{0, "listings (71, 83, 84, 85)", attacks{"trees and patterns without end": trees, "a hundred thousand patterns": patterns, "nobody reads": listedByMany}, tests("edge/internal/listing", "TestGlobBomb", "TestGlobLimits", "TestTreeLimits", "TestMemory"), ""},
		{0, "what clients say of themselves", attacks{"a mebibyte of it": words}, tests("edge/pi", "FuzzHostName"), ""},
		{0, "facts and times (82)", attacks{"hundreds in a line": facts, "times at the ends of what there is": times}, nil, ""},
		{0, "symbolic links (68, 81)", attacks{"out of the tree": links}, dialogue("SITE-SYMLINK", "off by default", "never out of the tree"), ""},
		{0, "client certificates", attacks{"that prove nothing": unverified, "as large as they come": hugeCertificates}, slices.Concat(tests("edge", "TestClientCertificate"), tests("acme", "TestClientCertificates"), tests("policies/users", "TestCertificates")), ""},
		{0, "more than the memory there is (33, 84, 89)", attacks{"transfers": littleMemory, "passwords": loginStorm}, slices.Concat(tests("edge", "TestMemoryBudget"),
			tests("edge/pi", "TestNoRoom"), tests("edge/internal/budget", "TestHysteresis", "TestConcurrent"), tests("edge/internal/listing", "TestSortRoom"), tests("edge/internal/secret", "TestWithin")), ""},
		{0, "an end in the middle of everything (126)", attacks{"shutting down": siegeAndShutdown}, tests("edge", "TestShutdownLimit"), ""},
		{0, "TLS before and after the handshake", attacks{"long hellos": longHellos, "renegotiation": renegotiation, "key updates, empty records, warnings": keyUpdates}, nil, ""},
	}
}

func TestControl(t *testing.T) { run(t, controlRows()) }
func TestData(t *testing.T)    { run(t, dataRows()) }
func TestTLS(t *testing.T)     { run(t, tlsRows()) }
func TestNew(t *testing.T)     { run(t, newRows()) }

// run proves rows: the attacks of this package one after the other, because each
// looks for what the others might leave behind.
func run(t *testing.T, rows []row) {
	for _, w := range rows {
		name := w.title
		if w.number > 0 {
			name = fmt.Sprintf("%d %s", w.number, w.title)
		}
		t.Run(name, func(t *testing.T) {
			if w.later != "" {
				t.Log("left to " + w.later)
			}
			for _, p := range w.there {
				if err := p.exists(); err != nil {
					t.Error(err)
				}
			}
			for _, name := range sorted(w.here) {
				t.Run(name, w.here[name])
			}
		})
	}
}

func sorted(a attacks) (names []string) {
	for name := range a {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// exists looks for a test by its name.
func (p proof) exists() error {
	at := filepath.Join("..", "..", filepath.FromSlash(p.where))
	if strings.HasSuffix(p.where, ".txt") {
		text, err := os.ReadFile(at)
		if err == nil && !strings.Contains("\n"+string(text), "\n== "+p.what+"\n") {
			err = fmt.Errorf("%s has no dialogue %q", p.where, p.what)
		}
		return err
	}
	files, err := filepath.Glob(filepath.Join(at, "*_test.go"))
	if err != nil {
		return err
	}
	head := regexp.MustCompile(`(?m)^func ` + p.what + `\(`)
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil && head.Match(text) {
			return nil
		}
	}
	return fmt.Errorf("%s has no test %s", p.where, p.what)
}

// TestRowsAreWhole: each row of the list's parts has its place once, and each has a
// reason.
func TestRowsAreWhole(t *testing.T) {
	var numbers, want []int
	for _, w := range slices.Concat(controlRows(), dataRows(), tlsRows(), newRows()) {
		if w.number > 0 {
			numbers = append(numbers, w.number)
		}
		if len(w.here)+len(w.there) == 0 && !strings.HasPrefix(w.later, "issue ") {
			t.Errorf("nothing is said of row %d, %s", w.number, w.title)
		}
	}
	for n := 1; n <= 66; n++ {
		if n <= 22 || n >= 36 { // 23 to 35 are about logins
			want = append(want, n)
		}
	}
	if !slices.Equal(numbers, want) {
		t.Errorf("the rows are %v", numbers)
	}
	if (proof{"edge/wire", "TestOfNothing"}).exists() == nil || (proof{"tests/conformance/USER.txt", "nothing"}).exists() == nil {
		t.Error("what does not exist is found")
	}
}
