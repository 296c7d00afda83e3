// Package crash kills the program edgeftp in the middle of everything, starts it
// again and looks at what is left: what it has acknowledged has to be there, whole,
// and nothing else may be in view.
//
// A few rounds take some seconds; EDGEFTP_FULL=1 makes a thousand of them, and a tree
// of a million files. EDGEFTP_BINARY=FILE takes a program that exists. The seed of a
// run is in its log, and EDGEFTP_SEED=N begins with the same one; the moments of the
// kills are the machine's.
package crash
