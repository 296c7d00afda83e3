package hostile

import "slices"

// operationRows are about running a server.
func operationRows() []row {
	return []row{
		{113, "kill -9 in the middle of anything", "What a killed process left is tidied up before the next one listens.", nil, slices.Concat(tests("tests/e2e", "TestKill", "TestKillKeepsPartial"), tests("edge/kv", "TestKill"), tests("edge/internal/spool", "TestKill"), tests("edge/vfs", "TestKilled", "TestUndo"), tests("tests/crash", "TestKill", "TestStartWithManyFiles")), ""},
		{114, "SIGTERM with transfers running", "New sessions are refused, transfers go on up to the limit, then 426; exit code 0.", nil, slices.Concat(tests("tests/e2e", "TestDrain", "TestDrainLimit", "TestSecondSignal"), tests("edge", "TestShutdownInTheMiddleOfEverything")), ""},
		{115, "a broken configuration", "It never starts, and never takes a running one's place, by a reload or an upgrade; every fault is told with its place.", nil, slices.Concat(tests("cmd/edgeftp/internal/config", "TestBrokenFiles", "FuzzParse"), tests("tests/e2e", "TestMistakesConfig", "TestReloadDuringTransfer", "TestUpgradeBroken")), ""},
		{116, "a full disk under the logs, a closed pipe", "The service goes on; losses of the event log are counted and told.", nil, tests("policies/eventlog", "TestConformanceOfLosses", "TestErrorsAreTold"), ""},
		{117, "secrets in logs, panics, core files", "Passwords are in no event, no log and no reply; the process leaves no core file.", nil, slices.Concat(tests("wasmhost", "TestWatchNoPassword"), tests("cmd/edgeftp/internal/config", "TestSecretsAreNotShown"), tests("acme/providers", "TestSecretsInErrors"), tests("tests/e2e", "TestSecretsAreNotLogged", "TestSandboxInside"), tests("edge/wire", "TestWipe")), ""},
		{118, "lines forged into logs", "An event is one line of JSON; what a client said is escaped.", attacks{"escape sequences": escapes}, slices.Concat(tests("policies/eventlog", "TestHarmless", "TestLine"), tests("edge/pi", "TestOnePath")), ""},
		{119, "the admin interface", "A Unix socket of mode 0600, which serves its own user and root alone, by the kernel's word.", nil, tests("cmd/edgeftp/internal/control", "TestSocketMode", "TestStrangersAreTurnedAway", "TestWhoIsServed"), ""},
		{120, "figures that tell of users", "Figures bear no names of users and no paths, and are bounded.", nil, slices.Concat(tests("policies/metrics", "TestBounded", "TestEndlessSource"), tests("cmd/edgeftp", "TestCertificateFiguresAreBounded", "TestNumbersAreBounded")), ""},
		{121, "HTTP/3: the same files by another door", "", nil, nil, "not built: there is no HTTP/3 side"},
		{122, "QUIC: amplification, floods, replays", "", nil, nil, "not built: there is no QUIC"},
		{123, "QUIC: connection numbers and streams without end", "", nil, nil, "not built: there is no QUIC"},
		{124, "a panic", "It ends one session, is counted, and its stack is in the log.", nil, slices.Concat(tests("edge", "TestPanic"), tests("edge/pi", "TestPanic"), tests("edge", "TestPanics"), tests("cmd/edgeftp/internal/control", "TestHandlerPanics"), tests("tests", "TestGoroutines")), ""},
		{125, "leaks over days", "Every package's tests end with no goroutine left; attacks with no descriptor left.", nil, slices.Concat(tests("tests/hostile", "TestMain"), tests("tests/soak", "TestSoak"), tests("tests", "TestLeaksAreSought")), ""},
		{126, "a shutdown with stuck policies and full queues", "It ends within the limit and a second.", attacks{"a siege": siegeAndShutdown}, slices.Concat(tests("edge", "TestShutdownLimit"), tests("edge/internal/chain", "TestCloseWithSlowObserver"), tests("edge", "TestShutdownWithMiredPolicies"), tests("tests/e2e", "TestEndInTheMiddleOfEverything", "TestTwoSignals")), ""},
		{127, "a hand-over to a successor that fails", "The successor tries everything first; until it says that it serves, the old server can take its sockets and its state back, and does so when the other one is killed, fails or takes too long. Nobody is turned away meanwhile.", nil, slices.Concat(tests("cmd/edgeftp", "TestUpgrade", "TestUpgradeInVain", "TestUpgradeBreaksOff", "TestUpgradeStopped"), tests("tests/e2e", "TestUpgradeTwice", "TestUpgradeKilled", "TestUpgradeBroken"), tests("edge", "TestPause", "TestStopListening", "TestLineage"), tests("cmd/edgeftp/internal/control", "TestUpgrade", "TestListenBeside")), ""},
		{128, "dependencies or releases that were replaced", "Dependencies are pinned by digest (go.sum); builds are reproducible, and have a list of what is in them.", nil, []proof{{".ci/release", "two builds differ"}, {".ci/release", "cyclonedx"}, {".ci/run", "go mod verify"}}, "the look into the list of known weaknesses (govulncheck) is a step of a release, not of the gate, which has no network but the module proxy"},
	}
}
