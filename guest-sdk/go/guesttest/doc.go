// Package guesttest stands in for the server in native tests of a policy: values, HTTP,
// files, passwords, the log, metrics and random bytes, none of which outlives its
// test.
//
//	func TestReport(t *testing.T) {
//		w := guesttest.New(t)
//		w.HTTP["POST https://hooks.example/ftp"] = guesttest.Response{Status: 204}
//		err := p.Observe(w.Context(""), &policy.Event{Meta: w.Meta("anna"), ...})
//		if len(w.Requests()) != 1 { ... }
//	}
//
// The packages of the SDK find the world by themselves: kv.Open, fetch.Do, random.Fill,
// metric.Add and edgeftp.Log need nothing else, and policy.ServicesOf works in the
// context of [World.Context].
//
// [Run] asks the vectors of tests.json natively, those that the server asks when it
// loads the module.
package guesttest
