package build

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// text builds the text format of WebAssembly with wat2wasm. There is no SDK: the ABI
// is what there is.
func text() language {
	return language{name: "wat", entry: "policy.wat", find: findWat, key: filesKey(".wat"), compile: compileWat}
}

func findWat(ctx context.Context, j *job) (err error) {
	if j.tool, err = exec.LookPath("wat2wasm"); err != nil {
		return j.fail("the assembler wat2wasm is missing", "", "apt-get install wabt, or npm install -g wabt", err)
	}
	out, err := j.run(ctx, nil, nil, j.tool, "--version")
	j.version = "wat2wasm " + strings.TrimSpace(string(out))
	return err
}

func compileWat(ctx context.Context, j *job) ([]byte, error) {
	out := filepath.Join(j.tmp, "policy.wasm")
	args := []string{"policy.wat", "-o", out}
	if named(ctx) {
		args = append(args, "--debug-names")
	}
	if _, err := j.run(ctx, nil, watHelp, j.tool, args...); err != nil {
		return nil, err
	}
	source, err := os.ReadFile(j.entry())
	if err != nil {
		return nil, err
	}
	module, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	b := borderOf(module)
	if m := vetWat(string(source), b); m.what != "" {
		return nil, j.fail(watPlace(m.line)+m.what, "", m.help, nil)
	}
	return module, j.vetCapabilities(b, func(imported string) string {
		line, _ := uncommented(string(source)).find(`"` + imported + `"`)
		return watPlace(line)
	})
}

func watPlace(line int) string { return "policy.wat:" + strconv.Itoa(max(line, 1)) + ": " }

// watHelp adds what the assembler's words leave open.
func watHelp(output string) string {
	switch {
	case strings.Contains(output, "type mismatch"):
		return "count what is on the stack: a hook takes the length (i32) and leaves the verdict (i64), ABI.md §6"
	case strings.Contains(output, "undefined"):
		return "a name begins with $ and must be declared in this file"
	}
	return ""
}

// watMistake is something in the text that a server would refuse, where it could not
// say the line. The zero value is none.
type watMistake struct {
	line       int
	what, help string
}

// watText is a text without its comments.
type watText string

// find says in which line the pattern is for the first time and what its groups are;
// 0 and nil if nowhere.
func (w watText) find(pattern string) (line int, groups []string) {
	at := regexp.MustCompile(pattern).FindStringSubmatchIndex(string(w))
	if at == nil {
		return 0, nil
	}
	for i := 0; i < len(at); i += 2 {
		group := ""
		if at[i] >= 0 {
			group = string(w[at[i]:at[i+1]])
		}
		groups = append(groups, group)
	}
	return 1 + strings.Count(string(w[:at[0]]), "\n"), groups
}

func uncommented(source string) watText {
	return watText(regexp.MustCompile(`;;[^\n]*`).ReplaceAllString(source, ""))
}

// vetWat looks for what is often forgotten in a text whose module has that border. What
// it does not understand it lets pass: the server's own words follow.
func vetWat(source string, b *border) watMistake {
	w := uncommented(source)
	if line, _ := w.find(`\(start\b`); line > 0 {
		return watMistake{line, "a policy has no start function", `export it in place of that: (func (export "_initialize") ...); the server calls it once`}
	}
	for _, m := range regexp.MustCompile(`\(import\s+"([^"]*)"\s+"[^"]*"`).FindAllStringSubmatch(string(w), -1) {
		if !slices.Contains([]string{"edgeftp", "wasi_snapshot_preview1"}, m[1]) {
			line, _ := w.find(regexp.QuoteMeta(m[0]))
			return watMistake{line, "a policy imports nothing of " + strconv.Quote(m[1]), `there are the functions of "edgeftp" in ABI.md §7`}
		}
	}
	if _, exported := b.exports["memory"]; !exported {
		line, _ := w.find(`\(memory\b`)
		return watMistake{max(line, 1), "the memory is not exported", `write  (memory (export "memory") 1)`}
	}
	if m := w.exports(b); m.what != "" {
		return m
	}
	return w.mailbox()
}

// exports looks at the names and the types of the hooks.
func (w watText) exports(b *border) watMistake {
	first, _ := w.find(`\(module\b`)
	if _, ok := b.exports["edgeftp_abi_v1"]; !ok {
		return watMistake{max(first, 1), "it does not export edgeftp_abi_v1",
			`say where the mailbox is: (func (export "edgeftp_abi_v1") (param i32 i64) (result i64) (i64.const 0x00008000_00001000))`}
	}
	for _, name := range slices.Sorted(maps.Keys(b.exports)) {
		line, _ := w.find(`\(export\s+"` + name + `"`)
		switch {
		case !strings.HasPrefix(name, "edgeftp_") || slices.Contains([]string{"edgeftp_abi_v1", "edgeftp_idle"}, name):
		case name != "edgeftp_config" && !isHook(name):
			return watMistake{max(line, 1), name + " is no hook", hookHelp()}
		case b.exports[name] != "(i32) -> i64":
			return watMistake{max(line, 1), name + " is " + b.exports[name] + ": it is given the length of what is in the mailbox and returns a verdict",
				`write  (func (export "` + name + `") (param $len i32) (result i64) ...)`}
		}
	}
	if !b.hasHook() {
		return watMistake{max(first, 1), "it exports no hook", `export one: (func (export "edgeftp_fs") (param $len i32) (result i64) (i64.const 0))`}
	}
	return watMistake{}
}

// mailbox looks at the mailbox, where it is a plain number.
func (w watText) mailbox() watMistake {
	line, m := w.find(`\(export\s+"edgeftp_abi_v1"\)[^"]*?\(i64\.const\s+(0x[0-9a-fA-F_]+)\)\s*\)`)
	if line == 0 {
		return watMistake{}
	}
	n, err := strconv.ParseUint(strings.ReplaceAll(m[1][2:], "_", ""), 16, 64)
	if err != nil || n == 0 {
		return watMistake{}
	}
	length, address := n>>32, n&0xffffffff
	least := uint64(4096)
	if strings.Contains(string(w), `"edgeftp_data"`) {
		least = 81920
	}
	const help = "the upper half is the length, the lower one the address: 0x00008000_00001000 is 32,768 bytes at 4,096"
	if length < least || length > 1<<20 {
		return watMistake{line, "the mailbox has " + strconv.FormatUint(length, 10) + " bytes, want " + strconv.FormatUint(least, 10) + " to 1048576", help}
	}
	_, pages := w.find(`\(memory\b[^0-9;]*?\s([0-9]+)`)
	if pages == nil {
		return watMistake{}
	}
	if p, err := strconv.ParseUint(pages[1], 10, 32); err == nil && address+length > p<<16 {
		return watMistake{line, "the mailbox ends at " + strconv.FormatUint(address+length, 10) + ", the memory at " + strconv.FormatUint(p<<16, 10), help}
	}
	return watMistake{}
}
