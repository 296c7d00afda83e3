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
