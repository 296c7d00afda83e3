package hostile

import "slices"

// loginRows are about who gets in.
func loginRows() []row {
	return []row{
		{23, "commands before the login", "Each row of the command table says whether it needs a login; 530 without.", nil, dialogue("login", "commands before the login", "the rest of them", "after USER alone"), ""},
		{24, "passwords that are nearly right", "The whole password is compared with a hash; where the policies have no opinion nobody gets in.", nil, slices.Concat(dialogue("PASS", "wrong passwords, all in the same words", "a stored hash that cannot be used lets nobody in"), dialogue("login", "nobody gets in where the policies have no opinion"), tests("edge/internal/secret", "TestHashAndVerify", "TestLongPasswords")), ""},
		{25, "USER within a session, another USER before PASS", "USER ends the login before it is answered; the last name counts.", nil, dialogue("USER", "a second USER ends the login", "the transfer parameters begin anew", "the last name counts"), ""},
		{26, "many passwords over one connection", "The third failure closes the connection; AUTH and REIN forgive nothing of the address.", nil, dialogue("PASS", "the third failure closes the connection", "AUTH does not forgive failures"), ""},
		{27, "guessing over many connections", "Failures count for the address, an IPv4 one or an IPv6 /64: it is slowed down, then banned, each time twice as long.", nil, slices.Concat(tests("edge", "TestBruteForce", "TestTarpit"), tests("edge/internal/defender", "TestGuesser", "TestRepeater", "TestSlowGuesser", "TestNetwork", "TestRotation"), tests("tests/e2e", "TestBan")), ""},
		{28, "guessing one user's password from many addresses", "The user's logins are let through one at a time for each network; addresses from which the user has logged in are spared.", nil, slices.Concat(tests("edge", "TestOwnerServed", "TestTurns"), tests("edge/internal/defender", "TestOwner", "TestAlike")), ""},
		{29, "a restart to forget bans", "Bans are kept in the state directory.", nil, slices.Concat(tests("edge", "TestDefenceRestart"), tests("edge/internal/defender", "TestRestart", "TestDamage", "FuzzRestore"), tests("tests/e2e", "TestBan", "TestBanMemoryDamaged")), ""},
		{30, "a table of bans that is flooded", "The table is bounded; who has the fewest points goes first, and no ban that holds.", nil, tests("edge/internal/defender", "TestNoise", "TestCrowds", "TestMemory", "TestBlobBound"), ""},
		{31, "finding out which users there are", "Unknown names cost the same hashing, the same delay, the same words and the same points.", nil, slices.Concat(dialogue("PASS", "wrong passwords, all in the same words"), tests("edge/internal/secret", "TestNobodyCostsTheSame"), tests("edge", "TestWhatCosts")), ""},
		{32, "names that are format strings, queries or commands", "A name is text: nothing is made of it but a comparison and an escaped line in a log.", attacks{"and passwords": oddNames}, tests("policies/eventlog", "TestHarmless"), ""},
		{33, "hundreds of logins at once", "So many passwords are verified at once as there are processors, one large hash at a time; the queue is bounded, addresses take turns in it, and who waits for 15 s is told 421. What has matched is known for a minute; guesses cost the same each time.", nil, slices.Concat(tests("edge/internal/secret", "TestRemember", "TestRememberedInTurn", "TestRememberedAreBounded", "TestMemoryIsBounded", "TestLargeHashesRunAlone", "TestFullGate"), tests("edge/internal/secret", "TestQueue", "TestTurns", "TestTurnsWhenFull")), ""},
		{34, "anonymous users that write, or bear a real user's name", "Anonymous users are off unless configured, and then read only; a name that a policy knows is that policy's.", nil, slices.Concat(tests("policies/anonymous", "TestReadOnlyByDefault", "TestOtherNamesPass", "TestNewRefuses"), dialogue("login", "the anonymous user")), ""},
		{35, "a session that is prepared before TLS begins", "AUTH forgets everything: the login, the name, the data port.", nil, dialogue("AUTH", "what was said in the clear is forgotten", "a login in the clear does not survive it"), ""},
	}
}
