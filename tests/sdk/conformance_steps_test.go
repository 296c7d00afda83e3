package sdk

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// steps collects the questions of the script.
type steps struct {
	t     *testing.T
	newer newer // of the session that asks
	list  []step
}

// add asks a hook to carry out calls and to give an answer.
func (s *steps) add(name string, h abi.Hook, p *play, verdict abi.Verdict, reply []byte) {
	s.t.Helper()
	verdict.Len = len(reply)
	record, err := questionOf(h, s.newer, p.state(verdict.Pack(), reply))
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	s.list = append(s.list, step{name, h.String(), hex.EncodeToString(record), fmt.Sprintf("%016x", verdict.Pack()), hex.EncodeToString(reply), verdict.Action == abi.Fail})
}

// calls asks a hook for calls alone.
func (s *steps) calls(name string, h abi.Hook, p *play) { s.add(name, h, p, abi.Verdict{}, nil) }

// newer is what came after minor 2.
type newer struct {
	vhost, protocol string
	binding         []byte
	dataPeer        netip.AddrPort
	kind            policy.EventKind // EventLogin, if it is 0
}

// questionOf is a question of a hook with a STATE, and with what came later.
func questionOf(h abi.Hook, n newer, state []byte) ([]byte, error) {
	const slot = "conformance"
	m := policy.Meta{Session: &policy.Session{ID: 7, User: "anna", Root: "/", Listener: "main", VHost: n.vhost, Protocol: n.protocol, Peer: netip.MustParseAddrPort("192.0.2.1:40000"),
		State: map[string][]byte{slot: state}}, Request: 1, Time: time.Unix(1_700_000_000, 0)}
	switch h {
	case abi.HookAuth:
		return abi.AppendLogin(nil, slot, &policy.Login{Meta: m, Binding: n.binding})
	case abi.HookList:
		return abi.AppendListing(nil, slot, &policy.Listing{Meta: m, Path: "/", Entries: []policy.Entry{{Name: "a"}, {Name: "b"}, {Name: "c"}}})
	case abi.HookCmd:
		return abi.AppendCommand(nil, slot, &policy.Command{Meta: m, Verb: "SITE CHMOD", Arg: "644 a", Dir: "/"})
	case abi.HookSite:
		return abi.AppendSiteCall(nil, slot, &policy.SiteCall{Meta: m, Verb: "PLAY", Arg: "x", Dir: "/"})
	case abi.HookThrottle:
		return abi.AppendTransfer(nil, slot, &policy.Transfer{Meta: m, Op: policy.OpRead, Path: "/a.txt", Size: 5, DataPeer: n.dataPeer})
	case abi.HookData:
		return abi.AppendChunk(nil, slot, &policy.Chunk{Meta: m, Op: policy.OpWrite, Path: "/a.txt", Upload: true, Data: []byte("\x00hello\xff"), Last: true, DataPeer: n.dataPeer})
	case abi.HookEvent:
		return abi.AppendEvent(nil, slot, &policy.Event{Meta: m, Kind: cmp.Or(n.kind, policy.EventLogin), DataPeer: n.dataPeer})
	case abi.HookCert:
		return abi.AppendCertRequest(nil, slot, &policy.CertRequest{Meta: m, Name: "ftp.example.org"})
	}
	return abi.AppendAction(nil, slot, &policy.Action{Meta: m, Op: policy.OpCommit, Path: "/a.txt", A: 5, DataPeer: n.dataPeer})
}

// entry is one entry of a reply.
func entry(k abi.Key, value ...byte) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(k))
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(value))), value...)
}

func words(k abi.Key, text string) []byte { return entry(k, []byte(text)...) }

