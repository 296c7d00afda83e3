package listing

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestLong(t *testing.T) {
	day := 24 * time.Hour
	file := vfs.Info{Name: "a b", Size: 5, Mode: 0o644, ModTime: noon.Add(-day), Links: 1, UID: 1000, GID: 20}
	with := func(change func(*vfs.Info)) vfs.Info {
		i := file
		change(&i)
		return i
	}
	for _, c := range []struct {
		what string
		info vfs.Info
		want string
	}{
		{"file", file, "-rw-r--r--   1 1000     20                  5 Nov 21 12:00 a b"},
		{"directory", with(func(i *vfs.Info) { i.Mode = fs.ModeDir | 0o755; i.Links = 12 }),
			"drwxr-xr-x  12 1000     20                  5 Nov 21 12:00 a b"},
		{"sticky", with(func(i *vfs.Info) { i.Mode = fs.ModeDir | fs.ModeSticky | 0o777 }),
			"drwxrwxrwt   1 1000     20                  5 Nov 21 12:00 a b"},
		{"set-id and sticky without x", with(func(i *vfs.Info) { i.Mode = fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky | 0o666 }),
			"-rwSrwSrwT   1 1000     20                  5 Nov 21 12:00 a b"},
		{"set-id with x", with(func(i *vfs.Info) { i.Mode = fs.ModeSetuid | fs.ModeSetgid | 0o755 }),
			"-rwsr-sr-x   1 1000     20                  5 Nov 21 12:00 a b"},
		{"link", with(func(i *vfs.Info) { i.Mode = fs.ModeSymlink | 0o777; i.Target = "../x" }),
			"lrwxrwxrwx   1 1000     20                  5 Nov 21 12:00 a b -> ../x"},
		{"wide numbers", with(func(i *vfs.Info) { i.Links = 1 << 40; i.UID = 1<<32 - 1; i.GID = 1<<32 - 1; i.Size = 1<<63 - 1 }),
			"-rw-r--r-- 1099511627776 4294967295 4294967295 9223372036854775807 Nov 21 12:00 a b"},
		{"one digit", with(func(i *vfs.Info) { i.ModTime = time.Date(2026, 11, 2, 3, 4, 5, 0, time.UTC) }),
			"-rw-r--r--   1 1000     20                  5 Nov  2 03:04 a b"},
		{"180 days", with(func(i *vfs.Info) { i.ModTime = noon.Add(-180 * day) }),
			"-rw-r--r--   1 1000     20                  5 May 26 12:00 a b"},
		{"older", with(func(i *vfs.Info) { i.ModTime = noon.Add(-180*day - time.Second) }),
			"-rw-r--r--   1 1000     20                  5 May 26  2026 a b"},
		{"younger than the listing", with(func(i *vfs.Info) { i.ModTime = noon.Add(time.Second) }),
			"-rw-r--r--   1 1000     20                  5 Nov 22 12:00 a b"},
		{"40 days ahead", with(func(i *vfs.Info) { i.ModTime = noon.Add(40 * day) }),
			"-rw-r--r--   1 1000     20                  5 Jan  1  2027 a b"},
	} {
		if got := string(Long(Style{Now: noon})(nil, &c.info)); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.what, got, c.want)
		}
	}
	for mode, want := range map[fs.FileMode]string{
		fs.ModeNamedPipe: "p---------", fs.ModeSocket | 0o700: "srwx------", fs.ModeDevice: "b---------",
		fs.ModeDevice | fs.ModeCharDevice | 0o007: "c------rwx", fs.ModeIrregular: "----------",
	} {
		if got := string(appendMode(nil, mode)); got != want {
			t.Errorf("%v is %q, want %q", mode, got, want)
		}
	}
}

func TestLongZone(t *testing.T) {
	zone := time.FixedZone("", -5*3600)
	got := string(Long(Style{Now: noon, Zone: zone})(nil, &vfs.Info{Name: "x", ModTime: noon}))
	if !strings.HasSuffix(got, "Nov 22 07:00 x") {
		t.Errorf("got %q", got)
	}
}

