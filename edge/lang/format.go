package lang

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

var (
	errVerb  = errors.New("holds a % that begins no verb of fmt (write %% for the sign itself)")
	errStar  = errors.New("takes a width or precision from an argument, which is not supported")
	errIndex = errors.New("holds a malformed argument index")
)

// verb is one place in a format where an argument goes.
type verb struct {
	arg  int    // counted from 1
	form string // all but the index, as in "%.3f"
}

// piece is a part of a format: literal text or a verb.
type piece struct {
	text string
	verb verb // arg is 0 for text
}

// split takes a format of package fmt apart.
func split(format string) ([]piece, error) {
	var out []piece
	next := 1
	for format != "" {
		text, rest, found := strings.Cut(format, "%")
		if text != "" {
			out = append(out, piece{text: text})
		}
		switch {
		case !found:
			return out, nil
		case strings.HasPrefix(rest, "%"):
			out, format = append(out, piece{text: "%"}), rest[1:]
			continue
		}
		v, rest, err := cutVerb(rest, next)
		if err != nil {
			return nil, err
		}
		out, format, next = append(out, piece{verb: v}), rest, v.arg+1
	}
	return out, nil
}

// cutVerb reads flags, width, precision, index and letter of a verb whose percent
// sign is gone.
func cutVerb(s string, next int) (v verb, rest string, err error) {
	v.arg = next
	form := strings.TrimLeft(s, "+-# 0123456789.*")
	flags := s[:len(s)-len(form)]
	if strings.Contains(flags, "*") {
		return v, "", errStar
	}
	if index, after, ok := strings.Cut(form, "]"); ok && strings.HasPrefix(index, "[") {
		v.arg, err = strconv.Atoi(index[1:])
		if err != nil || v.arg < 1 || v.arg > 99 || index[1] == '+' {
			return v, "", errIndex
		}
		form = after
	}
	if form == "" || !strings.ContainsRune("bcdeEfFgGoOpqstTUvxX", rune(form[0])) {
		return v, "", errVerb
	}
	v.form = "%" + flags + form[:1]
	return v, form[1:], nil
}

// compare says what is wrong with a translation of an English format; nil for
// nothing.
func compare(english, other string) error {
	want, err := split(english)
	if err != nil {
		return fmt.Errorf("the English text %w", err)
	}
	got, err := split(other)
	if err != nil {
		return fmt.Errorf("the translation %w", err)
	}
	if err := compareVerbs(arguments(want), arguments(got)); err != nil {
		return err
	}
	if w, g := marks(want), marks(got); w != g {
		return fmt.Errorf("clients look for digits, double quotes, parentheses and bars: the English text has %q, the translation %q", w, g)
	}
	return nil
}

func compareVerbs(want, got map[int][]string) error {
	for _, arg := range slices.Sorted(maps.Keys(want)) {
		forms := want[arg]
		if len(got[arg]) == 0 {
			return fmt.Errorf("argument %d (%s) is missing", arg, forms[0])
		}
		if len(got[arg]) > 1 {
			return fmt.Errorf("argument %d (%s) stands in it more than once", arg, forms[0])
		}
		if forms[0] != got[arg][0] {
			return fmt.Errorf("argument %d is %s in English and %s in the translation", arg, forms[0], got[arg][0])
		}
	}
	for _, arg := range slices.Sorted(maps.Keys(got)) {
		if len(want[arg]) == 0 {
			return fmt.Errorf("there is no argument %d (%s) in the English text", arg, got[arg][0])
		}
	}
	return nil
}

// arguments returns the forms in which each argument is used.
func arguments(format []piece) map[int][]string {
	out := map[int][]string{}
	for _, p := range format {
		if p.verb.arg > 0 {
			out[p.verb.arg] = append(out[p.verb.arg], p.verb.form)
		}
	}
	return out
}

// marks returns of a format what clients look for, with the arguments that stand
// in parentheses.
func marks(format []piece) string {
	var b strings.Builder
	depth := 0
	for _, p := range format {
		if p.verb.arg > 0 {
			if depth > 0 {
				fmt.Fprintf(&b, "<%d>", p.verb.arg)
			}
			continue
		}
		for _, c := range p.text {
			switch {
			case c == '(':
				depth++
			case c == ')':
				depth--
			}
			if strings.ContainsRune(`0123456789"()|`, c) {
				b.WriteRune(c)
			}
		}
	}
	return b.String()
}

// Fixed reports whether a text is said in no language but the protocol's own:
// clients read it as a whole (RFC 2389 §3.2 ends the reply to FEAT with "End"), it
// is made of facts such as "Modify=%s; %s", or there are no words in it.
func Fixed(english string) bool {
	switch english {
	case "End", "UNIX Type: L8", "PBSZ=0", "MLST OPTS %s", "FILE: %s":
		return true
	}
	format, err := split(english)
	if err != nil {
		return false
	}
	return facts(english) || !slices.ContainsFunc(format, func(p piece) bool { return wordy(p.text) })
}

// facts reports whether a text is a list of name=value; and at most an argument
// behind it.
func facts(text string) bool {
	words := strings.Fields(text)
	for i, w := range words {
		fact := strings.HasSuffix(w, ";") && strings.Count(w, ";") == 1 && strings.Contains(w, "=")
		if !fact && (i == 0 || i < len(words)-1 || w != "%s") {
			return false
		}
	}
	return true
}

// wordy reports whether two letters stand together in a text.
func wordy(text string) bool {
	for i := 1; i < len(text); i++ {
		if letter(text[i-1]) && letter(text[i]) {
			return true
		}
	}
	return false
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }
