package blackbox

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

func transferAttacks() []attack {
	return []attack{
		{name: "rest-abuse", row: 86, correct: "offsets that are none are refused, and one is used once", try: restAbuse},
		{name: "rest-hole-refused", row: 87, correct: "no upload begins a tebibyte behind the end", try: restHole},
		{name: "ascii-size-bomb", row: 88, correct: "SIZE in ASCII does not read a gibibyte each time", try: asciiSize},
		{name: "mode-z-bomb", row: 89, correct: "what unpacks to far too much is not stored", try: modeZ},
		{name: "upload-reset-no-partial", row: 90, correct: "a reset upload is not in view", try: func(t *trial) { cut(t, false) }},
		{name: "upload-control-lost", row: 90, correct: "nor is one whose session was lost", try: func(t *trial) { cut(t, true) }},
		{name: "upload-reset-keeps-old", row: 90, correct: "the old file stays when its successor is reset", try: keepsOld},
		{name: "upload-killed", row: 90, correct: "kill -9 leaves the old file whole and no part of a new one", try: killed},
		{name: "upload-invisible-until-done", row: 91, correct: "a running upload is not in view", try: invisible},
		{name: "two-writers-no-mix", row: 92, correct: "of two writers one wins", try: twoWriters},
		{name: "append-race", row: 92, correct: "appends are in one piece", try: appendRace},
		{name: "stou-unique", row: 92, correct: "STOU's names are unique", try: stouUnique},
		{name: "replace-during-read", row: 93, correct: "a reader has the old file whole, or an error", try: func(t *trial) { duringRead(t, "replace") }},
		{name: "delete-during-read", row: 93, correct: "the same where it is deleted", try: func(t *trial) { duringRead(t, "delete") }},
		{name: "disk-full", row: 94, correct: "a full disk is told", try: diskFull},
		{name: "disk-full-clean", row: 94, correct: "and space is given back", try: diskFullClean},
		{name: "mount-is-no-hang", row: 94, correct: "a mount below the root blocks nobody", try: mountServed},
		{name: "glob-bomb", row: 83, correct: "patterns of exponential cost are refused or quick", try: globBomb},
		{name: "list-huge", row: 84, correct: "a huge directory is listed whole, in little memory", try: listHuge},
		{name: "list-huge-many", row: 84, correct: "twenty listings that nobody reads cost little", try: listHugeMany},
		{name: "list-deep", row: 85, correct: "LIST -R of a tree deeper than a path ends", try: listDeep},
		{name: "log-no-secrets", row: 117, correct: "no password and no control character is in the log", try: logNoSecrets, patient: true},
	}
}

func restAbuse(t *trial) {
	t.plant("file", "0123456789")
	c := t.login(0)
	for _, arg := range []string{"-1", "-9223372036854775808", "99999999999999999999", "18446744073709551616", "0x10", "1e3", "abc", "1 2", " "} {
		r, err := c.Do("REST " + arg)
		t.must(err)
		if r.Code < 400 { // then it must be none that anything is read from
			text, err := t.get(c, "RETR file")
			t.check(err != nil || text == "0123456789", "REST %s: %v, and then %q", arg, r, text)
		}
		c.Timeout = 5 * time.Second
		_, err = c.Do("NOOP")
		t.must(err)
	}
	t.do(c, "REST 5", 350)
	text, err := t.get(c, "RETR file")
	t.check(err == nil && text == "56789", "REST 5: %q, %v", text, err)
	text, err = t.get(c, "RETR file")
	t.check(err == nil && text == "0123456789", "the offset is used twice: %q, %v", text, err)
	if r, err := c.Do("RANG 5 1"); err == nil && r.Code < 400 {
		text, _ := t.get(c, "RETR file")
		t.check(text == "" || text == "0123456789", "RANG 5 1: %q", text)
	}
}

func restHole(t *trial) {
	t.plant("file", "x")
	c := t.login(0)
	for _, offset := range []string{"1099511627776", "9223372036854775807"} {
		for _, name := range []string{"file", "new"} {
			r, err := c.Do("REST " + offset)
			t.must(err)
			if r.Code != 350 {
				continue
			}
			err = t.put(c, "STOR "+name, "y")
			c = t.alive(c, err)
			info, statErr := os.Stat(t.host(name))
			t.check(statErr != nil || info.Size() < 1<<30, "%s is of %d bytes", name, size(info))
		}
	}
}

