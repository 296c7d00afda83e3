package policytest

import (
	"net/netip"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// secret is the password of the questions, long enough to be found again.
const secret = "policytest: nobody's password"

// binding is what the logins with that password are bound to, in 32 bytes.
const binding = "\x00policytest: nobody's connection"

// later is an operation and an event that this version has no name for.
const later = 60000

// questions are those that every policy must be able to answer.
func questions() []question {
	var all []question
	for _, l := range logins() {
		all = append(all, question{login: &l})
	}
	for _, a := range actions() {
		all = append(all, question{action: &a})
	}
	for _, c := range commands() {
		all = append(all, question{command: &c})
	}
	for _, c := range calls() {
		all = append(all, question{site: &c})
	}
	for kind := policy.EventConnect; kind <= policy.EventClientMoved; kind++ {
		all = append(all, question{event: &policy.Event{Meta: meta(full()), Kind: kind, Path: "/a/b", Text: "what it was"}})
	}
	return append(all,
		question{event: &policy.Event{Meta: meta(bare()), Kind: later}},
		question{event: &policy.Event{Meta: meta(odd()), Kind: policy.EventDenied, Path: "/\xff", Text: "a\tb\xfe"}},
		question{event: &policy.Event{Meta: meta(full()), Kind: policy.EventFileRenamed, Path: "/a", Path2: "/b", Text: "RNTO b",
			Op: policy.OpRename, Size: 1 << 40, Took: time.Hour, Code: 250, Policy: "guard", Generation: 7}},
		question{event: &policy.Event{Meta: meta(full()), Kind: policy.EventFileSent, Path: "/a", Code: 226, DataPeer: netip.MustParseAddrPort("192.0.2.7:40002")}},
	)
}

// zeros are questions in which nothing is set, but for the session that each has.
func zeros() []question {
	empty := func() policy.Meta { return policy.Meta{Session: &policy.Session{}} }
	return []question{
		{login: &policy.Login{Meta: empty()}},
		{login: &policy.Login{Meta: empty(), Early: true}},
		{action: &policy.Action{Meta: empty()}},
		{command: &policy.Command{Meta: empty()}},
		{site: &policy.SiteCall{Meta: empty()}},
		{event: &policy.Event{Meta: empty()}},
	}
}

func logins() []policy.Login {
	named := func(user string, s *policy.Session) policy.Meta {
		s.User = user
		return meta(s)
	}
	return []policy.Login{
		{Meta: meta(bare())},
		{Meta: meta(bare()), Password: secret},
		{Meta: meta(full()), Password: secret, Binding: []byte(binding)},
		{Meta: meta(full()), Early: true, Binding: []byte(binding)},
		{Meta: named("anonymous", bare()), Password: "me@example.org"},
		{Meta: meta(odd()), Password: "\xff\xfe of nobody"},
		{Meta: named(strings.Repeat("x", 500), full()), Password: strings.Repeat("y", 500)},
	}
}

func actions() []policy.Action {
	var all []policy.Action
	for op := policy.OpStat; op <= policy.OpSymlink; op++ {
		all = append(all, policy.Action{Meta: meta(full()), Op: op, Path: "/dir/file.txt", Arg: "file.txt", Exists: true})
	}
	return append(all,
		policy.Action{Meta: meta(bare()), Op: policy.OpList, Path: "/", Dir: true, Exists: true},
		policy.Action{Meta: meta(full()), Op: policy.OpWrite, Path: "/new.bin", A: -1},
		policy.Action{Meta: meta(full()), Op: policy.OpAppend, Path: "/log", A: 1 << 40, B: 1 << 41, Exists: true},
		policy.Action{Meta: meta(full()), Op: policy.OpRename, Path: "/a", Path2: "/b/c", Arg: "b/c", Exists: true},
		policy.Action{Meta: meta(full()), Op: policy.OpSymlink, Path: "/a", Path2: "/etc"},
		policy.Action{Meta: meta(odd()), Op: policy.OpDelete, Path: "/\xff\xfe", Arg: "\xff\xfe", Exists: true},
		policy.Action{Meta: meta(full()), Op: policy.OpRead, Path: "/a", Exists: true, DataPeer: netip.MustParseAddrPort("198.51.100.1:20000")},
		policy.Action{Meta: meta(bare()), Op: policy.OpRead, Path: "/" + strings.Repeat("x", 4095)},
		policy.Action{Meta: meta(full()), Op: later, Path: "/a"},
	)
}

func commands() []policy.Command {
	return []policy.Command{
		{Meta: meta(bare()), Verb: "USER", Arg: "anna"},
		{Meta: meta(bare()), Verb: "PASS"},
		{Meta: meta(full()), Verb: "RETR", Arg: "file.txt", Dir: "/dir"},
		{Meta: meta(full()), Verb: "SITE CHMOD", Arg: "644 a b", Dir: "/"},
		{Meta: meta(odd()), Verb: "CWD", Arg: "\xff\xfe\t", Dir: "/\xff"},
		{Meta: meta(full()), Verb: "STOR", Arg: strings.Repeat("x", 4000), Dir: "/"},
	}
}

// calls are of commands that a policy has not, or perhaps has.
func calls() []policy.SiteCall {
	return []policy.SiteCall{
		{Meta: meta(full()), Verb: "NOBODYHASTHIS", Dir: "/"},
		{Meta: meta(full()), Verb: "QUOTA", Dir: "/dir"},
		{Meta: meta(full()), Verb: "QUOTA", Arg: strings.Repeat("x", 4000), Dir: "/dir"},
		{Meta: meta(odd()), Verb: "QUOTA", Arg: "\xff\t", Dir: "/\xff"},
	}
}

func meta(s *policy.Session) policy.Meta {
	return policy.Meta{Session: s, Request: 1, Time: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)}
}

// bare is the session of a client that has sent nothing yet.
func bare() *policy.Session { return &policy.Session{ID: 1, Root: "/"} }

// full is a session in which every fact is known.
func full() *policy.Session {
	return &policy.Session{ID: 2, User: "anna", Peer: netip.MustParseAddrPort("192.0.2.7:40001"),
		Local: netip.MustParseAddrPort("[2001:db8::1]:21"), Listener: "public", Root: "/home", Group: "staff",
		Client: "some client 1.0", Host: "ftp.example.org", VHost: "shop", Anon: true, DataTLS: true, ASCII: true, Active: true,
		Protocol: "ftpq/1", TLS: policy.TLS{Version: "1.3", Cipher: "TLS_AES_128_GCM_SHA256", ServerName: "ftp.example.org", ALPN: "ftp", Resumed: true,
			ClientSubject: "CN=anna", ClientSHA256: strings.Repeat("0f", 32)},
		State: map[string][]byte{"another policy": {1, 2, 3}}}
}

// odd is a session of names that are not UTF-8.
func odd() *policy.Session {
	return &policy.Session{ID: 3, User: "\xff\xfe\t\x7f", Peer: netip.MustParseAddrPort("[fe80::1%eth0]:1"), Root: "/\xff", Group: "\xff"}
}
