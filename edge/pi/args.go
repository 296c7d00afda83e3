package pi

import (
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/listing"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// Grammar says what a command's argument is. An argument is parsed once, here;
// no handler looks at the client's bytes again.
type Grammar uint8

// The grammars.
const (
	FreeText Grammar = iota // any text or none: Args.Text
	NoArg                   // none may be given
	Text                    // any text, required: Args.Text
	Word                    // one word, required, in upper case: Args.Text
	OneOrAll                // nothing or one word, in upper case: Args.Text
	PathArg                 // a path, required: Args.Path
	OptPath                 // a path or nothing: Args.Path, the working directory by default
	RootPath                // a path or nothing: Args.Path, the root by default
	ListPath                // a path or nothing, as for OptPath; or ls options, then a path or nothing
	Number                  // a decimal number of at most 63 bits: Args.N
	TimePath                // YYYYMMDDhhmmss and a path (draft-somers-ftp-mfxx-04 §3.1)
	ModePath                // three or four octal digits and a path
)

// Args is a parsed argument.
type Args struct {
	Text  string    // as the client sent it; Word and OneOrAll: in upper case
	Path  vfs.Path  // canonical; empty for grammars without a path
	Given bool      // an argument was given
	N     int64     // Number; ModePath: the mode's bits
	Time  time.Time // TimePath
	ls    lsArgs    // ListPath
}

// lsArgs is the second reading of a ListPath, with the options of ls taken off.
// The first one counts where something of that name exists, so that a file whose
// name begins with a dash can be listed.
type lsArgs struct {
	given   bool // there are options
	options listing.Options
	text    string   // what is left of the argument
	path    vfs.Path // the working directory by default
}

// arity checks whether there is an argument where there must be one or none. This
// comes before the login is looked at, and what the argument is like after it. The
// error is a wire.Reply.
func (g Grammar) arity(c wire.Command) error {
	if c.Bad {
		return wire.Say(wire.CodeBadArgument, "The argument holds a character that no argument may hold.")
	}
	switch g {
	case NoArg:
		if strings.TrimSpace(c.Arg) != "" {
			return wire.Say(wire.CodeBadArgument, "This command takes no argument.")
		}
	case FreeText, OneOrAll, OptPath, RootPath, ListPath:
	default:
		if c.Arg == "" {
			return wire.Say(wire.CodeBadArgument, "This command needs an argument.")
		}
	}
	return nil
}

// parse reads the argument of a command, whose paths are relative to cwd and
// whose "~" is home. The error is a wire.Reply.
func (g Grammar) parse(c wire.Command, cwd, home vfs.Path) (Args, error) {
	if err := g.arity(c); err != nil || g == NoArg {
		return Args{}, err
	}
	a := Args{Text: c.Arg, Given: c.Arg != ""}
	return a, g.fill(&a, cwd, home)
}

func (g Grammar) fill(a *Args, cwd, home vfs.Path) (err error) {
	switch g {
	case Word, OneOrAll:
		a.Text = strings.ToUpper(strings.TrimSpace(a.Text))
	case PathArg:
		a.Path, err = resolve(a.Text, cwd, home)
	case OptPath, RootPath, ListPath:
		a.Path = cwd
		if g == RootPath {
			a.Path = vfs.Root
		}
		if a.Given {
			a.Path, err = resolve(a.Text, cwd, home)
		}
		if g == ListPath {
			err = a.listPath(cwd, home, err)
		}
	case Number:
		err = a.number()
	case TimePath:
		err = a.timePath(cwd, home)
	case ModePath:
		err = a.modePath(cwd, home)
	}
	return err
}

// number takes no sign.
func (a *Args) number() error {
	n, err := strconv.ParseUint(strings.TrimSpace(a.Text), 10, 63)
	if err != nil {
		return wire.Say(wire.CodeBadArgument, "The argument is not a number that can be used here.")
	}
	a.N = int64(n)
	return nil
}

// resolve is the only way from the client's bytes to a path.
func resolve(text string, cwd, home vfs.Path) (vfs.Path, error) {
	if text == "~" || strings.HasPrefix(text, "~/") {
		cwd, text = home, strings.TrimPrefix(text[1:], "/")
	}
	p, err := vfs.Clean(cwd, text)
	if err != nil {
		r, _ := answerFile(err)
		return "", r
	}
	return p, nil
}

// split cuts the first word off a two-part argument.
func (a *Args) split(cwd, home vfs.Path) (first string, err error) {
	first, rest, ok := strings.Cut(a.Text, " ")
	if !ok || rest == "" {
		return "", wire.Say(wire.CodeBadArgument, "This command needs two arguments.")
	}
	a.Path, err = resolve(rest, cwd, home)
	return first, err
}

func (a *Args) timePath(cwd, home vfs.Path) error {
	word, err := a.split(cwd, home)
	if err != nil {
		return err
	}
	t, err := time.Parse(timeVal, word)
	if err != nil || len(word) != len(timeVal) {
		return wire.Say(wire.CodeUnavailable, "The time is not of the form YYYYMMDDhhmmss.")
	}
	a.Time = t
	return nil
}

func (a *Args) modePath(cwd, home vfs.Path) error {
	word, err := a.split(cwd, home)
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(word, 8, 32)
	if err != nil || len(word) < 3 || len(word) > 4 {
		return wire.Say(wire.CodeBadArgument, "The mode is not of three or four octal digits.")
	}
	a.N = int64(n)
	return nil
}

// timeVal is RFC 3659 §2.3's time-val without a fraction.
const timeVal = "20060102150405"

// listPath reads the options of ls, if there are any. With them, the whole text
// need not be a path: first says why it is none, if so.
func (a *Args) listPath(cwd, home vfs.Path, first error) (err error) {
	a.ls.options, a.ls.text, a.ls.given = listing.ParseOptions(a.Text)
	if !a.ls.given {
		a.ls.text = ""
		return first
	}
	a.ls.path = cwd
	if a.ls.text != "" {
		a.ls.path, err = resolve(a.ls.text, cwd, home)
	}
	return err
}
