package abi

import "github.com/edgeftp/edgeftp/edge/policy"

// vhostMeta is shadowMeta with what minor 3 appended.
func vhostMeta() policy.Meta {
	m := shadowMeta()
	m.Session.VHost = "shop"
	return m
}

// minor3 are the questions that only minor 3 has: each hook's, of a session of a virtual
// host, as a fact of the session is one of all of them.
func minor3() []question {
	host := bareMeta()
	host.Session.VHost = "museum"
	return []question{
		{name: "login, virtual host", minor: 3, login: &policy.Login{Meta: host}},
		{name: "login, virtual host, all fields", minor: 3, login: &policy.Login{Meta: vhostMeta(), Early: true}},
		{name: "rename, virtual host", minor: 3, action: &policy.Action{Meta: vhostMeta(), Op: policy.OpRename, Path: "/a", Path2: "/b", Arg: "b", Size: 1}},
		{name: "list, virtual host", minor: 3, more: &policy.Listing{Meta: vhostMeta(), Path: "/", Entries: []policy.Entry{{Name: "a"}}}},
		{name: "cmd, virtual host", minor: 3, more: &policy.Command{Meta: vhostMeta(), Verb: "STOR", Arg: "a", Dir: "/"}},
		{name: "site, virtual host", minor: 3, more: &policy.SiteCall{Meta: vhostMeta(), Verb: "QUOTA", Dir: "/"}},
		{name: "throttle, virtual host", minor: 3, more: &policy.Transfer{Meta: vhostMeta(), Op: policy.OpRead, Path: "/a", Size: 2, Took: 1}},
		{name: "data, virtual host", minor: 3, more: &policy.Chunk{Meta: vhostMeta(), Op: policy.OpWrite, Path: "/a", Upload: true, Data: []byte("x"), Carry: []byte{1}}},
		{name: "event, virtual host", minor: 3, event: &policy.Event{Meta: vhostMeta(), Kind: policy.EventFileReceived, Path: "/a", Size: 1, Code: 226}},
		{name: "cert, virtual host", minor: 3, more: &policy.CertRequest{Meta: vhostMeta(), Name: "ftp.example.org"}},
	}
}
