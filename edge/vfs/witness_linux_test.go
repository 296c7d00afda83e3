package vfs_test

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// content is what may be at a path: nothing, a directory, or the bytes data behind
// any number of the first bytes of kept.
type content struct {
	there bool
	dir   bool
	kept  string
	data  string
}

func (c content) matches(data string) bool {
	head, found := strings.CutSuffix(data, c.data)
	return c.there && !c.dir && found && strings.HasPrefix(c.kept, head)
}

func file(data string) content { return content{there: true, data: data} }

// witness is a client that knows what must be on the disk by what it was told: each
// path of which it knows anything has the contents that are possible.
type witness struct {
	c       *userpi.Client
	inj     *injector
	host    string
	want    map[string][]content
	kept    map[string]string // bodies of uploads that failed: a partial upload holds a part
	links   map[string]string
	settled func()
	strict  bool // every command must succeed
	resets  bool // the client breaks the connection, which may be answered as well
	seen    int  // failures before this command
	dead    bool // the session is lost
	faults  []string
}

func newWitness(inj *injector, host string) *witness {
	return &witness{inj: inj, host: host, want: make(map[string][]content), kept: make(map[string]string),
		links: make(map[string]string)}
}

func (w *witness) wrong(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, f := range w.inj.failures() {
		text += fmt.Sprintf(" [failed: %s %q %q, folder %v]", f.Op, f.Name, f.To, f.folder)
		break
	}
	w.faults = append(w.faults, text)
}

// broken notes that the session is out of step.
func (w *witness) broken(what string, err error) {
	if !w.dead {
		w.wrong("%s: the session is out of step: %v", what, err)
	}
	w.dead = true
	_ = w.c.Close()
}

func (w *witness) login(addr, user string) bool {
	var err error
	if w.c, err = userpi.Dial(addr); err == nil {
		w.c.Timeout = 20 * time.Second
		err = w.c.Login(user, "x")
	}
	if err != nil {
		w.wrong("login: %v", err)
		return false
	}
	return true
}

func (w *witness) leave() {
	if w.dead {
		return
	}
	if err := w.c.Quit(); err != nil {
		w.broken("QUIT", err)
	}
}

// now are the failures during this command.
func (w *witness) now() []failure { return w.inj.failures()[w.seen:] }

// late reports whether a name was changed before the call that failed in this
// command: the sync of a folder.
func (w *witness) late() bool {
	return slices.ContainsFunc(w.now(), func(f failure) bool { return f.Op == "sync" && f.folder })
}

// do sends a command and reports whether it is answered as it ought to be.
func (w *witness) do(line string, code int) (userpi.Reply, bool) {
	if w.dead {
		return userpi.Reply{}, false
	}
	w.seen = len(w.inj.failures())
	r, err := w.c.Do(line)
	return r, w.judge(line, r, err, code)
}

// judge looks at a reply.
func (w *witness) judge(line string, r userpi.Reply, err error, code int) bool {
	if err != nil {
		w.broken(line, err)
		return false
	}
	if r.Code == code {
		return true
	}
	if r.Code < 400 || w.strict {
		w.wrong("%s: %v", line, r)
	}
	if !w.resets && slices.ContainsFunc(w.now(), func(f failure) bool { return room(f.Op) }) && w.inj.fault == syscall.ENOSPC &&
		r.Code != 452 && r.Code != 552 {
		w.wrong("%s on a full disk: %v", line, r)
	}
	if noop, err := w.c.Do("NOOP"); err != nil || noop.Code != 200 {
		w.broken(line+", NOOP", fmt.Errorf("%v, %w", noop, err))
	}
	return false
}

// real is the path that a link leads to, if p is one.
func (w *witness) real(p string) string {
	if to := w.links[p]; to != "" {
		return to
	}
	return p
}

// at are the possible contents of p.
func (w *witness) at(p string) []content {
	if known := w.want[w.real(p)]; known != nil {
		return known
	}
	return []content{{}}
}

