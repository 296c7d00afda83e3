// Package kv is what policies remember: [policy.KV] in memory, written behind to
// one file. A [Store] has one namespace for each policy; native policies and
// guests use it alike, and it outlives their replacement and the process.
//
// # What may be lost
//
// No call waits for a disk. A change is written at most half a second after it was
// made (see [Options].FlushEvery) and is safe once that write has returned, so a
// killed process loses less than a second; what it loses of one key is always the
// latest, but of two keys the older change may be the one that is lost. Close and
// Sync lose nothing. While the disk fails, memory goes on working; what could not
// be written is tried again until it can.
//
// # What counts
//
// A key that is there counts with its length, its value's length and [Overhead].
// A key vanishes at its time by [Options].Now, whoever asks or does not; its bytes
// are free at the latest when somebody needs them. Times in the file are of the
// wall clock, so that a ban of an hour is over after an hour in which the server
// was down.
package kv
