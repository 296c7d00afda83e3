package builder

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/guest-sdk/build"
)

const (
	// form is the number of the answer's form: a program that was replaced while it
	// ran must not be misread.
	form = 2

	maxHead   = 1 << 20  // bytes of the first line
	maxModule = 64 << 20 // bytes; a server takes less
	maxOutput = 64 << 10 // bytes of a compiler's words
)

// answerHead is the first line of an answer. The module follows, if there is one.
type answerHead struct {
	Form     int           `json:"form"`
	Build    uint64        `json:"build,omitempty"` // the request's number, 0 where there is but one
	Fault    *fault        `json:"fault,omitempty"`
	Language string        `json:"language,omitempty"`
	Tool     string        `json:"tool,omitempty"`
	How      string        `json:"how,omitempty"`
	Took     time.Duration `json:"took,omitempty"`
	Dirs     []string      `json:"dirs,omitempty"`
	Size     int           `json:"size,omitempty"`
}

// fault is a build.Error without its cause.
type fault struct {
	Summary string `json:"summary"`
	Output  string `json:"output,omitempty"`
	Help    string `json:"help,omitempty"`
}

// writeAnswer tells what came of the build with that number.
func writeAnswer(w io.Writer, number uint64, r *build.Result, err error) error {
	h := answerHead{Form: form, Build: number}
	var module []byte
	var e *build.Error
	switch {
	case errors.As(err, &e):
		h.Fault = &fault{Summary: e.Summary, Output: cut(e.Output, maxOutput), Help: e.Help}
	case err != nil:
		h.Fault = &fault{Summary: cut(err.Error(), maxOutput)}
	default:
		h.Language, h.Tool, h.How, h.Took, h.Dirs, h.Size = r.Language, r.Tool, r.How, r.Took, r.Dirs, len(r.Module)
		module = r.Module
	}
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	_, err = w.Write(append(append(line, '\n'), module...))
	return err
}

// cut shortens a text to at most so many bytes, at a line's end if it can.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const more = "\n..."
	s = s[:most-len(more)]
	if i := strings.LastIndexByte(s, '\n'); i > 0 {
		s = s[:i]
	}
	for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) {
		s = s[:len(s)-1]
	}
	return s + more
}

// readAnswer reads one, behind which nothing follows. A fault is a [*build.Error] of the
// folder dir; any other error says that the answer is none.
func readAnswer(in io.Reader, dir string) (*build.Result, error) {
	r := bufio.NewReaderSize(in, maxHead)
	res, err := nextAnswer(r, 0, dir)
	if err != nil {
		return nil, err
	}
	if _, err := r.ReadByte(); err != io.EOF {
		return nil, fmt.Errorf("its module has more than %d bytes", len(res.Module))
	}
	return res, nil
}

// nextAnswer reads the answer to the build with that number from a reader with room for
// maxHead. Its errors are those of readAnswer.
func nextAnswer(r *bufio.Reader, number uint64, dir string) (*build.Result, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) || err != nil && len(line) > 0 {
		return nil, fmt.Errorf("its answer begins with %.100q", line)
	} else if err != nil {
		return nil, errors.New("it said nothing")
	}
	var h answerHead
	if err := json.Unmarshal(line, &h); err != nil {
		return nil, fmt.Errorf("its answer begins with %.100q", bytes.TrimSpace(line))
	}
	switch {
	case h.Form != form:
		return nil, fmt.Errorf("its answer has the form %d, not %d", h.Form, form)
	case h.Build != number:
		return nil, fmt.Errorf("its answer is to build %d, not %d", h.Build, number)
	case h.Fault != nil:
		return nil, &build.Error{Dir: dir, Summary: h.Fault.Summary, Output: h.Fault.Output, Help: h.Fault.Help}
	case h.Size <= 0 || h.Size > maxModule:
		return nil, fmt.Errorf("it tells of a module of %d bytes", h.Size)
	}
	res := &build.Result{Module: make([]byte, h.Size), Language: h.Language, Tool: h.Tool, How: h.How, Took: h.Took, Dirs: h.Dirs}
	if n, err := io.ReadFull(r, res.Module); err != nil {
		return nil, fmt.Errorf("its module ends after %d of %d bytes", n, h.Size)
	}
	return res, nil
}