func size(info os.FileInfo) int64 {
	if info == nil {
		return 0
	}
	return info.Size()
}

func asciiSize(t *trial) {
	t.plantHole("big", 1<<30)
	c := t.login(0)
	t.do(c, "TYPE A", 200)
	began := t.processor()
	start := time.Now()
	for range 10 {
		_, err := c.Do("SIZE big")
		t.must(err)
	}
	t.check(time.Since(start) < 2*time.Second, "ten SIZE take %v", time.Since(start))
	t.check(t.processor()-began < time.Second, "ten SIZE take %v of the processor", t.processor()-began)
}

func modeZ(t *trial) {
	c := t.login(0)
	r, err := c.Do("MODE Z")
	t.must(err)
	if r.Code >= 400 {
		t.absent("MODE Z: %v", r)
	}
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	block := make([]byte, 1<<20)
	for range 256 {
		_, err := z.Write(block)
		t.must(err)
	}
	t.must(z.Close())
	before := t.memory()
	err = t.put(c, "STOR bomb", packed.String())
	info, _ := os.Stat(t.host("bomb"))
	t.check(err != nil && size(info) < 64<<20, "%d bytes became %d: %v", packed.Len(), size(info), err)
	t.flat(before)
}

// cut begins an upload and ends it rudely.
func cut(t *trial, control bool) {
	c := t.login(0)
	conn := t.begin(c, "STOR partial")
	_, err := conn.Write(make([]byte, 1<<20))
	t.must(err)
	t.pause(50 * time.Millisecond)
	if control {
		t.must(userpi.Reset(c.Raw()))
	}
	t.must(userpi.Reset(conn))
	if !control {
		r, err := c.Reply()
		t.check(err == nil && r.Code >= 400, "it was answered %v, %v", r, err)
	} else {
		t.pause(200 * time.Millisecond)
	}
	entries, err := os.ReadDir(t.dir)
	t.must(err)
	for _, e := range entries {
		t.check(strings.HasPrefix(e.Name(), "."), "%s is in view", e.Name())
	}
}

func keepsOld(t *trial) {
	old := strings.Repeat("old", 100<<10)
	t.plant("file", old)
	c := t.login(0)
	conn := t.begin(c, "STOR file")
	_, err := conn.Write(make([]byte, 100<<10))
	t.must(err)
	t.pause(50 * time.Millisecond)
	t.must(userpi.Reset(conn))
	_, err = c.Reply()
	t.must(err)
	t.check(t.read("file") == old, "the old file is gone")
}

func killed(t *trial) {
	old := strings.Repeat("old", 100<<10)
	t.plant("file", old)
	for i, name := range []string{"file", "new"} {
		conn := t.begin(t.login(i), "STOR "+name)
		_, err := conn.Write(make([]byte, 300<<10))
		t.must(err)
	}
	t.pause(50 * time.Millisecond)
	t.Stop()
	t.hangUp()
	began := time.Now()
	t.must(t.Start(t.ctx))
	t.others(soon)
	t.check(time.Since(began) < 5*time.Second, "it took %v to come back", time.Since(began))
	t.check(t.read("file") == old, "the old file is gone")
	t.check(!t.has("new"), "a part is in view")
}

func invisible(t *trial) {
	c := t.login(0)
	conn := t.begin(c, "STOR slow")
	_, err := conn.Write(make([]byte, 100<<10))
	t.must(err)
	t.pause(50 * time.Millisecond)
	reader := t.login(1)
	t.check(!t.has("slow"), "it is on the disk")
	text, err := t.get(reader, "NLST")
	t.check(err != nil || !strings.Contains(text, "slow"), "it is listed")
	conn.Close()
	_, err = c.Expect("STOR", 226)
	t.must(err)
	t.check(len(t.read("slow")) == 100<<10, "it is not whole")
}

