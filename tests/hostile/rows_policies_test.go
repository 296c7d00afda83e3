package hostile

import "slices"

// policyRows are about policies in a sandbox.
func policyRows() []row {
	return []row{
		{97, "a module that does not end", "Each call has a deadline and a budget of work; then the instance is thrown away and the answer is no.", nil, tests("wasmhost", "TestHostile", "TestFaults"), ""},
		{98, "a module that traps, recurses, grows", "The instance is thrown away; ten failures in a row from three sessions, and it is not asked for a while.", nil, slices.Concat(tests("wasmhost", "TestHostile", "TestGrowthIsBounded"), tests("wasmhost/internal/meter", "TestDeep", "TestHostile"), tests("edge/internal/chain", "TestBreaker", "TestBreakerSessions"), tests("tests/e2e", "TestMoody")), ""},
		{99, "a module that answers garbage", "Every read of its memory is checked; what is no answer is a refusal.", nil, tests("wasmhost", "TestHostile", "TestAnswers", "TestStrict"), ""},
		{100, "a module that calls the host when it must not", "Host functions work within a hook alone.", nil, tests("wasmhost", "TestOnlyInAHook", "TestOutsideACall"), ""},
		{101, "a module that is none, is huge, wants what there is not", "Refused before any of it is compiled, within bounds of bytes, functions and time; the old one stays.", nil, slices.Concat(tests("wasmhost", "TestLoadRefusals", "TestLoadRefusesWhatIsNoModule", "TestBadCandidatesAreCheap", "TestCompileIsBounded"), tests("wasmhost/internal/module", "TestBounded", "FuzzDecode"), tests("tests/e2e", "TestSwapRefused")), ""},
		{102, "a module that is swapped under load", "Each command sees one generation; a swap that fails changes nothing.", nil, slices.Concat(tests("edge/internal/chain", "TestStress", "TestSwapUnderLeases"), tests("tests/e2e", "TestSwap", "TestSwapAgainAndAgain")), ""},
		{103, "a module that was replaced on the disk", "A digest can be pinned, and signatures required.", nil, slices.Concat(tests("wasmhost/trust", "TestCheck", "FuzzSignature"), tests("tests/e2e", "TestSignedModules")), ""},
		{104, "the same operation by another verb", "Policies are asked by operation; which operations a verb has stands in its row of the command table, and nothing else may be asked about.", nil, slices.Concat(tests("edge/pi", "TestRowsAreComplete", "TestWalkAsksPolicies"), tests("edge/pi", "TestEveryCommandAsks", "TestWalkSees", "TestOperations")), ""},
		{105, "the same file by another path", "The path of the question, of the event and of the filesystem is one value, made once.", nil, slices.Concat(tests("edge/vfs", "FuzzClean"), dialogue("RETR", "a policy leads to another file"), tests("edge/pi", "TestOnePath", "TestOperationsAreSound", "TestLinksLeadWhereAsked")), ""},
		{106, "RNTO with only the source asked about", "Both names are asked about.", nil, dialogue("RNTO", "a policy refuses the new name", "the permission is needed for both names"), ""},
		{107, "an answer that was kept for somebody else", "What may be kept is kept under all of the question that bears on it, and goes with the module.", nil, tests("wasmhost", "TestCachedAnswers", "TestAnswersAreNotMixed", "TestIsolation"), ""},
		{108, "a slow module", "Instances are bounded, the wait counts in the deadline.", nil, tests("wasmhost", "TestNoInstanceInTime", "TestConcurrent", "TestWaitsAreBounded"), ""},
		{109, "a module that reads files, clocks, the network", "There are no such imports but what its manifest declares and the operator grants.", nil, slices.Concat(tests("wasmhost", "TestDeclaredAndGranted", "TestGrantOfFetch", "TestPasswordNeedsBoth"), tests("tests/e2e", "TestFetchStaysOutside", "TestGrantsAndSettings")), ""},
		{110, "an event hook that blocks", "Events wait in a bounded queue; what is lost is counted.", nil, tests("edge/internal/chain", "TestObserveOverflow", "TestCloseWithSlowObserver", "TestTapIsSlow"), ""},
		{111, "a module that writes control bytes or secrets to the log", "Its lines are escaped, cut and so many a second; it sees no password unless that is granted.", nil, tests("wasmhost", "TestEventAndLog", "FuzzEscape", "TestWatchNoPassword"), ""},
		{112, "timing between modules", "Modules have no clock but the question's time.", nil, tests("wasmhost", "TestImportsAreDocumented"), "by design: modules share processors and caches; whom you do not trust with a secret, run in a server of its own"},
	}
}

// operationRows are about running a server.
func operationRows() []row {
	return []row{
		{113, "kill -9 in the middle of anything", "What a killed process left is tidied up before the next one listens.", nil, slices.Concat(tests("tests/e2e", "TestKill", "TestKillKeepsPartial"), tests("edge/kv", "TestKill"), tests("edge/internal/spool", "TestKill"), tests("edge/vfs", "TestKilled", "TestUndo"), tests("tests/crash", "TestKill", "TestStartWithManyFiles")), ""},
		{114, "SIGTERM with transfers running", "New sessions are refused, transfers go on up to the limit, then 426; exit code 0.", nil, slices.Concat(tests("tests/e2e", "TestDrain", "TestDrainLimit", "TestSecondSignal"), tests("edge", "TestShutdownInTheMiddleOfEverything")), ""},
		{115, "a broken configuration", "It never starts; every fault is told with its place.", nil, slices.Concat(tests("cmd/edgeftp/internal/config", "TestBrokenFiles", "FuzzParse"), tests("tests/e2e", "TestMistakesConfig")), "reload without a restart is not built: a broken file is found by edgeftp config validate, or by the start"},
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
		{127, "a hand-over to a successor that fails", "", nil, nil, "not built: listeners are not handed over; a successor takes over what a predecessor has left when that is gone"},
		{128, "dependencies or releases that were replaced", "Dependencies are pinned by digest (go.sum); builds are reproducible, and have a list of what is in them.", nil, []proof{{".ci/release", "two builds differ"}, {".ci/release", "cyclonedx"}, {".ci/run", "go mod verify"}}, "the look into the list of known weaknesses (govulncheck) is a step of a release, not of the gate, which has no network but the module proxy"},
	}
}
