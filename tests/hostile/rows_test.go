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
	held   string                      // what holds it off
	here   map[string]func(*testing.T) // attacks of this package
	there  []proof                     // what was proven elsewhere already
	left   string                      // what is not held off, and why
}

// proof is a test of another package, a dialogue of tests/conformance, or a step of a
// script in .ci.
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
		{1, "a line without end", "Of a line 8 KiB are kept; the third over-long one closes the connection, and so does 1 MiB without an end.", attacks{"a gibibyte": endlessLine}, slices.Concat(tests("edge/wire", "TestReaderBound"), tests("tests/e2e", "TestHostileBytes")), ""},
		{2, "an over-long line whose tail is a command", "An over-long line is thrown away up to its end, whatever its tail says.", nil, dialogue("lines", "the tail of an over-long line is no command", "an over-long line is thrown away whole, and the third one closes", "an over-long line before the login"), ""},
		{3, "NUL in names and passwords", "Arguments with a NUL are refused with 501, so nothing behind it can be cut off.", attacks{"names and passwords": nulInPassword}, slices.Concat(dialogue("lines", "a NUL in an argument"), dialogue("USER", "a name with a NUL")), ""},
		{4, "CR and LF alone", "Only LF ends a line; a CR before it goes, any other CR is part of the line.", nil, slices.Concat(dialogue("lines", "lines that end with LF alone", "a CR inside a line ends nothing"), tests("edge/wire", "FuzzReader")), ""},
		{5, "Telnet's bytes", "Telnet sequences are taken out before a line is looked at (RFC 854); a doubled IAC is one byte of a name.", attacks{"in an encoding that has them as letters": latin1}, slices.Concat(dialogue("lines", "Telnet sequences are taken out", "a doubled IAC is one byte of a name", "a Telnet sequence that never ends swallows one line at most"),
			dialogue("ABOR", "with the Telnet synch before it", "with the Telnet synch as urgent data"), tests("edge/wire", "TestReaderArgument")), ""},
		{6, "random bytes, a TLS hello", "What is no command counts as senseless; ten of them before the login close the connection.", nil, slices.Concat(tests("tests/e2e", "TestHostileBytes"), dialogue("lines", "a TLS hello on a connection in the clear")), ""},
		{7, "HTTP", "A line that is a request of HTTP closes the connection; nothing of it is echoed.", nil, slices.Concat(tests("tests/e2e", "TestHTTP"), dialogue("lines", "a request of a browser", "a request of a browser that posts commands")), ""},
		{8, "bad commands before the login", "Ten senseless commands before the login close the connection.", nil, dialogue("lines", "too many of them before the login"), ""},
		{9, "escape sequences", "Control characters never get into a reply; logs are JSON, or escaped.", attacks{"in every command and in the log": escapes}, slices.Concat(dialogue("lines", "replies escape control characters"), tests("edge/wire", "FuzzReply"), tests("edge/pi", "TestPrefixIsHarmless"), tests("policies/eventlog", "TestHarmless")), ""},
		{10, "commands pipelined", "Sixteen lines wait for a running command; then the connection is not read.", attacks{"during a transfer": pipelined}, dialogue("lines", "twenty thousand commands", "commands behind a transfer wait for it", "more commands than are held"), ""},
		{11, "replies that are not read", "A reply that is not taken within 30 s ends the session; until then nothing more is read.", attacks{"forty clients": unread}, tests("edge/pi", "TestUnreadReplies", "TestUnreadRepliesUnderTLS", "TestUnreadRepliesDuringWork"), ""},
		{12, "a byte now and then", "The time to log in and the idle time run from the last complete line, not from the last byte.", attacks{"120 clients": slowLine}, tests("edge/pi", "TestLoginLimit", "TestIdle"), ""},
		{13, "silent connections", "Whoever has not logged in after 30 s is told 421; a silent session holds little memory.", attacks{"a thousand": silent}, nil, ""},
		{14, "an end behind USER", "The end of the control connection ends the session at once.", nil, dialogue("lines", "the client half-closes"), ""},
		{15, "connects and resets", "A session that ends gives back its descriptors, goroutines and ports.", attacks{"500 beside a transfer": churn}, nil, ""},
		{16, "one address with many connections", "Twenty sessions of one IPv4 address or IPv6 /64.", attacks{"600": oneAddress}, tests("edge", "TestSessionsPerAddress", "TestGatePrefix"), ""},
		{17, "no descriptors left", "Sessions are turned away before descriptors run out; a failing accept pauses, longer each time.", attacks{"a server that has few": noDescriptors, "and one that knows it": countedDescriptors, "what a session takes": sessionTakes}, slices.Concat(tests("edge/vfs", "TestNoDescriptors"), tests("edge", "TestDescriptorBudget"), tests("edge", "TestDescriptorsAndSessions")), ""},
		{18, "commands behind QUIT", "Nothing is read behind QUIT.", nil, dialogue("QUIT", "what follows it is not carried out"), ""},
		{19, "malformed arguments", "Arguments are parsed by the grammar of their row in the command table; 501 leaves the session as it was.", attacks{"of every verb": malformed}, slices.Concat(tests("edge/pi", "FuzzSession", "FuzzArgs"), tests("edge", "FuzzServer")), ""},
		{20, "commands during a transfer", "Each command has a lane: at once beside a transfer, or behind it.", attacks{"ten thousand": pipelined}, slices.Concat(tests("edge/pi", "TestHeldLines", "TestBarrier", "TestAbortRace"), dialogue("ABOR", "commands that waited are carried out after it"), dialogue("QUIT", "during a transfer: 226, then 221")), ""},
		{21, "REIN during a transfer", "REIN waits for the transfer's end.", nil, dialogue("REIN", "a running transfer ends first"), ""},
		{22, "HOST against SNI", "The name of the TLS handshake and HOST must agree, else 504. A virtual host has users, files and policies of its own: who is somebody at another host is nobody here, at the cost of a wrong password.", attacks{"a user of one name": hosts}, slices.Concat(dialogue("HOST", "the name agrees with that of the TLS handshake", "the names of the listener", "a name that no virtual host has: 504, and the session stays where it is (§3.3)", "USER is for the host that was meant when it came (§3.2)"), tests("edge", "TestHostsLogins", "TestHostsOrder", "TestHostsUnknownNames", "TestHostsTickets", "TestHostsApart", "TestHostsApply"), tests("edge/pi", "TestHostsWork", "FuzzCleanName"), tests("edge/internal/chain", "TestHosts"), tests("tests/e2e", "TestVirtualHosts")), ""},
	}
}