func TestFacts(t *testing.T) {
	e := Entry{Info: &vfs.Info{Size: 1 << 40, Mode: fs.ModeSetuid | 0o644, UID: 7, GID: 8, Dev: 0xabc, Inode: 0xdef,
		ModTime: time.Date(2002, 7, 17, 20, 55, 10, 999, time.FixedZone("", 3600))}, Kind: "file", Perm: "adfrw"}
	for _, c := range []struct {
		facts Facts
		entry Entry
		want  string
	}{
		{AllFacts(), e, "modify=20020717195510;perm=adfrw;size=1099511627776;type=file;unique=abcgdef;" +
			"unix.gid=8;unix.mode=4644;unix.uid=7; a b"},
		{0, e, " a b"},
		{FactType | FactSize, e, "size=1099511627776;type=file; a b"},
		{FactType | FactSize | FactUnique | FactMode, Entry{Info: &vfs.Info{Mode: fs.ModeDir | fs.ModeSticky}, Kind: "dir"},
			"size=0;type=dir;unix.mode=1000; a b"},
		{FactModify | FactType, Entry{Info: &vfs.Info{ModTime: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, Kind: "file"},
			"type=file; a b"},
		{FactCreate | FactModify, Entry{Made: time.Date(2001, 2, 3, 4, 5, 6, 999, time.UTC), Info: &vfs.Info{ModTime: noon}, Zone: time.FixedZone("", -5*3600)},
			"create=20010202230506;modify=20261122070000; a b"},
		{FactSize | FactType, Entry{Info: &vfs.Info{Mode: fs.ModeSymlink, Size: 7}, Kind: "OS.unix=slink:nowhere"}, "type=OS.unix=slink:nowhere; a b"},
		{FactCreate, Entry{Info: &vfs.Info{}, Made: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)}, " a b"},
	} {
		if got := string(c.facts.Line(nil, &c.entry, "a b")); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestParseFacts(t *testing.T) {
	for arg, want := range map[string]string{
		"": "", "type;size;": "size;type;", "TYPE;Unix.Mode;type;": "type;unix.mode;", "charset;lang;": "",
		"size;nonsense;modify;": "modify;size;", ";;;": "", "size": "size;",
		"create;modify;perm;size;type;unique;unix.gid;unix.mode;unix.uid;": AllFacts().String(),
	} {
		if got := ParseFacts(arg).String(); got != want {
			t.Errorf("%q: got %q, want %q", arg, got, want)
		}
	}
	if got := (FactSize | FactUID).Feat(); got != "type;perm;size*;modify;unique;unix.mode;unix.uid*;unix.gid;create;" {
		t.Errorf("Feat: %q", got)
	}
}

func TestUsualFacts(t *testing.T) {
	if got := UsualFacts().String(); got != "modify;perm;size;type;unique;" {
		t.Errorf("%q", got)
	}
}

func FuzzParseFacts(f *testing.F) {
	for _, seed := range []string{"", "type;size;", "TYPE*;", ";;", "unix.mode;unix.mode;", "type size;", "\x00;\xff;"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		facts := ParseFacts(arg)
		if facts&^AllFacts() != 0 {
			t.Fatalf("%q gives unknown facts %b", arg, facts)
		}
		if again := ParseFacts(facts.String()); again != facts {
			t.Fatalf("%q gives %v, which reads as %v", arg, facts, again)
		}
		if stars := strings.Count(facts.Feat(), "*"); stars != strings.Count(facts.String(), ";") {
			t.Fatalf("%v and %q differ", facts, facts.Feat())
		}
	})
}

// FuzzLine holds that no name or target on disk can forge a line of a listing.
func FuzzLine(f *testing.F) {
	f.Add("name", "target", uint32(0o644), int64(5))
	f.Add("a\nb", "c\r\nd", uint32(fs.ModeSymlink), int64(-1))
	f.Add("", "", uint32(fs.ModeDir), int64(1)<<62)
	f.Fuzz(func(t *testing.T, name, target string, mode uint32, size int64) {
		info := vfs.Info{Name: name, Target: target, Mode: fs.FileMode(mode), Size: size, ModTime: time.Unix(size, 0)}
		facts := func(dst []byte, i *vfs.Info) []byte {
			return AllFacts().Line(dst, &Entry{Info: i, Kind: "file"}, i.Name)
		}
		for _, format := range []Format{Long(Style{Now: noon}), Names("p/"), facts} {
			r := New(Fixed(info), true, format)
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Count(string(text), "\n")
			if lines > 1 || strings.Count(string(text), "\r") != lines || lines+r.LeftOut != 1 {
				t.Fatalf("%q -> %q gives %q", name, target, text)
			}
		}
	})
}

// dir is a directory of invented entries, which may end badly.
type dir struct {
	left   int
	end    error
	name   func(i int) string
	looked int // entries that were described
	closed int
}

func (d *dir) Next(n int) ([]vfs.Info, error) {
	if d.left == 0 {
		return nil, d.end
	}
	var infos []vfs.Info
	for ; n > 0 && d.left > 0; n-- {
		infos = append(infos, vfs.Info{Name: d.name(d.left), Mode: 0o600, ModTime: noon})
		d.looked++
		d.left--
	}
	return infos, nil
}

func (d *dir) Close() error {
	d.closed++
	return nil
}

// nameDir is a directory that gives names alone.
type nameDir struct{ dir }

func (d *nameDir) AppendNames(names []string, n int) ([]string, error) {
	infos, err := d.Next(n)
	d.looked -= len(infos)
	for _, info := range infos {
		names = append(names, info.Name)
	}
	return names, err
}

func entry(i int) string { return fmt.Sprintf("entry-%06d", i) }

func TestReader(t *testing.T) {
	const many = 5000
	extra := []vfs.Info{{Name: "mine"}}
	var want strings.Builder
	for i := many; i > 0; i-- {
		want.WriteString("p/" + entry(i) + "\r\n")
	}
	want.WriteString("p/mine\r\n")
	d := &dir{left: many, end: io.EOF, name: entry}
	if err := iotest.TestReader(New(With(d, extra...), true, Names("p/")), []byte(want.String())); err != nil {
		t.Error(err)
	}
	n := &nameDir{dir{left: many, end: io.EOF, name: entry}}
	r := NewNames(n, true, "p/")
	whole, _ := strings.CutSuffix(want.String(), "p/mine\r\n")
	if err := iotest.TestReader(iotest.HalfReader(r), []byte(whole)); err != nil {
		t.Error(err)
	}
	if n.looked != 0 {
		t.Errorf("%d entries were looked at for their names", n.looked)
	}
	for range 2 {
		if err := r.Close(); err != nil || n.closed != 1 {
			t.Errorf("Close: %v, %d times closed", err, n.closed)
		}
	}
	if k, err := r.Read(make([]byte, 9)); k != 0 || !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Read after Close: %d, %v", k, err)
	}
}

