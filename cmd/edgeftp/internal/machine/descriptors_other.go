//go:build !unix

package machine

// Descriptors is how many descriptors the process may have, and has.
type Descriptors struct {
	Limit int // 0: it is not known
	Hard  int // what it can be raised to
	Open  int // at this moment; 0: it is not known
}

// ReadDescriptors knows nothing here.
func ReadDescriptors() Descriptors { return Descriptors{} }
