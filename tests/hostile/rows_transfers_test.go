package hostile

import "slices"

// transferRows are about the bytes of files.
func transferRows() []row {
	return []row{
		{86, "offsets and ranges that are none", "501; an offset is used once.", nil, slices.Concat(dialogue("REST", "what is not an offset", "it outlives other commands"), dialogue("RANG", "beyond the end", "refusals")), ""},
		{87, "an upload far behind the end", "Refused with 554: no file gets a hole.", nil, dialogue("REST", "an upload beyond the end"), ""},
		{88, "SIZE in text mode", "Refused with 550: it would read the file for each question.", nil, dialogue("SIZE", "in text transfers"), ""},
		{89, "compressed bombs", "What unpacks to more than 200 times its size is refused, beyond the first MiB; size limits count what is unpacked.", nil, slices.Concat(tests("edge/dtp", "TestDeflateBomb", "TestDeflateMemory"), dialogue("MODE", "Z: what unpacks to far too much is refused", "Z: size limits are of the file, not of what was sent")), ""},
		{90, "uploads that are cut: by a reset, kill -9, a power cut", "Uploads are made beside the name and published whole, on the disk before 226; a journal tidies up after a kill.", nil, slices.Concat(tests("edge/vfs", "TestKilled", "TestPowerCut"), tests("tests/e2e", "TestKill", "TestKillKeepsPartial", "TestAppendCut"), dialogue("STOR", "an interrupted upload leaves the older file"), tests("edge/vfs", "TestPowerCuts", "TestPowerCutsFind"), tests("tests/crash", "TestKill"), tests("tests/e2e", "TestDurability")), ""},
		{91, "an upload that others read while it runs", "Nobody sees it but its user, who cannot read it.", nil, slices.Concat(dialogue("STOR", "an older file is replaced, and is whole until then"), dialogue("RETR", "an interrupted upload of one's own is not to be had"), dialogue("resume", "another user neither sees nor continues it")), ""},
		{92, "two writers of one name", "One whole file wins; only one at a time may append; STOU never meets a name.", nil, slices.Concat(dialogue("APPE", "two at once: one of them waits its turn"), tests("edge/vfs", "TestDisk", "TestStress")), ""},
		{93, "a file replaced or deleted while it is read", "The one that was opened is sent to its end.", nil, tests("edge/vfs", "TestDisk"), ""},
		{94, "full and failing disks", "452, 552 or 451, never 226; what was written goes.", nil, slices.Concat(tests("edge/vfs", "TestNoSpace"), tests("edge/vfs", "TestFaults", "TestRewriteFails"), tests("edge/pi", "TestKeptUploads")), ""},
		{95, "quotas that many uploads meet at once", "Room is taken before bytes are written, and given back.", nil, tests("policies/quota", "TestTogether", "TestEightIntoOne"), ""},
		{96, "clocks that jump", "Times are measured by the monotonic clock.", nil, slices.Concat(tests("edge/internal/throttle", "TestAccuracy", "TestLateTimers"), tests("edge/internal/defender", "TestClock", "TestRestartClock")), ""},
	}
}
