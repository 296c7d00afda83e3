// Package parity holds one table with a line for each item of the seed document,
// pyftpdlib's page on its protocol handlers: what it is there, what it is here, and
// a test that proves it. The table is its own runner: each line is a subtest that
// is named by its id.
//
//	go test ./tests/parity                                     all of it
//	go test ./tests/parity -run 'TestParity/FTPHandler.ftp_STOU'
//	UPDATE_GOLDEN=1 go test ./tests/parity -run TestDocument    writes docs/seed-parity.md
//
// It needs nothing but Go. Items whose value is not code are proved twice, in this
// process through edge.Config and by the program through a configuration file; the
// program is built once, when the first line asks for it.
package parity

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// kind says how edgeftp stands to an item of the seed.
type kind string

const (
	same      kind = "same"
	safer     kind = "safer"                // the same use, less harm
	different kind = "different on purpose" // another code, order or form
	needless  kind = "not needed"           // what it is for is there without it
)

// line is one item of the seed document.
type line struct {
	id   string
	seed string // what it is there
	// names are those of edgeftp for it, "package.Name", "package.Type.Field" or
	// "package.Type.Method"; "pi.Standard[STOU]" is a row of the command table.
	names string
	// key is its place in the configuration file, "code" where the value is code. A
	// default stands behind "=".
	key  string
	kind kind
	why  string // for all but the same: what differs, and the reason
	test func(*testing.T)
}

// section is a part of the seed document.
type section struct {
	title string
	lines []line
}

// document is the whole table, in the order of the seed document.
func document() []section {
	return []section{
		{"FTPHandler: the class and its attributes", slices.Concat(handlerClass(), handlerParts(), handlerSession(), handlerNetwork(), handlerText())},
		{"FTPHandler: the session", slices.Concat(handlerMethods(), handlerOwn())},
		{"FTPHandler: callbacks", slices.Concat(connectionCallbacks(), transferCallbacks())},
		{"FTPHandler: commands", slices.Concat(accessCommands(), portCommands(), listCommands(), fileCommands(), resumeCommands(),
			directoryCommands(), renameCommands(), factCommands(), parameterCommands(), informationCommands(), siteCommands())},
		{"TLS_FTPHandler", slices.Concat(tlsAttributes(), tlsSSL(), tlsCommands(), tlsCallbacks())},
		{"DTPHandler", slices.Concat(dataAttributes(), dataMethods(), dataProgress(), dataEnds())},
		{"ThrottledDTPHandler and TLS_DTPHandler", throttled()},
		{"PassiveDTP and ActiveDTP", slices.Concat(passivePorts(), activePorts())},
		{"Producers", slices.Concat(fileProducer(), iteratorProducer())},
		{"Exceptions and constants", slices.Concat(exceptions(), constants())},
		{"Usage examples", slices.Concat(examples(), moreExamples())},
		{"What the examples use and the page does not declare", slices.Concat(usedUsers(), usedSession())},
	}
}

// TestParity proves the table, line by line.
func TestParity(t *testing.T) {
	exported := exportedNames(t)
	keys := schemaKeys(t)
	seen := map[string]bool{}
	for _, s := range document() {
		for _, l := range s.lines {
			if seen[l.id] {
				t.Errorf("%s stands twice in the table", l.id)
			}
			seen[l.id] = true
			t.Run(l.id, func(t *testing.T) {
				t.Parallel()
				t.Cleanup(func() {
					if t.Skipped() && (runtime.GOOS == "linux" || os.Getenv("CI") == "true") {
						t.Error("a line that is skipped proves nothing")
					}
				})
				for _, fault := range l.faults(exported, keys) {
					t.Error(fault)
				}
				if l.test != nil {
					l.test(t)
				}
			})
		}
	}
}

// faults says what is wrong with a line, whatever its test proves.
func (l line) faults(exported map[string]bool, keys map[string]string) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if l.test == nil {
		add("the line has no test")
	}
	if l.seed == "" {
		add("the line does not say what the item is")
	}
	if (l.why == "") != (l.kind == same) {
		add("the line is %s: a reason is for what is not the same, and needed there", l.kind)
	}
	if !slices.Contains([]kind{same, safer, different, needless}, l.kind) {
		add("%q is not a kind", l.kind)
	}
	if l.names == "" {
		add("the line has no Go name")
	}
	for name := range list(l.names) {
		if !exported[name] {
			add("there is no Go name %s", name)
		}
	}
	if l.key == "" {
		add("the line has no key of the configuration, nor is it code")
	}
	for key := range list(l.key) {
		key, want, _ := strings.Cut(key, "=")
		def, ok := keys[key]
		switch {
		case key == "code":
		case !ok:
			add("the configuration file has no key %s", key)
		case want != "" && want != def:
			add("the default of %s is %q, not %q", key, def, want)
		}
	}
	return all
}

// list yields the parts of a list with commas between them.
func list(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" && !yield(part) {
				return
			}
		}
	}
}

// TestFaults: a line that is wrong is found.
func TestFaults(t *testing.T) {
	exported := map[string]bool{"edge.Config": true}
	keys := map[string]string{"limits.idle": "5m"}
	good := line{id: "x", seed: "y", names: "edge.Config", key: "limits.idle=5m", kind: same, test: func(*testing.T) {}}
	if f := good.faults(exported, keys); f != nil {
		t.Errorf("a good line: %q", f)
	}
	for what, change := range map[string]func(*line){
		"no test":      func(l *line) { l.test = nil },
		"no seed":      func(l *line) { l.seed = "" },
		"no reason":    func(l *line) { l.kind = safer },
		"no need":      func(l *line) { l.why = "because" },
		"no kind":      func(l *line) { l.kind, l.why = "alike", "because" },
		"no name":      func(l *line) { l.names = "" },
		"a lost name":  func(l *line) { l.names += ", edge.Lost" },
		"no key":       func(l *line) { l.key = "" },
		"a lost key":   func(l *line) { l.key = "limits.lost" },
		"another word": func(l *line) { l.key = "limits.idle=6m" },
	} {
		bad := good
		if change(&bad); bad.faults(exported, keys) == nil {
			t.Errorf("nothing is found: %s", what)
		}
	}
}
