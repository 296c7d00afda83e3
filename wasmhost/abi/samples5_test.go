package abi

import (
	"net/netip"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// minor5 are the questions that only minor 5 has: where bytes go to and come from, and a
// client that has moved.
func minor5() []question {
	four, six := netip.MustParseAddrPort("198.51.100.1:20000"), netip.MustParseAddrPort("[2001:db8::7]:40002")
	return []question{
		{name: "read, data peer", minor: 5, action: &policy.Action{Meta: bareMeta(), Op: policy.OpRead, Path: "/a", DataPeer: four}},
		{name: "commit, all fields", minor: 5, action: &policy.Action{Meta: protocolMeta(), Op: policy.OpCommit, Path: "/a", Arg: "a", A: 1, B: 2, Exists: true, Size: 3, DataPeer: six}},
		{name: "throttle, data peer", minor: 5, more: &policy.Transfer{Meta: protocolMeta(), Op: policy.OpRead, Path: "/a", Size: 2, Took: 1, DataPeer: six}},
		{name: "data, data peer", minor: 5, more: &policy.Chunk{Meta: bareMeta(), Op: policy.OpWrite, Path: "/a", Upload: true, Data: []byte("x"), DataPeer: four}},
		{name: "event, data peer", minor: 5, event: &policy.Event{Meta: protocolMeta(), Kind: policy.EventFileSent, Path: "/a", Size: 1, Took: time.Second, Code: 226, DataPeer: four}},
		{name: "event, refused", minor: 5, event: &policy.Event{Meta: bareMeta(), Kind: policy.EventDenied, Path: "/a", Op: policy.OpRead, Code: 550, Policy: "guard", Generation: 1, DataPeer: six}},
		{name: "kind client_moved", minor: 5, event: &policy.Event{Meta: protocolMeta(), Kind: policy.EventClientMoved, Text: "192.0.2.8:40001"}},
	}
}

// answers5 are the answers that only minor 5 has.
func answers5() []answer {
	var nets []netip.Prefix
	for _, n := range []string{"192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0", "::/0", "198.51.100.7/32"} {
		nets = append(nets, netip.MustParsePrefix(n))
	}
	return []answer{
		{name: "login, network", identity: &policy.Identity{Verdict: policy.Allow, Networks: nets[:1]}},
		{name: "login, networks", identity: &policy.Identity{Verdict: policy.Allow, Final: true, PasswordHash: "$2a$10$abc", Group: "staff", Networks: nets}},
	}
}

// bad5 are what minor 5 must not take.
func bad5() []badReply {
	net := func(s string) string { return tlv(KeyNetwork, s) }
	return []badReply{
		{"login, network without a length", HookAuth, allow, net("192.0.2.1"), "bad"},
		{"login, network of 33 bits", HookAuth, allow, net("192.0.2.0/33"), "bad"},
		{"login, network with bits behind its length", HookAuth, allow, net("192.0.2.1/24"), "bad"},
		{"login, network of IPv4 in IPv6", HookAuth, allow, net("::ffff:192.0.2.0/120"), "bad"},
		{"login, network with a zone", HookAuth, allow, net("fe80::%eth0/64"), "bad"},
		{"login, network that is empty", HookAuth, allow, net(""), "bad"},
		{"login, network with a zero before a number", HookAuth, allow, net("192.0.02.0/24"), "bad"},
		{"login, network with a NUL", HookAuth, allow, net("192.0.2.0/24\x00"), "bad"},
		{"login, two networks in one entry", HookAuth, allow, net("192.0.2.0/24,198.51.100.0/24"), "bad"},
		{"login, a network and none", HookAuth, allow, net("192.0.2.0/24") + net("everywhere"), "bad"},
		{"login, 257 networks", HookAuth, allow, strings.Repeat(net("::/0"), 257), "bad"},
		{"fs, network", HookFS, allow, net("192.0.2.0/24"), "bad"},
	}
}
