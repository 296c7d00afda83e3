//go:build !unix

package hostile

import "testing"

const childVariable = "EDGEFTP_HOSTILE_CHILD"

func child() {}

// noDescriptors cannot be made to happen here.
func noDescriptors(t *testing.T) { t.Log("descriptors have no limit here") }
