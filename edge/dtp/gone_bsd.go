//go:build unix && !linux

package dtp

// hangUp is empty: poll(2) tells of the end of both halves alone, unasked.
const hangUp = 0
