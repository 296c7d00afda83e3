// Package live runs an edgeftp server for the tests of the example policies: the
// program itself, built once for each test process, with modules that are built from
// their folders, and real client programs.
//
//	s := live.Start(t, live.Options{Modules: []live.Module{{Name: "guard", Dir: "upload-guard/go"}}})
//	r := s.Curl(t, "-T", file, s.URL("/a.exe"))
//
// The server listens on a free port of 127.0.0.1 without TLS; it serves a temporary
// directory, and ends with the test.
package live
