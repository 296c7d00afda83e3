//go:build !unix

package hostile

import "testing"

const childVariable = "EDGEFTP_HOSTILE_CHILD"

// child is never run here: descriptors have no limit.
func child() {}

// noDescriptors has nothing to take away here.
func noDescriptors(t *testing.T) { t.Log("descriptors have no limit here") }

func countedDescriptors(t *testing.T) { t.Log("descriptors have no limit here") }
func sessionTakes(t *testing.T)       { t.Log("what a process has open is not known here") }
func littleMemory(t *testing.T)       { t.Log("what a process takes is not known here") }
func loginStorm(t *testing.T)         { t.Log("what a process takes is not known here") }
