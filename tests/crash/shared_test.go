package crash

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// shared are files to which all writers write at the same time: some that are
// replaced, of which the last one wins, and a log, to which one at a time may append.
type shared struct {
	mu    sync.Mutex
	clock int
	puts  map[string][]*put // by path
	lines map[string]*put   // of the log, by their first word
	log   []byte            // that is known to be in it
}

// put is one upload. Acked is zero until it is acknowledged.
type put struct {
	data           []byte
	started, acked int
	refused        bool
}

const (
	registers = 3
	sharedLog = "/shared/log"
)

func newShared() *shared { return &shared{puts: map[string][]*put{}, lines: map[string]*put{}} }

func (sh *shared) now() int {
	sh.clock++
	return sh.clock
}

// begin notes that an upload begins, under a lock because all writers do so.
func (sh *shared) begin(add func(*put), data []byte) *put {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	p := &put{data: data, started: sh.now()}
	add(p)
	return p
}

// end notes that it was acknowledged, or refused.
func (sh *shared) end(p *put, refused bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	p.acked, p.refused = sh.now(), refused
}

// put replaces a file that others replace as well.
func (sh *shared) put(w *writer) error {
	path := "/shared/r" + strconv.Itoa(w.rng.IntN(registers))
	data := w.bytes()
	p := sh.begin(func(p *put) { sh.puts[path] = append(sh.puts[path], p) }, data)
	if err := w.upload("STOR "+path, data, nil); err != nil {
		return err
	}
	sh.end(p, false)
	w.done("STOR by many")
	return nil
}

// extend appends a line to a log to which others append as well. Whoever comes while
// another one is at it is refused.
func (sh *shared) extend(w *writer) error {
	w.seq++
	word := fmt.Sprintf("%02d-%d", w.id, w.seq)
	line := []byte(word + " " + string(bytes.Repeat([]byte{'a' + byte(w.seq%26)}, 1+w.rng.IntN(30_000))) + "\n")
	p := sh.begin(func(p *put) { sh.lines[word] = p }, line)
	err := w.upload("APPE "+sharedLog, line, nil)
	var no *userpi.Unexpected
	if errors.As(err, &no) && no.Reply.Code == 450 {
		sh.end(p, true)
		w.at(phaseBetween)
		return nil
	}
	if err != nil {
		return err
	}
	sh.end(p, false)
	w.done("APPE by many")
	return nil
}

// check looks at what a kill has left of them, and takes that for what is known.
func (sh *shared) check(disk map[string]*file) (faults []string) {
	for path, puts := range sh.puts {
		left, fault := sh.last(puts, disk[path])
		if fault != "" {
			faults = append(faults, path+": "+fault)
		}
		sh.puts[path] = left
	}
	return append(faults, sh.checkLog(disk[sharedLog])...)
}

// last finds out which of the uploads is there, and whether it may be: every one that
// was acknowledged before another one began has been replaced by it.
func (sh *shared) last(puts []*put, f *file) ([]*put, string) {
	var there *put
	if f != nil {
		at := slices.IndexFunc(puts, func(p *put) bool { return bytes.Equal(p.data, f.data) })
		if at < 0 {
			return nil, fmt.Sprintf("%d bytes that nobody has sent", len(f.data))
		}
		there = puts[at]
	}
	for _, p := range puts {
		if p.acked > 0 && (there == nil || there.acked > 0 && there.acked < p.started) {
			return nil, fmt.Sprintf("an acknowledged upload of %d bytes is lost", len(p.data))
		}
	}
	if there == nil {
		return nil, ""
	}
	return []*put{{data: there.data, started: there.started, acked: sh.now()}}, ""
}

// checkLog reads the log line by line.
func (sh *shared) checkLog(f *file) (faults []string) {
	var data []byte
	if f != nil {
		data = f.data
	}
	rest, found := bytes.CutPrefix(data, sh.log)
	if !found {
		return []string{sharedLog + ": what was in it before is lost"}
	}
	for line := range bytes.Lines(rest) {
		word, _, _ := bytes.Cut(line, []byte(" "))
		p := sh.lines[string(word)]
		switch {
		case p == nil || !bytes.Equal(p.data, line):
			faults = append(faults, fmt.Sprintf("%s: a line of %d bytes that nobody has sent, or that is there twice", sharedLog, len(line)))
		case p.refused:
			faults = append(faults, fmt.Sprintf("%s: the line %s was refused and is there", sharedLog, word))
		}
		delete(sh.lines, string(word))
	}
	for word, p := range sh.lines {
		if p.acked > 0 && !p.refused {
			faults = append(faults, fmt.Sprintf("%s: the acknowledged line %s is lost", sharedLog, word))
		}
	}
	clear(sh.lines)
	sh.log = data
	return faults
}
