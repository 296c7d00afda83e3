package build

import (
	"context"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// assemblyScript builds with asc: a reactor, with the garbage collector that the SDK
// calls between two questions.
func assemblyScript() language {
	return language{name: "assemblyscript", entry: "policy.ts", find: findAsc, key: keyAsc, compile: compileAsc}
}

// smallMailbox is what holds every question but those of list and data (ABI §2). The
// SDK's own size is for those.
const smallMailbox = 32768

func findAsc(ctx context.Context, j *job) (err error) {
	const help = "npm install -g assemblyscript@0.28.20  (Node.js 20 or later), and see that asc is in PATH"
	if j.tool, err = exec.LookPath("asc"); err != nil {
		return j.fail("the AssemblyScript compiler is missing", "", help, err)
	}
	out, err := j.run(ctx, nil, func(string) string { return help }, j.tool, "--version")
	j.version = "asc " + strings.TrimPrefix(strings.TrimSpace(string(out)), "Version ")
	return err
}

func keyAsc(ctx context.Context, j *job, w io.Writer) error {
	if err := j.findSDK("assemblyscript"); err != nil {
		return err
	}
	return filesKey(".ts", ".json")(ctx, j, w)
}

func compileAsc(ctx context.Context, j *job) ([]byte, error) {
	sources, err := j.sources(".ts")
	if err != nil {
		return nil, err
	}
	sdk, err := filepath.Abs(j.sdk)
	if err != nil {
		return nil, err
	}
	out, text := filepath.Join(j.tmp, "policy.wasm"), filepath.Join(j.tmp, "policy.wat")
	args := []string{"policy.ts", filepath.Join(sdk, "module.ts"), "--path", sdk, "--use", "abort=~lib/edgeftp/abort/edgeftp_abort",
		"--exportStart", "_initialize", "--runtime", "minimal", "-Osize", "--noColors", "-o", out, "-t", text}
	if !strings.Contains(sources.all(), "edgeftp_list") && !strings.Contains(sources.all(), "edgeftp_data") {
		args = append(args, "--use", "EDGEFTP_MAILBOX="+strconv.Itoa(smallMailbox))
	}
	if named(ctx) {
		args = append(args, "--debug")
	}
	if _, err := j.run(ctx, nil, nil, j.tool, args...); err != nil {
		return nil, ascWords(err)
	}
	wat, err := os.ReadFile(text)
	if err != nil {
		return nil, err
	}
	module, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	return module, j.vetAsc(sources, string(wat), module)
}

// source is one file of the author's.
type source struct{ name, text string }

type sourceList []source

// sources reads the author's files with an extension: those beside the entry and below,
// but for the SDK's and those of tools.
func (j *job) sources(extension string) (list sourceList, err error) {
	err = filepath.WalkDir(j.dir, func(path string, d os.DirEntry, err error) error {
		name, _ := filepath.Rel(j.dir, path) // path lies below
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != j.dir && (name == "sdk" || d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != extension:
			return nil
		}
		text, err := os.ReadFile(path)
		list = append(list, source{filepath.ToSlash(name), string(text)})
		return err
	})
	return list, err
}

func (l sourceList) all() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.text)
	}
	return b.String()
}

// find says where the pattern is for the first time, as "policy.ts:7: ", empty if
// nowhere.
func (l sourceList) find(pattern string) string {
	re := regexp.MustCompile(pattern)
	for _, s := range l {
		for i, line := range strings.Split(s.text, "\n") {
			if re.MatchString(line) && !strings.HasPrefix(strings.TrimSpace(line), "//") {
				return s.name + ":" + strconv.Itoa(i+1) + ": "
			}
		}
	}
	return ""
}

