package pi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// Table is the set of commands that an interpreter knows. Everything that can be
// derived from it is: look-up, HELP, SITE HELP, FEAT, the permission check.
type Table struct {
	rows   []*Spec
	byVerb map[string]*Spec
	groups map[string]bool // verbs whose argument begins with a further word
}

// NewTable makes a table of rows, a later row replacing an earlier one of the
// same verb. A verb of two words, such as "SITE CHMOD", makes its first word a
// group. A row with the group's own verb is for words that have none.
func NewTable(rows ...Spec) *Table {
	t := &Table{byVerb: map[string]*Spec{}, groups: map[string]bool{}}
	for i := range rows {
		row := &rows[i]
		if old := t.byVerb[row.Verb]; old != nil {
			t.rows = slices.DeleteFunc(t.rows, func(r *Spec) bool { return r == old })
		}
		t.rows = append(t.rows, row)
		t.byVerb[row.Verb] = row
		if group, _, ok := strings.Cut(row.Verb, " "); ok {
			t.groups[group] = true
		}
	}
	slices.SortStableFunc(t.rows, func(a, b *Spec) int { return strings.Compare(a.Verb, b.Verb) })
	return t
}

// With returns a table that has further rows, or others for the same verbs. The
// permission that such a row names is checked before its handler runs, at the
// path of its argument or, without one, in the working directory.
func (t *Table) With(rows ...Spec) *Table {
	all := t.specs()
	for _, r := range rows {
		if r.Perm != 0 {
			r.Handler = guarded(r)
		}
		all = append(all, r)
	}
	return NewTable(all...)
}

// Without returns a table that does not know these verbs: clients get 500 for
// them, and HELP and FEAT are silent about them.
func (t *Table) Without(verbs ...string) *Table {
	return NewTable(slices.DeleteFunc(t.specs(), func(r Spec) bool { return slices.Contains(verbs, r.Verb) })...)
}

// Wrap returns a table in which around every handler there is another one (the
// model's process_command): wrapper gets the row and what would be called, for
// commands whose argument, state and sequence are in order.
func (t *Table) Wrap(wrapper func(row Spec, next Handler) Handler) *Table {
	all := t.specs()
	for i, r := range all {
		all[i].Handler = wrapper(r, r.Handler)
	}
	return NewTable(all...)
}

func (t *Table) specs() []Spec {
	all := make([]Spec, len(t.rows))
	for i, r := range t.rows {
		all[i] = *r
	}
	return all
}

// guarded checks a row's permission before its handler is called.
func guarded(row Spec) Handler {
	return func(s *Session, a Args) Outcome {
		at := a.Path
		if at == "" {
			at = s.cwd
		}
		if !s.Perms(at).Has(row.Perm) {
			return s.Fail(s.forbidden(s.action(Question{Path: at, Text: a.Text})))
		}
		return row.Handler(s, a)
	}
}

// Rows returns the rows in the order of their verbs.
func (t *Table) Rows() []*Spec { return slices.Clone(t.rows) }

// Lookup finds the row of a command and returns the command as the row sees it:
// of "SITE CHMOD 644 a", the argument is "644 a".
func (t *Table) Lookup(c wire.Command) (*Spec, wire.Command, bool) {
	if t.groups[c.Verb] {
		word, rest, _ := strings.Cut(strings.TrimLeft(c.Arg, " "), " ")
		if word == "" {
			return t.lonely(c)
		}
		word = c.Verb + " " + strings.ToUpper(word)
		if t.byVerb[word] != nil || t.byVerb[c.Verb] == nil {
			c.Verb, c.Arg = word, rest
		}
	}
	row, ok := t.byVerb[c.Verb]
	return row, c, ok
}

// lonely is the row of a group's verb without a word: its argument is missing,
// spaces are none.
func (t *Table) lonely(c wire.Command) (*Spec, wire.Command, bool) {
	c.Arg = ""
	return &Spec{Verb: c.Verb, Grammar: Text, State: Anyone}, c, true
}

