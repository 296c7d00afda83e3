// Package spool keeps records in files until somebody has acknowledged them: events
// for a policy that must not miss any, though it is slow, or the server ends.
//
// The records have numbers, beginning with 1. They are appended to segments, files
// whose name is the number of the first record in them; one reader gets them in
// order, and acknowledges up to a number; a segment of which everything is
// acknowledged is removed. When the segments take too much, the oldest goes, and
// what was in it and not acknowledged is counted as dropped.
//
// A killed process loses nothing of what was appended or acknowledged, but the
// record that it was just writing. A machine that stops loses at most the time
// between two syncs, see [Options].SyncEvery.
package spool