// dataRows are about data connections.
func dataRows() []row {
	return []row{
		{36, "bounce", "PORT and EPRT take the client's own address alone (RFC 2577 §3), whatever form it is written in.", attacks{"IPv4, private addresses led to the client": bounce, "IPv6": bounceSix}, slices.Concat(dialogue("PORT", "addresses and ports that are refused"), dialogue("EPRT", "addresses and ports that are refused"), tests("edge/dtp", "TestActiveTargets")), ""},
		{37, "privileged ports, and the server's own", "Ports below 1024 and the server's own control ports are refused.", attacks{"its own control ports": bounceToItself}, dialogue("PORT", "addresses and ports that are refused"), ""},
		{38, "malformed PORT, and the port of before", "A refused PORT leaves no port behind.", attacks{"every refusal": portState}, slices.Concat(dialogue("PORT", "malformed arguments", "a refused PORT leaves no port behind"), dialogue("EPRT", "malformed arguments")), ""},
		{39, "a passive port stolen from elsewhere", "Only the control connection's address may connect; others are closed and the port waits on.", nil, slices.Concat(tests("tests/e2e", "TestStolenPort"), tests("edge/dtp", "TestPassiveTurnsForeignersAway")), ""},
		{40, "the thief connects first", "A stranger's connection is closed, and the port goes on to wait for the owner.", attacks{"a siege": besieged}, slices.Concat(dialogue("PASV", "a stranger does not get it and does not block it"), tests("edge/dtp", "TestPassiveForeignerFirst")), ""},
		{41, "passive ports foretold", "Ports are chosen at random from the whole range.", attacks{"a hundred": unforetold}, tests("edge/dtp", "TestPassiveUsesTheWholeRangeAndNoMore"), ""},
		{42, "a thief at the same address", "With TLS a data connection must resume the control connection's session.", attacks{"two who connect at once": twoPeers}, slices.Concat(dialogue("theft", "a download, TLS 1.3", "a download, TLS 1.2", "an upload"), tests("tests/e2e", "TestStolenPortSameAddress"), tests("edge/dtp", "TestStranger")), ""},
		{43, "PASV without end, hoarded ports", "A session has one data port, which is closed after 30 s without a connection; 425 when there is none left.", attacks{"a thousand, and all": hoarded}, slices.Concat(tests("edge/dtp", "TestPassiveAllPortsBusy"), tests("edge/pi", "TestPortExpiry")), ""},
		{44, "a port that outlives its use", "A port serves one transfer and ends with the session, REIN and the next PASV.", nil, slices.Concat(dialogue("PASV", "a port serves one transfer"), dialogue("QUIT", "a prepared data port is closed"), dialogue("REIN", "a prepared data port is closed")), ""},
		{45, "data connections that are never opened", "ABOR ends the wait; so do 30 s, and the end of the session.", attacks{"and clients that go": neverOpened}, slices.Concat(dialogue("ABOR", "a transfer whose data connection was never made"), tests("edge/pi", "TestLostBeforeTheMark", "TestLostConnection")), ""},
		{46, "slow and deaf clients", "A data connection without a byte for a minute ends its session with 421; where a least rate is asked for (limits.transfers.min_rate), a slower transfer ends with 426.", attacks{"a byte now and then": trickle, "where a rate is asked for": tooSlow, "none at all": unreadDownloads},
			slices.Concat(tests("edge/dtp", "TestStall", "TestSlowUnderTLS", "TestLeastRate", "TestLeastRateOnSockets"), tests("edge/pi", "TestLeastRateReply")), ""},
		{47, "storms of ABOR and resets", "An abort ends one transfer, and each command gets its reply.", attacks{"ABOR, urgent too": aborts, "data connections": resets, "control connections": lost}, slices.Concat(dialogue("abort", "in the clear", "with urgent data", "protected"), tests("edge/dtp", "TestReceiveReset", "TestSendReset")), ""},
		{48, "EPSV ALL", "EPSV ALL holds until the session begins anew (RFC 2428 §4).", nil, dialogue("EPSV", "ALL, until the session begins anew", "ALL outlives a failed transfer"), ""},
		{49, "transfers between two servers", "Off unless configured; then the policies judge the command that names the port, and each transfer by where its bytes go and come from.", attacks{"off, and on": foreign, "where a policy says whereto": judgedPorts, "where a policy says what goes whereto": judgedTransfers}, dialogue("PORT", "the server permits foreign addresses"), ""},
		{50, "an active connection that stalls", "Connecting, the handshake and the first byte have their deadlines.", attacks{"in the handshake": stalledData}, slices.Concat(dialogue("ABOR", "a transfer over the client's port that is not accepted"), tests("edge/dtp", "TestAbortInHandshake", "TestActiveUnreached")), ""},
	}
}

