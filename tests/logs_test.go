package tests

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// logged returns the names of the fields that a call puts into the server's log: those of
// the methods of slog.Logger, and of slog's own functions for attributes.
func logged(call *ast.CallExpr) (names []string) {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	first := map[string]int{"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "Log": 3, "With": 0}
	if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "slog" {
		attrs := []string{"String", "Int", "Int64", "Uint64", "Float64", "Bool", "Duration", "Time", "Any"}
		if slices.Contains(attrs, sel.Sel.Name) && len(call.Args) == 2 {
			return literal(call.Args[0])
		}
		if _, direct := first[sel.Sel.Name]; !direct {
			return nil
		}
	}
	from, ok := first[sel.Sel.Name]
	if !ok {
		return nil
	}
	for i := from; i < len(call.Args); i += 2 {
		if attr, ok := call.Args[i].(*ast.CallExpr); ok && len(logged(attr)) > 0 {
			i-- // an attribute stands for name and value
			continue
		}
		names = append(names, literal(call.Args[i])...)
	}
	return names
}

func literal(e ast.Expr) []string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return nil
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil {
		return nil
	}
	return []string{text}
}

// logFields says what each field of the server's own log means. A new one has to be
// added: programs read the log by these names.
func logFields() map[string]string {
	return map[string]string{
		"listen":                  "where edgeftp bridge listens",
		"session":                 "number of a session of edgeftp bridge",
		"to":                      "the server that edgeftp bridge leads to",
		"connection":              "which connection of edgeftp bridge; absent: the one that all sessions are on",
		"took":                    "how long something took",
		"about":                   "what was being done when something unexpected happened",
		"account":                 "address of an account with a certificate authority",
		"action":                  "what the admin API was asked for: method and path",
		"actor":                   "who asked the admin API: a user, a token or a certificate",
		"address":                 "an address, with its port where it has one",
		"anonymous":               "whether anonymous users are let in",
		"argument":                "what a command was given, as the client sent it; never that of USER or PASS",
		"budget":                  "bytes that the process may use",
		"bundle":                  "the file in which all about a crash was kept",
		"by":                      "the policies that allowed a login; who made a ban",
		"bytes":                   "bytes of the file that were moved",
		"ca":                      "the certificate authority: its directory's address, or the file of its certificate",
		"call":                    "the hook that did not come back",
		"certificates":            "the names of certificates",
		"changes":                 "how many keys of a configuration have changed",
		"clients":                 "a number of clients",
		"code":                    "code of a refusal, such as EF2140",
		"command":                 "the name of a command; the SITE command of a policy",
		"compared":                "questions that a candidate was asked for comparison",
		"complete":                "whether a transfer was whole",
		"damage":                  "what is wrong with a file that was read",
		"descriptors":             "descriptors that the process may have open",
		"descriptors_of_sessions": "of these, those that sessions are counted by",
		"differed":                "questions that a candidate answered otherwise",
		"digest":                  "SHA-256 of a module",
		"dir":                     "a directory",
		"disabled":                "whether the user may not log in",
		"dropped":                 "of what is told, how much was left out for want of time or room",
		"error":                   "what has failed",
		"event":                   "the name of the event that it is about, as in the event log",
		"events":                  "a number of events",
		"bytes_free":              "bytes that can still be written to a disk",
		"bytes_size":              "bytes that a disk has",
		"webhook":                 "name of a webhook",
		"every":                   "how often something is looked at",
		"exchanges":               "questions with their answers",
		"failed":                  "questions that could not be answered",
		"failures":                "how often it has failed, in a row where it is tried again",
		"file":                    "a file of the machine",
		"for":                     "for how long, or for what",
		"found":                   "what is amiss with the audit log",
		"generation":              "number of a configuration, see edgeftp config history",
		"gid":                     "number of a group",
		"groups":                  "numbers of groups",
		"help":                    "what to do about it",
		"holds":                   "the source whose user of a name holds",
		"home":                    "a user's home directory, as clients see it",
		"host":                    "name of the virtual host that the session belongs to",
		"how":                     "in which way a ban has ended",
		"ignored":                 "the source whose user of that name is not asked",
		"in_a_row":                "how often in a row",
		"instance":                "instance.name, if the configuration has one: in every line",
		"issuer":                  "the authority that issued a certificate",
		"key":                     "the name under which an answer to a challenge lies",
		"key_kept":                "whether the private key goes on being used",
		"last_failure":            "why the last order for a certificate failed",
		"leaf_sha256":             "fingerprint of the certificate",
		"left":                    "how long a certificate is still valid",
		"level":                   "DEBUG, INFO, WARN or ERROR: in every line",
		"limit_seconds":           "how long transfers may go on while the server drains",
		"lines":                   "lines of a log that were lost",
		"listener":                "name of a listener",
		"listeners":               "the addresses that are bound",
		"lock":                    "the name of a lock in the storage of certificates",
		"log":                     "which log: server, events, access or audit",
		"logs":                    "a number of logs",
		"low_ports":               "whether the right to bind ports below 1024 is kept",
		"memory":                  "the memory budget, in bytes",
		"memory_at_worst":         "bytes that may be in use at worst",
		"memory_from":             "where the budget comes from",
		"moved_to":                "where a damaged file was put",
		"msg":                     "what has happened: in every line",
		"name":                    "a host name, or the name of what the message is about",
		"names":                   "host names; or whether names are recorded",
		"next_attempt":            "when it is tried again",
		"object":                  "what a request to the admin API was about",
		"op":                      "operation of a transfer: read, write, append or unique",
		"panic":                   "what a mistake of the server said",
		"password":                "the password that was made up for the one user of a development server; never that of a configuration or of a client",
		"path":                    "a path: of a session as clients see it, else of the machine",
		"peer":                    "address of a client",
		"percent":                 "share of the sessions that a candidate judges",
		"policies":                "names of the policies in force",
		"policies_at_worst":       "bytes of memory that policies may take",
		"policy":                  "name of a policy",
		"policy_gen":              "its generation: one more with each swap",
		"protocol":                "what carries a session or a request if it is not FTP over TCP: ftpq/1, http/1.1, h2 or h3; of a TLS handshake, what it agreed on (RFC 7301)",
		"ready_seconds":           "how long the start took",
		"reason":                  "why",
		"ref":                     "the request that it is about, as in replies: session-number",
		"remote":                  "address and port of the client",
		"reply":                   "code of the reply",
		"result":                  "what came of a request to the admin API",
		"retry_in":                "when it is tried again",
		"root":                    "the directory that is served",
		"sandbox":                 "how far the process is shut off",
		"seconds":                 "how long it took: a transfer, a command",
		"sess":                    "number of the session",
		"predecessor_pid":         "number of the process whose place this one takes",
		"predecessor_version":     "version of the server whose place this one takes",
		"paused_seconds":          "for how long nobody accepted connections, which waited",
		"after_session":           "number of the last session of the server before",
		"sessions":                "sessions that there may be at once",
		"sha256":                  "fingerprint of a certificate",
		"signal":                  "the signal that was received",
		"signer":                  "the key that a module was signed with",
		"socket":                  "the admin socket",
		"stack":                   "where a mistake of the server happened",
		"stage":                   "what a policy was asked about: auth, fs, list, cmd, site, throttle, data or cert",
		"staging":                 "whether it is an authority for tests",
		"stderr":                  "what a compiler printed",
		"time":                    "when: in every line, in the time zone of the machine",
		"transfer":                "a transfer: session and request, as in (ref 12-9)",
		"uid":                     "number of a user of the machine",
		"unannounced":             "connections that were closed since the start as no trusted proxy has said whose they are",
		"until":                   "until when a ban holds",
		"unwritten":               "keys that are not on disk yet",
		"url":                     "where the figures are shown",
		"used":                    "what is used of a budget",
		"user":                    "who is logged in; empty before, as people type their password there. At the start: the user of the machine, or of a development server",
		"valid_until":             "when a certificate ends",
		"version":                 "of the program, or of a module",
		"what":                    "which keys have changed, and how",
		"writable":                "whether somebody may change files",
	}
}