func twoWriters(t *trial) {
	const large = 2 << 20
	for round := range 3 {
		var all sync.WaitGroup
		for i, letter := range []string{"a", "b"} {
			c := t.login(i)
			all.Go(func() {
				conn, err := begin(c, "STOR file")
				if err != nil {
					return // one of them is refused
				}
				defer conn.Close()
				for range 32 {
					if _, err := conn.Write(bytes.Repeat([]byte(letter), large/32)); err != nil {
						return
					}
					t.pause(time.Millisecond)
				}
				conn.Close()
				_, _ = c.Reply()
			})
		}
		all.Wait()
		text := t.read("file")
		t.check(len(text) == large && (strings.Count(text, "a") == large || strings.Count(text, "b") == large),
			"round %d: %d bytes, %d of the one and %d of the other", round, len(text), strings.Count(text, "a"), strings.Count(text, "b"))
	}
}

func appendRace(t *trial) {
	const large = 512 << 10
	t.plant("file", "")
	done := [2]bool{}
	var all sync.WaitGroup
	for i, letter := range []string{"a", "b"} {
		c := t.login(i)
		all.Go(func() {
			conn, err := begin(c, "APPE file")
			if err != nil {
				return
			}
			defer conn.Close()
			for range 16 {
				if _, err := conn.Write(bytes.Repeat([]byte(letter), large/16)); err != nil {
					return
				}
				t.pause(time.Millisecond)
			}
			conn.Close()
			r, err := c.Reply()
			done[i] = err == nil && r.Code == 226
		})
	}
	all.Wait()
	text, turns, want := t.read("file"), 0, 0
	for i := 1; i < len(text); i++ {
		if text[i] != text[i-1] {
			turns++
		}
	}
	for _, ok := range done {
		if ok {
			want += large
		}
	}
	t.check(want > 0 && len(text) == want && turns <= 1, "%d of %d bytes, in %d pieces", len(text), want, turns+1)
}

func stouUnique(t *trial) {
	c := t.login(0)
	r, err := c.Do("STOU")
	t.must(err)
	if r.Is(500, 502, 504) {
		t.absent("STOU: %v", r)
	}
	const many = 10
	var all sync.WaitGroup
	for i := range many {
		c := t.login(i)
		all.Go(func() { _ = t.put(c, "STOU", fmt.Sprintf("unique %d", i)) })
	}
	all.Wait()
	entries, err := os.ReadDir(t.dir)
	t.must(err)
	texts := map[string]bool{}
	for _, e := range entries {
		texts[t.read(e.Name())] = true
	}
	delete(texts, "")
	t.check(len(texts) == many, "of %d uploads there are %d", many, len(texts))
}

func duringRead(t *trial, how string) {
	const large = 16 << 20
	t.plant("file", strings.Repeat("o", large))
	c, other := t.login(0), t.login(1)
	conn := t.begin(c, "RETR file")
	first := make([]byte, 1000)
	_, err := io.ReadFull(conn, first)
	t.must(err)
	if how == "replace" {
		err = t.put(other, "STOR file", strings.Repeat("n", large))
	} else {
		_, err = other.Do("DELE file")
	}
	_ = err // it may be refused
	rest, err := io.ReadAll(conn)
	t.must(err)
	conn.Close()
	r, err := c.Reply()
	t.must(err)
	text := string(first) + string(rest)
	whole := len(text) == large && strings.Count(text, "o") == large
	t.check(whole || r.Code >= 400, "%d bytes, %d of the old file, and %v", len(text), strings.Count(text, "o"), r)
}

func diskFull(t *trial) {
	t.small("size=2m")
	c := t.login(0)
	t.fill(c)
	t.inStep(c, "STOR")
}

// fill uploads more than there is room for.
func (t *trial) fill(c *userpi.Client) {
	conn := t.begin(c, "STOR small/large")
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	block := make([]byte, 64<<10)
	for range 128 {
		if _, err := conn.Write(block); err != nil {
			break
		}
	}
	conn.Close()
	r, err := c.Reply()
	t.check(err == nil && r.Code >= 400, "it was answered %v, %v", r, err)
}

func diskFullClean(t *trial) {
	t.small("size=2m")
	c := t.login(0)
	t.fill(c)
	left := int64(0)
	t.until(2*time.Second, func() bool {
		left, _ = free(t.host("small"))
		return left > 2<<20-64<<10
	})
	t.check(left > 2<<20-64<<10, "%d bytes are free of 2 MiB", left)
	t.check(!t.has("small/large"), "a part is in view")
	t.must(t.put(c, "STOR small/little", "x"))
	t.check(t.read("small/little") == "x", "nothing can be stored any more")
}

