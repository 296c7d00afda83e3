package listing

import (
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

func TestParseOptions(t *testing.T) {
	for _, c := range []struct {
		arg, rest string
		options   Options
		given     bool
	}{
		{"", "", 0, false},
		{"a", "a", 0, false},
		{"a -l", "a -l", 0, false},
		{" -l", " -l", 0, false},
		{"-", "-", 0, false},
		{"- x", "- x", 0, false},
		{"-l", "", Verbose, true},
		{"-la", "", Verbose | All, true},
		{"-l -A dir", "dir", Verbose | All, true},
		{"-al dir with space", "dir with space", Verbose | All, true},
		{"-l  two", " two", Verbose, true},
		{"-l   ", "", Verbose, true},
		{"-- -x", "-x", 0, true},
		{"-- ", "", 0, true},
		{"--", "", 0, true},
		{"--   ", "  ", 0, true},
		{"-R -- -l", "-l", Recursive, true},
		{"--reverse --size x", "x", 0, true},
		{"-Zq9", "", 0, true},
		{"-tS", "", BySize, true},
		{"-St", "", ByTime, true},
		{"-S -t", "", ByTime, true},
		{"-1RdrFLn", "", Single | Recursive | Itself | Reverse | Marked | Follow | Numeric, true},
		{"-a-b\xff", "", All, true},
		{"-l -", "-", Verbose, true},
	} {
		o, rest, given := ParseOptions(c.arg)
		if o != c.options || rest != c.rest || given != c.given {
			t.Errorf("%q: %b, %q, %v", c.arg, o, rest, given)
		}
	}
}

func FuzzParseOptions(f *testing.F) {
	for _, seed := range []string{"", "-la x", "-- -x", "-", "-l  ", "--x -t -S *"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		o, rest, given := ParseOptions(arg)
		if !strings.HasSuffix(arg, rest) || o != 0 && !given || !given && rest != arg {
			t.Fatalf("%q gives %b, %q, %v", arg, o, rest, given)
		}
		if o.Has(ByTime) && o.Has(BySize) {
			t.Fatalf("%q asks for two orders", arg)
		}
		// In front of what is left, "--" keeps it from being read once more.
		if _, again, _ := ParseOptions("-- " + rest); again != rest {
			t.Fatalf("%q leaves %q, of which %q is left", arg, rest, again)
		}
	})
}

func TestMark(t *testing.T) {
	names, links := Mark(Names(""), true), Mark(Names(""), false)
	for mode, want := range map[string]string{
		"drwxr-xr-x": "x/", "-rw-r--r--": "x", "-rwxr--r--": "x*", "lrwxrwxrwx": "x@", "prw-r--r--": "x|", "srw-r--r--": "x=",
	} {
		info := vfs.Info{Name: "x", Mode: modeOf(mode)}
		if got := string(names(nil, &info)); got != want {
			t.Errorf("%s is %q, want %q", mode, got, want)
		}
		if got := string(links(nil, &info)); got != strings.TrimSuffix(want, "@") {
			t.Errorf("%s is %q, without links", mode, got)
		}
	}
}

func TestOwners(t *testing.T) {
	long := Long(Style{Now: noon, Owners: func(uid, gid uint32) (string, string) {
		if uid == 7 {
			return "a very\r\nlong \x7fname", "staff"
		}
		return "", "\tg\u00e9"
	}})
	for uid, want := range map[uint32]string{
		7: "-rw-r--r--   1 a_very__long__name staff ",
		8: "-rw-r--r--   1 8        _g\u00e9 ",
	} {
		got := string(long(nil, &vfs.Info{Name: "x", Mode: 0o644, Links: 1, UID: uid, GID: 9, ModTime: noon}))
		if !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if n := len(strings.Fields(got)); n != 9 {
			t.Errorf("%q has %d columns", got, n)
		}
	}
}

func TestThrough(t *testing.T) {
	fs := tree(t, "/a.txt", "/d/", "/l=a.txt", "/m=d", "/broken=nowhere")
	format := Through(Mark(Names(""), true), func(name string) (vfs.Info, error) { return fs.Stat(vfs.Root.Join(name)) })
	d, err := fs.ReadDir(vfs.Root)
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, New(d, true, format))
	if want := []string{"a.txt", "broken@", "d/", "l", "m/"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