// everyLine are the fields that slog itself writes.
func everyLine() []string { return []string{"time", "level", "msg"} }

// The fields of the server's log are documented, all that the code has and no others;
// docs/logs.md says what they mean. UPDATE_GOLDEN=1 in the environment writes it.
func TestLogFields(t *testing.T) {
	found := map[string]string{}
	sources(t, func(path string, file *ast.File) {
		top, _, _ := strings.Cut(path, "/")
		if !slices.Contains([]string{"edge", "acme", "wasmhost", "cmd"}, top) || strings.Contains(path, "test/") || strings.Contains(path, "testdata/") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				for _, name := range logged(call) {
					found[name] = path
				}
			}
			return true
		})
	})
	known := logFields()
	for name, path := range found {
		if known[name] == "" {
			t.Errorf("%s logs a field %q: say in logFields what it means", path, name)
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_0123456789") != "" {
			t.Errorf("%s logs a field %q, which is no name in snake case", path, name)
		}
	}
	for name := range known {
		if found[name] == "" && !slices.Contains(everyLine(), name) {
			t.Errorf("nothing logs a field %q any more", name)
		}
	}
	document := logsDocument(t)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile("../docs/logs.md", []byte(document), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if was, err := os.ReadFile("../docs/logs.md"); err != nil || string(was) != document {
		t.Errorf("docs/logs.md is not up to date (%v): UPDATE_GOLDEN=1 go test ./tests -run TestLogFields", err)
	}
}