// tlsRows are about TLS, and ACME.
func tlsRows() []row {
	return []row{
		{51, "commands behind AUTH", "What came in clear behind AUTH is thrown away with everything that was said before (RFC 4217 §12).", nil, slices.Concat(dialogue("injection", "a login and a command", "of somebody who has logged in", "the beginning of a line, which the first protected one would end"), tests("tests/e2e", "TestInjectionBeforeTLS")), ""},
		{52, "a login in the clear", "Where TLS is required, USER and PASS are refused before it.", nil, slices.Concat(dialogue("USER", "where TLS is required"), tests("tests/e2e", "TestTLSRequired")), ""},
		{53, "PROT C, CCC", "CCC is refused; where data connections need TLS, so is PROT C.", nil, slices.Concat(tests("tests/e2e", "TestTLSRequired"), dialogue("CCC", "under TLS"), dialogue("PROT", "where data connections need TLS")), ""},
		{54, "clear bytes on a protected data connection", "Bytes in clear on a protected data connection fail the transfer; nothing is stored.", nil, slices.Concat(tests("tests/e2e", "TestTLSRequired"), tests("edge/dtp", "TestClearOnProtected")), ""},
		{55, "an upload that is cut", "An upload ends with close_notify, or it is not taken.", nil, slices.Concat(dialogue("truncation", "TLS 1.3", "TLS 1.2", "an older file stays as it is"), tests("edge/dtp", "TestProtectedUploadEnds")), ""},
		{56, "a download without close_notify", "A download always ends with close_notify.", nil, tests("edge/dtp", "TestProtectedDownloadEnds", "TestDownloadEnds"), ""},
		{57, "old versions and weak ciphers", "TLS 1.2 and 1.3 with forward secrecy and authenticated ciphers alone.", attacks{"and a hello that was cut down": downgrade}, tests("acme", "TestRefusedHellos", "TestRefusedClients"), ""},
		{58, "handshakes that stall, are none, or many", "A handshake has 10 s; a second AUTH is refused.", attacks{"200 that stall": stalled, "that are none": noHandshake, "200 at once": manyHandshakes, "AUTH again": authAgain}, dialogue("AUTH", "a second one", "bytes that are no handshake"), ""},
		{59, "records of one byte", "Records of any size make up a line or a file all the same.", attacks{"commands and a file": tinyRecords}, nil, ""},
		{60, "a certificate shared with HTTPS", "Only FTP's own protocols are agreed on by ALPN; a handshake for another one is refused.", attacks{"other protocols": protocols}, slices.Concat(tests("edge/dtp", "TestControlProtocols", "TestDataProtocols"), tests("acme", "TestStrictSNIElsewhere"), tests("tests/e2e", "TestHTTP")), ""},
		{61, "tickets of another host", "Tickets bear the session that they are for.", attacks{"of another listener": otherListener}, tests("edge/dtp", "TestBindingOtherSession"), ""},
		{62, "a certificate authority that fails", "The certificate in use is served to its end; orders pause longer after each failure, by name.", nil, slices.Concat(tests("acme", "TestAuthorityAway", "TestLimited", "TestWrongAnswers"), tests("tests/e2e", "TestCertificateFaults", "TestCertificateStartInOutage", "TestCertificateFirstStartInOutage")), ""},
		{63, "certificates expired, cut, on a full disk", "A pair is looked at before it replaces another one; a damaged one is put aside; storing is all or nothing.", nil, slices.Concat(tests("acme", "TestHalfReplaced", "TestBrokenReload", "TestLocalSurvivesAFullDisk", "TestDamage", "TestCutPoints", "TestFullWhileRenewing", "TestStorageGone"), tests("tests/e2e", "TestCertificateExpiredAtStart", "TestCertificateFaults")), ""},
		{64, "two nodes renew at once", "One order at a time for a name, by a lock that its holder renews; it is taken over when the holder is gone.", nil, slices.Concat(tests("acme/acmetest", "TestProcesses", "TestKilledHolder"), tests("tests/e2e", "TestCertificateFleet", "TestCertificateFleetTakesOver", "TestCertificateRestartInOrder")), ""},
		{65, "the challenge port abused", "Only the tokens of pending orders are answered; all else is 404 or an alert, within 5 s.", nil, slices.Concat(tests("acme", "TestHTTPStrangers", "TestHTTPCrowd", "TestTLSStrangers", "TestClosedDoors"), tests("tests/e2e", "TestCertificateStrangersHTTP", "TestCertificateStrangersALPN")), ""},
		{66, "a certificate for any name on demand", "On demand only for names that the list holds and a policy grants, and so many in an hour.", nil, slices.Concat(tests("acme", "TestOnDemandRefusals", "TestOnDemandLeavesNothing", "TestOnDemandStorm"), tests("tests/e2e", "TestOnDemandRate")), ""},
	}
}

