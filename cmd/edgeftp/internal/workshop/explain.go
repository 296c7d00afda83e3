package workshop

import (
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Failure is why a guest did not answer.
type Failure struct {
	// At is the place in the source, such as "main.go:41", where the guest tells it.
	At   string `json:"at,omitempty"`
	Says string `json:"says,omitempty"` // its own words, one line
	// Cause is the host's word for it, Trap how the call ended.
	Cause string `json:"cause"`
	Trap  string `json:"trap"`
	// Frames are the guest's functions at that moment, the innermost first.
	Frames []string `json:"frames,omitempty"`
	Stderr string   `json:"stderr,omitempty"` // all that it wrote, escaped
}

// maxFrames bounds what is told of a stack.
const maxFrames = 10

// explain tells a failed call, nil for one that the guest itself answered with fail.
func explain(err error) *Failure {
	var fault *wasmhost.CallError
	if !errors.As(err, &fault) || fault.Cause == wasmhost.CauseFailed {
		return nil
	}
	f := &Failure{Cause: fault.Cause.String(), Stderr: fault.Stderr}
	text := fault.Err.Error()
	trap, stack, _ := strings.Cut(text, "wasm stack trace:")
	f.Trap = abi.Clean(strings.TrimSpace(firstLine(trap)), 300)
	f.read(strings.Split(fault.Stderr, `\n`))
	if f.Frames == nil {
		for line := range strings.Lines(stack) {
			name, _, _ := strings.Cut(strings.TrimSpace(line), "(")
			if name = strings.TrimPrefix(name, "."); name != "" && len(f.Frames) < maxFrames {
				f.Frames = append(f.Frames, abi.Clean(name, 200))
			}
		}
	}
	return f
}

// line tells it in one line: where it was and what it said, else how it ended.
func (f *Failure) line() string {
	switch {
	case f.At != "" && f.Says != "":
		return f.At + ": " + f.Says
	case f.Says != "":
		return f.Says
	}
	return f.Trap
}

// place finds a file of source and its line.
func place() *regexp.Regexp {
	return regexp.MustCompile(`([^\s:'"(]+\.(?:go|rs|c|h|zig|ts|cc|cpp)):(\d+)(?::\d+)?`)
}

// read takes the words and the place out of what the guest wrote.
func (f *Failure) read(lines []string) {
	at := place()
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if f.Says == "" && line != "" {
			f.Says = line
		}
		m := at.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		function := ""
		if i > 0 && strings.HasPrefix(lines[i], " ") { // as Go writes a stack
			function, _, _ = strings.Cut(strings.TrimSpace(lines[i-1]), "(0x")
			function = strings.TrimSuffix(function, "(...)")
		}
		if inside(m[1], function) {
			continue
		}
		where := m[1] + ":" + m[2]
		if strings.HasPrefix(function, "main.") { // the policy's own package
			where = path.Base(where)
		}
		if f.At == "" {
			f.At = where
			if words, led := strings.CutPrefix(line, m[0]+": "); led && f.Says == line {
				f.Says = words // the place is told once
			}
		}
		if function != "" && len(f.Frames) < maxFrames {
			f.Frames = append(f.Frames, function+" "+where)
		}
	}
}

// inside reports whether a place is in a language's own library or in the SDK: it is
// not where the author looks.
func inside(file, function string) bool {
	if strings.HasPrefix(function, "runtime.") || strings.HasPrefix(function, "panic(") || strings.HasPrefix(function, "created by") {
		return true
	}
	return slices.ContainsFunc([]string{"runtime/", "/guest-sdk/", "guest-sdk@", "/rustc/", "library/std/", "library/core/", "/sdk/", "~lib/"},
		func(part string) bool {
			return strings.Contains(file, part) || strings.HasPrefix(file, strings.TrimPrefix(part, "/"))
		})
}
