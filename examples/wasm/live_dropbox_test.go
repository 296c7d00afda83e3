package wasm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/examples/wasm/live"
)

func liveDropbox(t *testing.T, dir string) {
	s := live.Start(t, live.Options{Users: []live.Account{{Name: "bob"}, {Name: "editor", Group: "staff"}},
		Modules: []live.Module{{Name: "dropbox", Dir: dir, Settings: "{ inbox: /in, readers: staff }"}}})
	for _, d := range []string{"in", "pub"} {
		if err := os.Mkdir(s.In(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	day := time.Now().UTC().Format(time.DateOnly)
	s.Put(t, "/in/report.pdf", "anna's").Want(t, live.OK)
	s.As("bob").Put(t, "/in/report.pdf", "bob's").Want(t, live.OK)
	for _, user := range []string{live.User, "bob"} {
		name := user + "~" + day + "~report.pdf"
		if text, err := os.ReadFile(s.In("in", name)); err != nil || string(text) != user+"'s" {
			there, _ := filepath.Glob(s.In("in", "*"))
			t.Errorf("%s: %q, %v; there are %q (around midnight UTC this may fail)", name, text, err, there)
		}
	}
	mine := live.User + "~" + day + "~report.pdf"
	const text = "this is an inbox"
	if list := s.Get(t, "/in/").Want(t, live.OK); strings.Contains(list.Stdout, "report") {
		t.Errorf("the inbox shows %q", list.Stdout)
	}
	s.Get(t, "/in/"+mine).Want(t, live.NotFound)
	for _, command := range []string{"DELE /in/" + mine, "RNFR /in/" + mine, "MKD /in/sub"} {
		s.Do(t, command).Want(t, live.Refused, "550", text)
	}
	s.Put(t, "/pub/a.txt", "elsewhere all is as it was").Want(t, live.OK)
	s.Get(t, "/pub/").Want(t, live.OK, "a.txt")
	s.Do(t, "RNFR /pub/a.txt", "RNTO /in/a.txt").Want(t, live.Refused, "550")

	editor := s.As("editor")
	editor.Get(t, "/in/").Want(t, live.OK, mine, "bob~")
	if got := editor.Get(t, "/in/"+mine).Want(t, live.OK); got.Stdout != "anna's" {
		t.Errorf("the reader got %q", got.Stdout)
	}
	editor.Do(t, "DELE /in/"+mine).Want(t, live.OK)
	s.Stop(t)
}