func TestReaderFails(t *testing.T) {
	broken := errors.New("broken")
	r := New(With(&dir{left: 3, end: broken, name: entry}, vfs.Info{Name: "mine"}), true, Names(""))
	text, err := io.ReadAll(r)
	if !errors.Is(err, broken) || strings.Count(string(text), "\r\n") != 3 {
		t.Errorf("%q, %v", text, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestReaderLeavesOut(t *testing.T) {
	names := []string{"good", "a\nb", "a\rb", "a\x00b", ".dot", "..."}
	open := func(dots bool) *Reader {
		return New(&dir{left: len(names), end: io.EOF, name: func(i int) string { return names[i-1] }}, dots, Names(""))
	}
	for dots, want := range map[bool][]string{true: {"...", ".dot", "good"}, false: {"good"}} {
		r := open(dots)
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Fields(string(text)); !slices.Equal(got, want) || r.LeftOut != 3 {
			t.Errorf("dots %v: %q, %d left out", dots, got, r.LeftOut)
		}
	}
}

// A listing holds one portion, however long the directory is.
func TestReaderIsLazy(t *testing.T) {
	d := &dir{left: 1 << 40, end: io.EOF, name: entry}
	r := New(d, true, Long(Style{Now: noon}))
	buf := make([]byte, 64<<10)
	for range 100 {
		if _, err := r.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	if cap(r.memory) > 256<<10 {
		t.Errorf("the reader holds %d bytes", cap(r.memory))
	}
	if d.looked > 201*portion {
		t.Errorf("%d entries were looked at", d.looked)
	}
}

func BenchmarkLong(b *testing.B) {
	format := Long(Style{Now: noon})
	info := vfs.Info{Name: "some-file-name.txt", Size: 123456, Mode: 0o644, ModTime: noon, Links: 1, UID: 1000, GID: 1000}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = format(buf[:0], &info)
	}
}

func BenchmarkFacts(b *testing.B) {
	info := vfs.Info{Name: "some-file-name.txt", Size: 123456, Mode: 0o644, ModTime: noon, Links: 1, UID: 1000, GID: 1000, Inode: 77, Dev: 5}
	e := Entry{Kind: "file", Perm: "adfrw"}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		e.Info = &info
		buf = AllFacts().Line(buf[:0], &e, info.Name)
	}
}