func u64(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

// conformanceSteps are the script.
func conformanceSteps(t *testing.T) []step {
	s := &steps{t: t}
	s.answers()
	s.values()
	s.server()
	s.fetches()
	s.later()
	return s.list
}

// answers has each hook give its kinds of answers.
func (s *steps) answers() {
	none := new(play)
	for h := abi.HookAuth; h <= abi.HookCert; h++ {
		s.add("pass, "+h.String(), h, none, abi.Verdict{}, nil)
		s.add("fail, "+h.String(), h, none, abi.Verdict{Action: abi.Fail}, words(abi.KeyText, "cannot say"))
	}
	s.add("auth, allow", abi.HookAuth, none, abi.Verdict{Action: policy.Allow}, append(words(abi.KeyPerms, "elr"), words(abi.KeyHome, "/in")...))
	s.add("auth, deny", abi.HookAuth, none, abi.Verdict{Action: policy.Deny, Code: 530}, words(abi.KeyText, "not today"))
	s.add("fs, deny with a code", abi.HookFS, none, abi.Verdict{Action: policy.Deny, Code: 553}, words(abi.KeyText, "no"))
	s.add("fs, rewrite", abi.HookFS, none, abi.Verdict{Action: policy.Rewrite}, words(abi.KeyPath, "/b.txt"))
	s.add("fs, hide", abi.HookFS, none, abi.Verdict{Action: policy.Hide}, nil)
	s.add("fs, allow, final, kept", abi.HookFS, none, abi.Verdict{Action: policy.Allow, Final: true, Cache: true}, entry(abi.KeyTTL, 0xe8, 3, 0, 0))
	s.add("list, second hidden", abi.HookList, none, abi.Verdict{}, entry(abi.KeyHideBits, 2))
	s.add("cmd, deny", abi.HookCmd, none, abi.Verdict{Action: policy.Deny, Code: 502}, words(abi.KeyText, "not here"))
	s.add("site, two lines", abi.HookSite, none, abi.Verdict{Action: policy.Allow, Code: 211}, append(words(abi.KeyLine, "one"), words(abi.KeyLine, "two")...))
	s.add("throttle, rate", abi.HookThrottle, none, abi.Verdict{Action: policy.Allow}, append(entry(abi.KeyRate, u64(1000)...), entry(abi.KeyTTL, 0xe8, 3, 0, 0)...))
	s.add("data, rewrite", abi.HookData, none, abi.Verdict{Action: policy.Rewrite}, append([]byte{3, 0, 0, 0, 'n', 0, 'w'}, words(abi.KeyCarry, "kept")...))
	s.add("data, deny", abi.HookData, none, abi.Verdict{Action: policy.Deny, Code: 552}, nil)
	s.add("cert, allow", abi.HookCert, none, abi.Verdict{Action: policy.Allow}, nil)
}

// values uses kv, log, metric and random, in every hook.
func (s *steps) values() {
	in := func(name string) *call { return imported(s.t, name) }
	for h := abi.HookAuth; h <= abi.HookCert; h++ {
		key := "n-" + h.String()
		s.calls("values, "+h.String(), h, new(play).
			expect(in("log").number64(1).bytes("playing"), -1, 0, nil).
			expect(in("metric").bytes("plays_total").number64(0).number64(1), -1, 0, nil).
			expect(in("random").number64(16), -1, 0, nil).
			expect(in("kv_incr").bytes(key).number64(2).number64(0), -1, 0, u64(2)).
			expect(in("kv_get").bytes(key), 8, 8, u64(2)))
	}
	s.calls("values of other calls", abi.HookFS, new(play).
		expect(in("kv_incr").bytes("n-cert").number64(-5).number64(60_000), -1, 0, u64(1<<64-3)).
		expect(in("kv_get").bytes("n-cert"), 7, 8, nil). // no room: the length alone
		expect(in("kv_set").bytes("k").bytes("").number64(0), -1, 0, nil).
		expect(in("kv_get").bytes("k"), 0, 0, nil).
		expect(in("kv_incr").bytes("k").number64(1).number64(0), -1, int64(abi.ErrnoType), nil))
	s.calls("kv_cas", abi.HookFS, new(play).
		expect(in("kv_cas").bytes("c").none().bytes("1").number64(0), -1, 1, nil).
		expect(in("kv_cas").bytes("c").none().bytes("2").number64(0), -1, 0, nil).
		expect(in("kv_cas").bytes("c").bytes("1").bytes("2").number64(0), -1, 1, nil).
		expect(in("kv_get").bytes("c"), 64, 1, []byte("2")).
		expect(in("kv_cas").bytes("c").bytes("2").none().number64(0), -1, 1, nil).
		expect(in("kv_get").bytes("c"), 64, int64(abi.ErrnoNotFound), nil))
	long := string(make([]byte, 257))
	s.calls("keys", abi.HookFS, new(play).
		expect(in("kv_get").bytes(""), 64, int64(abi.ErrnoSize), nil).
		expect(in("kv_set").bytes(long).bytes("v").number64(0), -1, int64(abi.ErrnoSize), nil).
		expect(in("kv_set").bytes("gone").none().number64(0), -1, 0, nil))
}

// server asks what the server knows.
func (s *steps) server() {
	in := func(name string) *call { return imported(s.t, name) }
	denied := int64(abi.ErrnoDenied)
	s.calls("passwords", abi.HookAuth, new(play).
		expect(in("pw_verify").bytes(rightHash), -1, 1, nil).
		expect(in("pw_verify").bytes(wrongHash), -1, 0, nil).
		expect(in("pw_verify").bytes("plain"), -1, int64(abi.ErrnoInvalid), nil).
		expect(in("pw_verify").bytes(""), -1, int64(abi.ErrnoSize), nil))
	s.calls("no password", abi.HookFS, new(play).expect(in("pw_verify").bytes(rightHash), -1, denied, nil))
	a := abi.AppendStat(nil, &policy.Entry{Mode: 0o644, Size: int64(len(fileText)), Time: time.Unix(1_600_000_000, 0)})
	s.calls("stat", abi.HookFS, new(play).
		expect(in("stat").bytes("/a.txt"), 32, 32, a).
		expect(in("stat").bytes("/b.txt"), 32, int64(abi.ErrnoNotFound), nil).
		expect(in("stat").bytes("a.txt"), 32, int64(abi.ErrnoInvalid), nil).
		expect(in("stat").bytes("/a.txt"), 31, int64(abi.ErrnoSize), nil))
	sum, _ := world{}.Digest(s.t.Context(), "SHA-256") // it is known
	s.calls("digest", abi.HookFS, new(play).
		expect(in("digest").bytes("SHA-256"), 64, 32, sum).
		expect(in("digest").bytes("SHA-256"), 31, int64(abi.ErrnoSize), nil).
		expect(in("digest").bytes("NONE"), 64, int64(abi.ErrnoInvalid), nil))
	s.calls("no digest", abi.HookEvent, new(play).expect(in("digest").bytes("SHA-256"), 64, denied, nil))
}

// later asks the guest, which was made for minor 2, with facts that came with minors 3
// to 5: it skips what it does not know.
func (s *steps) later() {
	for _, of := range []struct {
		name string
		newer
	}{
		{"of a virtual host, ", newer{vhost: "shop"}},
		{"of another protocol, ", newer{protocol: "ftpq/1", binding: []byte("\x00of a connection, and no other\x01\x00")}},
		{"of a data connection, ", newer{dataPeer: netip.MustParseAddrPort("198.51.100.1:20000"), kind: policy.EventClientMoved}},
	} {
		s.newer = of.newer
		for h := abi.HookAuth; h <= abi.HookCert; h++ {
			s.add(of.name+h.String(), h, new(play), abi.Verdict{}, nil)
		}
	}
	s.newer = newer{}
}

// fetches asks another server.
func (s *steps) fetches() {
	const url = "http://" + origin
	request := func(r *abi.FetchRequest) *call {
		b, err := abi.AppendFetchRequest(nil, r)
		if err != nil {
			s.t.Fatal(err)
		}
		return imported(s.t, "fetch").bytes(string(b))
	}
	response := func(r *abi.FetchResponse) []byte {
		b, err := abi.AppendFetchResponse(nil, r)
		if err != nil {
			s.t.Fatal(err)
		}
		return b
	}
	hello := response(&abi.FetchResponse{Status: 200, Header: []abi.FetchField{{Name: "x-kind", Value: "greeting"}}, Body: []byte("hi")})
	echo := response(&abi.FetchResponse{Status: 418, Body: []byte("this")})
	for _, h := range []abi.Hook{abi.HookAuth, abi.HookSite, abi.HookEvent, abi.HookCert} {
		s.calls("fetch, "+h.String(), h, new(play).
			expect(request(&abi.FetchRequest{URL: url + "/hello", Want: []string{"X-Kind"}}), 1024, int64(len(hello)), hello).
			expect(request(&abi.FetchRequest{Method: "POST", URL: url + "/echo", Header: []abi.FetchField{{Name: "X-Ask", Value: "this"}}, Body: []byte("body")}), 1024, int64(len(echo)), echo))
	}
	away := response(&abi.FetchResponse{Status: 302, Body: []byte("<a href=\"/hello\">Found</a>.\n\n")})
	s.calls("fetch, refused", abi.HookEvent, new(play).
		expect(request(&abi.FetchRequest{URL: "https://other.example/"}), 1024, int64(abi.ErrnoDenied), nil).
		expect(request(&abi.FetchRequest{URL: url + "/hello"}), 8, int64(abi.ErrnoSize), nil).
		expect(imported(s.t, "fetch").bytes("junk"), 1024, int64(abi.ErrnoInvalid), nil).
		expect(request(&abi.FetchRequest{URL: url + "/away"}), 1024, int64(len(away)), away))
	for _, h := range []abi.Hook{abi.HookFS, abi.HookList, abi.HookCmd, abi.HookThrottle, abi.HookData} {
		s.calls("no fetch, "+h.String(), h, new(play).expect(request(&abi.FetchRequest{URL: url + "/hello"}), 1024, int64(abi.ErrnoDenied), nil))
	}
}