func (w *witness) set(p string, c ...content) { w.want[w.real(p)] = c }

// maybe adds contents that are possible too.
func (w *witness) maybe(p string, c ...content) { w.set(p, append(slices.Clone(w.at(p)), c...)...) }

// begin opens a data connection for a command.
func (w *witness) begin(line string) (net.Conn, userpi.Reply) {
	if w.dead {
		return nil, userpi.Reply{}
	}
	p, err := w.c.Prepare(userpi.EPSV)
	if err != nil {
		w.broken("EPSV", err)
		return nil, userpi.Reply{}
	}
	defer p.Close()
	r, ok := w.do(line, 150)
	if !ok {
		return nil, r
	}
	conn, err := p.Open()
	if err != nil {
		w.broken(line, err)
		return nil, r
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn, r
}

// put uploads, and reports whether the server says that it has the file.
func (w *witness) put(line, data string) bool {
	conn, _ := w.begin(line)
	if conn == nil {
		return false
	}
	_, _ = io.WriteString(conn, data)
	_ = conn.Close()
	r, err := w.c.Reply()
	return w.judge(line, r, err, 226)
}

// store is STOR or APPE, from an offset on for STOR if rest is not 0.
func (w *witness) store(verb, p, data string, rest int) {
	if rest > 0 {
		if _, ok := w.do(fmt.Sprintf("REST %d", rest), 350); !ok {
			return
		}
	}
	before := w.at(p)
	after := w.upload(verb, p, data, rest)
	if w.put(verb+" "+p, data) {
		w.set(p, after...)
		delete(w.kept, w.real(p))
		return
	}
	if len(w.kept[w.real(p)]) < len(data) && rest == 0 {
		w.kept[w.real(p)] = data
	}
	if w.late() && before[0].there {
		w.maybe(p, after...) // a file that was replaced is not brought back
	}
}

// upload says what a successful upload would make of what there is.
func (w *witness) upload(verb, p, data string, rest int) (after []content) {
	for _, old := range w.at(p) {
		switch kept := w.kept[w.real(p)]; {
		case old.dir:
		case verb == "STOR" && rest == 0:
			return []content{file(data)}
		case verb == "APPE" && old.there:
			after = append(after, content{there: true, kept: old.kept, data: old.data + data})
		case verb == "APPE":
			after = append(after, content{there: true, kept: kept, data: data})
		case old.there && len(old.data) >= rest:
			after = append(after, file(old.data[:rest]+data+old.data[min(len(old.data), rest+len(data)):]))
		case !old.there && len(kept) >= rest:
			after = append(after, file(kept[:rest]+data))
		}
	}
	return after
}

// unique is STOU.
func (w *witness) unique(data string) {
	conn, r := w.begin("STOU")
	if conn == nil {
		return
	}
	_, _ = io.WriteString(conn, data)
	_ = conn.Close()
	_, name, _ := strings.Cut(r.Text(), "FILE: ")
	last, err := w.c.Reply()
	if w.judge("STOU", last, err, 226) {
		w.set("/"+strings.Trim(name, "/ "), file(data))
	}
}

// interrupt begins an upload and resets the data connection when its bytes have
// been written.
func (w *witness) interrupt(verb, p, data string) {
	line := verb + " " + p
	before := w.inj.written()
	conn, _ := w.begin(line)
	if conn == nil {
		return
	}
	_, _ = io.WriteString(conn, data)
	tick := time.NewTicker(time.Millisecond)
	for limit := time.Now().Add(20 * time.Second); w.inj.written()-before < len(data) && len(w.now()) == 0; <-tick.C {
		if time.Now().After(limit) {
			w.wrong("%s: only %d bytes are written", line, w.inj.written()-before)
			break
		}
	}
	tick.Stop()
	_ = userpi.Reset(conn)
	r, err := w.c.Reply()
	strict := w.strict
	w.strict, w.resets = false, true
	if w.judge(line, r, err, 226) {
		w.wrong("%s was cut short and is answered %v", line, r)
	}
	w.strict, w.resets = strict, false
	if len(w.kept[w.real(p)]) < len(data) {
		w.kept[w.real(p)] = data
	}
	w.settled()
}

// size is where an upload of full has to go on.
func (w *witness) size(p, full string) (at int, ok bool) {
	r, ok := w.do("SIZE "+p, 213)
	if !ok {
		return 0, r.Code == 550 // there is nothing
	}
	if _, err := fmt.Sscan(r.Text(), &at); err != nil || at > len(full) {
		w.wrong("SIZE %s: %v", p, r)
		return 0, false
	}
	return at, true
}

// interruptAgain goes on with an upload as far as full, and resets the connection.
func (w *witness) interruptAgain(p, full string) {
	if at, ok := w.size(p, full); ok {
		w.interrupt("APPE", p, full[at:])
		w.kept[p] = full
	}
}

// resume goes on with an upload as curl does.
func (w *witness) resume(verb, p, full string) {
	at, ok := w.size(p, full)
	if !ok {
		return
	}
	if verb == "APPE" {
		before := w.at(p)
		if w.put("APPE "+p, full[at:]) {
			w.set(p, file(full))
			delete(w.kept, p)
		} else if w.late() && before[0].there {
			w.maybe(p, file(full))
		}
		return
	}
	w.store("STOR", p, full[at:], at)
}

// get downloads.
func (w *witness) get(line string) (data string, ok bool) {
	conn, _ := w.begin(line)
	if conn == nil {
		return "", false
	}
	all, _ := io.ReadAll(conn)
	_ = conn.Close()
	r, err := w.c.Reply()
	return string(all), w.judge(line, r, err, 226)
}

// fetch is RETR.
func (w *witness) fetch(p string, rest int) {
	if rest > 0 {
		if _, ok := w.do(fmt.Sprintf("REST %d", rest), 350); !ok {
			return
		}
	}
	data, ok := w.get("RETR " + p)
	possible := slices.ContainsFunc(w.at(p), func(c content) bool {
		if !c.there || len(c.data) < rest {
			return !ok && data == "" || c.there && len(c.kept) > 0
		}
		return c.data[rest:] == data || c.kept != "" || !ok && strings.HasPrefix(c.data[rest:], data)
	})
	if !possible {
		w.wrong("RETR %s from %d on gives %d bytes that are not its own, %v", p, rest, len(data), ok)
	}
}

// list compares the names that a listing gives with those that are certain.
func (w *witness) list(line, dir string) {
	data, ok := w.get(line)
	if !ok {
		return
	}
	var names []string
	for l := range strings.Lines(data) {
		l = strings.TrimRight(l, "\r\n")
		l = l[strings.LastIndex(l, " ")+1:]
		names = append(names, path.Base(l))
	}
	for p, contents := range w.want {
		if path.Dir(p) != dir {
			continue
		}
		listed := slices.Contains(names, path.Base(p))
		always := !slices.ContainsFunc(contents, func(c content) bool { return !c.there })
		never := !slices.ContainsFunc(contents, func(c content) bool { return c.there })
		if always && !listed || never && listed && w.kept[p] == "" {
			w.wrong("%s: %s is listed: %v\n%s", line, p, listed, data)
		}
	}
}

func (w *witness) mkdir(p string) {
	if _, ok := w.do("MKD "+p, 257); ok {
		w.set(p, content{there: true, dir: true})
	} else if w.late() {
		w.maybe(p, content{there: true, dir: true})
	}
}

// gone is DELE or RMD.
func (w *witness) gone(line, p string) {
	if _, ok := w.do(line+" "+p, 250); ok {
		if w.links[p] != "" {
			delete(w.links, p)
			return
		}
		if w.kept[p] == "" || line == "RMD" {
			w.set(p, content{})
		}
		delete(w.kept, p)
	}
}

// rename moves a file or a directory.
func (w *witness) rename(from, to string) {
	if _, ok := w.do("RNFR "+from, 350); !ok {
		return
	}
	_, ok := w.do("RNTO "+to, 250)
	if !ok && !w.late() {
		return
	}
	moved := func(p string) string { return to + strings.TrimPrefix(p, from) }
	for p, contents := range maps.Clone(w.want) {
		if p != from && !strings.HasPrefix(p, from+"/") {
			continue
		}
		there := slices.DeleteFunc(slices.Clone(contents), func(c content) bool { return !c.there && p == from })
		if ok {
			w.set(moved(p), there...)
			w.set(p, content{})
		} else {
			w.maybe(moved(p), there...)
			w.maybe(p, content{})
		}
	}
	for p, body := range maps.Clone(w.kept) {
		if strings.HasPrefix(p, from+"/") {
			w.kept[moved(p)] = body
		}
	}
}

func (w *witness) copyTo(from, to string) {
	if _, ok := w.do("SITE CPFR "+from, 350); !ok {
		return
	}
	before := w.at(to)
	if _, ok := w.do("SITE CPTO "+to, 250); ok {
		w.set(to, slices.DeleteFunc(slices.Clone(w.at(from)), func(c content) bool { return !c.there })...)
	} else if w.late() && before[0].there {
		w.maybe(to, w.at(from)...)
	}
}

// attribute changes one, and asks the host whether it is true.
func (w *witness) attribute(line string, code int, p string, is func(fs.FileInfo) bool) {
	if _, ok := w.do(line, code); !ok {
		return
	}
	info, err := os.Stat(filepath.Join(w.host, w.real(p)))
	if err != nil || !is(info) {
		w.wrong("%s: %v, %v", line, info, err)
	}
}

// tells sends a command whose answer must end with the same word for one of the
// possible contents.
func (w *witness) tells(line, p string, code int, of func(data string) string) {
	r, ok := w.do(line, code)
	if !ok {
		return
	}
	possible := slices.ContainsFunc(w.at(p), func(c content) bool {
		return c.there && (c.kept != "" || strings.Contains(strings.ToLower(r.String()), of(c.data)))
	})
	if !possible && w.kept[w.real(p)] == "" {
		w.wrong("%s: %v", line, r)
	}
}

// checkTree compares what is below the host's directory with what must be.
func (w *witness) checkTree(root string) {
	found := make(map[string]string)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		p := strings.TrimPrefix(name, root)
		if err != nil || p == "" || len(path.Base(p)) == len(".edgeftp.")+26 && strings.HasPrefix(path.Base(p), ".edgeftp.") {
			return err
		}
		switch {
		case entry.IsDir():
			found[p] = "directory"
		case entry.Type().IsRegular():
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			found[p] = "file " + string(data)
		}
		return nil
	})
	if err != nil {
		w.wrong("%v", err)
	}
	for p, contents := range w.want {
		if w.links[p] != "" {
			continue
		}
		if !slices.ContainsFunc(contents, func(c content) bool { return holdsContent(c, found[p]) }) {
			w.wrong("at %s: %s, want %v", p, brief(found[p]), contents)
		}
	}
	for p := range found {
		if _, known := w.want[p]; !known {
			w.wrong("nobody was told of %s", p)
		}
	}
}

func holdsContent(c content, found string) bool {
	data, isFile := strings.CutPrefix(found, "file ")
	switch {
	case !c.there:
		return found == ""
	case c.dir:
		return found == "directory"
	}
	return isFile && c.matches(data)
}

func brief(s string) string { return fmt.Sprintf("%d bytes %.20q", len(s), s) }

// String keeps messages short.
func (c content) String() string {
	switch {
	case !c.there:
		return "nothing"
	case c.dir:
		return "directory"
	}
	return fmt.Sprintf("%d bytes behind some of %d", len(c.data), len(c.kept))
}
