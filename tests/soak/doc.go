// Package soak runs the real server for a long time under everything that clients do,
// good and bad, with policies that are swapped meanwhile, and looks whether what it
// holds grows: goroutines, descriptors, heap, memory. Its tests are short; with
// EDGEFTP_SOAK=20m they take as long as that.
package soak
