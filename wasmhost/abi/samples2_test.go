package abi

import (
	"io/fs"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// shadowMeta is hostMeta with what minor 2 appended.
func shadowMeta() policy.Meta {
	m := hostMeta()
	m.Shadow = true
	return m
}

// minor2 are the questions that only minor 2 has.
func minor2() []question {
	at := time.Unix(1_600_000_000, 5).UTC()
	full := make([]policy.Entry, policy.MaxEntries)
	for i := range full {
		full[i] = policy.Entry{Name: strings.Repeat("n", i%7+1), Size: int64(i)}
	}
	return []question{
		{name: "login, shadow", minor: 2, login: &policy.Login{Meta: shadowMeta()}},
		{name: "write, size now", minor: 2, action: &policy.Action{Meta: bareMeta(), Op: policy.OpAppend, Path: "/a", A: -1, B: 1 << 40, Exists: true, Size: 1 << 40}},
		{name: "write, shadow", minor: 2, action: &policy.Action{Meta: shadowMeta(), Op: policy.OpWrite, Path: "/a", Size: 1}},
		{name: "event, shadow", minor: 2, event: &policy.Event{Meta: shadowMeta(), Kind: policy.EventLogin}},
		{name: "list, one", minor: 2, more: &policy.Listing{Meta: bareMeta(), Path: "/", Entries: []policy.Entry{{Name: "a"}}}},
		{name: "list, all kinds", minor: 2, more: &policy.Listing{Meta: shadowMeta(), Path: "/in", Entries: []policy.Entry{
			{Name: "file", Mode: 0o644, Size: 1 << 40, Time: at},
			{Name: "dir", Mode: fs.ModeDir | fs.ModeSticky | 0o777, Time: at},
			{Name: "link", Mode: fs.ModeSymlink | 0o777},
			{Name: "pipe", Mode: fs.ModeNamedPipe},
			{Name: "socket", Mode: fs.ModeSocket | 0o1},
			{Name: "tty", Mode: fs.ModeDevice | fs.ModeCharDevice | 0o620},
			{Name: "disk", Mode: fs.ModeDevice | 0o660},
			{Name: "set", Mode: fs.ModeSetuid | fs.ModeSetgid | 0o755},
			{Name: "odd", Mode: fs.ModeIrregular},
			{Name: "\xff\xfe", Mode: 0o600, Time: time.Unix(-1, 0).UTC()},
		}}},
		{name: "list, 256", minor: 2, more: &policy.Listing{Meta: bareMeta(), Path: "/", Entries: full}},
		{name: "cmd, bare", minor: 2, more: &policy.Command{Meta: bareMeta(), Verb: "NOOP"}},
		{name: "cmd, all fields", minor: 2, more: &policy.Command{Meta: shadowMeta(), Verb: "SITE CHMOD", Arg: "644 été", Dir: "/in"}},
		{name: "site, bare", minor: 2, more: &policy.SiteCall{Meta: bareMeta(), Verb: "QUOTA", Dir: "/"}},
		{name: "site, all fields", minor: 2, more: &policy.SiteCall{Meta: shadowMeta(), Verb: "QUOTA", Arg: "7 days", Dir: "/in"}},
		{name: "throttle, begins", minor: 2, more: &policy.Transfer{Meta: bareMeta(), Op: policy.OpWrite, Path: "/a", Upload: true, Size: -1}},
		{name: "throttle, all fields", minor: 2, more: &policy.Transfer{Meta: shadowMeta(), Op: policy.OpRead, Path: "/a", Upload: true, Size: 1 << 40, Moved: 1 << 30, Took: 1500 * time.Millisecond}},
		{name: "data, first", minor: 2, more: &policy.Chunk{Meta: bareMeta(), Op: policy.OpRead, Path: "/a", Data: []byte("\x00\x01\x00")}},
		{name: "data, all fields", minor: 2, more: &policy.Chunk{Meta: shadowMeta(), Op: policy.OpWrite, Path: "/a", Upload: true, Offset: 1 << 40, Data: []byte("x"), Last: true, Carry: []byte{0, 1}}},
		{name: "data, nothing is left", minor: 2, more: &policy.Chunk{Meta: bareMeta(), Op: policy.OpUnique, Path: "/a", Data: []byte{}, Last: true}},
		{name: "event, late", minor: 2, event: &policy.Event{Meta: bareMeta(), Kind: policy.EventFileReceived, Path: "/a", Late: true}},
		{name: "cert, bare", minor: 2, more: &policy.CertRequest{Meta: policy.Meta{Session: &policy.Session{}}, Name: "ftp.example.org"}},
		{name: "cert, all fields", minor: 2, more: &policy.CertRequest{Meta: shadowMeta(), Name: "ftp.example.org"}},
	}
}

type answer struct {
	name     string
	answer   *policy.Answer
	identity *policy.Identity
	more     any  // an answer of a hook that minor 2 appended
	of       Hook // the hook of more
}

func sampleAnswers() []answer {
	perms, none := policy.PermReadOnly, policy.Perms(0)
	limits := policy.Limits{RateDown: 1 << 20, RateUp: 2 << 20, MaxFileSize: 3 << 30, DataTLS: true}
	return []answer{
		{name: "pass", answer: &policy.Answer{}},
		{name: "allow", answer: &policy.Answer{Verdict: policy.Allow}},
		{name: "allow, final", answer: &policy.Answer{Verdict: policy.Allow, Final: true}},
		{name: "deny", answer: &policy.Answer{Verdict: policy.Deny}},
		{name: "deny with a code and a text", answer: &policy.Answer{Verdict: policy.Deny, Code: 553, Text: "nö"}},
		{name: "hide", answer: &policy.Answer{Verdict: policy.Hide}},
		{name: "rewrite", answer: &policy.Answer{Verdict: policy.Rewrite, Path: "/x/y"}},
		{name: "rewrite, both paths", answer: &policy.Answer{Verdict: policy.Rewrite, Path: "/x", Path2: "/y"}},
		{name: "pass that narrows", answer: &policy.Answer{Limits: limits, Label: "slow"}},
		{name: "login, pass", identity: &policy.Identity{}},
		{name: "login, allow", identity: &policy.Identity{Verdict: policy.Allow}},
		{name: "login, deny", identity: &policy.Identity{Verdict: policy.Deny, Code: 530, Text: "not today"}},
		{name: "login, no permissions", identity: &policy.Identity{Verdict: policy.Allow, Perms: &none}},
		{name: "login, all fields", identity: &policy.Identity{Verdict: policy.Allow, Final: true,
			PasswordHash: "$2a$10$abc", Perms: &perms, Home: "/in", Group: "staff", Label: "l",
			Limits: limits, MaxSessions: 3, Expires: time.Unix(1_800_000_000, 5).UTC(),
			MsgLogin: "welcome", MsgQuit: "bye", State: []byte{0, 1, 0xff}}},
		{name: "allow that may be kept", answer: &policy.Answer{Verdict: policy.Allow, TTL: 1500 * time.Millisecond}},
		{name: "login, rules", identity: &policy.Identity{Verdict: policy.Allow, Rules: []policy.PathRule{
			{Dir: "/in", Perms: policy.PermAll, Recursive: true}, {Dir: "/été"}}}},
		{name: "login, anonymous", identity: &policy.Identity{Verdict: policy.Allow, Anonymous: true}},
		{name: "login, lenient", identity: &policy.Identity{Verdict: policy.Allow,
			Lenient: policy.Lenience{Resumption: true, CloseNotify: true}}},
		{name: "login, lenient in one", identity: &policy.Identity{Verdict: policy.Allow,
			Lenient: policy.Lenience{CloseNotify: true}}},
	}
}

// newAnswers are the answers of the hooks that minor 2 appended.
func newAnswers() []answer {
	var hidden, all policy.Bits
	hidden.Set(0)
	hidden.Set(9)
	for i := range policy.MaxEntries {
		all.Set(i)
	}
	return []answer{
		{name: "list, all", of: HookList, more: &policy.View{}},
		{name: "list, some", of: HookList, more: &policy.View{Verdict: policy.Allow, Hidden: hidden}},
		{name: "list, nothing", of: HookList, more: &policy.View{Hidden: all}},
		{name: "list, deny", of: HookList, more: &policy.View{Verdict: policy.Deny, Code: 450, Text: "later"}},
		{name: "list, hide", of: HookList, more: &policy.View{Verdict: policy.Hide}},
		{name: "cmd, pass", of: HookCmd, more: &policy.Answer{}},
		{name: "cmd, allow", of: HookCmd, more: &policy.Answer{Verdict: policy.Allow}},
		{name: "cmd, deny", of: HookCmd, more: &policy.Answer{Verdict: policy.Deny, Code: 502, Text: "not here"}},
		{name: "site, done", of: HookSite, more: &policy.SiteReply{Verdict: policy.Allow}},
		{name: "site, lines", of: HookSite, more: &policy.SiteReply{Verdict: policy.Allow, Code: 214, Lines: []string{"one", "", "trés"}}},
		{name: "site, deny", of: HookSite, more: &policy.SiteReply{Verdict: policy.Deny, Code: 501, Lines: []string{"which file?"}}},
		{name: "throttle, no limit", of: HookThrottle, more: &policy.Rate{}},
		{name: "throttle, limit", of: HookThrottle, more: &policy.Rate{Limit: 1 << 40, TTL: 250 * time.Millisecond}},
		{name: "data, pass", of: HookData, more: &policy.Piece{}},
		{name: "data, carry", of: HookData, more: &policy.Piece{Verdict: policy.Allow, Carry: []byte{0, 1, 0xff}}},
		{name: "data, rewrite", of: HookData, more: &policy.Piece{Verdict: policy.Rewrite, Data: []byte("\x00new"), Carry: []byte("c")}},
		{name: "data, rewrite to nothing", of: HookData, more: &policy.Piece{Verdict: policy.Rewrite, Data: []byte{}}},
		{name: "data, deny", of: HookData, more: &policy.Piece{Verdict: policy.Deny, Code: 551, Text: "a virus"}},
		{name: "data, hide", of: HookData, more: &policy.Piece{Verdict: policy.Hide}},
		{name: "cert, allow", of: HookCert, more: &policy.Answer{Verdict: policy.Allow}},
		{name: "cert, deny", of: HookCert, more: &policy.Answer{Verdict: policy.Deny, Text: "not ours"}},
	}
}

// encode is the wire form of the answer.
func (a answer) encode(dst []byte) ([]byte, Verdict, error) {
	switch m := a.more.(type) {
	case *policy.View:
		return AppendView(dst, m)
	case *policy.SiteReply:
		return AppendSiteReply(dst, m)
	case *policy.Rate:
		return AppendRate(dst, m)
	case *policy.Piece:
		return AppendPiece(dst, m)
	case *policy.Answer:
		if a.of == HookCert {
			return AppendCertAnswer(dst, m)
		}
		return AppendCommandAnswer(dst, m)
	}
	if a.identity != nil {
		return AppendIdentity(dst, a.identity)
	}
	return AppendAnswer(dst, a.answer)
}

func (a answer) hook() Hook {
	if a.more != nil {
		return a.of
	}
	if a.identity != nil {
		return HookAuth
	}
	return HookFS
}

// decodeReply decodes a reply of any hook into a pointer to its value.
func decodeReply(h Hook, v Verdict, b []byte, strict bool) (any, error) {
	switch h {
	case HookAuth:
		id, err := DecodeIdentity(v, b, strict)
		return &id, err
	case HookFS:
		a, err := DecodeAnswer(v, b, strict)
		return &a, err
	case HookList:
		a, err := DecodeView(v, b, policy.MaxEntries, strict)
		return &a, err
	case HookCmd:
		a, err := DecodeCommandAnswer(v, b, strict)
		return &a, err
	case HookSite:
		a, err := DecodeSiteReply(v, b, strict)
		return &a, err
	case HookThrottle:
		a, err := DecodeRate(v, b, strict)
		return &a, err
	case HookData:
		a, err := DecodePiece(v, b, strict)
		return &a, err
	case HookCert:
		a, err := DecodeCertAnswer(v, b, strict)
		return &a, err
	}
	return nil, DecodeDone(v, b, strict)
}

// value is a pointer to the answer itself.
func (a answer) value() any {
	switch {
	case a.more != nil:
		return a.more
	case a.identity != nil:
		return a.identity
	}
	return a.answer
}

// answerOf wraps what decodeReply returned, so that it can be encoded again.
func answerOf(h Hook, value any) answer {
	a := answer{of: h}
	switch v := value.(type) {
	case *policy.Identity:
		a.identity = v
	case *policy.Answer:
		if h == HookFS {
			a.answer = v
		} else {
			a.more = v
		}
	default:
		a.more = v
	}
	return a
}
