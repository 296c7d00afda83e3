package acme

import (
	"strings"
	"testing"
	"time"
)

// A client may ask for a name as long as its hello: that costs nothing. Punycode takes
// a time that grows with the square of the length.
func TestSubjectOfAnyLength(t *testing.T) {
	var name strings.Builder
	for i := range rune(21_000) {
		name.WriteRune('\u4e00' + i%20_000)
	}
	start := time.Now()
	if plain, err := Subject(name.String() + ".customers.example.org"); err == nil {
		t.Errorf("became %.100q", plain)
	}
	if took := time.Since(start); took > 250*time.Millisecond {
		t.Errorf("it took %v", took)
	}
}