// newRows are about what the list does not have yet, or has in parts that are not
// this package's: later commands, TLS's finer points.
func newRows() []row {
	return []row{
		{0, "a client address that is claimed by a PROXY header", "A header is believed from the trusted networks alone, and belongs to a connection before its first byte; who is not trusted is closed, or with optional served as what it is.", nil,
			slices.Concat(tests("edge", "TestProxied", "TestProxiedData", "TestProxiedStranger", "TestProxiedOptional", "TestProxiedFlood", "TestProxiedCrowd"), tests("edge/proxied", "TestRead", "FuzzRead"), tests("tests/e2e", "TestHAProxy")), ""},
		{0, "a webhook as a way into the operator's network, or out of it with secrets", "A webhook goes to the one URL that the operator has named: no redirect, no proxy, names are judged when they are dialled, private addresses only where the operator says so, link-local ones never. Its secret and headers are shown nowhere.", nil,
			slices.Concat(tests("policies/webhook", "TestWhere", "TestAnswers", "TestLargeAnswer", "TestSlow"), tests("edge/outbound", "TestPublic", "TestReachable", "TestDialer"), tests("tests/e2e", "TestWebhookSecrets")), ""},
		{0, "events that are lost when the server is killed or replaced", "What a durable policy or a webhook is to be told is on the disk until it was taken; a receiver that is slow holds up nobody. What another process leaves behind is told by the next.", nil,
			slices.Concat(tests("edge/internal/chain", "TestSpoolSlow"), tests("edge", "TestLineage", "TestLineageQuiet"), tests("tests/e2e", "TestWebhookKill")), ""},
		{0, "digests of huge files", "A digest ends with ABOR, with its client and after five minutes; as many run at once as there are processors, of one user all but one.", attacks{"ABOR, and clients that go": hashing, "many at once": hashCrowd, "algorithms that are not offered": algorithms},
			slices.Concat(tests("edge/pi", "TestAbortHash", "TestHashTime", "FuzzCutSpan"), tests("edge", "TestDigestTurns", "TestDigestQueue")), ""},
		{0, "what an attacker's code could do in the process", "It has no other files than the served ones and its own (Landlock), no ports and no programs, cannot trace or mount (a list of denied system calls), gains no privileges, and is not root.", nil,
			slices.Concat(tests("tests/e2e", "TestSandboxInside", "TestSandboxMissing", "TestNotAsRoot", "TestInstanceUser", "TestInstanceUserKeepsLowPorts"), tests("cmd/edgeftp/internal/sandbox", "TestClose", "TestFilter"),
				tests("cmd/edgeftp/internal/identity", "TestBecome"), tests("cmd/edgeftp/internal/builder", "TestChildInheritsNothing", "TestAttendRefuses"), tests("cmd/edgeftp", "TestWhoExecutes")), ""},
		{0, "copies (68, 73, 74, 81)", "A copy is a download and an upload, for the policies as for the filesystem.", attacks{"to and from the outside": copies, "between two users' roots": copiesBetweenRoots}, tests("tests/e2e", "TestOutside"), ""},
		{0, "offsets and ranges (86, 87, 88)", "Offsets are whole numbers of 63 bits; one beyond the end is refused.", attacks{"at the ends of 64 bits": numbers}, dialogue("REST", "what is not an offset", "an upload beyond the end"), ""},
		{0, "bytes in the middle of a large file", "Such an upload is made beside the file and takes its place at the end.", attacks{"given up": inTheMiddle}, dialogue("REST", "an upload into a published file"), ""},
		{0, "MODE Z (89)", "What unpacks to more than 200 times its size is refused, beyond the first MiB.", attacks{"bombs": bombs, "listings": compressedListings}, slices.Concat(dialogue("MODE", "Z: what unpacks to far too much is refused", "Z: damaged, cut short, and not compressed at all"), tests("edge/dtp", "TestDeflateBomb", "TestDeflateMemory", "FuzzInflate")), ""},
		{0, "listings (71, 83, 84, 85)", "Patterns match in linear time; trees and patterns have budgets of entries, directories, levels and time.", attacks{"trees and patterns without end": trees, "a hundred thousand patterns": patterns, "nobody reads": listedByMany}, tests("edge/internal/listing", "TestGlobBomb", "TestGlobLimits", "TestTreeLimits", "TestMemory"), ""},
		{0, "what clients say of themselves", "Of CLNT and CSID 128 bytes are kept.", attacks{"a mebibyte of it": words}, tests("edge/pi", "FuzzHostName"), ""},
		{0, "facts and times (82)", "Each fact once; times that there are not are refused.", attacks{"hundreds in a line": facts, "times at the ends of what there is": times}, nil, ""},
		{0, "symbolic links (68, 81)", "Off unless configured, and never out of the tree.", attacks{"out of the tree": links}, dialogue("SITE-SYMLINK", "off by default", "never out of the tree"), ""},
		{0, "client certificates", "Only verified ones count.", attacks{"that prove nothing": unverified, "as large as they come": hugeCertificates}, slices.Concat(tests("edge", "TestClientCertificate"), tests("acme", "TestClientCertificates"), tests("policies/users", "TestCertificates")), ""},
		{0, "more than the memory there is (33, 84, 89)", "No session begins from 90 % of the memory budget on; what does not fit is refused; passwords share a quarter of it.", attacks{"transfers": littleMemory, "passwords": loginStorm}, slices.Concat(tests("edge", "TestMemoryBudget"),
			tests("edge/pi", "TestNoRoom"), tests("edge/internal/budget", "TestHysteresis", "TestConcurrent"), tests("edge/internal/listing", "TestSortRoom"), tests("edge/internal/secret", "TestWithin")), ""},
		{0, "an end in the middle of everything (126)", "Shutdown has a limit, and what runs then is aborted.", attacks{"shutting down": siegeAndShutdown}, tests("edge", "TestShutdownLimit"), ""},
		{0, "TLS before and after the handshake", "What a client says in its handshake is bounded; renegotiation is not offered.", attacks{"long hellos": longHellos, "renegotiation": renegotiation, "key updates, empty records, warnings": keyUpdates}, nil, ""},
	}
}

