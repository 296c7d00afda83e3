package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Head is the newest record, as it is kept apart from the log.
type Head struct {
	Seq  uint64 `json:"seq"`  // 0 before the first
	Hash string `json:"hash"` // in hexadecimal
}

// Fault is something that is wrong with a log.
type Fault struct {
	File string `json:"file"`
	Line int    `json:"line"` // from 1; 0 for the file as a whole
	Text string `json:"text"`
}

// Report is what Verify found.
type Report struct {
	Files   []string `json:"files"`
	Records uint64   `json:"records"`
	First   uint64   `json:"first"` // seq of the first record; more than 1 if older files are not there
	Head    Head     `json:"head"`  // of the last record
	Faults  []Fault  `json:"faults"`
	Notes   []string `json:"notes"` // what the server has written of the log itself, and is no fault by now
}

// maxFaults bounds the faults that a report lists.
const maxFaults = 100

// verifier walks along the chain.
type verifier struct {
	report Report
	begun  bool
}

func (v *verifier) fault(file string, line int, format string, args ...any) {
	if len(v.report.Faults) < maxFaults {
		v.report.Faults = append(v.report.Faults, Fault{file, line, fmt.Sprintf(format, args...)})
	}
}

// Verify reads files, the oldest first, and tells what is wrong with the chain. With a head
// the last record has to be that one. The error is one of reading.
func Verify(files []string, head *Head) (Report, error) {
	v := &verifier{report: Report{Files: files, Faults: []Fault{}, Notes: []string{}}}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return v.report, err
		}
		err = v.read(name, f)
		_ = f.Close() // opened for reading alone
		if err != nil {
			return v.report, err
		}
	}
	if head != nil && len(v.report.Faults) == 0 && *head != v.report.Head {
		last := ""
		if len(files) > 0 {
			last = files[len(files)-1]
		}
		v.fault(last, 0, "the log ends with record %d, and the head that was kept apart is of record %d: %s", v.report.Head.Seq, head.Seq, differs(v.report.Head, *head))
	}
	return v.report, nil
}

func differs(log, head Head) string {
	switch {
	case log.Seq < head.Seq:
		return "its end was cut off"
	case log.Seq > head.Seq:
		return "the head is old, or was changed"
	}
	return "one of them was changed"
}

// read reads one file.
func (v *verifier) read(name string, in io.Reader) error {
	r := bufio.NewReaderSize(in, maxLine)
	for n := 1; ; n++ {
		line, err := r.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case errors.Is(err, io.EOF):
			v.fault(name, n, "it ends without an end of line: the server was killed while it wrote, which it mends when it starts, or a part was cut off")
			return nil
		case errors.Is(err, bufio.ErrBufferFull):
			v.fault(name, n, "it is longer than any record")
			return nil
		case err != nil:
			return err
		}
		v.take(name, n, line)
	}
}

// take looks at one line.
func (v *verifier) take(name string, n int, line []byte) {
	rec, err := Read(line)
	if err != nil {
		v.fault(name, n, "%v", err)
		if rec.Hash == "" {
			return
		}
	}
	switch last := v.report.Head; {
	case !v.begun && rec.Seq > 1:
		v.report.First = rec.Seq
	case !v.begun:
		v.report.First = rec.Seq
		if rec.Prev != "" {
			v.fault(name, n, "it is the first record, and names one before it")
		}
	case rec.Seq != last.Seq+1:
		v.fault(name, n, "record %d follows record %d", rec.Seq, last.Seq)
	case rec.Prev != last.Hash:
		v.fault(name, n, "record %d does not follow the one before it: that one was changed, or put in", rec.Seq)
	}
	switch rec.Action {
	case ActionCut, ActionForgotten:
		v.fault(name, n, "the server found when it started: %s", rec.Text)
	case ActionMended, ActionLost, ActionDropped:
		v.report.Notes = append(v.report.Notes, fmt.Sprintf("record %d, %s: %s", rec.Seq, rec.Action, rec.Text))
	}
	v.begun = true
	v.report.Records++
	v.report.Head = Head{rec.Seq, rec.Hash}
}

// ReadHead reads the head that was kept apart. Nil is none.
func ReadHead(path string) (*Head, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	h := new(Head)
	if err := json.Unmarshal(text, h); err != nil {
		return nil, fmt.Errorf("%s is no head of an audit log", path)
	}
	return h, nil
}

// Files returns the file of a log and those before it that it was moved away to, the oldest
// first: audit.jsonl has audit-00000000000000000123.jsonl beside it, by the number of the
// first record.
func Files(path string) ([]string, error) {
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		full := filepath.Join(filepath.Dir(path), e.Name())
		middle, ok := strings.CutPrefix(strings.TrimSuffix(full, filepath.Ext(path)), stem+"-")
		if ok && len(middle) == numberWidth && strings.Trim(middle, "0123456789") == "" && filepath.Ext(full) == filepath.Ext(path) {
			files = append(files, full)
		}
	}
	slices.Sort(files)
	if _, err := os.Stat(path); err == nil {
		files = append(files, path)
	}
	return files, nil
}

// Select hands those records of files over that are no older than since and newer than a
// number, the oldest first. What is no record is left out. It ends when each returns false.
func Select(files []string, each func(Record) bool) error {
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		more, err := walk(f, each)
		_ = f.Close() // opened for reading alone
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func walk(in io.Reader, each func(Record) bool) (more bool, err error) {
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, 0, 4<<10), maxLine)
	for s.Scan() {
		if r, err := Read(append(bytes.Clone(s.Bytes()), '\n')); err == nil && !each(r) {
			return false, nil
		}
	}
	return true, s.Err()
}
