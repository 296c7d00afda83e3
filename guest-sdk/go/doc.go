// Package edgeftp is the guest SDK for Go: it turns a policy written in the
// vocabulary of edge/policy into a module that an edgeftp server can load.
//
// A policy that refuses uploads of executables is, as a whole:
//
//	package main
//
//	import (
//		"context"
//		"strings"
//
//		"github.com/edgeftp/edgeftp/edge/policy"
//		"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
//	)
//
//	type guard struct{}
//
//	func (guard) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
//		if a.Op == policy.OpWrite && strings.HasSuffix(a.Path, ".exe") {
//			return policy.Answer{Verdict: policy.Deny, Text: "no executables"}, nil
//		}
//		return policy.Answer{}, nil
//	}
//
//	func init() { fs.Export(guard{}) }
//
//	func main() {}
//
// and is built with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o guard.wasm
//
// # Hooks
//
// A module takes part in exactly the stages whose hooks it exports, so there is
// one small package for each: auth, fs, list, cmd, site, throttle, data, event and
// cert. Importing one is what makes the module export its hook, and its Export is
// the only thing in it; a policy cannot subscribe to a stage that it has no code for,
// nor have code for a stage that it forgot to subscribe to. A value of
// [policy.Policy] is exported with [Export] in one line, beside the blank imports of
// its stages' packages.
//
// # Logins
//
// A server shows a guest no passwords: policy.Login.Password is empty, and a policy
// that knows users answers with the stored hash in Identity.PasswordHash, which the
// server verifies; with package host it may ask whether a hash is the right one.
// Where policy.Login.Early is set the client has shown a
// certificate instead, and Allow without a hash lets it in: compare
// Session.TLS.ClientSHA256 with the user's own first.
//
// # Memory is a cache
//
// The server runs several instances of a module, closes one after a fault and replaces
// all at a swap. What must stay goes into package kv, or, with a session, into
// policy.Identity.State; everything else may be gone at the next question. Questions
// come one at a time to an instance.
//
// # What a policy can do
//
// A guest has its memory, [Log], and the question. What else the server offers is in
// a package for each, so that a module imports what it uses and needs no more
// grants: kv, metric, random, host (facts of files, digests, passwords) and fetch.
// Each needs its capability in the module's manifest, a file manifest.json beside
// main.go that edgeftp puts into what it builds; package manifest is for other
// tools. There are no files, no environment and no arguments; the clock shows the
// time of the question, and the bytes of crypto/rand are predictable.
//
// Package settings reads the settings of the configuration file.
//
// An error or a panic of a policy refuses the question that was asked. An error
// is cheap; a panic costs the instance.
//
// # Tests
//
// Everything here also compiles and runs natively, where Export only remembers
// the policy: test a policy with go test, without a server or a module. Package
// guesttest has a world for such a test: values, HTTP, files, the log, and it asks the
// vectors of tests.json.
package edgeftp
