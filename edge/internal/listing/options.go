package listing

import "strings"

// Options are the options of ls that a listing was asked for with. The zero
// value asks for nothing.
type Options uint16

// The options. What ls knows beside them makes no difference here.
const (
	All       Options = 1 << iota // -a, -A: also names that begin with a dot; "." and ".." are never told
	Verbose                       // -l
	Single                        // -1: names alone
	Recursive                     // -R: also what is below
	Itself                        // -d: the directory, not what is in it
	ByTime                        // -t: the youngest first
	BySize                        // -S: the largest first
	Reverse                       // -r
	Marked                        // -F: a character behind the name tells the type
	Follow                        // -L: what links lead to
	Numeric                       // -n: numbers for owner and group
)

// Has reports whether o holds all of p.
func (o Options) Has(p Options) bool { return o&p == p }

// ParseOptions takes the options off the argument of a listing: leading words
// that begin with a dash, up to "--". A dash alone is a name. Letters and long
// words that are not known are ignored, as clients expect. What is left is
// returned as it stands, spaces included; given reports whether there were any
// options.
func ParseOptions(text string) (o Options, rest string, given bool) {
	for len(text) > 1 && text[0] == '-' && text[1] != ' ' {
		given = true
		var word string
		word, text, _ = strings.Cut(text, " ")
		if word == "--" {
			return o, text, true
		}
		if !strings.HasPrefix(word, "--") {
			o = o.with(word[1:])
		}
	}
	if given && strings.Trim(text, " ") == "" {
		text = ""
	}
	return o, text, given
}

// with adds letters. Of -t and -S the last one counts.
func (o Options) with(letters string) Options {
	for _, c := range []byte(letters) {
		switch c {
		case 'a', 'A':
			o |= All
		case 'l':
			o |= Verbose
		case '1':
			o |= Single
		case 'R':
			o |= Recursive
		case 'd':
			o |= Itself
		case 't':
			o = o&^BySize | ByTime
		case 'S':
			o = o&^ByTime | BySize
		case 'r':
			o |= Reverse
		case 'F':
			o |= Marked
		case 'L':
			o |= Follow
		case 'n':
			o |= Numeric
		}
	}
	return o
}
