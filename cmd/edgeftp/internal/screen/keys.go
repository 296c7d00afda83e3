package screen

import "unicode/utf8"

// Key is a key that was pressed: a character, or one of those below.
type Key rune

// The keys that are no characters.
const (
	KeyUp Key = -1 - iota
	KeyDown
	KeyLeft
	KeyRight
	KeyPageUp
	KeyPageDown
	KeyHome
	KeyEnd
	KeyEnter
	KeyErase  // Backspace or Delete
	KeyEscape // by itself
	KeyBreak  // Ctrl-C, Ctrl-D
	KeyOther  // any other that is no character
)

// Keys returns the keys that a terminal in raw mode has sent in one piece. What does not
// end in it is dropped.
func Keys(in []byte) []Key {
	var keys []Key
	for len(in) > 0 {
		k, n := next(in)
		keys = append(keys, k)
		in = in[n:]
	}
	return keys
}

// next reads one key.
func next(in []byte) (Key, int) {
	switch c := in[0]; {
	case c == 0x1b:
		return sequence(in)
	case c == '\r', c == '\n':
		return KeyEnter, 1
	case c == 0x7f, c == 0x08:
		return KeyErase, 1
	case c == 0x03, c == 0x04:
		return KeyBreak, 1
	case c < ' ':
		return KeyOther, 1
	}
	r, n := utf8.DecodeRune(in)
	if r == utf8.RuneError {
		return KeyOther, n
	}
	return Key(r), n
}

// sequence reads what begins with an escape (ECMA-48 §5.4: parameters, intermediate
// bytes, and a final byte).
func sequence(in []byte) (Key, int) {
	if len(in) == 1 {
		return KeyEscape, 1
	}
	if in[1] != '[' && in[1] != 'O' {
		return KeyEscape, 1
	}
	for i := 2; i < len(in); i++ {
		c := in[i]
		if c >= 0x40 && c <= 0x7e {
			return final(c, string(in[2:i])), i + 1
		}
		if c < 0x20 || c > 0x3f {
			return KeyOther, i
		}
	}
	return KeyOther, len(in)
}

func final(c byte, parameters string) Key {
	switch c {
	case 'A':
		return KeyUp
	case 'B':
		return KeyDown
	case 'C':
		return KeyRight
	case 'D':
		return KeyLeft
	case 'H':
		return KeyHome
	case 'F':
		return KeyEnd
	case 'M':
		return KeyEnter // of the number pad
	case '~':
		switch parameters {
		case "1", "7":
			return KeyHome
		case "4", "8":
			return KeyEnd
		case "5":
			return KeyPageUp
		case "6":
			return KeyPageDown
		case "3":
			return KeyErase
		}
	}
	return KeyOther
}