func mountServed(t *trial) {
	t.small("size=2m")
	t.plant("small/file", "x")
	c := t.login(0)
	c.Timeout = 3 * time.Second
	for _, line := range []string{"LIST small", "RETR small/file", "NLST -R"} {
		_, err := t.get(c, line)
		var timeout net.Error
		t.check(!asTimeout(err, &timeout), "%s: %v", line, err)
	}
	t.inStep(c, "LIST")
}

func globBomb(t *trial) {
	many := 500
	if t.full {
		many = 2000
	}
	for i := range many {
		t.plant(fmt.Sprintf("%s%04d", strings.Repeat("a", 60), i), "")
	}
	c := t.login(0)
	nested := strings.Repeat("{a,", 60) + strings.Repeat("}", 60)
	for _, pattern := range []string{strings.Repeat("*a", 25) + "*b", strings.Repeat("*?", 60), "/" + strings.Repeat("*/../", 12) + "*", strings.Repeat("{a,b}", 30), nested, strings.Repeat("[", 500), strings.Repeat("{", 200), "~{", strings.Repeat("*", 300) + "b"} {
		for _, verb := range []string{"STAT ", "NLST "} {
			began := time.Now()
			var err error
			if verb == "STAT " {
				c.Timeout = 12 * time.Second
				_, err = c.Do(verb + pattern)
			} else {
				_, err = t.get(c, verb+pattern)
			}
			took := time.Since(began)
			t.check(took < 11*time.Second, "%s%.40s takes %v", verb, pattern, took)
			c = t.alive(c, err)
		}
	}
	t.others(soon)
}

func (t *trial) plantMany() int {
	many := 5000
	if t.full {
		many = 30000
	}
	t.plantDir("huge")
	for i := range many {
		t.must(os.WriteFile(fmt.Sprintf("%s/huge/a-name-of-some-length-%d", t.dir, i), nil, 0o644))
	}
	return many
}

func listHuge(t *trial) {
	many := t.plantMany()
	before := t.memory()
	c := t.login(0)
	for _, verb := range []string{"LIST huge", "NLST huge"} {
		began := time.Now()
		text, err := t.get(c, verb)
		t.must(err)
		t.check(strings.Count(text, "a-name-of") >= min(many, 9990), "%s has %d of %d names", verb, strings.Count(text, "a-name-of"), many)
		t.check(time.Since(began) < 10*time.Second, "%s takes %v", verb, time.Since(began))
	}
	t.flat(before)
}

func listHugeMany(t *trial) {
	t.plantMany()
	t.unread("LIST huge")
}

func listDeep(t *trial) {
	root, err := os.OpenRoot(t.dir)
	t.must(err)
	name := strings.Repeat("deep", 10)
	for range 150 { // 6,000 bytes
		t.must(root.Mkdir(name, 0o755))
		next, err := root.OpenRoot(name)
		t.must(err)
		root.Close()
		root = next
	}
	root.Close()
	c := t.login(0)
	began := time.Now()
	for _, verb := range []string{"LIST -R", "NLST -R", "MLSD"} {
		text, err := t.get(c, verb)
		c = t.alive(c, err)
		t.check(len(text) < 8<<20, "%s has %d bytes", verb, len(text))
	}
	t.check(time.Since(began) < 10*time.Second, "it takes %v", time.Since(began))
	c.Timeout = 5 * time.Second
	for i := range 140 {
		r, err := c.Do("CWD " + name)
		t.check(err == nil, "at depth %d: %v", i, err)
		if r.Code >= 400 {
			break
		}
	}
	_, err = t.get(c, "LIST")
	c = t.alive(c, err)
	_, err = c.Do("PWD")
	t.must(err)
}

func logNoSecrets(t *trial) {
	for i, pair := range [][2]string{{"eve", "hunter2-in-the-log"}, {"hunter3-in-the-log", "x"}} {
		in, _ := t.guess(i, pair[0], pair[1])
		t.check(!in, "it logs in")
	}
	c := t.login(5)
	_, _ = c.Do("MKD \x1b[31m\u202e\u009b")
	_, _ = c.Do("XYZZY \x1b]0;owned\x07")
	log := t.Log()
	for _, never := range []string{"hunter2", "PASS secret", "\x1b", "\x07", "\u202e", "\u009b"} {
		t.check(!strings.Contains(log, never), "%q is in the log", never)
	}
}
