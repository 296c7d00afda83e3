package abi

import (
	"bytes"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// protocolMeta is vhostMeta with what minor 4 appended.
func protocolMeta() policy.Meta {
	m := vhostMeta()
	m.Session.Protocol = "ftpq/1"
	return m
}

// sampleBinding holds each kind of byte that a text could not.
func sampleBinding() []byte { return append(bytes.Repeat([]byte{0, 0xff, '\n', 'b'}, 7), 1, 2, 3, 0) }

// minor4 are the questions that only minor 4 has: each hook's, of a session that something
// else than TCP carries, and logins that may be bound to the connection.
func minor4() []question {
	web := bareMeta()
	web.Session.Protocol = "http/1.1"
	h2, h3 := bareMeta(), bareMeta()
	h2.Session.Protocol, h3.Session.Protocol = "h2", "h3"
	return []question{
		{name: "login, protocol", minor: 4, login: &policy.Login{Meta: web}},
		{name: "login, binding alone", minor: 4, login: &policy.Login{Meta: bareMeta(), Binding: sampleBinding()}},
		{name: "login, binding, all fields", minor: 4, login: &policy.Login{Meta: protocolMeta(), Password: "geheim", Binding: sampleBinding()}},
		{name: "login, binding, early", minor: 4, login: &policy.Login{Meta: protocolMeta(), Early: true, Binding: make([]byte, BindingSize)}},
		{name: "rename, protocol", minor: 4, action: &policy.Action{Meta: protocolMeta(), Op: policy.OpRename, Path: "/a", Path2: "/b", Arg: "b", Size: 1}},
		{name: "list, protocol", minor: 4, more: &policy.Listing{Meta: protocolMeta(), Path: "/", Entries: []policy.Entry{{Name: "a"}}}},
		{name: "cmd, protocol", minor: 4, more: &policy.Command{Meta: protocolMeta(), Verb: "STOR", Arg: "a", Dir: "/"}},
		{name: "site, protocol", minor: 4, more: &policy.SiteCall{Meta: protocolMeta(), Verb: "QUOTA", Dir: "/"}},
		{name: "throttle, protocol", minor: 4, more: &policy.Transfer{Meta: protocolMeta(), Op: policy.OpRead, Path: "/a", Size: 2, Took: 1}},
		{name: "data, protocol", minor: 4, more: &policy.Chunk{Meta: protocolMeta(), Op: policy.OpWrite, Path: "/a", Upload: true, Data: []byte("x"), Carry: []byte{1}}},
		{name: "event, protocol", minor: 4, event: &policy.Event{Meta: protocolMeta(), Kind: policy.EventFileReceived, Path: "/a", Size: 1, Code: 226}},
		{name: "event, protocol h2", minor: 4, event: &policy.Event{Meta: h2, Kind: policy.EventLogin}},
		{name: "event, protocol h3", minor: 4, event: &policy.Event{Meta: h3, Kind: policy.EventLogin}},
		{name: "cert, protocol", minor: 4, more: &policy.CertRequest{Meta: protocolMeta(), Name: "ftp.example.org"}},
	}
}
