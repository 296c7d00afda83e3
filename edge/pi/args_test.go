package pi

import (
	"errors"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/listing"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// grammarCase is an argument and what a grammar makes of it in /cwd, for a user
// whose home is /home.
type grammarCase struct {
	grammar Grammar
	arg     string
	want    Args
	code    wire.Code // of the refusal; 0: want is what it must be
}

func checkGrammar(t *testing.T, cases []grammarCase) {
	for _, c := range cases {
		got, err := c.grammar.parse(wire.Command{Arg: c.arg}, "/cwd", "/home")
		var reply wire.Reply
		switch {
		case c.code != 0 && (!errors.As(err, &reply) || reply.Code != c.code):
			t.Errorf("grammar %d of %q: %v, want %d", c.grammar, c.arg, err, c.code)
		case c.code == 0 && (err != nil || got != c.want):
			t.Errorf("grammar %d of %q: %+v %v, want %+v", c.grammar, c.arg, got, err, c.want)
		}
		if _, err := c.grammar.parse(wire.Command{Arg: c.arg, Bad: true}, "/cwd", "/home"); !errors.As(err, &reply) || reply.Code != 501 {
			t.Errorf("grammar %d takes an argument with a NUL or a CR: %v", c.grammar, err)
		}
	}
}

func TestWords(t *testing.T) {
	checkGrammar(t, []grammarCase{
		{NoArg, "", Args{}, 0},
		{NoArg, "  ", Args{}, 0},
		{NoArg, "x", Args{}, 501},
		{FreeText, "", Args{}, 0},
		{FreeText, " a b", Args{Text: " a b", Given: true}, 0},
		{Text, "", Args{}, 501},
		{Text, "a B", Args{Text: "a B", Given: true}, 0},
		{Word, "", Args{}, 501},
		{Word, " i ", Args{Text: "I", Given: true}, 0},
		{OneOrAll, "", Args{}, 0},
		{OneOrAll, "all", Args{Text: "ALL", Given: true}, 0},
		{Number, "", Args{}, 501},
		{Number, "0", Args{Text: "0", Given: true}, 0},
		{Number, "9223372036854775807", Args{Text: "9223372036854775807", Given: true, N: 1<<63 - 1}, 0},
		{Number, "9223372036854775808", Args{}, 501},
		{Number, "-1", Args{}, 501},
		{Number, "+1", Args{}, 501},
		{Number, " +1", Args{}, 501},
		{Number, "1 2", Args{}, 501},
		{Number, "0x1", Args{}, 501},
		{Number, "1_000", Args{}, 501},
		{Number, "1e3", Args{}, 501},
	})
}

func TestPaths(t *testing.T) {
	long := strings.Repeat("x", vfs.MaxName+1)
	checkGrammar(t, []grammarCase{
		{PathArg, "", Args{}, 501},
		{PathArg, "a", Args{Text: "a", Given: true, Path: "/cwd/a"}, 0},
		{PathArg, "../../a/./b//", Args{Text: "../../a/./b//", Given: true, Path: "/a/b"}, 0},
		{PathArg, "~", Args{Text: "~", Given: true, Path: "/home"}, 0},
		{PathArg, "~/a", Args{Text: "~/a", Given: true, Path: "/home/a"}, 0},
		{PathArg, "~~", Args{Text: "~~", Given: true, Path: "/cwd/~~"}, 0},
		{PathArg, "~user", Args{Text: "~user", Given: true, Path: "/cwd/~user"}, 0},
		{PathArg, " ", Args{Text: " ", Given: true, Path: "/cwd/ "}, 0},
		{PathArg, " a ", Args{Text: " a ", Given: true, Path: "/cwd/ a "}, 0},
		{PathArg, "\xff", Args{Text: "\xff", Given: true, Path: "/cwd/\xff"}, 0},
		{PathArg, long, Args{}, 553},
		{OptPath, "", Args{Path: "/cwd"}, 0},
		{OptPath, "/a", Args{Text: "/a", Given: true, Path: "/a"}, 0},
		{RootPath, "", Args{Path: "/"}, 0},
		{RootPath, "a", Args{Text: "a", Given: true, Path: "/cwd/a"}, 0},
		{ListPath, "", Args{Path: "/cwd"}, 0},
		{ListPath, "-", Args{Text: "-", Given: true, Path: "/cwd/-"}, 0},
		{ListPath, "a -l", Args{Text: "a -l", Given: true, Path: "/cwd/a -l"}, 0},
		{ListPath, "-la", Args{Text: "-la", Given: true, Path: "/cwd/-la",
			ls: lsArgs{given: true, options: listing.Verbose | listing.All, path: "/cwd"}}, 0},
		{ListPath, "-a ~/b c", Args{Text: "-a ~/b c", Given: true, Path: "/cwd/-a ~/b c",
			ls: lsArgs{given: true, options: listing.All, text: "~/b c", path: "/home/b c"}}, 0},
		{ListPath, long, Args{}, 553},
		{ListPath, "-a " + long, Args{}, 553},
		{ListPath, "-a " + long[1:], Args{Text: "-a " + long[1:], Given: true,
			ls: lsArgs{given: true, options: listing.All, text: long[1:], path: vfs.Path("/cwd/" + long[1:])}}, 0},
	})
}

func TestTwoArguments(t *testing.T) {
	when := time.Date(2020, 2, 29, 23, 59, 58, 0, time.UTC)
	checkGrammar(t, []grammarCase{
		{TimePath, "", Args{}, 501},
		{TimePath, "20200229235958", Args{}, 501},
		{TimePath, "20200229235958 ", Args{}, 501},
		{TimePath, "20200229235958 a b", Args{Text: "20200229235958 a b", Given: true, Path: "/cwd/a b", Time: when}, 0},
		{TimePath, "20200229235958.5 a", Args{}, 550},
		{TimePath, "2020022923595 a", Args{}, 550},
		{TimePath, "20210229235958 a", Args{}, 550},
		{ModePath, "", Args{}, 501},
		{ModePath, "644", Args{}, 501},
		{ModePath, "644 a b", Args{Text: "644 a b", Given: true, Path: "/cwd/a b", N: 0o644}, 0},
		{ModePath, "0755 a", Args{Text: "0755 a", Given: true, Path: "/cwd/a", N: 0o755}, 0},
		{ModePath, "64 a", Args{}, 501},
		{ModePath, "00644 a", Args{}, 501},
		{ModePath, "+64 a", Args{}, 501},
		{ModePath, "888 a", Args{}, 501},
		{ModePath, "-644 a", Args{}, 501},
	})
}

// FuzzArgs: no argument makes a grammar panic, every error is a reply for the
// client, and every path is canonical.
func FuzzArgs(f *testing.F) {
	for _, arg := range []string{"", " ", "a", "/../..", "~/x", "644 a", "20200101000000 a", "-la x", "9223372036854775807", "\xff\x00\r"} {
		f.Add(arg, "/cwd", false)
	}
	f.Fuzz(func(t *testing.T, arg, dir string, bad bool) {
		cwd, err := vfs.Clean(vfs.Root, dir)
		if err != nil {
			return
		}
		line := wire.ParseCommand([]byte("VERB " + arg))
		line.Bad = line.Bad || bad
		for g := NoArg; g <= ModePath; g++ {
			a, err := g.parse(line, cwd, "/home")
			if err != nil {
				var reply wire.Reply
				if !errors.As(err, &reply) || reply.Code < 500 || reply.Code > 599 {
					t.Fatalf("grammar %d: the error %v is no reply", g, err)
				}
				continue
			}
			if line.Bad {
				t.Fatalf("grammar %d takes %q", g, arg)
			}
			if a.Path != "" {
				if again, err := vfs.Clean(vfs.Root, string(a.Path)); err != nil || again != a.Path {
					t.Fatalf("grammar %d makes the path %q of %q: clean is %q, %v", g, a.Path, arg, again, err)
				}
			}
			if p := a.ls.path; p != "" && p != vfs.Path(path.Clean(string(p))) || g == ListPath && a.Path == "" && p == "" {
				t.Fatalf("grammar %d makes the path %q of %q", g, p, arg)
			}
			if a.N < 0 {
				t.Fatalf("grammar %d makes the number %d of %q", g, a.N, arg)
			}
		}
	})
}