// leaver returns the verb of the command that leaves a memory.
func (t *Table) leaver(m Memory) string {
	for _, r := range t.rows {
		if r.Leaves == m {
			return r.Verb
		}
	}
	return ""
}

// lane returns the lane in which a command of this row runs.
func (s *Spec) lane(c wire.Command) Lane {
	if c.Arg != "" && s.ArgLane != Serial {
		return s.ArgLane
	}
	return s.Lane
}

// foreign reports whether a line is a request of another protocol that a browser
// was made to send (security of RFC 959 services against HTTP POST).
func (t *Table) foreign(c wire.Command) bool {
	return slices.Contains([]string{"GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "TRACE", "PATCH", "DELETE"}, c.Verb)
}

func feat(lines ...string) Feat { return func(*Session) []string { return lines } }

// featWhere are lines that hold only where something is the case.
func featWhere(is func(*Session) bool, lines ...string) Feat {
	return func(s *Session) []string {
		if !is(s) {
			return nil
		}
		return lines
	}
}

func hasTLS(s *Session) bool { return s.conf.TLS != nil }

// Standard returns the commands that every server of this kind has.
func Standard() *Table { return NewTable(standardRows()...) }

func standardRows() []Spec {
	return slices.Concat(accessRows(), parameterRows(), serviceRows(), extensionRows(), digestRows(), securityRows(), informationRows())
}

// accessRows are RFC 959 §4.1.1's access control commands.
func accessRows() []Spec {
	cwd := Spec{Grammar: RootPath, Perm: policy.PermCwd, Ops: policy.OpsOf(policy.OpCwd), RFC: "RFC 959 §4.1.1", Handler: changeDirectory,
		Help: "[path]: change the working directory, to the root without a path"}
	up := Spec{Grammar: NoArg, Perm: policy.PermCwd, Ops: policy.OpsOf(policy.OpCwd), RFC: "RFC 959 §4.1.1", Handler: changeUp,
		Help: ": change to the parent directory"}
	return []Spec{
		{Verb: "USER", Grammar: Text, State: Anyone, Login: true, Leaves: MemoryUser, RFC: "RFC 959 §4.1.1", Handler: user,
			Help: "name: who wants to log in"},
		{Verb: "PASS", Grammar: FreeText, State: Anyone, Login: true, Needs: MemoryUser, Secret: true, Lane: Work, RFC: "RFC 959 §4.1.1", Handler: pass,
			Help: "[password]: log in"},
		{Verb: "REIN", Grammar: NoArg, Barrier: true, RFC: "RFC 959 §4.1.1", Handler: reinitialize,
			Help: ": log out and begin anew"},
		{Verb: "QUIT", Grammar: NoArg, State: Anyone, Barrier: true, Unasked: true, RFC: "RFC 959 §4.1.1", Handler: quit,
			Help: ": end the session, after a running transfer"},
		{Verb: "HOST", Grammar: Text, State: Anyone, Feat: feat("HOST"), RFC: "RFC 7151 §3", Handler: host,
			Help: "name: which of the server's names is meant"},
		named(cwd, "CWD"), historic(cwd, "XCWD"), named(up, "CDUP"), historic(up, "XCUP"),
	}
}

// parameterRows are RFC 959 §4.1.2's transfer parameter commands and RFC 2428's.
func parameterRows() []Spec {
	return []Spec{
		{Verb: "PORT", Grammar: Text, RFC: "RFC 959 §4.1.2", Handler: port,
			Help: "h1,h2,h3,h4,p1,p2: the client's data port"},
		{Verb: "EPRT", Grammar: Text, Feat: feat("EPRT"), RFC: "RFC 2428 §2", Handler: extendedPort,
			Help: "|protocol|address|port|: the client's data port"},
		{Verb: "PASV", Grammar: NoArg, RFC: "RFC 959 §4.1.2", Handler: passive,
			Help: ": listen on a data port"},
		{Verb: "EPSV", Grammar: OneOrAll, Feat: feat("EPSV"), RFC: "RFC 2428 §3", Handler: extendedPassive,
			Help: "[1|2|ALL]: listen on a data port"},
		{Verb: "TYPE", Grammar: Word, RFC: "RFC 959 §4.1.2", Handler: representationType,
			Help: "A|I|L 8: text or binary transfers"},
		{Verb: "MODE", Grammar: Word, Feat: featWhere(hasDeflate, "MODE Z"), RFC: "RFC 959 §4.1.2; draft-preston-ftpext-deflate-04 §2", Handler: transferMode,
			Help: "S|Z: streams, or compressed ones"},
		{Verb: "OPTS MODE", Grammar: Text, RFC: "draft-preston-ftpext-deflate-04 §4", Handler: optsMode,
			Help: "Z [LEVEL n]: how hard the server compresses"},
		{Verb: "STRU", Grammar: Word, RFC: "RFC 959 §4.1.2", Handler: structure,
			Help: "F: file structure"},
	}
}

// serviceRows are RFC 959 §4.1.3's service commands.
func serviceRows() []Spec {
	mkd := Spec{Grammar: PathArg, Perm: policy.PermMkdir, Ops: policy.OpsOf(policy.OpMkdir), RFC: "RFC 959 §4.1.3", Handler: makeDirectory,
		Help: "path: make a directory"}
	rmd := Spec{Grammar: PathArg, Perm: policy.PermDelete, Ops: policy.OpsOf(policy.OpRmdir), RFC: "RFC 959 §4.1.3", Handler: removeDirectory,
		Help: "path: remove an empty directory"}
	pwd := Spec{Grammar: NoArg, RFC: "RFC 959 §4.1.3", Handler: printDirectory,
		Help: ": the working directory"}
	return []Spec{
		{Verb: "RETR", Grammar: PathArg, Perm: policy.PermRead, Ops: policy.OpsOf(policy.OpRead), Lane: Data, RFC: "RFC 959 §4.1.3", Handler: retrieve,
			Help: "path: send a file to the client"},
		{Verb: "STOR", Grammar: PathArg, Perm: policy.PermWrite, Ops: policy.OpsOf(policy.OpWrite, policy.OpCommit), Lane: Data, RFC: "RFC 959 §4.1.3", Handler: store,
			Help: "path: store a file, replacing an older one"},
		{Verb: "STOU", Grammar: OptPath, Perm: policy.PermWrite, Ops: policy.OpsOf(policy.OpUnique, policy.OpCommit), Lane: Data, RFC: "RFC 959 §4.1.3; RFC 1123 §4.1.2.9", Handler: storeUnique,
			Help: "[prefix]: store a file under a new name"},
		{Verb: "APPE", Grammar: PathArg, Perm: policy.PermAppend, Ops: policy.OpsOf(policy.OpAppend, policy.OpCommit), Lane: Data, RFC: "RFC 959 §4.1.3", Handler: appendTo,
			Help: "path: append to a file"},
		{Verb: "ALLO", Grammar: Text, RFC: "RFC 959 §4.1.3", Handler: allocate,
			Help: "bytes [R size]: announce the size of the next file"},
		{Verb: "REST", Grammar: Number, Feat: feat("REST STREAM"), RFC: "RFC 959 §4.1.3; RFC 3659 §5", Handler: restart,
			Help: "offset: where the next transfer begins"},
		{Verb: "RNFR", Grammar: PathArg, Perm: policy.PermRename, Ops: policy.OpsOf(policy.OpRename), Leaves: MemoryRename, RFC: "RFC 959 §4.1.3", Handler: renameFrom,
			Help: "path: what the next command renames"},
		{Verb: "RNTO", Grammar: PathArg, Perm: policy.PermRename, Ops: policy.OpsOf(policy.OpRename), Needs: MemoryRename, RFC: "RFC 959 §4.1.3", Handler: renameTo,
			Help: "path: the new name"},
		{Verb: "ABOR", Grammar: NoArg, Lane: Beside, Urgent: true, Unasked: true, RFC: "RFC 959 §4.1.3", Handler: abort,
			Help: ": abort the running transfer"},
		{Verb: "DELE", Grammar: PathArg, Perm: policy.PermDelete, Ops: policy.OpsOf(policy.OpDelete), RFC: "RFC 959 §4.1.3", Handler: deleteFile,
			Help: "path: delete a file"},
		{Verb: "LIST", Grammar: ListPath, Perm: policy.PermList, Ops: policy.OpsOf(policy.OpList), Lane: Data, RFC: "RFC 959 §4.1.3", Handler: list,
			Help: "[-options] [path or pattern]: list a directory in the manner of ls -l"},
		{Verb: "NLST", Grammar: ListPath, Perm: policy.PermList, Ops: policy.OpsOf(policy.OpList), Lane: Data, RFC: "RFC 959 §4.1.3; RFC 1123 §4.1.2.7", Handler: nameList,
			Help: "[-options] [path or pattern]: list the names in a directory"},
		named(mkd, "MKD"), historic(mkd, "XMKD"), named(rmd, "RMD"), historic(rmd, "XRMD"),
		named(pwd, "PWD"), historic(pwd, "XPWD"),
	}
}

// extensionRows are RFC 3659's commands and those of its draft companions.
func extensionRows() []Spec {
	return []Spec{
		{Verb: "SIZE", Grammar: PathArg, Perm: policy.PermList, Ops: policy.OpsOf(policy.OpStat), Feat: feat("SIZE"), RFC: "RFC 3659 §4", Handler: size,
			Help: "path: the length of a file in bytes"},
		{Verb: "MDTM", Grammar: PathArg, Perm: policy.PermList, Ops: policy.OpsOf(policy.OpStat, policy.OpSetTime), Feat: feat("MDTM"), RFC: "RFC 3659 §3", Handler: modificationTime,
			Help: "path: when a file was last modified"},
		{Verb: "MFMT", Grammar: TimePath, Perm: policy.PermTime, Ops: policy.OpsOf(policy.OpSetTime), Feat: feat("MFMT"), RFC: "draft-somers-ftp-mfxx-04 §3", Handler: setModificationTime,
			Help: "YYYYMMDDhhmmss path: set the modification time"},
		{Verb: "MFCT", Grammar: TimePath, Perm: policy.PermTime, Ops: policy.OpsOf(policy.OpSetTime), Feat: featWhere(hasBirth, "MFCT"), RFC: "draft-somers-ftp-mfxx-04 §4", Handler: setCreationTime,
			Help: "YYYYMMDDhhmmss path: set the creation time, where the filesystem can"},
		{Verb: "MFF", Grammar: Text, Ops: policy.OpsOf(policy.OpSetTime, policy.OpChmod), Feat: featFactsToSet, RFC: "draft-somers-ftp-mfxx-04 §5", Handler: modifyFacts,
			Help: "fact=value;... path: set facts of a file"},
		{Verb: "QDAT", Grammar: OneOrAll, Feat: featStreams, RFC: "docs/ftpq.md", Handler: quicData,
			Help: "[token]: prepare a stream of QUIC for the next transfer"},
		{Verb: "AVBL", Grammar: OptPath, Perm: policy.PermList, Ops: policy.OpsOf(policy.OpStat), Feat: feat("AVBL"), RFC: "draft-peterson-streamlined-ftp-command-extensions-10 §4", Handler: available,
			Help: "[path]: the bytes that may be stored in a directory"},
		{Verb: "MLST", Grammar: OptPath, Perm: policy.PermList, Ops: policy.OpsOf(policy.OpStat), Feat: featFacts, RFC: "RFC 3659 §7", Handler: machineListOne,
			Help: "[path]: facts about one file"},
		{Verb: "MLSD", Grammar: OptPath, Perm: policy.PermList, Ops: policy.OpsOf(policy.OpList), Lane: Data, RFC: "RFC 3659 §7", Handler: machineListDirectory,
			Help: "[path]: facts about the files in a directory"},
		{Verb: "OPTS MLST", Grammar: FreeText, RFC: "RFC 3659 §7.9", Handler: optsFacts,
			Help: "[fact;...]: which facts to list"},
		{Verb: "LANG", Grammar: FreeText, State: Anyone, Feat: featLanguages, RFC: "RFC 2640 §4.1", Handler: language,
			Help: "[tag]: the language of the replies"},
		{Verb: "OPTS", Grammar: Text, RFC: "RFC 2389 §4", Handler: optsUnknown,
			Help: "HASH|MLST|MODE|UTF8 [options]: how that is to work"},
		{Verb: "OPTS UTF8", Grammar: FreeText, State: Anyone, Feat: featWhere(isUTF8, "UTF8"), RFC: "RFC 2640 §3.2; RFC 2389 §4", Handler: optsUTF8,
			Help: "[ON]: names are UTF-8"},
		{Verb: "OPTS UTF-8", Grammar: FreeText, State: Anyone, RFC: "RFC 2640 §3.2; RFC 2389 §4", Handler: optsUTF8,
			Help: "[ON]: names are UTF-8"},
		{Verb: "SITE CHMOD", Grammar: ModePath, Perm: policy.PermChmod, Ops: policy.OpsOf(policy.OpChmod), RFC: "RFC 959 §4.1.3", Handler: siteChmod,
			Help: "mode path: set the permission bits of a file"},
		{Verb: "RANG", Grammar: Text, Feat: feat("RANG STREAM"), RFC: "draft-bryan-ftp-range-08 §3", Handler: setRange,
			Help: "first last: the bytes of the next transfer or HASH"},
		{Verb: "SITE CPFR", Grammar: PathArg, Perm: policy.PermRead, Ops: policy.OpsOf(policy.OpRead), Leaves: MemoryCopy, RFC: "RFC 959 §4.1.3", Handler: copyFrom,
			Help: "path: what the next command copies"},
		{Verb: "SITE CPTO", Grammar: PathArg, Perm: policy.PermWrite, Ops: policy.OpsOf(policy.OpRead, policy.OpWrite, policy.OpCommit), Needs: MemoryCopy, Lane: Work, RFC: "RFC 959 §4.1.3", Handler: copyTo,
			Help: "path: the name of the copy"},
		{Verb: "SITE UTIME", Grammar: Text, Perm: policy.PermTime, Ops: policy.OpsOf(policy.OpSetTime), RFC: "RFC 959 §4.1.3", Handler: siteUTime,
			Help: "time path, or path access modification creation UTC: set the times of a file"},
		{Verb: "SITE HELP", Grammar: FreeText, State: Anyone, RFC: "RFC 959 §4.1.3", Handler: siteHelp,
			Help: "[command]: the commands of SITE"},
	}
}

// Optional returns rows that Standard leaves out, because not every server should
// have them: give those that are wanted to Table.With.
func Optional() []Spec {
	return []Spec{
		{Verb: "SITE SYMLINK", Grammar: Text, Ops: policy.OpsOf(policy.OpSymlink), RFC: "RFC 959 §4.1.3", Handler: siteSymlink,
			Help: "target name: make a symbolic link, which never leads out of the tree"},
	}
}

// digestRows are the draft's command for digests and those that came before it.
func digestRows() []Spec {
	const draft = "draft-ietf-ftpext2-hash-03"
	old := func(verb string, d Digest) Spec {
		return Spec{Verb: verb, Grammar: PathArg, Perm: policy.PermRead, Ops: policy.OpsOf(policy.OpHash), Lane: Work, Feat: featWhere(hasDigest(d), verb), RFC: draft + " §1", Handler: sumOf(d),
			Help: "path [from [to]]: a digest of a file's bytes, as HASH computes it"}
	}
	return []Spec{
		{Verb: "HASH", Grammar: PathArg, Perm: policy.PermRead, Ops: policy.OpsOf(policy.OpHash), Lane: Work, Feat: featHash, RFC: draft + " §3", Handler: hashFile,
			Help: "path: a digest of a file, or of the range that RANG gave"},
		{Verb: "OPTS HASH", Grammar: FreeText, RFC: draft + " §4", Handler: optsHash,
			Help: "[algorithm]: what HASH computes"},
		old("XCRC", CRC32), old("XMD5", MD5), old("XSHA1", SHA1), old("XSHA256", SHA256), old("XSHA512", SHA512),
	}
}

// securityRows are RFC 2228's commands as RFC 4217 has them.
func securityRows() []Spec {
	return []Spec{
		{Verb: "AUTH", Grammar: Word, State: Anyone, Barrier: true, Feat: featWhere(hasTLS, "AUTH SSL", "AUTH TLS"), RFC: "RFC 4217 §4", Handler: auth,
			Help: "TLS: protect the control connection"},
		{Verb: "CCC", Grammar: NoArg, State: Anyone, RFC: "RFC 4217 §6", Handler: clearControl,
			Help: ": make the control connection clear again (always refused)"},
		{Verb: "PBSZ", Grammar: Text, State: Anyone, Feat: featWhere(hasTLS, "PBSZ"), RFC: "RFC 4217 §8", Handler: bufferSize,
			Help: "0: the protection buffer's size"},
		{Verb: "PROT", Grammar: Word, State: Anyone, Feat: featWhere(hasTLS, "PROT"), RFC: "RFC 4217 §9", Handler: protection,
			Help: "C|P: data connections in the clear or protected"},
	}
}

// informationRows are RFC 959 §4.1.3's informational commands and RFC 2389's.
func informationRows() []Spec {
	return []Spec{
		{Verb: "SYST", Grammar: NoArg, State: Anyone, RFC: "RFC 959 §4.1.3", Handler: system,
			Help: ": the kind of system"},
		{Verb: "STAT", Grammar: ListPath, State: Anyone, Ops: policy.OpsOf(policy.OpList), Lane: Beside, ArgLane: Work, RFC: "RFC 959 §4.1.3", Handler: status,
			Help: "[[-options] path]: the session's state, or a listing on the control connection"},
		{Verb: "HELP", Grammar: FreeText, State: Anyone, RFC: "RFC 959 §4.1.3", Handler: help,
			Help: "[command]: the commands of this server"},
		{Verb: "CLNT", Grammar: Text, State: Anyone, Feat: feat("CLNT"), RFC: "RFC 2389 §1", Handler: clientName,
			Help: "name: what the client is"},
		{Verb: "CSID", Grammar: Text, State: Anyone, Feat: feat("CSID"), RFC: "draft-peterson-streamlined-ftp-command-extensions-10 §2.1", Handler: clientID,
			Help: "Name=...;Version=...;: what client and server are"},
		{Verb: "NOOP", Grammar: NoArg, State: Anyone, Lane: Beside, RFC: "RFC 959 §4.1.3", Handler: noop,
			Help: ": nothing"},
		{Verb: "FEAT", Grammar: NoArg, State: Anyone, Feat: feat("TVFS"), RFC: "RFC 2389 §3", Handler: features,
			Help: ": the extensions of this server"},
	}
}

func named(row Spec, verb string) Spec {
	row.Verb = verb
	return row
}

// historic gives a command its name from RFC 775, which RFC 1123 §4.1.3.1 asks
// servers to go on accepting.
func historic(row Spec, verb string) Spec {
	row.Verb, row.RFC = verb, "RFC 1123 §4.1.3.1"
	row.Help = fmt.Sprintf("%s (an older name of %s)", row.Help, strings.TrimPrefix(verb, "X"))
	return row
}
