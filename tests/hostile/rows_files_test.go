package hostile

import "slices"

// fileRows are about paths and files.
func fileRows() []row {
	return []row{
		{67, "other spellings of ..", "A path is made once, of bytes as they came: nothing is decoded, and .. ends at the root.", nil, slices.Concat(tests("edge/vfs", "FuzzClean", "FuzzForest"), dialogue("RETR", "paths do not lead out"), tests("edge/pi", "TestOperationsAreSound", "FuzzOperations")), ""},
		{68, "symbolic links that lead out", "Every access goes through the kernel's handle of the root (os.Root), which no link leaves.", nil, slices.Concat(tests("edge/vfs", "TestEscapes"), tests("tests/e2e", "TestOutside"), dialogue("RETR", "links inside are followed, links that lead out are refused"), tests("edge/vfs", "TestBelowRace"), tests("edge/vfs", "TestForestLinks"), tests("tests/e2e", "TestFoldersPython")), ""},
		{69, "a link that is swapped at the moment of use", "The kernel walks the path anew for each access; attributes are changed by descriptor.", nil, tests("edge/vfs", "TestSymlinkRace", "TestStress"), ""},
		{70, "hard links to files outside", "Uploads make new files and never write through an old name, but APPE and REST at the end of a file grow the file that is there.", nil, slices.Concat(tests("tests/e2e", "TestOutside"), tests("edge/vfs", "TestHardLinks")), "by design: hard links are made by who has access to the machine; APPE through one changes the file that both names are of"},
		{71, "loops of links", "So many links are followed, then 550.", nil, tests("edge/vfs", "TestDisk"), ""},
		{72, "/proc, magic links, mounts", "os.Root follows no magic link out; mounts are served unless storage[].mounts is refuse.", nil, slices.Concat(tests("edge/vfs", "TestEscapes"), tests("edge/vfs", "TestMountsRefused", "TestMountsRace", "TestMountsByDevice"), tests("tests/e2e", "TestMountsRefused")), ""},
		{73, "FIFOs, sockets, devices", "Files are opened without waiting and looked at: only regular files and directories are served.", nil, tests("edge/vfs", "TestSpecialFiles"), ""},
		{74, "renames across mounts, with planted links", "A rename across mounts is refused; there is no copy behind it.", nil, slices.Concat(tests("edge/vfs", "TestDisk"), tests("edge/vfs", "TestRenameAcrossMounts"), dialogue("folders", "they and what leads to them stay")), ""},
		{75, "RNFR of the root, a directory into itself, RNTO alone", "Refused.", nil, slices.Concat(dialogue("RNFR", "refusals"), dialogue("RNTO", "refusals")), ""},
		{76, "names of 255 and 256 bytes, paths of 4,200", "Names are served up to the host's limit, then refused; temporary names have a length of their own.", nil, slices.Concat(tests("edge/vfs", "TestDisk", "FuzzClean"), dialogue("lines", "a line as long as may be")), ""},
		{77, "odd names", "Names are kept byte for byte.", nil, slices.Concat(dialogue("NLST", "names are text already"), dialogue("MLST", "a name of any characters, behind one space; patterns and options are names"), tests("edge/vfs", "TestDisk"), tests("edge/vfs", "TestNamesAreBytes"), tests("edge/pi", "TestOnePath")), ""},
		{78, "names that forge lines", "Names with CR, LF or NUL are left out of listings, control characters are never in a reply.", nil, slices.Concat(dialogue("LIST", "a name that would forge a line is left out"), dialogue("MLST", "a name with control characters does not forge a reply"), dialogue("STAT", "a file whose name looks like a reply"), tests("edge/internal/listing", "TestReaderLeavesOut", "FuzzLine"), tests("edge/pi", "TestListingsAreNotForged", "TestRepliesAreNotForged")), ""},
		{79, "quotes in 257", "Doubled (RFC 959 App. II).", nil, tests("edge/wire", "TestQuote"), ""},
		{80, "filesystems that fold names", "Policies, log and filesystem get the same bytes; rules for names that a filesystem takes for the same are the operator's.", nil, slices.Concat(tests("edge/vfs", "FuzzClean"), tests("edge/vfs", "TestNamesAreBytes")), "by design: on a filesystem that folds case or forms of Unicode a policy has to fold them too"},
		{81, "SITE commands that do more than they should", "Only the rows of the command table exist; set-id and sticky bits are never set.", nil, slices.Concat(dialogue("SITE-CHMOD", "set-id and sticky bits are never set"), dialogue("SITE-SYMLINK", "never out of the tree", "off by default")), ""},
		{82, "times that overflow", "Times that there are not are refused with 501.", nil, slices.Concat(dialogue("MFMT", "refusals"), dialogue("SITE-UTIME", "refusals")), ""},
		{83, "patterns of exponential cost", "Patterns match in linear time, and have a budget.", nil, slices.Concat(tests("edge/internal/listing", "TestGlobBomb", "TestGlobLimits"), dialogue("LIST", "a pattern that takes long to match does not")), ""},
		{84, "huge directories, unread", "Listings are read and sent in portions; a directory of more than 10,000 entries is not sorted.", nil, slices.Concat(tests("edge/internal/listing", "TestMemory", "TestReaderIsLazy", "TestSortTooMany"), tests("edge/internal/listing", "TestSortRoom")), ""},
		{85, "LIST -R without end", "A tree has a budget of levels, directories, entries and time, and says where it ends.", nil, slices.Concat(tests("edge/internal/listing", "TestTreeLimits", "TestTreeTime"), dialogue("LIST", "a tree that is too deep does not end as if it were the whole")), ""},
	}
}
