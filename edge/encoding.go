package edge

// Encoding is how clients write names and how names are written to them.
type Encoding struct {
	// Name is the charset's IANA name; empty is UTF-8 (RFC 2640).
	Name string
	// OnError is "keep" (the default for UTF-8: bytes that are not UTF-8 pass as
	// they are), "replace" (the default otherwise), "strict" (501) or "ignore".
	OnError string
}
