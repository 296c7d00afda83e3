package abi

import (
	"net/netip"
	"slices"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// The questions and answers from which the golden bytes are made. Their order is
// that of the files; append, so that old vectors keep their bytes.

const sampleSlot = "guard"

type question struct {
	name   string
	minor  int // the first minor that has all of it
	login  *policy.Login
	action *policy.Action
	event  *policy.Event
	more   any // a question of a hook that minor 2 appended
}

func bareMeta() policy.Meta {
	return policy.Meta{Session: &policy.Session{ID: 1, Root: "/"}, Request: 1}
}

func fullMeta() policy.Meta {
	return policy.Meta{
		Session: &policy.Session{
			ID: 0x1122334455667788, User: "ännä", Anon: true,
			Peer:  netip.MustParseAddrPort("192.0.2.7:40001"),
			Local: netip.MustParseAddrPort("[2001:db8::1]:21"), Listener: "public",
			Root: "/home", Group: "staff", Client: "lftp/4.9",
			TLS: policy.TLS{Version: "1.3", Cipher: "TLS_AES_128_GCM_SHA256", ServerName: "ftp.example.org",
				ALPN: "ftp", Resumed: true, ClientSubject: "CN=ännä", ClientSHA256: "00ff"},
			DataTLS: true, ASCII: true, Active: true,
			State: map[string][]byte{sampleSlot: {0, 1, 2, 0xff}},
		},
		Request: 42, Time: time.Unix(1_700_000_000, 123_456_789).UTC(),
	}
}

// hostMeta is fullMeta with what minor 1 appended: the old bytes stay as they are.
func hostMeta() policy.Meta {
	m := fullMeta()
	m.Session.Host = "ftp.example.net"
	return m
}

func sampleQuestions() []question {
	list := []question{
		{name: "login, bare", login: &policy.Login{Meta: bareMeta()}},
		{name: "login, all fields", login: &policy.Login{Meta: fullMeta(), Password: "geheim"}},
		{name: "write, bare", action: &policy.Action{Meta: bareMeta(), Op: policy.OpWrite, Path: "/a"}},
		{name: "write, all fields", action: &policy.Action{Meta: fullMeta(), Op: policy.OpWrite,
			Path: "/in/été.txt", Arg: "été.txt", A: 1 << 40, B: 1000, Exists: true}},
		{name: "write, size unknown", action: &policy.Action{Meta: bareMeta(), Op: policy.OpWrite, Path: "/a", A: -1}},
		{name: "rename, source alone", action: &policy.Action{Meta: bareMeta(), Op: policy.OpRename, Path: "/a", Arg: "a", Exists: true}},
		{name: "rename, both paths", action: &policy.Action{Meta: bareMeta(), Op: policy.OpRename,
			Path: "/a", Path2: "/b", Arg: "../b", Dir: true, Exists: true}},
		{name: "symlink", action: &policy.Action{Meta: bareMeta(), Op: policy.OpSymlink, Path: "/a", Path2: "/b"}},
		{name: "another operation with a second path", action: &policy.Action{Meta: bareMeta(), Op: policy.OpStat, Path: "/a", Path2: "/b", Arg: "c"}},
		{name: "path that is not UTF-8", action: &policy.Action{Meta: bareMeta(), Op: policy.OpDelete, Path: "/\xff\xfe", Exists: true}},
		{name: "event, bare", event: &policy.Event{Meta: bareMeta(), Kind: policy.EventConnect}},
		{name: "event, all fields", event: &policy.Event{Meta: fullMeta(), Kind: policy.EventFileRenamed,
			Path: "/a", Path2: "/b", Text: "RNTO b", Op: policy.OpRename, Size: 7, Took: 1500 * time.Millisecond,
			Code: 250, Policy: "guard", Generation: 3}},
	}
	for op := policy.OpStat; op <= policy.OpSymlink; op++ {
		list = append(list, question{name: "operation " + op.String(),
			action: &policy.Action{Meta: bareMeta(), Op: op, Path: "/p"}})
	}
	for k := policy.EventConnect; k <= policy.EventDraining; k++ {
		list = append(list, question{name: "kind " + k.String(), event: &policy.Event{Meta: bareMeta(), Kind: k}})
	}
	return slices.Concat(list, minor1(), minor2(), minor3(), minor4(), minor5())
}

// minor1 are the questions that only minor 1 has.
func minor1() []question {
	host := bareMeta()
	host.Session.Host = "[2001:db8::1]"
	return []question{
		{name: "login, host", minor: 1, login: &policy.Login{Meta: host}},
		{name: "login, early", minor: 1, login: &policy.Login{Meta: bareMeta(), Early: true}},
		{name: "login, early, all fields", minor: 1, login: &policy.Login{Meta: hostMeta(), Early: true}},
		{name: "write, host", minor: 1, action: &policy.Action{Meta: hostMeta(), Op: policy.OpWrite, Path: "/a", Arg: "a", A: -1}},
		{name: "rename, host", minor: 1, action: &policy.Action{Meta: hostMeta(), Op: policy.OpRename, Path: "/a", Path2: "/b", Arg: "b"}},
		{name: "event, host", minor: 1, event: &policy.Event{Meta: hostMeta(), Kind: policy.EventLogin, Code: 232}},
	}
}

// encode is the record of the question.
func (q question) encode(dst []byte) ([]byte, error) {
	switch m := q.more.(type) {
	case *policy.Login:
		return AppendLogin(dst, sampleSlot, m)
	case *policy.Listing:
		return AppendListing(dst, sampleSlot, m)
	case *policy.Command:
		return AppendCommand(dst, sampleSlot, m)
	case *policy.SiteCall:
		return AppendSiteCall(dst, sampleSlot, m)
	case *policy.Transfer:
		return AppendTransfer(dst, sampleSlot, m)
	case *policy.Chunk:
		return AppendChunk(dst, sampleSlot, m)
	case *policy.CertRequest:
		return AppendCertRequest(dst, sampleSlot, m)
	}
	switch {
	case q.login != nil:
		return AppendLogin(dst, sampleSlot, q.login)
	case q.action != nil:
		return AppendAction(dst, sampleSlot, q.action)
	}
	return AppendEvent(dst, sampleSlot, q.event)
}

// value is the question itself, decode what a decoder makes of its record.
func (q question) value() any {
	switch {
	case q.more != nil:
		return q.more
	case q.login != nil:
		return q.login
	case q.action != nil:
		return q.action
	}
	return q.event
}

func decodeAny(d *Decoder, rec []byte) (any, error) {
	switch KindOf(rec) {
	case HookAuth:
		return d.Login(rec)
	case HookEvent:
		return d.Event(rec)
	case HookList:
		return d.Listing(rec)
	case HookCmd:
		return d.Command(rec)
	case HookSite:
		return d.SiteCall(rec)
	case HookThrottle:
		return d.Transfer(rec)
	case HookData:
		return d.Chunk(rec)
	case HookCert:
		return d.CertRequest(rec)
	}
	return d.Action(rec)
}