func TestControl(t *testing.T)   { run(t, controlRows()) }
func TestLogin(t *testing.T)     { run(t, loginRows()) }
func TestData(t *testing.T)      { run(t, dataRows()) }
func TestTLS(t *testing.T)       { run(t, tlsRows()) }
func TestFiles(t *testing.T)     { run(t, fileRows()) }
func TestTransfers(t *testing.T) { run(t, transferRows()) }
func TestPolicies(t *testing.T)  { run(t, policyRows()) }
func TestOperation(t *testing.T) { run(t, operationRows()) }
func TestNew(t *testing.T)       { run(t, newRows()) }

// run proves rows: the attacks of this package one after the other, because each
// looks for what the others might leave behind.
func run(t *testing.T, rows []row) {
	for _, w := range rows {
		name := w.title
		if w.number > 0 {
			name = fmt.Sprintf("%d %s", w.number, w.title)
		}
		t.Run(name, func(t *testing.T) {
			if w.left != "" {
				t.Log("not held off: " + w.left)
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
	if strings.HasPrefix(p.where, ".ci/") {
		text, err := os.ReadFile(at)
		if err == nil && !strings.Contains(string(text), p.what) {
			err = fmt.Errorf("%s does nothing about %q", p.where, p.what)
		}
		return err
	}
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
