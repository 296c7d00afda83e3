//go:build !unix

package delivery

// hostID knows of no numbers here.
func hostID(any) string { return "" }