// vetAsc looks for what a server would refuse in words that say less: functions of a
// browser in the module's text, exports that are no hooks, and what the manifest does not
// declare.
func (j *job) vetAsc(sources sourceList, wat string, module []byte) error {
	if m := regexp.MustCompile(`(?m)^ \(import "env" "([^"]+)"`).FindStringSubmatch(wat); m != nil {
		name, pattern, help := browserWords(m[1])
		return j.fail(sources.find(pattern)+"it needs "+name+", which browsers have and policies do not", "", help, nil)
	}
	b := borderOf(module)
	for _, name := range slices.Sorted(maps.Keys(b.exports)) {
		at := sources.find(`\bfunction\s+` + name + `\b`)
		switch {
		case at == "" || slices.Contains([]string{"edgeftp_abi_v1", "edgeftp_idle"}, name):
		case name != "edgeftp_config" && !isHook(name):
			if strings.HasPrefix(name, "edgeftp_") {
				return j.fail(at+name+" is no hook", "", hookHelp(), nil)
			}
		case b.exports[name] != "(i32) -> i64":
			return j.fail(at+name+" is given the length of what is in the mailbox and returns a verdict", "",
				"write  export function "+name+"(length: i32): i64", nil)
		}
	}
	if !b.hasHook() {
		if at := sources.find(`\bfunction\s+edgeftp_(?:` + strings.Join(hookNames(), "|") + `)\b`); at != "" {
			return j.fail(at+"the hook is not exported", "", "write  export  in front of  function", nil)
		}
		return j.fail("it exports no hook", "", "export one in policy.ts:  export function edgeftp_fs(length: i32): i64 { return fs(length, (q) => q.pass()); }", nil)
	}
	return j.vetCapabilities(b, func(imported string) string {
		call := map[string]string{"metric": `\bmetric\.`, "pw_verify": `\bverify\(`}[imported]
		switch {
		case strings.HasPrefix(imported, "kv_"):
			call = `\bkv\.`
		case call == "":
			call = `\b` + imported + `\(`
		}
		return sources.find(call)
	})
}

// browserWords are what authors call the import, where it may come from, and what to do
// without it.
func browserWords(imported string) (name, pattern, help string) {
	name = imported
	switch {
	case strings.HasPrefix(name, "console."), name == "trace":
		return name, `\bconsole\.|\btrace\(`, `write to the server's log:  import { log } from "edgeftp"  and  log.info(text)`
	case name == "seed":
		return "Math.random", `\bMath\.random`, `take  random(n)  of "edgeftp", with the capability "random" in manifest.json`
	case strings.HasPrefix(name, "Date."), strings.HasPrefix(name, "performance."):
		return name, `\bDate\b|\bperformance\.`, "the time of a question is  q.time , in nanoseconds since 1970"
	}
	word := regexp.QuoteMeta(name[strings.LastIndexByte(name, '.')+1:])
	return name, `\b` + word + `\b`, `a module may import what ABI.md §7 lists; the functions of "edgeftp" do so`
}

// ascPlace is the line in which asc says where a fault is.
var ascPlace = regexp.MustCompile(`\n *└─ in (\S+)\((\d+),(\d+)\)`)

// ascWords puts the place of each fault in front of it, where people and editors look.
func ascWords(err error) error {
	e, ok := err.(*Error)
	if !ok {
		return err
	}
	faults := strings.Split(e.Output, "\n\n")
	for i, f := range faults {
		if m := ascPlace.FindStringSubmatchIndex(f); m != nil {
			faults[i] = f[m[2]:m[3]] + ":" + f[m[4]:m[5]] + ":" + f[m[6]:m[7]] + ": " + f[:m[0]] + f[m[1]:]
		}
	}
	e.Output = strings.Join(faults, "\n\n")
	e.Help = ascHelp(e.Output)
	return e
}

// ascHelp adds what the compiler's words leave open.
func ascHelp(output string) string {
	switch {
	case strings.Contains(output, "Not implemented: Closures"):
		return "a function sees its parameters and the variables of the file, not those of the function around it: move the variable to the file"
	case strings.Contains(output, "want a string, Bytes, a Builder or a Uint8Array"):
		return "a function of the SDK was given a value that is none of these: make a string of it with toString()"
	case strings.Contains(output, "'~lib/edgeftp/bytes/Bytes' is not assignable to type '~lib/string/String'"):
		return "paths and names are Bytes, which have methods of their own; toString() makes a string of one"
	case strings.Contains(output, "does not exist on type '~lib/edgeftp/"):
		return "what a question and an answer have is in the SDK's file of that name; a reply key has a setter only where it may stand (ABI.md §6)"
	case strings.Contains(output, "Exception support"), strings.Contains(output, "try"):
		return "there are no exceptions: functions of the host return a Result, whose  ok  and  error  say what happened"
	}
	return ""
}