func logsDocument(t *testing.T) string {
	var b strings.Builder
	b.WriteString(`# Logs

<!-- UPDATE_GOLDEN=1 go test ./tests -run TestLogFields writes this file. -->

| log | configuration | what it tells |
|---|---|---|
| the server's own | ` + "`telemetry.log`" + ` | what the operator should know: lines for people, or JSON; on standard error or in a file |
| access log | ` + "`telemetry.access_log`" + ` | a line for each transfer: xferlog, the Common Log Format, or JSON |
| event log | ` + "`events.file`" + ` | every event, as JSON, for programs |

Whatever a client sends, a line is one line, and holds nothing that steers a terminal: what is not printable is escaped. No
log holds a password, nor what was sent in the place of one. Names that failed to log in are in the event log and the access
log alone: people type their password there.

What ` + "`telemetry.log.redact`" + ` names (users, the addresses of clients, the paths of files) stands in none of the three. In its place
is a sum, which is the same for the same value until the server ends, and nobody can try values until one fits: its key is made
at the start and kept nowhere. An address becomes one of fd00::/8, so that programs still read it. The arguments of commands go
with users and paths, and texts of errors are gone through. So are the lines that policy modules write into the server's own log:
the user, the address, the paths with their last names, the names in a directory and the arguments that a module was asked about
do not stand there as they are. What a module makes of them otherwise (a part, other letters), and what it remembers from an
earlier question, stays: that is for its author to see to.

Some places have the names all the same, because they are of no use without:

| place | why | who sees it |
|---|---|---|
| audit log | it is the evidence of what operators did, to which user, file and address, for longer than the server runs; its chain of sums is over what was written | who may read the file (0600), ` + "`edgeftp audit`" + ` |
| admin API: sessions, transfers, events, users, bans | an operator has to know whom to kick, to throttle and to ban; events are kept in memory alone, the last of them | who has a role there |
| webhooks, and what waits for them | the receiver is another system, which is told of files and users | who has the URL; see ` + "`events.sinks`" + ` and ` + "`notify.to`" + ` |
| policy modules, crashes and recordings of them | they decide by the names; ` + "`policy record`" + ` puts others in their place | the server's user |
| users, quotas, and what the defender remembers | the state that the server works with | the server's user |

A file that was moved away is begun anew within a second, at SIGHUP, or by ` + "`edgeftp logs reopen`" + `; one that was cut
(copytruncate) is gone on with. Where a disk is full, whole lines are lost, never halves, and transfers go on;
` + "`edgeftp logs`" + ` and ` + "`edgeftp_log_lines_lost_total`" + ` say how many, and the server's own log when there is room again.

## Fields of the server's own log

Later versions only add some. In the form for people those that are empty are left out.

| field | what it is |
|---|---|
`)
	fields := logFields()
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, fields[name])
	}
	b.WriteString(`
At the level debug, ` + "`telemetry.log.commands`" + ` has each command told: ` + "`summary`" + ` its name, reply and time, ` + "`all`" + ` its argument as
well, but for USER and PASS.

## Fields of the event log

| field | what it is |
|---|---|
`)
	for _, row := range eventFields(t) {
		b.WriteString(row)
	}
	return b.String()
}

// eventFields are rows of the fields of eventlog.Record, with their comments.
func eventFields(t *testing.T) (rows []string) {
	sources(t, func(path string, file *ast.File) {
		if path != "policies/eventlog/eventlog.go" {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			f, ok := n.(*ast.Field)
			if !ok || f.Tag == nil || f.Comment == nil {
				return true
			}
			name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json"), ",")
			rows = append(rows, fmt.Sprintf("| `%s` | %s |\n", name, strings.TrimSpace(f.Comment.Text())))
			return true
		})
	})
	if len(rows) != 25 {
		t.Errorf("%d fields of the event log have a comment", len(rows))
	}
	return rows
}
